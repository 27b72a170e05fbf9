// SPDX-License-Identifier: GPL-2.0-only

//! The suites of tests.

/// Creates cases from rows with named columns, for example
/// `{ name: "fd -1", fd: FdSource::Number(-1), nstype: 0 => refused(Reason::BadFd) }`.
/// The columns `target` and `caller` are optional.
macro_rules! cases {
    ($({
        name: $name:expr, fd: $fd:expr, nstype: $nstype:expr
        $(, target: $target:expr)? $(, caller: $caller:expr)? => $expect:ident($($value:expr)?)
    })*) => {
        vec![$(
            $crate::case::Case::new($name, $fd, $nstype as i32)
                $(.target($target))?
                $(.caller($caller))?
                .$expect($($value)?)
        ),*]
    };
}

mod abi;
mod active_refs;
mod bench;
mod callers;
mod cap_checks;
mod clone;
mod demo;
mod device;
mod effects;
mod errno;
mod error_sink;
mod explain;
mod failing;
mod faults;
mod fuzz;
mod hints;
mod kinds;
mod labs;
mod matrix;
mod module;
mod named_enum;
mod nesting;
mod pidfd;
mod races;
mod reports;
mod request_key;
mod scale;
mod sequences;
mod serve;
mod setns_2011;
mod shared_counters;
mod third_party;
mod traced_refusals;
mod unshare;
mod visibility;
mod watch;

pub(crate) use request_key::upcall as request_key;
pub(crate) use sequences::process as sequence_process;
pub(crate) use visibility::{Knowledge, Query};

use crate::{
    case::{Case, effort::Effort, fixtures::Fixtures, run},
    env::module::Module,
    report::ktap::{self, Tally, Test, Usage},
};
use anyhow::{Context as _, Result};

/// A suite: its name on the command line, and its tests.
pub(crate) struct Suite {
    pub(crate) name: &'static str,
    run: Run,
    /// The default number of CPUs of the guest.
    pub(crate) cpus: u32,
    /// Additional numbers of CPUs, for `make test-long`.
    also: &'static [u32],
    /// `true` if `make test` does not run it.
    is_optional: bool,
    /// `false` if it runs in a guest without the module as well.
    pub(crate) needs_module: bool,
}

enum Run {
    /// A list of tests.
    Tests(fn() -> Vec<Test>),
    /// A list of tests that depends on the filter, or that takes time to create. Tests that the
    /// filter does not match may be missing.
    Found(fn(&str, &mut Fixtures) -> Vec<Test>),
    /// A function that reports by itself, given the filter.
    Itself(fn(&mut Fixtures, &str) -> Result<Tally>),
    /// A function that reports by itself, and cannot run single tests.
    Whole(fn(&mut Fixtures) -> Result<Tally>),
}

/// For suites whose processes take turns. With two CPUs each turn takes an interrupt of the other
/// CPU, which is slow in an emulator, and so does each change of kernel code.
const SEQUENTIAL: u32 = 1;
/// For suites whose processes run at the same time.
const CONCURRENT: u32 = 2;

const SUITES: &[Suite] = &[
    Suite::new("demo", Run::Whole(demo::run)),
    // The longest first, since guests run in parallel.
    Suite::new("matrix", Run::Itself(matrix::run))
        .with_cpus(CONCURRENT)
        .without_module(),
    Suite::new("kinds", Run::Tests(kinds::tests)).without_module(),
    Suite::new("pidfd", Run::Tests(pidfd::tests)).without_module(),
    Suite::new("errno", Run::Tests(errno::tests)).without_module(),
    Suite::new("unshare", Run::Tests(unshare::tests)).without_module(),
    Suite::new("abi", Run::Tests(abi::tests)),
    Suite::new("device", Run::Tests(device::tests)),
    Suite::new("setns-2011", Run::Tests(setns_2011::tests)),
    Suite::new("explain", Run::Tests(explain::tests)).without_module(),
    Suite::new("reports", Run::Tests(reports::tests)).without_module(),
    Suite::new("watch", Run::Tests(watch::tests)),
    Suite::new("labs", Run::Tests(labs::tests)),
    Suite::new("serve", Run::Tests(serve::tests)),
    Suite::new("clone", Run::Tests(clone::tests)).without_module(),
    Suite::new("third-party", Run::Found(third_party::tests)),
    Suite::new("sequences", Run::Found(sequences::tests)),
    Suite {
        also: &[4],
        ..Suite::new("races", Run::Tests(races::tests)).with_cpus(CONCURRENT)
    },
    Suite::new("fuzz", Run::Tests(fuzz::tests)).with_cpus(CONCURRENT),
    Suite::new("faults", Run::Tests(faults::tests)),
    Suite::new("module", Run::Tests(module::tests)).with_cpus(CONCURRENT),
    // For `make bench`.
    Suite::new("bench", Run::Itself(bench::run)).optional(),
    Suite::new("scale", Run::Itself(scale::run)).optional(),
    // For `make profile`.
    Suite::new("profile", Run::Itself(bench::profile::run)).optional(),
    // For the tests of the runner.
    Suite::new("failing", Run::Tests(failing::tests))
        .without_module()
        .optional(),
];

/// Returns the suite with that name.
pub(crate) fn find(name: &str) -> Result<&'static Suite> {
    SUITES
        .iter()
        .find(|suite| suite.name == name)
        .with_context(|| format!("no suite {name:?}; `nsproxy-tests --list` names them"))
}

/// Returns the suites that run in a guest without the module.
pub(crate) fn without_module() -> impl Iterator<Item = &'static str> {
    let suites = SUITES.iter().filter(|suite| !suite.needs_module);
    suites.map(|suite| suite.name)
}

/// Returns the suites of `make test` or `make test-long`: names, with `@N` for a guest with N CPUs.
pub(crate) fn list(long: bool) -> Vec<String> {
    let mut list = Vec::new();
    for suite in SUITES.iter().filter(|suite| !suite.is_optional) {
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
    const fn new(name: &'static str, run: Run) -> Self {
        Self {
            name,
            run,
            cpus: SEQUENTIAL,
            also: &[],
            is_optional: false,
            needs_module: true,
        }
    }

    const fn with_cpus(self, cpus: u32) -> Self {
        Self { cpus, ..self }
    }

    const fn without_module(self) -> Self {
        Self {
            needs_module: false,
            ..self
        }
    }

    const fn optional(self) -> Self {
        Self {
            is_optional: true,
            ..self
        }
    }

    /// Runs the test whose name is `filter`, or else those whose names contain it.
    ///
    /// # Errors
    ///
    /// [`Usage`] if no such test can be run, among others.
    pub(crate) fn run(&self, filter: &str, effort: Effort, module: Module) -> Result<Tally> {
        let is_filtered = !filter.is_empty();
        let effort = Effort {
            is_filtered,
            ..effort
        };
        let mut fixtures = Fixtures::new(effort, module);
        let tests = match self.run {
            Run::Tests(tests) => tests(),
            Run::Found(find) => find(filter, &mut fixtures),
            Run::Itself(run) => return run(&mut fixtures, filter),
            Run::Whole(_) if !filter.is_empty() => return Err(Usage::no_single_tests(self.name)),
            Run::Whole(run) => return run(&mut fixtures),
        };
        ktap::run(self.name, tests, filter, &mut fixtures)
    }
}

/// Converts cases to tests.
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
