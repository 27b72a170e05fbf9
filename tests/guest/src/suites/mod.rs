// SPDX-License-Identifier: GPL-2.0-only

//! The suites, one a file.

mod abi;
mod demo;
mod device;
mod errno;
mod kinds;
mod matrix;
mod module;
mod pidfd;
mod setns_2011;
mod third_party;

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
    /// The same, where it takes time to find out which there are: what cannot match the filter
    /// need not be among them.
    Found(fn(&str, &mut World) -> Vec<Test>),
    /// What reports by itself, given a part of the names of what is to be run.
    Itself(fn(&mut World, &str) -> Result<Tally>),
}

/// All of them.
pub(crate) const SUITES: &[Suite] = &[
    Suite {
        name: "demo",
        run: Run::Itself(demo::tell),
    },
    // The longest first: two guests run at a time.
    Suite {
        name: "matrix",
        run: Run::Itself(matrix::run),
    },
    Suite::of("kinds", kinds::tests),
    Suite::of("pidfd", pidfd::tests),
    Suite::of("errno", errno::tests),
    Suite::of("abi", abi::tests),
    Suite::of("device", device::tests),
    Suite::of("setns-2011", setns_2011::tests),
    Suite {
        name: "third-party",
        run: Run::Found(third_party::tests),
    },
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
        let mut tests = match self.run {
            Run::Tests(tests) => tests(),
            Run::Found(find) => find(filter, &mut world),
            Run::Itself(run) => return run(&mut world, filter),
        };
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
}

/// Cases as tests.
fn of_cases(cases: impl IntoIterator<Item = Case>) -> Vec<Test> {
    cases
        .into_iter()
        .map(|case| Test::new(case.name.clone(), move |world| trial::check(&case, world)))
        .collect()
}
