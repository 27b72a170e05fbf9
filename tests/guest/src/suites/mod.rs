// SPDX-License-Identifier: GPL-2.0-only

//! The suites, one a file.

mod abi;
mod active;
mod bench;
mod complaints;
mod demo;
mod device;
mod errno;
mod explain;
mod faults;
mod fuzz;
mod kinds;
mod labs;
mod matrix;
mod module;
mod pidfd;
mod races;
mod scale;
mod sequences;
mod serve;
mod setns_2011;
mod third_party;
mod watch;

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
    /// How many CPUs the guests have in which `make test` runs it, a guest for each number.
    short: &'static [u32],
    /// The same for `make test-long`.
    long: &'static [u32],
}

enum Run {
    /// Tests that are reported as KTAP.
    Tests(fn() -> Vec<Test>),
    /// The same, where the filter says more than which names it is in, or where it takes time to
    /// find out which tests there are: those that it cannot match need not be among them.
    Found(fn(&str, &mut World) -> Vec<Test>),
    /// What reports by itself, given a part of the names of what is to be run.
    Itself(fn(&mut World, &str) -> Result<Tally>),
}

/// The CPUs of a guest that nothing else is said of.
const CPUS: u32 = 2;

/// All of them.
pub(crate) const SUITES: &[Suite] = &[
    Suite::of("demo", Run::Itself(demo::tell)),
    // The longest first: two guests run at a time.
    Suite::of("matrix", Run::Itself(matrix::run)),
    Suite::of("kinds", Run::Tests(kinds::tests)),
    Suite::of("pidfd", Run::Tests(pidfd::tests)),
    Suite::of("errno", Run::Tests(errno::tests)),
    Suite::of("abi", Run::Tests(abi::tests)),
    Suite::of("device", Run::Tests(device::tests)),
    Suite::of("setns-2011", Run::Tests(setns_2011::tests)),
    Suite::of("explain", Run::Tests(explain::tests)),
    Suite::of("watch", Run::Tests(watch::tests)),
    Suite::of("labs", Run::Tests(labs::tests)),
    Suite::of("serve", Run::Tests(serve::tests)),
    Suite::of("third-party", Run::Found(third_party::tests)),
    Suite::of("sequences", Run::Found(sequences::tests)),
    Suite {
        long: &[CPUS, 4],
        ..Suite::of("races", Run::Tests(races::tests))
    },
    Suite::of("fuzz", Run::Tests(fuzz::tests)),
    Suite::of("faults", Run::Tests(faults::tests)),
    Suite::of("module", Run::Tests(module::tests)),
    // Only when asked for: `make bench`.
    Suite {
        short: &[],
        long: &[],
        ..Suite::of("bench", Run::Itself(bench::run))
    },
    // Likewise: `make profile`.
    Suite {
        short: &[],
        long: &[],
        ..Suite::of("profile", Run::Itself(bench::profile::run))
    },
    Suite {
        short: &[],
        long: &[],
        ..Suite::of("scale", Run::Itself(scale::run))
    },
];

/// What `make test` runs, or `make test-long`: a suite's name, with `@N` for a guest with N CPUs.
pub(crate) fn list(long: bool) -> Vec<String> {
    let mut list = Vec::new();
    for suite in SUITES {
        for cpus in if long { suite.long } else { suite.short } {
            list.push(match *cpus {
                CPUS => suite.name.to_owned(),
                cpus => format!("{}@{cpus}", suite.name),
            });
        }
    }
    list
}

impl Suite {
    const fn of(name: &'static str, run: Run) -> Self {
        Self {
            name,
            run,
            short: &[CPUS],
            long: &[CPUS],
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
