// SPDX-License-Identifier: GPL-2.0-only

//! Whether nothing is left of the programs before.

use crate::{case::implementation, checks::leaked_namespaces, sys};
use anyhow::{Context as _, Result};

/// How many namespaces were in use at first.
pub(crate) struct Still(usize);

impl Still {
    pub(crate) fn now() -> Result<Self> {
        Ok(Self(in_use()?))
    }

    /// Waits until no more namespaces are in use than at first: the kernel is not done at once
    /// with those of who is gone, and there are programs that count them before and after.
    pub(crate) fn again(&self) -> Result<()> {
        leaked_namespaces::patiently(in_use, |count| *count <= self.0)?;
        Ok(())
    }
}

fn in_use() -> Result<usize> {
    Ok(sys::listns(implementation::all_kinds())
        .context("listns(2)")?
        .len())
}
