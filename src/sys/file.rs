// SPDX-License-Identifier: GPL-2.0-only

//! What a file refers to: a namespace, a process, or neither.

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
/// Owns a reference to the file if another thread could close it meanwhile. Where the caller alone
/// has the file descriptors, they hold the file, and it is not the caller that closes one: a value
/// of this type must not outlive the call into the module.
///
/// # Invariants
///
/// `word` comes from `fdget()`, is not 0, and is given to `fdput()` once.
#[doc(alias = "CLASS")]
pub(crate) struct Fd {
    /// The file, and in the bits that are free below it whether a reference is owned.
    word: usize,
    _not_send: NotThreadSafe,
}

impl Fd {
    /// The file behind `fd`.
    ///
    /// # Errors
    ///
    /// [`EBADF`]: not open, or open with `O_PATH`.
    #[doc(alias = "fdget")]
    #[doc(alias = "fd_empty")]
    pub(crate) fn get(fd: u32) -> Result<Self> {
        // SAFETY: Any number may be asked for.
        let word = unsafe { fdget(fd) }.word;
        if word == 0 {
            return Err(EBADF);
        }
        // INVARIANT: Just got.
        Ok(Self {
            word,
            _not_send: NotThreadSafe,
        })
    }

    /// The file, without a reference of its own.
    #[doc(alias = "fd_file")]
    fn as_ptr(&self) -> *mut file {
        (self.word & !((FDPUT_FPUT | FDPUT_POS_UNLOCK) as usize)) as *mut file
    }
}

impl Drop for Fd {
    #[doc(alias = "fdput")]
    fn drop(&mut self) {
        if self.word & FDPUT_FPUT as usize != 0 {
            // SAFETY: By the type's invariants the reference is ours.
            unsafe { fput(self.as_ptr()) };
        }
    }
}

/// The namespace that an nsfs file refers to; [`None`] for any other file.
///
/// An open nsfs file owns a reference to its namespace, and an active one: what is returned is
/// borrowed from the file.
#[doc(alias = "get_proc_ns")]
pub(crate) fn proc_ns_file(file: &Fd) -> Option<&Ns> {
    // SAFETY: The file is open.
    if !unsafe { static_call!(proc_ns_file(file.as_ptr())) } {
        return None;
    }
    let file = file.as_ptr().cast::<layout::file>();
    // SAFETY: An open file has its inode.
    let inode = unsafe { (*file).f_inode };
    // SAFETY: The inode of an nsfs file has the `ns_common` as its private data, and keeps the
    // namespace alive for as long as the file is open.
    Some(unsafe { Ns::from_raw((*inode.cast::<layout::inode>()).i_private.cast()) })
}

/// The process id that a pidfd refers to; [`None`] for any other file.
///
/// A pidfd keeps the id, not the process. Owns a reference to it, from which this borrows.
pub(crate) fn pidfd_pid(file: &Fd) -> Option<&Pid> {
    // SAFETY: The file is open.
    let pid = from_err_ptr(unsafe { static_call!(pidfd_pid(file.as_ptr())) }).ok()?;
    // SAFETY: No pidfd is without a `struct pid`.
    unsafe { assert_unchecked(!pid.is_null()) };
    // SAFETY: The file keeps the `struct pid` alive for as long as it is open.
    Some(unsafe { Pid::from_raw(pid) })
}
