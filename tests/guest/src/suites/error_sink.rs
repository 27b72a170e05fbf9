// SPDX-License-Identifier: GPL-2.0-only

//! Collects errors of child processes, which may be killed at any time.

use crate::sys::Shared;
use anyhow::Result;
use rustix::{io::Errno, pipe::PipeFlags};
use std::{os::fd::OwnedFd, sync::atomic::Ordering::Relaxed};

/// Errors of the children of a test.
pub(super) struct Complaints {
    count: Shared,
    read: OwnedFd,
    write: OwnedFd,
}

impl Complaints {
    /// Creates the sink. Children that are forked later inherit it.
    pub(super) fn new() -> Result<Self> {
        let (read, write) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK)?;
        Ok(Self {
            count: Shared::new(1)?,
            read,
            write,
        })
    }

    /// Counts an error. Keeps the texts of the first errors.
    pub(super) fn say(&self, error: &str) {
        self.count[0].fetch_add(1, Relaxed);
        // Nonblocking: later texts are discarded when the pipe is full.
        let _ = rustix::io::write(&self.write, format!("{error}\n").as_bytes());
    }

    /// Returns the number of errors.
    pub(super) fn count(&self) -> u64 {
        self.count[0].load(Relaxed)
    }

    /// Fails if there is an error.
    pub(super) fn none(&self) -> Result<()> {
        let count = self.count();
        if count == 0 {
            return Ok(());
        }
        let mut text = vec![0; 4096];
        let n = match rustix::io::read(&self.read, &mut text) {
            Err(Errno::AGAIN) => 0,
            n => n?,
        };
        let text = String::from_utf8_lossy(&text[..n]);
        anyhow::bail!("{count} errors, the first ones:\n{text}")
    }
}
