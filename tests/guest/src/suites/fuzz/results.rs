// SPDX-License-Identifier: GPL-2.0-only

//! The results of callers, in memory that outlives them: counts, outcomes, errors.

use super::{
    super::{error_sink::Complaints, shared_counters::SharedCounters},
    call::Command,
};
use crate::{
    errno::{Code, Outcome},
    sys::Shared,
};
use anyhow::Result;
use nsproxy_uapi::Implementation;
use std::{collections::BTreeMap, sync::atomic::Ordering::Relaxed};

/// The number of calls that one caller makes.
pub(super) const BATCH: usize = 1000;

/// Results that callers share with the test.
pub(super) struct Results {
    counts: SharedCounters,
    outcomes: [Shared; 2],
    pub(super) complaints: Complaints,
}

/// Encodes an outcome as a number that is not 0.
fn encode(outcome: Outcome) -> u64 {
    outcome.map_or_else(|code| code.0 as u64 + 1, |()| 1)
}

fn decode(number: u64) -> Option<Outcome> {
    match number {
        0 => None,
        1 => Some(Ok(())),
        n => Some(Err(Code(n as i32 - 1))),
    }
}

impl Results {
    pub(super) fn new() -> Result<Self> {
        Ok(Self {
            counts: SharedCounters::new(Command::ALL.len())?,
            outcomes: [Shared::new(BATCH)?, Shared::new(BATCH)?],
            complaints: Complaints::new()?,
        })
    }

    /// Counts a call.
    pub(super) fn count(&self, command: Command, outcome: Outcome) {
        self.counts.add(command as usize, outcome);
    }

    /// Adds the counts of all calls to `counts`.
    pub(super) fn add_to(&self, counts: &mut Counts) {
        for command in 0..Command::ALL.len() {
            for (outcome, n) in self.counts.outcomes(command) {
                let errno = outcome.map_or_else(|code| code.0, |()| 0);
                *counts.entry((command, errno)).or_default() += n;
            }
        }
    }

    /// Keeps a call's outcome, for the comparison of the batch.
    pub(super) fn keep(&self, by: Implementation, call: usize, outcome: Outcome) {
        self.outcomes[by as usize][call].store(encode(outcome), Relaxed);
    }

    /// Forgets the outcomes that the last batch kept.
    pub(super) fn clear(&self) {
        for outcome in self.outcomes.iter().flat_map(|outcomes| outcomes.iter()) {
            outcome.store(0, Relaxed);
        }
    }

    /// Returns the first call of the batch whose outcomes differ, and the outcomes by kernel and
    /// module.
    pub(super) fn difference(&self) -> Option<(usize, Option<Outcome>, Option<Outcome>)> {
        let [kernel, module] = &self.outcomes;
        let both = kernel.iter().zip(module.iter());
        both.map(|(a, b)| (a.load(Relaxed), b.load(Relaxed)))
            .enumerate()
            .find(|(_, (a, b))| a != b)
            .map(|(call, (a, b))| (call, decode(a), decode(b)))
    }

    /// Returns the number of outcomes that can be compared.
    pub(super) fn compared(&self) -> u64 {
        let kept = self.outcomes[Implementation::Kernel as usize].iter();
        kept.filter(|outcome| outcome.load(Relaxed) != 0).count() as u64
    }
}

/// How often a command (by its index in [`Command::ALL`]) returned an error number, 0 for none.
pub(super) type Counts = BTreeMap<(usize, i32), u64>;
