// SPDX-License-Identifier: GPL-2.0-only

//! Allocations that fail on purpose, one at a time: `/proc/self/fail-nth`.

use crate::{checks::slab, report::ktap::Skip};
use anyhow::{Context as _, Result};
use rustix::thread::CpuSet;
use std::{
    fs::{self, File},
    os::unix::fs::FileExt as _,
    path::Path,
    sync::OnceLock,
};

const FAIL_NTH: &str = "/proc/thread-self/fail-nth";
const FAILSLAB: &str = "/sys/kernel/debug/failslab";

/// Makes the guest ready for it.
///
/// # Errors
///
/// [`Skip`] in a kernel that cannot do it.
pub(crate) fn prepare() -> Result<()> {
    static READY: OnceLock<()> = OnceLock::new();
    if READY.get().is_some() {
        return Ok(());
    }
    if !Path::new(FAIL_NTH).exists() || !Path::new(FAILSLAB).exists() {
        return Err(Skip::because(
            "needs a kernel with CONFIG_FAILSLAB and CONFIG_FAULT_INJECTION_DEBUG_FS",
        ));
    }
    choose_caches()?;
    // What the allocator has at hand for a CPU runs out and is refilled by allocations that
    // count; on one CPU it is the same for all who call.
    let mut cpus = CpuSet::new();
    cpus.set(0);
    rustix::thread::sched_setaffinity(None, &cpus).context("sched_setaffinity")?;
    // Allocations that may wait for memory, as all of setns may, are to fail, too; quietly; and
    // only those of the caches that were chosen count.
    for (file, value) in [
        ("ignore-gfp-wait", "0"),
        ("verbose", "0"),
        ("cache-filter", "1"),
    ] {
        let path = format!("{FAILSLAB}/{file}");
        fs::write(&path, value).context(path)?;
    }
    let _ = READY.set(());
    Ok(())
}

/// Every cache but those of kmemleak, which makes an allocation for each that it sees, and may
/// switch itself off for good if that one fails.
fn choose_caches() -> Result<()> {
    for cache in fs::read_dir(slab::SYSFS).context(slab::SYSFS)? {
        let cache = cache?;
        let name = cache.file_name();
        let choose = !name.to_string_lossy().starts_with("kmemleak_");
        let path = cache.path().join("failslab");
        fs::write(&path, if choose { "1" } else { "0" }).map_err(|error| {
            if error.raw_os_error() == Some(libc::EINVAL) {
                Skip::because("the kernel merges slab caches: boot it with slab_nomerge")
            } else {
                anyhow::Error::from(error).context(path.display().to_string())
            }
        })?;
    }
    Ok(())
}

/// Whether the kernel has kmemleak. Then init has it search after each suite, and what it finds
/// fails the suite.
pub(crate) fn kmemleak_is_there() -> bool {
    Path::new("/sys/kernel/debug/kmemleak").exists()
}

/// One allocation fails in what this thread does next.
pub(crate) struct Armed(File);

impl Armed {
    /// The one with this number, from 1.
    pub(crate) fn new(allocation: u32) -> Result<Self> {
        let armed = Self(File::options().read(true).write(true).open(FAIL_NTH)?);
        armed.again(allocation)?;
        Ok(armed)
    }

    /// The same once more.
    pub(crate) fn again(&self, allocation: u32) -> Result<()> {
        let text = allocation.to_string();
        self.0.write_at(text.as_bytes(), 0).context(FAIL_NTH)?;
        Ok(())
    }

    /// How many allocations there were to go until the one that was to fail: 0 if it has.
    pub(crate) fn to_go(&self) -> Result<u32> {
        let mut left = [0; 16];
        let n = self.0.read_at(&mut left, 0).context(FAIL_NTH)?;
        let left = String::from_utf8_lossy(&left[..n]);
        left.trim().parse().context(FAIL_NTH)
    }
}

impl Drop for Armed {
    fn drop(&mut self) {
        let _ = self.0.write_at(b"0", 0);
    }
}
