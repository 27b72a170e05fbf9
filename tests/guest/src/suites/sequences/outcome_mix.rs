// SPDX-License-Identifier: GPL-2.0-only

//! What the calls of a run came to: a run in which nearly all of them fail, or none, shows little.

use super::Both;
use crate::case::implementation::{Kind, kinds_of};
use anyhow::{Result, ensure};
use std::{collections::BTreeMap, fmt};

/// The errors that must have come up in a whole run.
const ERRORS: [&str; 5] = ["EPERM", "EINVAL", "ESRCH", "EUSERS", "EBADF"];

/// Counts of calls of setns, and of what came of them.
#[derive(Clone, Debug, Default)]
pub(super) struct Mix {
    /// Sequences that ran in both worlds.
    pub(super) sequences: u32,
    /// Those of them that differ.
    pub(super) differ: u32,
    /// Calls that were made, in each world.
    pub(super) calls: u32,
    /// Those of them that succeeded.
    pub(super) succeeded: u32,
    /// Successes by kind, and errors by name.
    outcomes: BTreeMap<String, u32>,
}

impl Mix {
    /// Counts a sequence, and its calls as they were by setns(2).
    pub(super) fn add(&mut self, both: &Both) {
        self.sequences += 1;
        self.differ += u32::from(!both.differences.is_empty());
        for observation in &both.syscall.operations {
            let Some(kinds) = observation.called else {
                continue;
            };
            self.calls += 1;
            if observation.outcome == "0" {
                self.succeeded += 1;
                for kind in kinds_of(kinds) {
                    *self.outcomes.entry(kind.name().to_owned()).or_default() += 1;
                }
            } else {
                *self
                    .outcomes
                    .entry(observation.outcome.clone())
                    .or_default() += 1;
            }
        }
    }

    /// Adds what another part of the run came to.
    pub(super) fn merge(&mut self, other: &Self) {
        self.sequences += other.sequences;
        self.differ += other.differ;
        self.calls += other.calls;
        self.succeeded += other.succeeded;
        for (outcome, count) in &other.outcomes {
            *self.outcomes.entry(outcome.clone()).or_default() += count;
        }
    }

    fn count(&self, outcome: &str) -> u32 {
        self.outcomes.get(outcome).copied().unwrap_or(0)
    }

    /// Whether enough came up for the run to mean something.
    pub(super) fn check(&self) -> Result<()> {
        let kinds = Kind::ALL.iter().map(|kind| kind.name());
        let never: Vec<_> = kinds
            .chain(ERRORS)
            .filter(|outcome| self.count(outcome) == 0)
            .collect();
        ensure!(
            never.is_empty(),
            "never came up in {} calls: {} (of what did: {self})",
            self.calls,
            never.join(" ")
        );
        ensure!(
            (self.calls / 4..=self.calls * 3 / 4).contains(&self.succeeded),
            "{} of {} calls succeeded, and neither nearly none nor nearly all should",
            self.succeeded,
            self.calls
        );
        Ok(())
    }
}

impl fmt::Display for Mix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words: Vec<_> = self
            .outcomes
            .iter()
            .map(|(outcome, count)| format!("{outcome} {count}"))
            .collect();
        f.write_str(&words.join(", "))
    }
}
