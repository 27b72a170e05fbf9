// SPDX-License-Identifier: GPL-2.0-only

//! Tests, and their results as the Kernel Test Anything Protocol (KTAP), version 1.

use crate::{
    host,
    world::{Effort, World},
};
use anyhow::Result;
use std::{
    fmt,
    io::{self, Write as _},
};

/// A test: what it is called, and what decides it.
pub(crate) struct Test {
    pub(crate) name: String,
    run: Run,
}

type Run = Box<dyn FnOnce(&mut World) -> Result<()>>;

impl Test {
    /// A test that passes when `run` returns `Ok`; see [`Skip`] for the third way out.
    pub(crate) fn new(
        name: impl Into<String>,
        run: impl FnOnce(&mut World) -> Result<()> + 'static,
    ) -> Self {
        Self {
            // A '#' would begin a directive.
            name: name.into().replace('#', ""),
            run: Box::new(run),
        }
    }

    /// A line in the report for what cannot be tested, and why.
    pub(crate) fn skipped(name: impl Into<String>, why: &'static str) -> Self {
        Self::new(name, move |_| Err(Skip::because(why)))
    }
}

/// The error that says: not a failure, this could not be tried here.
#[derive(Debug)]
pub(crate) struct Skip(String);

impl Skip {
    /// Skips the test that returns this.
    pub(crate) fn because(why: impl Into<String>) -> anyhow::Error {
        Self(why.into()).into()
    }
}

impl fmt::Display for Skip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Skip {}

/// How many tests ended which way.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tally {
    pub(crate) passed: u32,
    pub(crate) failed: u32,
    pub(crate) skipped: u32,
}

impl Tally {
    /// Nothing failed, and something was tried.
    pub(crate) fn is_pass(self) -> bool {
        self.failed == 0 && self.passed > 0
    }

    /// Tells the host.
    pub(crate) fn report(self) -> Result<()> {
        let Self {
            passed,
            failed,
            skipped,
        } = self;
        host::tell(&format!(
            "result passed={passed} failed={failed} skipped={skipped}"
        ))
    }
}

/// Prints results as they come, and counts them.
pub(crate) struct Printer {
    suite: &'static str,
    effort: Effort,
    tally: Tally,
}

impl Printer {
    /// Says how many results there will be.
    pub(crate) fn new(suite: &'static str, total: usize, effort: Effort) -> Self {
        println!("KTAP version 1\n1..{total}");
        if total == 0 {
            println!("# no test has that in its name");
        }
        Self {
            suite,
            effort,
            tally: Tally::default(),
        }
    }

    /// What came of the next test. Returns whether to go on.
    pub(crate) fn print(&mut self, name: &str, result: Result<()>) -> bool {
        let tally = &mut self.tally;
        let number = tally.passed + tally.failed + tally.skipped + 1;
        match result {
            Ok(()) => {
                tally.passed += 1;
                println!("ok {number} {name}");
            }
            Err(e) => match e.downcast_ref::<Skip>() {
                Some(why) => {
                    tally.skipped += 1;
                    println!("ok {number} {name} # SKIP {why}");
                }
                None => {
                    tally.failed += 1;
                    for line in format!("{e:#}").lines() {
                        println!("# {line}");
                    }
                    let options = self.effort.options();
                    println!(
                        "# reproduce: nsproxy-tests {} '{name}'{options}",
                        self.suite
                    );
                    println!("not ok {number} {name}");
                }
            },
        }
        // What is said last before a panic must be out.
        let _ = io::stdout().flush();
        let goes_on = !self.effort.fail_fast || tally.failed == 0;
        if !goes_on {
            println!("# the rest was not run: --fail-fast");
        }
        goes_on
    }

    /// The last line.
    pub(crate) fn end(self) -> Tally {
        let Tally {
            passed,
            failed,
            skipped,
        } = self.tally;
        println!("# Totals: pass:{passed} fail:{failed} xfail:0 xpass:0 skip:{skipped} error:0");
        self.tally
    }
}

/// Runs the tests of `suite` one after another and prints what comes of them.
pub(crate) fn run(suite: &'static str, tests: Vec<Test>, world: &mut World) -> Tally {
    let mut printer = Printer::new(suite, tests.len(), world.effort);
    for Test { name, run } in tests {
        if !printer.print(&name, run(world)) {
            break;
        }
    }
    printer.end()
}
