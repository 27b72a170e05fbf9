// SPDX-License-Identifier: GPL-2.0-only

//! The mix of outcomes: a run in which nearly all calls fail, or nearly none, shows little.

use super::{Both, messages::Call};
use crate::{
    case::implementation::{Device, Kind, kinds_of},
    env::serve_status,
};
use anyhow::{Result, ensure};
use std::{collections::BTreeMap, fmt, ops::RangeInclusive};

/// The outcomes that must occur in a complete run.
struct Expected {
    call: Call,
    /// The kinds of successful calls.
    kinds: &'static [Kind],
    errors: &'static [&'static str],
    /// The share of successful calls, in percent.
    succeeded: RangeInclusive<u32>,
}

const EXPECTED: [Expected; Call::ALL.len()] = [
    Expected {
        call: Call::Setns,
        kinds: &Kind::ALL,
        errors: &["EPERM", "EINVAL", "ESRCH", "EUSERS", "EBADF"],
        succeeded: 25..=75,
    },
    Expected {
        call: Call::Unshare,
        kinds: &Kind::ALL,
        errors: &["EPERM", "EINVAL", "ENOSPC"],
        succeeded: 25..=90,
    },
    Expected {
        call: Call::Clone,
        kinds: &Kind::ALL,
        errors: &["EINVAL"],
        succeeded: 25..=95,
    },
    Expected {
        call: Call::Execute,
        kinds: &[Kind::Time],
        errors: &[],
        succeeded: 90..=100,
    },
];

/// Counts of sequences, of calls, and of their outcomes.
#[derive(Clone, Debug, Default)]
pub(super) struct OutcomeMix {
    /// Sequences that were run in both worlds.
    pub(super) sequences: u32,
    /// Sequences that differ.
    pub(super) differ: u32,
    /// The calls in each world, by their index in [`Call::ALL`].
    pub(super) calls: [CallCounts; Call::ALL.len()],
    /// The calls that the module has served; [`None`] on a kernel that does not support it.
    pub(super) served: Option<Served>,
}

/// How often the module has served: setns(2), unshare(2), new tasks, executed programs, ended tasks.
pub(super) type Served = [u64; 5];

/// Returns how often the module has served since it was loaded, and the number of served processes.
pub(super) fn served() -> Result<Option<(Served, u64)>> {
    if !serve_status::is_supported(&Device::open()?)? {
        return Ok(None);
    }
    let [copied, executed, exited] = serve_status::life()?;
    let (setns, unshares) = (serve_status::calls()?, serve_status::unshares()?);
    let served = [setns, unshares, copied, executed, exited];
    Ok(Some((served, serve_status::processes()?)))
}

/// Counts of one of the calls.
#[derive(Clone, Debug, Default)]
pub(super) struct CallCounts {
    pub(super) all: u32,
    pub(super) succeeded: u32,
    /// Successes by kind, and errors by name.
    outcomes: BTreeMap<String, u32>,
}

impl OutcomeMix {
    /// Counts a sequence, and its calls by outcome.
    pub(super) fn add(&mut self, both: &Both) {
        self.sequences += 1;
        self.differ += u32::from(!both.differences.is_empty());
        for observation in &both.syscall.operations {
            let Some((call, kinds)) = observation.called else {
                continue;
            };
            let counts = &mut self.calls[call as usize];
            counts.all += 1;
            let names: Vec<_> = if observation.outcome == "0" {
                counts.succeeded += 1;
                kinds_of(kinds).map(|kind| kind.name().to_owned()).collect()
            } else {
                vec![observation.outcome.clone()]
            };
            for name in names {
                *counts.outcomes.entry(name).or_default() += 1;
            }
        }
    }

    /// Adds the counts of another part of the run.
    pub(super) fn merge(&mut self, other: &Self) {
        self.sequences += other.sequences;
        self.differ += other.differ;
        if let Some(other) = other.served {
            let served = self.served.get_or_insert_default();
            served
                .iter_mut()
                .zip(other)
                .for_each(|(served, other)| *served += other);
        }
        for (counts, other) in self.calls.iter_mut().zip(&other.calls) {
            counts.all += other.all;
            counts.succeeded += other.succeeded;
            for (outcome, count) in &other.outcomes {
                *counts.outcomes.entry(outcome.clone()).or_default() += count;
            }
        }
    }

    /// Returns the counts of sequences and calls.
    pub(super) fn counts(&self) -> String {
        let calls = Call::ALL.iter().zip(&self.calls);
        let calls: Vec<_> = calls
            .map(|(call, CallCounts { all, succeeded, .. })| format!("{succeeded}/{all} {call}"))
            .collect();
        format!(
            "{} sequences, succeeded: {}",
            self.sequences,
            calls.join(", ")
        )
    }

    /// Checks that every expected kind and error occurred, that the calls neither mostly succeeded nor
    /// mostly failed, and that the module has served each of them.
    pub(super) fn check(&self) -> Result<()> {
        if let Some(served) = self.served {
            ensure!(!served.contains(&0), "served: {served:?}");
        }
        for expected in EXPECTED {
            let call = expected.call;
            let counts = &self.calls[call as usize];
            let kinds = expected.kinds.iter().map(|kind| kind.name());
            let never: Vec<_> = kinds
                .chain(expected.errors.iter().copied())
                .filter(|outcome| !counts.outcomes.contains_key(*outcome))
                .collect();
            ensure!(
                never.is_empty(),
                "never occurred in {} calls of {call}: {} (counts: {counts})",
                counts.all,
                never.join(" "),
            );
            let percent = counts.succeeded * 100 / counts.all.max(1);
            ensure!(
                expected.succeeded.contains(&percent),
                "{percent} % of {} calls of {call} succeeded, expected {:?} %",
                counts.all,
                expected.succeeded,
            );
        }
        Ok(())
    }
}

impl fmt::Display for CallCounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words: Vec<_> = self
            .outcomes
            .iter()
            .map(|(outcome, count)| format!("{outcome} {count}"))
            .collect();
        f.write_str(&words.join(", "))
    }
}
