// SPDX-License-Identifier: GPL-2.0-only

//! Reads `/proc` below a directory that is open.

use rustix::{
    fs::{Dir, Mode, OFlags},
    io::Errno,
};
use std::{
    fs::File,
    io::Read as _,
    os::fd::{BorrowedFd, OwnedFd},
};

/// Opens a directory.
pub(crate) fn open_directory(path: &str) -> Result<OwnedFd, Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    rustix::fs::open(path, flags, Mode::empty())
}

/// Opens a file below a directory.
pub(crate) fn open(directory: BorrowedFd<'_>, path: &str) -> Result<OwnedFd, Errno> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC;
    rustix::fs::openat(directory, path, flags, Mode::empty())
}

/// Reads a file below a directory. The size of a file of `/proc` is unknown.
pub(crate) fn read(directory: BorrowedFd<'_>, path: &str) -> Result<String, Errno> {
    let mut text = String::new();
    File::from(open(directory, path)?)
        .read_to_string(&mut text)
        .map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::PROTO))?;
    Ok(text)
}

/// Returns the names in a directory that are numbers.
pub(crate) fn numbers(directory: BorrowedFd<'_>, path: &str) -> Vec<u32> {
    let names = || Dir::new(open(directory, path).ok()?).ok();
    let names = names().into_iter().flatten().flatten();
    names
        .filter_map(|entry| entry.file_name().to_str().ok()?.parse().ok())
        .collect()
}

/// Returns the value of the line `name:` in a file of `/proc`.
pub(crate) fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let mut lines = text.lines().filter_map(|line| line.split_once(':'));
    let (_, value) = lines.find(|(found, _)| *found == name)?;
    Some(value.trim())
}
