// SPDX-License-Identifier: GPL-2.0-only

//! The mount point of tracefs.

use std::path::Path;

/// The usual places. tracefs is mounted by hand, or on the first access to debugfs.
const PLACES: [&str; 2] = ["/sys/kernel/tracing", "/sys/kernel/debug/tracing"];

/// Returns where tracefs is mounted; [`None`] if it is not, or not accessible.
pub(crate) fn mounted() -> Option<&'static Path> {
    let is_mounted = |place: &&Path| place.join("events").exists();
    PLACES.map(Path::new).into_iter().find(is_mounted)
}
