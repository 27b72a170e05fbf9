// SPDX-License-Identifier: GPL-2.0-only

//! The suites, one a file.

mod abi;
mod active_refs;
mod bench;
mod demo;
mod device;
mod errno;
mod error_sink;
mod explain;
mod failing;
mod faults;
mod fuzz;
mod kinds;
mod labs;
mod matrix;
mod module;
mod named_enum;
mod pidfd;
mod races;
mod scale;
mod sequences;
mod serve;
mod setns_2011;
mod shared_counters;
mod third_party;
mod visibility;
mod watch;

pub(crate) use visibility::{Knowledge, Query};

use crate::{
    case::{Case, effort::Effort, fixtures::Fixtures, run},
    report::ktap::{self, Tally, Test, Usage},
};
use anyhow::{Context as _, Result};

/// A suite: its name on the command line, and its tests.
pub(crate) struct Suite {
    pub(crate) name: &'static str,
    run: Run,
    /// How many CPUs its guest has, if nobody says another number.
    pub(crate) cpus: u32,
    /// Other numbers, with which `make test-long` runs it, too.
    also: &'static [u32],
    /// Not one of `make test`.
    only_when_asked_for: bool,
}

enum Run {
    /// Tests that are reported as KTAP.
    Tests(fn() -> Vec<Test>),
    /// The same, where the filter says more than which names it is in, or where it takes time to
    /// find out which tests there are: those that it cannot match need not be among them.
    Found(fn(&str, &mut Fixtures) -> Vec<Test>),
    /// What reports by itself, given a part of the names of what is to be run.
    Itself(fn(&mut Fixtures, &str) -> Result<Tally>),
    /// A suite that reports by itself, and cannot run single tests.
    Whole(fn(&mut Fixtures) -> Result<Tally>),
}

/// A test and its actors take turns. On one CPU that is a switch; on two it is a call for attention
/// each time, for which an emulator takes its time, and so is each change of the kernel's code.
const TURNS: u32 = 1;
/// Several do something at the same time.
const AT_A_TIME: u32 = 2;

/// All of them.
const SUITES: &[Suite] = &[
    Suite::of("demo", Run::Whole(demo::run)),
    // The longest first: two guests run at a time.
    Suite::of("matrix", Run::Itself(matrix::run)).with_cpus(AT_A_TIME),
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
        also: &[4],
        ..Suite::of("races", Run::Tests(races::tests)).with_cpus(AT_A_TIME)
    },
    Suite::of("fuzz", Run::Tests(fuzz::tests)).with_cpus(AT_A_TIME),
    Suite::of("faults", Run::Tests(faults::tests)),
    Suite::of("module", Run::Tests(module::tests)).with_cpus(AT_A_TIME),
    // Only when asked for: `make bench`.
    Suite::of("bench", Run::Itself(bench::run)).when_asked_for(),
    Suite::of("scale", Run::Itself(scale::run)).when_asked_for(),
    // Likewise: `make profile`.
    Suite::of("profile", Run::Itself(bench::profile::run)).when_asked_for(),
    // Likewise: the tests of the runner.
    Suite::of("failing", Run::Tests(failing::tests)).when_asked_for(),
];

/// The suite of that name.
pub(crate) fn find(name: &str) -> Result<&'static Suite> {
    SUITES
        .iter()
        .find(|suite| suite.name == name)
        .with_context(|| format!("no suite {name:?}; `nsproxy-tests --list` names them"))
}

/// What `make test` runs, or `make test-long`: a suite's name, with `@N` for a guest with N CPUs.
pub(crate) fn list(long: bool) -> Vec<String> {
    let mut list = Vec::new();
    for suite in SUITES.iter().filter(|suite| !suite.only_when_asked_for) {
        list.push(suite.name.to_owned());
        if long {
            list.extend(
                suite
                    .also
                    .iter()
                    .map(|cpus| format!("{}@{cpus}", suite.name)),
            );
        }
    }
    list
}

impl Suite {
    const fn of(name: &'static str, run: Run) -> Self {
        Self {
            name,
            run,
            cpus: TURNS,
            also: &[],
            only_when_asked_for: false,
        }
    }

    const fn with_cpus(self, cpus: u32) -> Self {
        Self { cpus, ..self }
    }

    const fn when_asked_for(self) -> Self {
        Self {
            only_when_asked_for: true,
            ..self
        }
    }

    /// Runs the test whose name is `filter`, or else those whose names contain it.
    ///
    /// # Errors
    ///
    /// [`Usage`] if no such test can be run, among others.
    pub(crate) fn run(&self, filter: &str, effort: Effort) -> Result<Tally> {
        let mut fixtures = Fixtures::new(effort);
        let tests = match self.run {
            Run::Tests(tests) => tests(),
            Run::Found(find) => find(filter, &mut fixtures),
            Run::Itself(run) => return run(&mut fixtures, filter),
            Run::Whole(_) if !filter.is_empty() => return Err(Usage::indivisible(self.name)),
            Run::Whole(run) => return run(&mut fixtures),
        };
        ktap::run(self.name, tests, filter, &mut fixtures)
    }
}

/// Cases as tests.
fn of_cases(cases: impl IntoIterator<Item = Case>) -> Vec<Test> {
    cases
        .into_iter()
        .map(|case| {
            Test::new(case.name.clone(), move |fixtures| {
                run::check(&case, fixtures)
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Checks without a guest that the printer accepts the names. Suites of `Run::Found` are left
    /// out, since they find their tests in the guest.
    #[test]
    fn names_can_be_pasted_and_are_unique() {
        let mut wrong = Vec::new();
        for suite in SUITES {
            let names: Vec<_> = match suite.run {
                Run::Tests(tests) => tests().into_iter().map(|test| test.name).collect(),
                Run::Itself(_) if suite.name == "matrix" => matrix::names().collect(),
                Run::Itself(_) if suite.name == "bench" => bench::names(),
                _ => continue,
            };
            assert!(!names.is_empty(), "{} has no test", suite.name);
            wrong.extend(ktap::odd_names(names).map(|why| format!("{}: {why}", suite.name)));
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }
}
