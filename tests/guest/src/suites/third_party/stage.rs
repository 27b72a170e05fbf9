// SPDX-License-Identifier: GPL-2.0-only

//! What the guest is like before programs of others run.

use crate::{gate, sys, via};
use anyhow::{Context as _, Result};

/// How many namespaces were in use at first.
pub(crate) struct Stage(usize);

impl Stage {
    pub(crate) fn set() -> Result<Self> {
        Ok(Self(in_use()?))
    }

    /// Waits until no more namespaces are in use than at first: the kernel is not done at once
    /// with those of who is gone, and there are programs that count them before and after.
    pub(crate) fn wait_until_still(&self) -> Result<()> {
        gate::patiently(in_use, |count| *count <= self.0)?;
        Ok(())
    }
}

fn in_use() -> Result<usize> {
    Ok(sys::listns(via::all_kinds()).context("listns(2)")?.len())
}
