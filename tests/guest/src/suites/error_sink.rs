// SPDX-License-Identifier: GPL-2.0-only

//! What is wrong, said by processes that may not live to say it twice.

use crate::sys::Shared;
use anyhow::Result;
use rustix::{io::Errno, pipe::PipeFlags};
use std::{os::fd::OwnedFd, sync::atomic::Ordering::Relaxed};

/// Where a test's children say what is wrong, and the test hears it at the end.
pub(super) struct Complaints {
    count: Shared,
    hear: OwnedFd,
    say: OwnedFd,
}

impl Complaints {
    /// To be made before the children are.
    pub(super) fn new() -> Result<Self> {
        let (hear, say) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK)?;
        Ok(Self {
            count: Shared::new(1)?,
            hear,
            say,
        })
    }

    /// Something is not as it must be. It is counted, and the first words of it all are kept.
    pub(super) fn say(&self, what: &str) {
        self.count[0].fetch_add(1, Relaxed);
        // Nonblocking: what finds no room was said often enough.
        let _ = rustix::io::write(&self.say, format!("{what}\n").as_bytes());
    }

    /// How often something was said.
    pub(super) fn count(&self) -> u64 {
        self.count[0].load(Relaxed)
    }

    /// An error if something was.
    pub(super) fn none(&self) -> Result<()> {
        let count = self.count();
        if count == 0 {
            return Ok(());
        }
        let mut text = vec![0; 4096];
        let n = match rustix::io::read(&self.hear, &mut text) {
            Err(Errno::AGAIN) => 0,
            n => n?,
        };
        let text = String::from_utf8_lossy(&text[..n]);
        anyhow::bail!("{count} times something is wrong:\n{text}")
    }
}
