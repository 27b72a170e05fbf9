// SPDX-License-Identifier: GPL-2.0-only

//! The ways into other namespaces.

use crate::Device;
use rustix::io::Errno;
use std::{
    io,
    os::fd::{AsRawFd as _, BorrowedFd},
};

/// Who is asked to switch namespaces.
#[derive(Debug)]
pub enum Via {
    /// The module, today's path.
    Device(Device),
    /// The module, the path of 2011.
    Device2011(Device),
    /// The kernel itself, by setns(2).
    Syscall,
}

impl Via {
    /// Moves the calling thread into the namespace, or into some of the process, that `fd` refers
    /// to. `nstype` is 0 or `CLONE_NEW*`.
    ///
    /// # Errors
    ///
    /// Those of setns(2).
    pub fn setns(&self, fd: BorrowedFd<'_>, nstype: u32) -> Result<(), Errno> {
        self.setns_raw(fd.as_raw_fd(), nstype as i32)
    }

    /// The same, with any numbers.
    pub fn setns_raw(&self, fd: i32, nstype: i32) -> Result<(), Errno> {
        match self {
            Self::Device(device) => device.setns_raw(fd, nstype),
            Self::Device2011(device) => device.setns_2011_raw(fd, nstype),
            // SAFETY: Takes no pointer.
            Self::Syscall => outcome(unsafe { libc::setns(fd, nstype) }),
        }
    }
}

/// What a system call that returns 0 or -1 came to.
pub(crate) fn outcome(result: i32) -> Result<(), Errno> {
    if result == 0 {
        return Ok(());
    }
    Err(Errno::from_io_error(&io::Error::last_os_error()).unwrap_or(Errno::PROTO))
}
