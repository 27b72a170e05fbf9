// SPDX-License-Identifier: GPL-2.0-only

//! What kind of kernel this is, as far as it matters to how long something takes.

use std::path::Path;

/// Whether it has a sanitizer that watches every access to memory, which makes it many times
/// slower.
pub(crate) fn is_sanitized() -> bool {
    ["kmemleak", "kcsan"]
        .iter()
        .any(|name| Path::new("/sys/kernel/debug").join(name).exists())
}
