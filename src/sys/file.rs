// SPDX-License-Identifier: GPL-2.0-only

//! Open files of the caller: nsfs files and pidfds.

use super::{
    bindings::layout,
    namespace::Ns,
    symbols::static_call,
    target::Pid, //
};
use core::hint::assert_unchecked;
use kernel::{
    bindings::{fdget, file, fput, FDPUT_FPUT, FDPUT_POS_UNLOCK},
    error::from_err_ptr,
    prelude::*,
    types::NotThreadSafe,
};

/// An open file of the caller: `CLASS(fd)`.
///
/// It owns a reference to the file if another thread could close the file descriptor meanwhile.
/// Otherwise the file descriptor table of the caller holds the file. A value of this type must
/// therefore not outlive the call into the module.
///
/// # Invariants
///
/// `word` was returned by `fdget()` and is not 0. Only dropping the value performs `fdput()`.
#[doc(alias = "CLASS")]
pub(crate) struct Fd {
    /// The pointer to the file. Its low bits are flags: `FDPUT_FPUT` means that a reference is
    /// owned.
    word: usize,
    _not_send: NotThreadSafe,
}

impl Fd {
    /// Returns the file behind `fd`.
    ///
    /// # Errors
    ///
    /// [`EBADF`]: `fd` is not open, or open with `O_PATH`.
    #[doc(alias = "fdget")]
    #[doc(alias = "fd_empty")]
    pub(crate) fn get(fd: u32) -> Result<Self> {
        // SAFETY: `fdget()` accepts any number.
        let word = unsafe { fdget(fd) }.word;
        if word == 0 {
            return Err(EBADF);
        }
        // INVARIANT: `fdget()` returned `word`, which is not 0.
        Ok(Self {
            word,
            _not_send: NotThreadSafe,
        })
    }

    /// Returns the file without a reference of its own.
    #[doc(alias = "fd_file")]
    fn as_ptr(&self) -> *mut file {
        (self.word & !((FDPUT_FPUT | FDPUT_POS_UNLOCK) as usize)) as *mut file
    }
}

impl Drop for Fd {
    #[doc(alias = "fdput")]
    fn drop(&mut self) {
        if self.word & FDPUT_FPUT as usize != 0 {
            // SAFETY: By the flag in `word`, this value owns a reference.
            unsafe { fput(self.as_ptr()) };
        }
    }
}

/// Returns the namespace of an nsfs file, borrowed from the file; [`None`] for any other file.
///
/// An open nsfs file owns a reference and an active reference to its namespace.
#[doc(alias = "get_proc_ns")]
pub(crate) fn proc_ns_file(file: &Fd) -> Option<&Ns> {
    // SAFETY: The file is open.
    if !unsafe { static_call!(proc_ns_file(file.as_ptr())) } {
        return None;
    }
    let file = file.as_ptr().cast::<layout::file>();
    // SAFETY: An open file has an inode.
    let inode = unsafe { (*file).f_inode };
    // SAFETY: The private data of an nsfs inode is the `ns_common`. The inode keeps the namespace
    // alive for as long as the file is open.
    Some(unsafe { Ns::from_raw((*inode.cast::<layout::inode>()).i_private.cast()) })
}

/// Returns the process id of a pidfd, borrowed from the file; [`None`] for any other file.
///
/// A pidfd holds a reference to the id, not to the process.
pub(crate) fn pidfd_pid(file: &Fd) -> Option<&Pid> {
    // SAFETY: The file is open.
    let pid = from_err_ptr(unsafe { static_call!(pidfd_pid(file.as_ptr())) }).ok()?;
    // SAFETY: `pidfd_pid()` returns an error pointer or the `struct pid` of the pidfd, never NULL.
    unsafe { assert_unchecked(!pid.is_null()) };
    // SAFETY: The file keeps the `struct pid` alive for as long as it is open.
    Some(unsafe { Pid::from_raw(pid) })
}
