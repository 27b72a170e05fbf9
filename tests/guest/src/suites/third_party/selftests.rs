// SPDX-License-Identifier: GPL-2.0-only

//! Tests from `tools/testing/selftests` of the kernel that is under test.

use super::{Bench, Ran, Side, still::Still, tap};
use crate::{
    ktap::{Skip, Test},
    world::World,
};
use anyhow::{Context as _, Result};
use std::{fs, path::PathBuf, rc::Rc};

/// Where they are, in the directories that the kernel's source has them in.
pub(super) const DIRECTORY: &str = "/usr/lib/kselftests";
/// Those that are not there: a name and why, a line each.
const MISSING: &str = "/usr/lib/kselftests/missing";
/// Those that take their time.
const LONG: [&str; 2] = ["gettime_perf", "stress_test"];

/// Those of which only some tests are run, with the arguments that select them: the others do not
/// call setns(2), and look for what threads leave behind before the kernel is done with it.
const SOME: [(&str, &[&str]); 1] = [(
    "ns_active_ref_test",
    &["-t", "ns_active_with_multiple_processes"],
)];

/// What a test of the kernel's exits with that says nothing of its tests.
const EXITS: [(&str, &str); 5] = [
    ("0", "ok"),
    ("1", "fail"),
    ("2", "xfail"),
    ("3", "xpass"),
    ("4", "skip"),
];

/// Runs the programs, as which tests they have they tell only then; those that the filter is not
/// about if it is about nothing else, either.
pub(crate) fn tests(
    bench: &Rc<Bench>,
    filter: &str,
    elsewhere: bool,
    world: &mut World,
) -> Vec<Test> {
    let (found, still) = match find().and_then(|found| Ok((found, Still::now()?))) {
        Ok(both) => both,
        Err(error) => return vec![failing("selftests", error)],
    };
    let is_meant = |name: &str| name.contains(filter) || filter.starts_with(name);
    let names = found.iter().map(|program| program.name.as_str());
    let elsewhere = elsewhere || names.clone().any(is_meant);
    let mut tests = Vec::new();
    for program in found {
        let Program { name, source } = program;
        if !filter.is_empty() && elsewhere && !is_meant(&name) {
            continue;
        }
        let path = match source {
            Source::Missing(why) => {
                tests.push(skipped(&name, why));
                continue;
            }
            Source::Path(_) if LONG.contains(&name.as_str()) && !world.effort.long => {
                tests.push(skipped(
                    &name,
                    "takes its time, see make test-long".to_owned(),
                ));
                continue;
            }
            Source::Path(path) => path,
        };
        // What is said last before a panic must be out.
        println!("# running {path}");
        match Compared::run(bench, &still, &name, path, world) {
            Ok(compared) => tests.extend(Rc::new(compared).tests(bench)),
            Err(error) => tests.push(failing(&name, error)),
        }
    }
    tests
}

struct Program {
    name: String,
    source: Source,
}

enum Source {
    Path(String),
    Missing(String),
}

fn find() -> Result<Vec<Program>> {
    let mut found = Vec::new();
    for line in fs::read_to_string(MISSING).context(MISSING)?.lines() {
        let (name, why) = line.split_once(' ').context(MISSING)?;
        found.push(Program {
            name: name.rsplit('/').next().unwrap_or(name).to_owned(),
            source: Source::Missing(why.to_owned()),
        });
    }
    let mut directories: Vec<PathBuf> = entries(DIRECTORY.into())?;
    directories.retain(|path| path.is_dir());
    for directory in directories {
        for path in entries(directory)? {
            let name = path.file_name().context("a file without a name")?;
            found.push(Program {
                name: name.to_string_lossy().into_owned(),
                source: Source::Path(path.display().to_string()),
            });
        }
    }
    Ok(found)
}

fn entries(directory: PathBuf) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(&directory).with_context(|| directory.display().to_string())?;
    let mut paths = entries
        .map(|entry| Ok(entry?.path()))
        .collect::<Result<Vec<_>>>()?;
    paths.sort();
    Ok(paths)
}

fn skipped(name: &str, why: String) -> Test {
    Test::new(name, move |_| Err(Skip::because(why)))
}

