// SPDX-License-Identifier: GPL-2.0-only

//! Tests from `tools/testing/selftests` of the kernel that is under test.

use super::{Bench, Ran, Side, quiesce::Still, tap};
use crate::{
    case::target::World,
    report::ktap::{self, Skip, Test},
};
use anyhow::{Context as _, Result};
use std::{
    fs,
    path::{Path, PathBuf},
    rc::Rc,
};

/// Where they are, in the directories that the kernel's source has them in.
pub(super) const DIRECTORY: &str = "/usr/lib/kselftests";
/// Those that are not there: a name and why, a line each.
const MISSING: &str = "/usr/lib/kselftests/missing";
/// The tests whose source calls setns(2), one name per line.
const CALLERS: &str = "/usr/lib/kselftests/callers";
/// Those that take their time.
const LONG: [&str; 2] = ["gettime_perf", "stress_test"];

/// The programs of which only some tests are run, with the arguments that select them.
const SOME: [(&str, &[&str]); 2] = [
    // The other tests do not call setns(2), and check for leftovers of threads before the kernel
    // has released them.
    (
        "ns_active_ref_test",
        &["-t", "ns_active_with_multiple_processes"],
    ),
    // Its child exits at once, and may do so before its namespace is opened.
    ("clone3_empty_mntns_test", &["-T", "setns_into_child_mntns"]),
];

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
        let (path, calls) = match source {
            Source::Missing(why) => {
                tests.push(skipped(&name, why));
                continue;
            }
            Source::Path { .. } if LONG.contains(&name.as_str()) && !world.effort.long => {
                tests.push(skipped(
                    &name,
                    "takes its time, see make test-long".to_owned(),
                ));
                continue;
            }
            Source::Path { path, calls } => (path, calls),
        };
        // The host names it if the guest hangs or dies in it.
        println!("# begin {name}");
        match Compared::run(bench, &still, &name, path, calls, world) {
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
    Path { path: String, calls: bool },
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
    let callers = fs::read_to_string(CALLERS).context(CALLERS)?;
    let mut directories = vec![PathBuf::from(DIRECTORY)];
    while let Some(directory) = directories.pop() {
        for path in entries(&directory)? {
            if path.is_dir() {
                directories.push(path);
            } else if directory != Path::new(DIRECTORY) {
                let name = path.file_name().context("a file without a name")?;
                let relative = path.strip_prefix(DIRECTORY)?.to_string_lossy();
                found.push(Program {
                    name: name.to_string_lossy().into_owned(),
                    source: Source::Path {
                        path: path.display().to_string(),
                        calls: callers.lines().any(|caller| caller == relative),
                    },
                });
            }
        }
    }
    Ok(found)
}

fn entries(directory: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(directory).with_context(|| directory.display().to_string())?;
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
    /// `true` if its source calls setns(2).
    calls: bool,
    reference: Ran,
    subject: Ran,
}

impl Compared {
    fn run(
        bench: &Bench,
        still: &Still,
        name: &str,
        path: String,
        calls: bool,
        world: &World,
    ) -> Result<Self> {
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
            // The selected tests need not include those that call.
            calls: calls && some.is_none(),
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
            let test = ktap::plain_name(&format!("{}: {name}", self.name));
            tests.push(Test::new(test, move |_| {
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

    /// Compares the exit statuses, and checks the calls of setns(2).
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
        let mut calls = Vec::new();
        self.reference.check_calls(Side::Kernel, &mut calls);
        self.subject.check_calls(Side::Module, &mut calls);
        // What is skipped need not call.
        let tests = tap::parse(&self.reference.stdout);
        let ran = reference != "skip" && (tests.is_empty() || tests.iter().any(|t| t.1 != "skip"));
        let made = (self.reference.made > 0, self.subject.made > 0);
        if made.0 != made.1 || self.calls && ran && !made.0 {
            calls.push(format!(
                "calls of setns(2): {}; served by the module: {}; in its source: {}",
                self.reference.made, self.subject.made, self.calls
            ));
        }
        wrong.extend(calls.into_iter().map(|wrong| self.say(wrong)));
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
