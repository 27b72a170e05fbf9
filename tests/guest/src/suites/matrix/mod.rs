// SPDX-License-Identifier: GPL-2.0-only

//! The differential matrix: callers, calls and targets, crossed, each compared with setns(2).
//!
//! [`axes`] are the values, [`blocks`] cross them, and [`workers`] run the cases. No case has an
//! expectation of its own: setns(2) is the reference. Without the module, a case checks that a call
//! that fails changes nothing, and its behaviour can be recorded. The last tests check that the outcomes are
//! varied: every kind is entered, and every error occurs.

mod axes;
mod blocks;
mod workers;

use crate::{
    case::{Case, fixtures::Fixtures, implementation::Kind, record},
    env::{kernel, module::Module},
    errno::{Code, Outcome, outcome_name},
    report::{
        ktap::{Printer, Skip, Tally, Usage},
        verdict_port,
    },
};
use anyhow::{Result, anyhow, ensure};
use blocks::{Axis, Combination, Values};
use nsproxy_results::Shard;
use std::{
    collections::{BTreeMap, HashSet},
    fmt::Display,
    hash::{DefaultHasher, Hash as _, Hasher as _},
};
use workers::CaseRunners;

/// Runs the case of that name, or else those whose names contain it.
pub(crate) fn run(fixtures: &mut Fixtures, filter: &str) -> Result<Tally> {
    // A case that is named is run on every kernel.
    let is_slow = kernel::is_sanitized() && !fixtures.effort.long && filter.is_empty();
    let sample = Sample {
        every: if is_slow { EVERY } else { 1 },
        shard: fixtures.effort.shard,
        diagnosed: match fixtures.effort.long || !filter.is_empty() {
            true => 1,
            false => DIAGNOSED,
        },
    };
    let is_exact = cases(sample).any(|case| case.name == filter);
    let is_wanted = |case: &Case| match is_exact {
        true => case.name == filter,
        false => case.name.contains(filter),
    };
    let total = cases(sample).filter(is_wanted).count();
    if total == 0 {
        let names = cases(sample).map(|case| case.name);
        return Err(Usage::no_such_test("matrix", filter, names));
    }
    // Before anything is allocated that each worker would copy.
    let cases = move || cases(sample).filter(is_wanted);
    let mut runners = CaseRunners::start(cases, fixtures.effort, fixtures.module)?;

    // The last tests are about the whole matrix.
    let is_whole = filter.is_empty() && sample.shard.is_all();
    let last = if is_whole { 3 } else { 0 };
    let mut printer = Printer::new("matrix", total + last, fixtures.effort);
    let mut counts = Counts::default();
    for combination in combinations(sample) {
        match combination {
            Combination::Impossible(why) => *counts.impossible.entry(why).or_default() += 1,
            Combination::Case(case, values) if is_wanted(&case) => {
                printer.begin(&case.name);
                let result = runners.next()?;
                if let Some(recorded) = &result.recorded {
                    record::send(recorded)?;
                }
                if let Some(agreement) = result.agreement {
                    fixtures.agreements.add(agreement);
                }
                let result = match (result.skipped, result.wrong) {
                    (Some(why), _) => Err(Skip::because(why)),
                    (None, wrong) => {
                        counts.count(&case, &values, result.outcome, wrong.is_some());
                        wrong.map_or(Ok(()), |why| Err(anyhow!(why)))
                    }
                };
                if !printer.print(&case.name, result) {
                    return Ok(printer.end());
                }
            }
            Combination::Case(..) => {}
        }
    }
    if is_whole {
        for (name, result) in [
            ("no two cases are the same", counts.are_distinct()),
            ("every kind was entered", counts.every_kind_was_entered()),
            ("every error occurred", counts.every_errno_occurred()),
        ] {
            printer.print_conclusion(name, result);
        }
    }
    if filter.is_empty() {
        counts.report(sample, fixtures.module)?;
        fixtures.agreements.report(fixtures.module)?;
    }
    Ok(printer.end())
}

/// On a kernel with a sanitizer, the short form runs one of so many cases. The number is coprime to
/// the number of callers, so that every caller is among them.
const EVERY: usize = 3;

/// The short form explains one of so many cases from user space, which takes longer than the case.
const DIAGNOSED: u64 = 8;

/// The cases that are run.
#[derive(Clone, Copy)]
struct Sample {
    /// One of so many cases.
    every: usize,
    /// The part of these cases that this guest runs.
    shard: Shard,
    /// One of so many cases is explained from user space.
    diagnosed: u64,
}

impl Sample {
    /// Returns whether a case is explained from user space. The name decides, so that all values of an
    /// axis are among them.
    fn diagnoses(self, case: &Case) -> bool {
        let mut hasher = DefaultHasher::new();
        case.name.hash(&mut hasher);
        hasher.finish().is_multiple_of(self.diagnosed)
    }

    fn has(self, index: usize) -> bool {
        index.is_multiple_of(self.every) && self.shard.has(index / self.every)
    }
}

