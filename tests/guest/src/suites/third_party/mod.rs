// SPDX-License-Identifier: GPL-2.0-only

//! Third-party programs, run twice: as they are, and served by the module.
//! The results must be the same: of the kernel's [`selftests`] test by test, and of common
//! [`commands`] line by line.
//!
//! The tests verify which implementation served the calls. In the first run the module served none; in
//! the second run it served as many calls as the kernel counted at the entries of setns(2) and
//! unshare(2).

mod commands;
mod files;
mod run_program;
mod selftests;
mod table;
mod tap;

use crate::{
    case::fixtures::Fixtures,
    env::serve_status,
    report::{
        ktap::{Skip, Test},
        verdict_port,
    },
    snapshot::ClockBase,
    sys::{CallCounter, Number},
};
use anyhow::{Context as _, Result, ensure};
use nsproxy_uapi::Implementation;
use run_program::ProgramRun;
use std::{cell::Cell, fmt::Display, path::Path, rc::Rc};

/// The state that all tests share, and their sums.
struct Comparison {
    counters: Counters,
    compared: Cell<usize>,
    differ: Cell<usize>,
    /// Tests that fail with setns(2) as well.
    fail_anyway: Cell<usize>,
    calls: Cell<u64>,
}

/// The counters of both system calls that the module serves.
struct Counters {
    setns: CallCounter,
    unshare: CallCounter,
}

impl Counters {
    fn new() -> Result<Self> {
        Ok(Self {
            setns: CallCounter::new(Number::SETNS)?,
            unshare: CallCounter::new(Number::UNSHARE)?,
        })
    }
}

pub(crate) fn tests(filter: &str, fixtures: &mut Fixtures) -> Vec<Test> {
    if !Path::new(selftests::DIRECTORY).exists() {
        let why =
            "this guest has no third-party programs: `make test` and `make shell` include them";
        return vec![Test::skipped("third-party programs", why)];
    }
    if let Some(tests) = serve_status::tests_if_unsupported("third-party programs") {
        return tests;
    }
    if let Err(error) = files::write() {
        return vec![Test::new("files for the programs", |_| Err(error))];
    }
    let counters = match Counters::new() {
        Ok(counters) => counters,
        Err(error) => return vec![Test::new("counters of system calls", |_| Err(error))],
    };
    let comparison = Rc::new(Comparison::new(counters));
    let mut tests = commands::tests(&comparison);
    let elsewhere = tests.iter().any(|test| test.name.contains(filter));
    tests.splice(
        0..0,
        selftests::tests(&comparison, filter, elsewhere, fixtures),
    );
    tests.push(Test::new("calls were served", move |_| comparison.end()).of_suite());
    tests
}

impl Comparison {
    fn new(counters: Counters) -> Self {
        Self {
            counters,
            compared: Cell::default(),
            differ: Cell::default(),
            fail_anyway: Cell::default(),
            calls: Cell::default(),
        }
    }

    /// Runs a program whose calls an implementation serves.
    fn run(&self, by: Implementation, words: &[String], clocks: &ClockBase) -> Result<ProgramRun> {
        // A sign of life: each run has its own time limit.
        println!("# {by:?}: {}", words.join(" "));
        let run =
            run_program::run(by, words, clocks, &self.counters).with_context(|| words.join(" "))?;
        self.calls.set(self.calls.get() + run.served);
        Ok(run)
    }

    /// Counts a comparison, and reports both results to the host.
    fn record(&self, name: &str, reference: &impl Display, subject: &impl Display) -> Result<()> {
        self.compared.set(self.compared.get() + 1);
        let name = name.replace(char::is_whitespace, "_");
        verdict_port::fact(
            format_args!("third-party.{name}"),
            format_args!("{reference} {subject}"),
        )
    }

    /// Counts a difference, and fails, if anything is wrong.
    fn finish(&self, wrong: Vec<String>) -> Result<()> {
        if !wrong.is_empty() {
            self.differ.set(self.differ.get() + 1);
        }
        ensure!(wrong.is_empty(), wrong.join("\n"));
        Ok(())
    }

    /// Reports the sums of the suite.
    fn end(&self) -> Result<()> {
        let (compared, differ, calls) = (self.compared.get(), self.differ.get(), self.calls.get());
        if compared == 0 {
            return Err(Skip::because("no program was run"));
        }
        let anyway = match self.fail_anyway.get() {
            0 => String::new(),
            n => format!(" ({n} fail with setns(2), too)"),
        };
        verdict_port::fact("third-party.calls", calls)?;
        verdict_port::summary(format_args!(
            "third-party: {compared} comparisons, {differ} differ{anyway}; \
             {calls} calls served"
        ))?;
        ensure!(calls > 0, "no call was served");
        Ok(())
    }
}
