// SPDX-License-Identifier: GPL-2.0-only

//! The suites, one a file.

mod abi;
mod demo;
mod device;
mod errno;
mod faults;
mod kinds;
mod module;
mod pidfd;
mod setns_2011;

use crate::{
    case::Case,
    ktap::{self, Tally, Test},
    trial,
    world::{Effort, World},
};
use anyhow::Result;

/// A suite: its name on the command line, and its tests.
pub(crate) struct Suite {
    pub(crate) name: &'static str,
    run: Run,
}

enum Run {
    /// Tests that are reported as KTAP.
    Tests(fn() -> Vec<Test>),
    /// A story for people to read, in which everything told is also tested.
    Story(fn(&mut World) -> Result<Tally>),
}

/// All of them.
pub(crate) const SUITES: &[Suite] = &[
    Suite {
        name: "demo",
        run: Run::Story(demo::tell),
    },
    Suite::of("kinds", kinds::tests),
    Suite::of("pidfd", pidfd::tests),
    Suite::of("errno", errno::tests),
    Suite::of("abi", abi::tests),
    Suite::of("device", device::tests),
    Suite::of("setns-2011", setns_2011::tests),
    Suite::of("faults", faults::tests),
    Suite::of("module", module::tests),
];

/// What `make test` runs, or `make test-long`: a suite's name, with `@N` for a guest with N CPUs.
pub(crate) fn list(_long: bool) -> Vec<&'static str> {
    SUITES.iter().map(|suite| suite.name).collect()
}

impl Suite {
    const fn of(name: &'static str, tests: fn() -> Vec<Test>) -> Self {
        Self {
            name,
            run: Run::Tests(tests),
        }
    }

    /// Runs the test whose name is `filter`, or else those whose names contain it.
    pub(crate) fn run(&self, filter: &str, effort: Effort) -> Result<Tally> {
        let mut world = World::new(effort);
        match self.run {
            Run::Tests(tests) => {
                let mut tests = tests();
                let exact = tests.iter().any(|test| test.name == filter);
                tests.retain(|test| {
                    if exact {
                        test.name == filter
                    } else {
                        test.name.contains(filter)
                    }
                });
                Ok(ktap::run(self.name, tests, &mut world))
            }
            Run::Story(tell) => tell(&mut world),
        }
    }
}

/// Cases as tests.
fn of_cases(cases: impl IntoIterator<Item = Case>) -> Vec<Test> {
    cases
        .into_iter()
        .map(|case| Test::new(case.name.clone(), move |world| trial::check(&case, world)))
        .collect()
}
