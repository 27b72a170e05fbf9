// SPDX-License-Identifier: GPL-2.0-only

//! Tests from `tools/testing/selftests` of the kernel that is under test.

use super::{Comparison, ProgramRun, tap};
use crate::{
    case::fixtures::Fixtures,
    checks::leaked_namespaces,
    report::ktap::{self, Skip, Test},
};
use anyhow::{Context as _, Result};
use nsproxy_uapi::Implementation;
use std::{
    fs,
    path::{Path, PathBuf},
    rc::Rc,
};

/// The directory of the programs, with the layout of the kernel's source.
pub(super) const DIRECTORY: &str = "/usr/lib/kselftests";
/// The programs that are missing: a name and the reason, one per line.
const MISSING: &str = "/usr/lib/kselftests/missing";
/// The tests whose source calls setns(2), one name per line.
const CALLERS: &str = "/usr/lib/kselftests/callers";
/// The programs that only the long form runs.
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

/// The exit statuses of selftests, and their meaning.
const EXITS: [(&str, &str); 5] = [
    ("0", "ok"),
    ("1", "fail"),
    ("2", "xfail"),
    ("3", "xpass"),
    ("4", "skip"),
];

/// Runs the programs, since they print their tests only then. A program whose name does not match the
/// filter is only run if nothing else matches.
pub(crate) fn tests(
    comparison: &Rc<Comparison>,
    filter: &str,
    elsewhere: bool,
    fixtures: &mut Fixtures,
) -> Vec<Test> {
    let (found, namespaces) =
        match find().and_then(|found| Ok((found, leaked_namespaces::active_count()?))) {
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
            Source::Path { .. } if LONG.contains(&name.as_str()) && !fixtures.effort.long => {
                tests.push(skipped(&name, "slow: run by make test-long".to_owned()));
                continue;
            }
            Source::Path { path, calls } => (path, calls),
        };
        // The host reports this name if the guest hangs or dies.
        println!("# begin {name}");
        match Compared::run(comparison, namespaces, &name, path, calls, fixtures) {
            Ok(compared) => tests.extend(Rc::new(compared).tests(comparison)),
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

/// A program that was run with each implementation.
struct Compared {
    name: String,
    words: Vec<String>,
    /// `true` if its source calls setns(2).
    calls: bool,
    reference: ProgramRun,
    subject: ProgramRun,
}

impl Compared {
    fn run(
        comparison: &Comparison,
        namespaces: usize,
        name: &str,
        path: String,
        calls: bool,
        fixtures: &Fixtures,
    ) -> Result<Self> {
        let some = SOME.iter().find(|(of, _)| *of == name);
        let arguments = some.map_or(&[][..], |(_, arguments)| arguments);
        let mut words = vec![path];
        words.extend(arguments.iter().map(|word| (*word).to_owned()));
        let run = |by| {
            // Some programs count the namespaces before and after.
            leaked_namespaces::wait_for_active_count(namespaces)?;
            comparison.run(by, &words, &fixtures.clocks)
        };
        Ok(Self {
            name: name.to_owned(),
            // The selected tests need not include those that call setns(2).
            calls: calls && some.is_none(),
            reference: run(Implementation::Kernel)?,
            subject: run(Implementation::Module)?,
            words,
        })
    }

    /// Returns a test for each of its tests, and one for its exit status.
    fn tests(self: Rc<Self>, comparison: &Rc<Comparison>) -> Vec<Test> {
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
            let (compared, comparison) = (self.clone(), comparison.clone());
            let test = ktap::plain_name(&format!("{}: {name}", self.name));
            tests.push(Test::new(test, move |_| {
                compared.compare(&comparison, &name, reference, subject)
            }));
        }
        let (compared, comparison) = (self.clone(), comparison.clone());
        tests.push(Test::new(format!("{}: as a whole", self.name), move |_| {
            compared.compare_end(&comparison)
        }));
        tests
    }

    fn compare(
        &self,
        comparison: &Comparison,
        name: &str,
        reference: &str,
        subject: &str,
    ) -> Result<()> {
        comparison.record(&format!("{}.{name}", self.name), &reference, &subject)?;
        let mut wrong = Vec::new();
        if reference != subject {
            wrong.push(self.describe(format!(
                "with setns(2): {reference}; served by the module: {subject}"
            )));
        } else if reference == "fail" {
            comparison.fail_anyway.set(comparison.fail_anyway.get() + 1);
        }
        comparison.finish(wrong)
    }

    /// Compares the exit statuses, and checks the calls of setns(2).
    fn compare_end(&self, comparison: &Comparison) -> Result<()> {
        let word = |ran: &ProgramRun| {
            let exit = EXITS.iter().find(|(status, _)| *status == ran.status);
            exit.map(|(_, word)| *word)
        };
        let (reference, subject) = (word(&self.reference), word(&self.subject));
        let reference = reference
            .with_context(|| format!("fails to run with setns(2) as well:\n{}", self.reference))?;
        let subject = subject.unwrap_or(&self.subject.status);
        comparison.record(&format!("{}.as a whole", self.name), &reference, &subject)?;
        let mut wrong = Vec::new();
        if reference != subject {
            wrong.push(self.describe(format!(
                "exits with setns(2): {reference}; served by the module: {subject}"
            )));
        }
        let mut calls = Vec::new();
        self.reference
            .check_calls(Implementation::Kernel, &mut calls);
        self.subject.check_calls(Implementation::Module, &mut calls);
        // A program that skips its tests need not call setns(2).
        let tests = tap::parse(&self.reference.stdout);
        let ran = reference != "skip" && (tests.is_empty() || tests.iter().any(|t| t.1 != "skip"));
        let made = (self.reference.made > 0, self.subject.made > 0);
        if made.0 != made.1 || self.calls && ran && !made.0 {
            calls.push(format!(
                "calls of setns(2): {}; served by the module: {}; in its source: {}",
                self.reference.made, self.subject.made, self.calls
            ));
        }
        wrong.extend(calls.into_iter().map(|wrong| self.describe(wrong)));
        comparison.finish(wrong)
    }

    /// Adds the output and the command that reproduces it to an error.
    fn describe(&self, wrong: String) -> String {
        format!(
            "{wrong}\nserved by the module:\n{}\nreproduce: nsproxy serve {}",
            self.subject,
            self.words.join(" ")
        )
    }
}
