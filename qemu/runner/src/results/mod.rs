// SPDX-License-Identifier: GPL-2.0-only

//! What a run came to, in files that other programs read: KTAP, JUnit's XML, KernelCI's JSON.
//!
//! What a suite printed is only part of it. That its guest came to a good end is a test of its own,
//! [`GUEST`]: a suite whose guest did not, passed in no file.

mod junit;
mod kernelci;
mod ktap;

use crate::{classify::Class, guest, qemu, report::Line};
use anyhow::{Context as _, Result};
use std::{fs, path::Path, time::Duration};

/// The test of each suite that its guest ended well: no panic, no warning, nothing left behind, and
/// as many tests as it said.
const GUEST: &str = "the guest";

/// A suite that was run.
struct Suite {
    name: String,
    took: Duration,
    tests: Vec<Test>,
}

/// One of its tests.
#[derive(Debug, PartialEq, Eq)]
struct Test {
    name: String,
    outcome: Outcome,
    /// What it said, line by line.
    said: Vec<String>,
}

#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    Passed,
    Failed,
    /// Why it could not be tried.
    Skipped(String),
    /// Not a test that failed, but something that had no right to happen.
    Error(String),
}

/// Writes `run.ktap`, `run.xml` and `run.json` of a run on a kernel.
pub(crate) fn write(dir: &Path, kernel: &str, lines: &[Line]) -> Result<()> {
    let suites: Vec<_> = lines.iter().map(Suite::of).collect();
    for (name, content) in [
        ("run.ktap", ktap::write(&suites)),
        ("run.xml", junit::write(kernel, &suites)?),
        ("run.json", kernelci::write(kernel, &suites)?),
    ] {
        let path = dir.join(name);
        fs::write(&path, content).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}

impl Suite {
    fn of(line: &Line) -> Self {
        let ran = &line.ran;
        let mut tests = ktap::read(&guest::read(&ran.dir.join(qemu::OUTPUT)));
        let why = || ran.outcome.why.clone().unwrap_or_default();
        tests.push(Test {
            name: GUEST.to_owned(),
            outcome: match ran.outcome.class {
                Class::Passed => Outcome::Passed,
                // The tests that failed have said so, and what failed besides says it here.
                Class::Failed => Outcome::Failed,
                _ => Outcome::Error(why()),
            },
            said: ran.outcome.why.iter().cloned().collect(),
        });
        Self {
            name: line.suite.clone(),
            took: ran.took,
            tests,
        }
    }
}

#[cfg(test)]
fn examples() -> Vec<Suite> {
    let test = |name: &str, outcome, said: &[&str]| Test {
        name: name.to_owned(),
        outcome,
        said: said.iter().map(|line| (*line).to_owned()).collect(),
    };
    let suite = |name: &str, tests| Suite {
        name: name.to_owned(),
        took: Duration::from_millis(1500),
        tests,
    };
    let skipped = Outcome::Skipped("no <time>".to_owned());
    let panicked = Outcome::Error("Kernel panic".to_owned());
    vec![
        suite(
            "kinds",
            vec![
                test("net: a & b", Outcome::Passed, &[]),
                test("uts", Outcome::Failed, &["setns(2): 1", "device: 2"]),
                test("time", skipped, &[]),
                test(GUEST, Outcome::Failed, &["1 test failed"]),
            ],
        ),
        suite("errno", vec![test(GUEST, panicked, &["Kernel panic"])]),
    ]
}
