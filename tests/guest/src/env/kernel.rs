// SPDX-License-Identifier: GPL-2.0-only

//! Properties of the kernel that tests depend on.

use anyhow::{Context as _, Result};
use rustix::mount::{MountFlags, mount};
use std::path::Path;

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
