// SPDX-License-Identifier: GPL-2.0-only

//! Directories of `/proc` whose entries are numbers: processes, threads and descriptors.

use std::{fs, io};

/// Returns the numbers among the names in a directory, in ascending order.
pub(super) fn numbers(directory: &str) -> io::Result<Vec<u32>> {
    let entries = fs::read_dir(directory)?.flatten();
    let number = |entry: fs::DirEntry| entry.file_name().to_str()?.parse().ok();
    let mut numbers: Vec<_> = entries.filter_map(number).collect();
    numbers.sort_unstable();
    Ok(numbers)
}
