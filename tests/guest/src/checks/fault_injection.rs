// SPDX-License-Identifier: GPL-2.0-only

//! Injects the failure of single allocations: `/proc/self/fail-nth`.

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

/// Prepares the guest.
///
/// # Errors
///
/// [`Skip`] on a kernel without fault injection.
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
    // Refilling the per-CPU caches of the allocator counts as an allocation. On one CPU all callers
    // share these caches.
    let mut cpus = CpuSet::new();
    cpus.set(0);
    rustix::thread::sched_setaffinity(None, &cpus).context("sched_setaffinity")?;
    // Allocations that may sleep fail, too, as those of setns do. Failures are not logged, and only
    // allocations from the chosen caches count.
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

/// Chooses every cache except those of kmemleak. It makes an allocation for each one that it sees,
/// and may disable itself if that fails.
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

/// Returns whether the kernel has kmemleak. If so, init scans after each suite, and a leak fails the
/// suite.
pub(crate) fn has_kmemleak() -> bool {
    Path::new("/sys/kernel/debug/kmemleak").exists()
}

/// An injected failure of one of the next allocations of this thread.
pub(crate) struct Armed(File);

impl Armed {
    /// Injects a failure of the allocation with this number, which starts at 1.
    pub(crate) fn new(allocation: u32) -> Result<Self> {
        let armed = Self(File::options().read(true).write(true).open(FAIL_NTH)?);
        armed.rearm(allocation)?;
        Ok(armed)
    }

    /// Injects a failure again.
    pub(crate) fn rearm(&self, allocation: u32) -> Result<()> {
        let text = allocation.to_string();
        self.0.write_at(text.as_bytes(), 0).context(FAIL_NTH)?;
        Ok(())
    }

    /// Returns how many allocations remained until the one that fails, 0 after it has failed.
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
