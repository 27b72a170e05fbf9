// SPDX-License-Identifier: GPL-2.0-only

//! Allocations that fail on purpose, one at a time: `/proc/self/fail-nth`.

use crate::ktap::Skip;
use anyhow::{Context as _, Result, ensure};
use std::{
    fs::{self, File},
    io::Write as _,
    os::unix::fs::FileExt as _,
    path::Path,
};

const FAIL_NTH: &str = "/proc/thread-self/fail-nth";
const FAILSLAB: &str = "/sys/kernel/debug/failslab";

/// Makes the guest ready for it.
///
/// # Errors
///
/// [`Skip`] in a kernel that cannot do it.
pub(crate) fn prepare() -> Result<()> {
    if !Path::new(FAIL_NTH).exists() || !Path::new(FAILSLAB).exists() {
        return Err(Skip::because(
            "needs a kernel with CONFIG_FAILSLAB and fail-nth, as KERNEL=debug is",
        ));
    }
    // Allocations that may wait for memory, as all of setns may, are to fail, too; quietly.
    for (file, value) in [("ignore-gfp-wait", "0"), ("verbose", "0")] {
        let path = format!("{FAILSLAB}/{file}");
        fs::write(&path, value).context(path)?;
    }
    Ok(())
}

/// Which allocation of a call it is, of all that are counted: kmemleak makes one for each, and
/// switches itself off for good if that one fails.
pub(crate) fn position(allocation: u32) -> u32 {
    if Path::new("/sys/kernel/debug/kmemleak").exists() {
        2 * allocation - 1
    } else {
        allocation
    }
}

/// The allocation at that position fails in what this thread does next.
pub(crate) struct Armed(File);

impl Armed {
    pub(crate) fn new(position: u32) -> Result<Self> {
        let mut file = File::options().read(true).write(true).open(FAIL_NTH)?;
        write!(file, "{position}").context(FAIL_NTH)?;
        Ok(Self(file))
    }

    /// Checks that it has happened.
    pub(crate) fn disarm(self) -> Result<()> {
        let mut left = [0; 16];
        let n = self.0.read_at(&mut left, 0)?;
        self.0.write_at(b"0", 0)?;
        let left = String::from_utf8_lossy(&left[..n]);
        ensure!(
            left.trim() == "0",
            "the call made too few allocations: {} to go",
            left.trim()
        );
        Ok(())
    }
}
