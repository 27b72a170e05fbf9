// SPDX-License-Identifier: GPL-2.0-only

//! Signs of life of a long test.

use std::{
    io::Write as _,
    time::{Duration, Instant},
};

/// Prints comments at intervals: the host takes a guest that is silent for long for a hung one.
pub(crate) struct Progress(Instant);

impl Progress {
    const INTERVAL: Duration = Duration::from_secs(8);

    /// Starts the first interval.
    pub(crate) fn new() -> Self {
        Self(Instant::now())
    }

    /// Prints a comment if the interval has passed.
    pub(crate) fn print(&mut self, text: impl FnOnce() -> String) {
        if self.0.elapsed() > Self::INTERVAL {
            println!("# {}", text());
            let _ = std::io::stdout().flush();
            *self = Self::new();
        }
    }
}
