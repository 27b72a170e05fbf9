// SPDX-License-Identifier: GPL-2.0-only

//! Files that stay open in a program which does not know of them.

use rustix::{
    fs::{Stat, fstat},
    io::{Errno, fcntl_dupfd_cloexec},
};
use std::os::fd::{AsFd, OwnedFd};

/// Programs get the lowest numbers that are free, and some write them down. (Most have a limit of
/// 1024.)
const OUT_OF_THE_WAY: i32 = 1000;

/// A file that the program may close under us, and put another at its number.
pub(crate) struct Kept<T> {
    file: T,
    id: (u64, u64),
}

impl<T: AsFd + From<OwnedFd>> Kept<T> {
    pub(crate) fn new(file: T) -> Result<Self, Errno> {
        let file = match fcntl_dupfd_cloexec(&file, OUT_OF_THE_WAY) {
            Ok(fd) => fd.into(),
            // The limit is lower.
            Err(Errno::INVAL | Errno::MFILE) => file,
            Err(errno) => return Err(errno),
        };
        let id = id(&fstat(&file)?);
        Ok(Self { file, id })
    }

    /// Whether it still is what it was.
    pub(crate) fn is_there(&self) -> bool {
        fstat(&self.file).is_ok_and(|stat| id(&stat) == self.id)
    }

    pub(crate) fn get(&self) -> &T {
        &self.file
    }
}

fn id(stat: &Stat) -> (u64, u64) {
    (stat.st_dev, stat.st_ino)
}
