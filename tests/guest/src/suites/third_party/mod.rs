// SPDX-License-Identifier: GPL-2.0-only

//! Programs that nobody here wrote, run twice: as they are, and with their calls of setns(2) served
//! by the module. Whatever comes of it must be the same: [`selftests`] of the kernel's own, test by
//! test, and [`commands`] that people use, word by word.
//!
//! The tests verify which side served the calls. The first time the module served none; the second
//! time it served as many calls as the kernel counted at the entry of setns(2).

mod commands;
mod files;
mod quiesce;
mod run_program;
mod selftests;
mod table;
mod tap;

use crate::{
    case::target::World,
    env::serve_status,
    report::{
        ktap::{Skip, Test},
        verdict_port,
    },
    snapshot::ClockBase,
    sys::SetnsCounter,
};
use anyhow::{Context as _, Result, ensure};
use run_program::{Ran, Side};
use std::{cell::Cell, fmt::Display, path::Path, rc::Rc};

/// What all tests here share.
struct Bench {
    counter: SetnsCounter,
    compared: Cell<usize>,
    differ: Cell<usize>,
    fail_anyway: Cell<usize>,
    calls: Cell<u64>,
}

pub(crate) fn tests(filter: &str, world: &mut World) -> Vec<Test> {
    if !Path::new(selftests::DIRECTORY).exists() {
        let why =
            "this guest has no programs of others: they come with `make test` or `make shell`";
        return vec![Test::skipped("programs of others", why)];
    }
    if let Some(tests) = serve_status::refused("programs of others") {
        return tests;
    }
    if let Err(error) = files::write() {
        return vec![Test::new("files for them", |_| Err(error))];
    }
    let counter = match SetnsCounter::new() {
        Ok(counter) => counter,
        Err(error) => return vec![Test::new("a counter of setns(2)", |_| Err(error))],
    };
    let bench = Rc::new(Bench::new(counter));
    let mut tests = commands::tests(&bench);
    let elsewhere = tests.iter().any(|test| test.name.contains(filter));
    tests.splice(0..0, selftests::tests(&bench, filter, elsewhere, world));
    tests.push(Test::new("calls were served", move |_| bench.end()).of_suite());
    tests
}

impl Bench {
    fn new(counter: SetnsCounter) -> Self {
        Self {
            counter,
            compared: Cell::default(),
            differ: Cell::default(),
            fail_anyway: Cell::default(),
            calls: Cell::default(),
        }
    }

    /// Runs a program on one side.
    fn run(&self, side: Side, words: &[String], clocks: &ClockBase) -> Result<Ran> {
        // A sign of life: each side has its own time limit.
        println!("# {side:?}: {}", words.join(" "));
        let ran = side
            .run(words, clocks, &self.counter)
            .with_context(|| words.join(" "))?;
        self.calls.set(self.calls.get() + ran.served);
        Ok(ran)
    }

    /// Keeps what came of a comparison, on both sides.
    fn record(&self, name: &str, reference: &impl Display, subject: &impl Display) -> Result<()> {
        self.compared.set(self.compared.get() + 1);
        let name = name.replace(char::is_whitespace, "_");
        verdict_port::fact(
            format_args!("third-party.{name}"),
            format_args!("{reference} {subject}"),
        )
    }

    /// Counts what is wrong with one, and fails if anything is.
    fn judge(&self, wrong: Vec<String>) -> Result<()> {
        if !wrong.is_empty() {
            self.differ.set(self.differ.get() + 1);
        }
        ensure!(wrong.is_empty(), wrong.join("\n"));
        Ok(())
    }

    /// The last one: what the suite came to.
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
            "third-party: {compared} tests of others, {differ} differ{anyway}; \
             {calls} calls served"
        ))?;
        ensure!(calls > 0, "no call was served");
        Ok(())
    }
}
