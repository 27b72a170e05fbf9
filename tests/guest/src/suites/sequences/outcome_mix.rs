// SPDX-License-Identifier: GPL-2.0-only

//! The mix of outcomes: a run in which nearly all calls fail, or nearly none, shows little.

use super::Both;
use crate::case::implementation::{Kind, kinds_of};
use anyhow::{Result, ensure};
use std::{collections::BTreeMap, fmt};

/// The errors that must occur in a complete run.
const ERRORS: [&str; 5] = ["EPERM", "EINVAL", "ESRCH", "EUSERS", "EBADF"];

/// Counts of sequences, of calls of setns, and of their outcomes.
#[derive(Clone, Debug, Default)]
pub(super) struct OutcomeMix {
    /// Sequences that were run in both worlds.
    pub(super) sequences: u32,
    /// Sequences that differ.
    pub(super) differ: u32,
    /// Calls in each world.
    pub(super) calls: u32,
    /// Calls that succeeded.
    pub(super) succeeded: u32,
    /// Successes by kind, and errors by name.
    outcomes: BTreeMap<String, u32>,
}

impl OutcomeMix {
    /// Counts a sequence, and its calls of setns(2) by outcome.
    pub(super) fn add(&mut self, both: &Both) {
        self.sequences += 1;
        self.differ += u32::from(!both.differences.is_empty());
        for observation in &both.syscall.operations {
            let Some(kinds) = observation.called else {
                continue;
            };
            self.calls += 1;
            let names: Vec<_> = if observation.outcome == "0" {
                self.succeeded += 1;
                kinds_of(kinds).map(|kind| kind.name().to_owned()).collect()
            } else {
                vec![observation.outcome.clone()]
            };
            for name in names {
                *self.outcomes.entry(name).or_default() += 1;
            }
        }
    }

    /// Adds the counts of another part of the run.
    pub(super) fn merge(&mut self, other: &Self) {
        self.sequences += other.sequences;
        self.differ += other.differ;
        self.calls += other.calls;
        self.succeeded += other.succeeded;
        for (outcome, count) in &other.outcomes {
            *self.outcomes.entry(outcome.clone()).or_default() += count;
        }
    }

    /// Returns the counts of sequences and calls.
    pub(super) fn counts(&self) -> String {
        format!(
            "{} sequences, {} calls of setns, {} succeeded",
            self.sequences, self.calls, self.succeeded
        )
    }

    fn count(&self, outcome: &str) -> u32 {
        self.outcomes.get(outcome).copied().unwrap_or(0)
    }

    /// Checks that every kind and every error occurred, and that the calls neither mostly succeeded nor
    /// mostly failed.
    pub(super) fn check(&self) -> Result<()> {
        let kinds = Kind::ALL.iter().map(|kind| kind.name());
        let never: Vec<_> = kinds
            .chain(ERRORS)
            .filter(|outcome| self.count(outcome) == 0)
            .collect();
        ensure!(
            never.is_empty(),
            "never occurred in {} calls: {} (counts: {self})",
            self.calls,
            never.join(" ")
        );
        ensure!(
            (self.calls / 4..=self.calls * 3 / 4).contains(&self.succeeded),
            "{} of {} calls succeeded, expected between 1/4 and 3/4",
            self.succeeded,
            self.calls
        );
        Ok(())
    }
}

impl fmt::Display for OutcomeMix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words: Vec<_> = self
            .outcomes
            .iter()
            .map(|(outcome, count)| format!("{outcome} {count}"))
            .collect();
        f.write_str(&words.join(", "))
    }
}
