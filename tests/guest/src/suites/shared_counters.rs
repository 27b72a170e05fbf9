// SPDX-License-Identifier: GPL-2.0-only

//! Counters of outcomes, in memory that a test shares with its children.

use crate::{
    errno::{Code, ERRNOS, Outcome},
    sys::Shared,
};
use rustix::io::Errno;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// How often each outcome occurred, by row. The rows are the callers' own: commands, situations.
pub(super) struct SharedCounters(Shared);

impl SharedCounters {
    /// Creates counters, to be shared with children that are forked later.
    pub(super) fn new(rows: usize) -> Result<Self, Errno> {
        Shared::new(rows * ERRNOS).map(Self)
    }

    fn counter(&self, row: usize, outcome: Outcome) -> &AtomicU64 {
        let errno = outcome.map_or_else(|code| code.0 as usize, |()| 0);
        &self.0[row * ERRNOS + errno.min(ERRNOS - 1)]
    }

    /// Counts an outcome.
    pub(super) fn add(&self, row: usize, outcome: Outcome) {
        self.counter(row, outcome).fetch_add(1, Relaxed);
    }

    /// Returns how often an outcome occurred.
    pub(super) fn get(&self, row: usize, outcome: Outcome) -> u64 {
        self.counter(row, outcome).load(Relaxed)
    }

    /// Returns the outcomes that occurred, and how often.
    pub(super) fn outcomes(&self, row: usize) -> Vec<(Outcome, u64)> {
        (0..ERRNOS as i32)
            .map(|errno| if errno == 0 { Ok(()) } else { Err(Code(errno)) })
            .map(|outcome| (outcome, self.get(row, outcome)))
            .filter(|(_, n)| *n > 0)
            .collect()
    }
}