/// Returns all impossible combinations, and the cases of a sample.
fn combinations(sample: Sample) -> impl Iterator<Item = Combination> {
    let mut cases = 0;
    blocks::all().filter(move |combination| match combination {
        Combination::Impossible(_) => true,
        Combination::Case(..) => {
            cases += 1;
            sample.has(cases - 1)
        }
    })
}

fn cases(sample: Sample) -> impl Iterator<Item = Case> {
    combinations(sample).filter_map(move |combination| match combination {
        Combination::Case(case, _) => Some(Case {
            diagnose: sample.diagnoses(&case),
            ..case
        }),
        Combination::Impossible(_) => None,
    })
}

/// Returns the names of all cases.
#[cfg(test)]
pub(super) fn names() -> impl Iterator<Item = String> {
    let all = Sample {
        every: 1,
        shard: Shard::default(),
        diagnosed: 1,
    };
    cases(all).map(|case| case.name)
}

/// The counts of the matrix.
#[derive(Default)]
struct Counts {
    cases: u32,
    differ: u32,
    /// Hashes of the cases, without their names.
    hashes: HashSet<u64>,
    impossible: BTreeMap<&'static str, u32>,
    values: BTreeMap<(Axis, &'static str), u32>,
    outcomes: BTreeMap<String, u32>,
    /// Calls that succeeded, by kind.
    entered: BTreeMap<&'static str, u32>,
}

/// The errors of setns(2) that cases can cause.
const ERRORS: [Code; 5] = [
    Code::EBADF,
    Code::EINVAL,
    Code::EPERM,
    Code::ESRCH,
    Code::EUSERS,
];

impl Counts {
    fn count(&mut self, case: &Case, values: &Values, outcome: Option<Outcome>, is_wrong: bool) {
        self.cases += 1;
        self.differ += u32::from(is_wrong);
        let mut hasher = DefaultHasher::new();
        (&case.target, &case.caller, &case.fd, case.nstype).hash(&mut hasher);
        self.hashes.insert(hasher.finish());
        for value in values {
            *self.values.entry(*value).or_default() += 1;
        }
        if let Some(outcome) = outcome {
            *self.outcomes.entry(outcome_name(outcome)).or_default() += 1;
            if outcome.is_ok() {
                for (_, kind) in values.iter().filter(|(axis, _)| *axis == Axis::Kind) {
                    *self.entered.entry(kind).or_default() += 1;
                }
            }
        }
    }

    fn are_distinct(&self) -> Result<()> {
        let distinct = self.hashes.len();
        ensure!(
            distinct == self.cases as usize,
            "of {} cases {distinct} are distinct",
            self.cases
        );
        Ok(())
    }

    fn every_kind_was_entered(&self) -> Result<()> {
        for kind in Kind::ALL {
            ensure!(
                self.entered.contains_key(kind.name()),
                "no call entered a {} namespace",
                kind.name()
            );
        }
        Ok(())
    }

    fn every_errno_occurred(&self) -> Result<()> {
        for error in ERRORS {
            let word = error.to_string();
            ensure!(
                self.outcomes.contains_key(&word),
                "no call failed with {word}"
            );
        }
        Ok(())
    }

    /// Reports the counts. Without the module nothing was compared, and there are no facts for a page.
    fn report(&self, sample: Sample, module: Module) -> Result<()> {
        let Self { cases, differ, .. } = self;
        let impossible: u32 = self.impossible.values().sum();
        let mut which = match sample.every {
            1 => String::new(),
            every => format!(" (one of {every}: see make test-long)"),
        };
        if !sample.shard.is_all() {
            which += &format!(" (shard {})", sample.shard);
        }
        if module == Module::Missing {
            return verdict_port::summary(format_args!(
                "matrix: {cases} distinct cases{which} by setns(2) alone, {differ} failed"
            ));
        }
        verdict_port::summary(format_args!(
            "matrix: {cases} distinct cases{which}, {differ} differ; {impossible} more cannot be"
        ))?;
        verdict_port::fact("matrix.cases", cases)?;
        verdict_port::fact("matrix.differ", differ)?;
        verdict_port::fact("matrix.impossible", impossible)?;
        let table = |name: &str, rows: &mut dyn Iterator<Item = (String, u32)>| -> Result<()> {
            for (row, count) in rows {
                println!("# {name}: {row}: {count}");
                verdict_port::fact(format!("matrix.{name}.{}", row.replace(' ', "_")), count)?;
            }
            Ok(())
        };
        for axis in Axis::ALL {
            let rows = self.values.iter().filter(|((of, _), _)| *of == axis);
            table(axis.name(), &mut rows.map(|((_, value), n)| row(value, n)))?;
        }
        table("outcome", &mut self.outcomes.iter().map(|(k, n)| row(k, n)))?;
        table("entered", &mut self.entered.iter().map(|(k, n)| row(k, n)))?;
        table(
            "cannot-be",
            &mut self.impossible.iter().map(|(k, n)| row(k, n)),
        )
    }
}

fn row(value: impl Display, count: &u32) -> (String, u32) {
    (value.to_string(), *count)
}
