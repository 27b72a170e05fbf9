// SPDX-License-Identifier: GPL-2.0-only

//! Properties of the kernel that tests depend on.

use anyhow::{Context as _, Result};
use rustix::mount::{MountFlags, mount};
use std::{fs, path::Path};

/// Returns whether `install()` of a mount namespace checks the `fs_struct` of the `nsset`, not that
/// of the caller. With several kinds the former is a copy, which is not shared. So a caller that
/// shares its `fs_struct` may enter, and moves the tasks it shares it with.
pub(crate) fn checks_fs_copy() -> bool {
    is_before((7, 3))
}

/// Returns whether the lookup of a root allocates memory.
pub(crate) fn allocates_in_lookup() -> bool {
    !is_before((7, 3))
}

/// Returns the secure bits that a task keeps when it enters a user namespace: those that restrict the
/// execution of files, and their locks. Older kernels clear them, too.
pub(crate) fn secure_bits_kept() -> u32 {
    const SECBIT_EXEC: u32 = 0xf00;
    if is_before((7, 3)) { 0 } else { SECBIT_EXEC }
}

/// Returns all capabilities of the kernel, as bits.
pub(crate) fn all_capabilities() -> Result<u64> {
    const FILE: &str = "/proc/sys/kernel/cap_last_cap";
    let last: u32 = fs::read_to_string(FILE).context(FILE)?.trim().parse()?;
    Ok(u64::MAX >> (u64::BITS - 1 - last))
}

fn is_before(release: (u32, u32)) -> bool {
    let uname = rustix::system::uname();
    let text = uname.release().to_string_lossy();
    let mut numbers = text.split('.').map_while(|word| word.parse().ok());
    match (numbers.next(), numbers.next()) {
        (Some(major), Some(minor)) => (major, minor) < release,
        _ => false,
    }
}

/// Returns whether the kernel has a sanitizer that makes it many times slower.
pub(crate) fn is_sanitized() -> bool {
    ["kmemleak", "kcsan"]
        .iter()
        .any(|name| Path::new("/sys/kernel/debug").join(name).exists())
}

/// Returns the mount point of tracefs. Mounts it if necessary.
pub(crate) fn tracefs() -> Result<&'static Path> {
    const ROOT: &str = "/sys/kernel/tracing";
    let root = Path::new(ROOT);
    if !root.join("trace").exists() {
        mount("tracefs", ROOT, "tracefs", MountFlags::empty(), None)
            .context("tracefs; was the kernel built with CONFIG_EVENT_TRACING?")?;
    }
    Ok(root)
}
