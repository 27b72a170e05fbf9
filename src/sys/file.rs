// SPDX-License-Identifier: GPL-2.0-only

//! What a file refers to: a namespace, a process, or neither.

use super::{
    bindings::{self, layout},
    namespace::Ns,
    target::Pid, //
};
use kernel::{error::from_err_ptr, fs::LocalFile};

/// The namespace that an nsfs file refers to; [`None`] for any other file.
///
/// An open nsfs file owns a reference to its namespace, and an active one: what is returned is
/// borrowed from the file.
#[doc(alias = "get_proc_ns")]
pub(crate) fn proc_ns_file(file: &LocalFile) -> Option<&Ns> {
    // SAFETY: The file is open.
    if !unsafe { bindings::nsproxy_rs_proc_ns_file(file.as_ptr()) } {
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
pub(crate) fn pidfd_pid(file: &LocalFile) -> Option<&Pid> {
    // SAFETY: The file is open.
    let pid = from_err_ptr(unsafe { bindings::nsproxy_rs_pidfd_pid(file.as_ptr()) }).ok()?;
    // SAFETY: The file keeps the `struct pid` alive for as long as it is open.
    Some(unsafe { Pid::from_raw(pid) })
}
