// SPDX-License-Identifier: GPL-2.0-only

//! What the callers, which are thrown away, leave behind: counts, outcomes, complaints.

use super::{super::error_sink::Complaints, call::Command};
use crate::{
    errno::{Code, Outcome},
    sys::Shared,
};
use anyhow::Result;
use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
};

/// Error numbers are smaller.
const ERRNOS: usize = 134;
/// So many calls does one caller make.
pub(super) const BATCH: usize = 1000;

/// Which implementation `NSPROXY_SETNS` is asked of: the device, or setns(2) in its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Device,
    Twin,
}

pub(super) struct Board {
    counts: Shared,
    outcomes: [Shared; 2],
    pub(super) complaints: Complaints,
}

/// As a number that is not 0.
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

impl Board {
    pub(super) fn new() -> Result<Self> {
        Ok(Self {
            counts: Shared::new(Command::ALL.len() * ERRNOS)?,
            outcomes: [Shared::new(BATCH)?, Shared::new(BATCH)?],
            complaints: Complaints::new()?,
        })
    }

    fn counter(&self, command: Command, outcome: Outcome) -> &AtomicU64 {
        let errno = encode(outcome) as usize - 1;
        &self.counts[command as usize * ERRNOS + errno.min(ERRNOS - 1)]
    }

    /// Counts a call.
    pub(super) fn count(&self, command: Command, outcome: Outcome) {
        self.counter(command, outcome).fetch_add(1, Relaxed);
    }

    /// Adds what was counted.
    pub(super) fn add_to(&self, counts: &mut Counts) {
        for command in Command::ALL {
            for errno in 0..ERRNOS as i32 {
                let outcome = if errno == 0 { Ok(()) } else { Err(Code(errno)) };
                let n = self.counter(command, outcome).load(Relaxed);
                if n > 0 {
                    *counts.entry((command as usize, errno)).or_default() += n;
                }
            }
        }
    }

    /// Keeps what a call of the batch came to, for the comparison.
    pub(super) fn keep(&self, side: Side, call: usize, outcome: Outcome) {
        self.outcomes[side as usize][call].store(encode(outcome), Relaxed);
    }

    /// Forgets what was kept.
    pub(super) fn clear(&self) {
        for outcomes in &self.outcomes {
            for outcome in outcomes.iter() {
                outcome.store(0, Relaxed);
            }
        }
    }

    /// The first call of the batch that came to something else on the other side.
    pub(super) fn difference(&self) -> Option<(usize, Option<Outcome>, Option<Outcome>)> {
        let [device, twin] = &self.outcomes;
        let both = device.iter().zip(twin.iter());
        both.map(|(a, b)| (a.load(Relaxed), b.load(Relaxed)))
            .enumerate()
            .find(|(_, (a, b))| a != b)
            .map(|(call, (a, b))| (call, decode(a), decode(b)))
    }

    /// How many outcomes can be compared.
    pub(super) fn compared(&self) -> u64 {
        let kept = self.outcomes[Side::Twin as usize].iter();
        kept.filter(|outcome| outcome.load(Relaxed) != 0).count() as u64
    }
}

/// How often a command (by its place in [`Command::ALL`]) came to an error number, 0 for none.
pub(super) type Counts = BTreeMap<(usize, i32), u64>;
