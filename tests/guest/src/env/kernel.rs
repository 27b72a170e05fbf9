// SPDX-License-Identifier: GPL-2.0-only

//! What kind of kernel this is, as far as it matters to how long something takes, or what comes of
//! it.

use anyhow::{Context as _, Result};
use rustix::mount::{MountFlags, mount};
use std::path::Path;

/// Whether `install()` of a mount namespace asks if the set's `fs_struct` is shared, and not if the
/// caller's is. With several kinds the set has a copy, which is not, and so a caller that shares its
/// own enters all the same, and takes along whom it shares it with.
pub(crate) fn asks_the_copy() -> bool {
    is_before((7, 3))
}

/// Whether looking up a root takes memory that can be made to lack.
pub(crate) fn allocates_to_look_up() -> bool {
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

/// Whether it has a sanitizer that watches every access to memory, which makes it many times
/// slower.
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
