// SPDX-License-Identifier: GPL-2.0-only

//! The two implementations of setns(2) and unshare(2), and the system calls themselves.

use rustix::io::Errno;
use std::io;

/// An implementation of setns(2): the one that answers a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Implementation {
    /// The kernel's `kernel/nsproxy.c`.
    Kernel,
    /// The module.
    Module,
}

impl Implementation {
    /// Both implementations: the reference first.
    pub const ALL: [Self; 2] = [Self::Kernel, Self::Module];
}

/// Calls setns(2) with any numbers. `nstype` is 0 or a set of `CLONE_NEW*`.
///
/// # Errors
///
/// The errors of setns(2).
pub fn setns_raw(fd: i32, nstype: i32) -> Result<(), Errno> {
    // SAFETY: Takes no pointer.
    outcome(unsafe { libc::setns(fd, nstype) })
}

/// Calls unshare(2) with any number.
///
/// # Errors
///
/// The errors of unshare(2).
pub fn unshare_raw(flags: u64) -> Result<(), Errno> {
    // SAFETY: Takes no pointer. Files that the caller uses stay open: the call can only copy their
    // table.
    outcome(unsafe { libc::syscall(libc::SYS_unshare, flags) } as i32)
}

/// Converts the return value of a libc function that returns 0 or -1.
pub(crate) fn outcome(result: i32) -> Result<(), Errno> {
    if result == 0 {
        return Ok(());
    }
    Err(Errno::from_io_error(&io::Error::last_os_error()).unwrap_or(Errno::PROTO))
}