fn failing(name: &str, error: anyhow::Error) -> Test {
    Test::new(name, move |_| Err(error))
}

/// A program that was run on both sides.
struct Compared {
    name: String,
    words: Vec<String>,
    /// It can call setns(2).
    calls: bool,
    reference: Ran,
    subject: Ran,
}

impl Compared {
    fn run(bench: &Bench, still: &Still, name: &str, path: String, world: &World) -> Result<Self> {
        let program = fs::read(&path)?;
        let some = SOME.iter().find(|(of, _)| *of == name);
        let arguments = some.map_or(&[][..], |(_, arguments)| arguments);
        let mut words = vec![path];
        words.extend(arguments.iter().map(|word| (*word).to_owned()));
        let run = |side| {
            still.again()?;
            bench.run(side, &words, &world.clocks)
        };
        Ok(Self {
            name: name.to_owned(),
            // The name of a symbol that it takes from libc.
            calls: program.windows(7).any(|bytes| bytes == b"\0setns\0"),
            reference: run(Side::Kernel)?,
            subject: run(Side::Module)?,
            words,
        })
    }

    /// A test for each of its tests, and one for how it ended.
    fn tests(self: Rc<Self>, bench: &Rc<Bench>) -> Vec<Test> {
        let (reference, subject) = (
            tap::parse(&self.reference.stdout),
            tap::parse(&self.subject.stdout),
        );
        let mut names: Vec<_> = reference.iter().map(|(name, _)| name.clone()).collect();
        for (name, _) in &subject {
            if !names.contains(name) {
                names.push(name.clone());
            }
        }
        let mut tests = Vec::new();
        for name in names {
            let of = |lines: &[tap::Line]| {
                let line = lines.iter().find(|(other, _)| *other == name);
                line.map_or("absent", |(_, word)| word)
            };
            let (reference, subject) = (of(&reference), of(&subject));
            let (compared, bench) = (self.clone(), bench.clone());
            tests.push(Test::new(format!("{}: {name}", self.name), move |_| {
                compared.compare(&bench, &name, reference, subject)
            }));
        }
        let (compared, bench) = (self.clone(), bench.clone());
        tests.push(Test::new(format!("{}: as a whole", self.name), move |_| {
            compared.compare_end(&bench)
        }));
        tests
    }

    fn compare(&self, bench: &Bench, name: &str, reference: &str, subject: &str) -> Result<()> {
        bench.record(&format!("{}.{name}", self.name), &reference, &subject)?;
        let mut wrong = Vec::new();
        if reference != subject {
            wrong.push(self.say(format!(
                "with setns(2): {reference}; served by the module: {subject}"
            )));
        } else if reference == "fail" {
            bench.fail_anyway.set(bench.fail_anyway.get() + 1);
        }
        bench.judge(wrong)
    }

    /// How it ended, and whether it called setns(2) at all.
    fn compare_end(&self, bench: &Bench) -> Result<()> {
        let word = |ran: &Ran| {
            let exit = EXITS.iter().find(|(status, _)| *status == ran.status);
            exit.map(|(_, word)| *word)
        };
        let (reference, subject) = (word(&self.reference), word(&self.subject));
        let reference = reference.with_context(|| {
            format!("it does not run, with setns(2) either:\n{}", self.reference)
        })?;
        let subject = subject.unwrap_or(&self.subject.status);
        bench.record(&format!("{}.as a whole", self.name), &reference, &subject)?;
        let mut wrong = Vec::new();
        if reference != subject {
            wrong.push(self.say(format!(
                "exits with setns(2): {reference}; served by the module: {subject}"
            )));
        }
        // What is skipped need not call.
        let tests = tap::parse(&self.subject.stdout);
        let ran = subject != "skip" && (tests.is_empty() || tests.iter().any(|t| t.1 != "skip"));
        if self.calls && ran && self.subject.calls == 0 {
            wrong.push(self.say("it uses setns(2), and no call was served".into()));
        }
        bench.judge(wrong)
    }

    /// What is wrong, and with what to look into it.
    fn say(&self, wrong: String) -> String {
        format!(
            "{wrong}\nserved by the module:\n{}\nby hand: nsproxy serve {}",
            self.subject,
            self.words.join(" ")
        )
    }
}
