// SPDX-License-Identifier: GPL-2.0-only

//! Keys of the kernel: request_key(2) and keyctl(2).

use super::checked;
use rustix::io::Errno;
use std::ffi::{CStr, c_long};

/// Requests a key of the type `user`. The kernel starts `/sbin/request-key` if there is none.
pub(crate) fn request_key(description: &CStr, callout: &CStr) -> Result<c_long, Errno> {
    // SAFETY: All pointers are C strings.
    checked(unsafe {
        libc::syscall(
            libc::SYS_request_key,
            c"user".as_ptr(),
            description.as_ptr(),
            callout.as_ptr(),
            libc::KEY_SPEC_PROCESS_KEYRING,
        )
    })
}

/// Assumes the authority to instantiate a key, which `/sbin/request-key` has.
pub(crate) fn assume_authority(key: c_long) -> Result<(), Errno> {
    // SAFETY: The operation has no pointer.
    checked(unsafe { libc::syscall(libc::SYS_keyctl, libc::KEYCTL_ASSUME_AUTHORITY, key) })
        .map(drop)
}

/// Instantiates a key, for which the caller must have assumed the authority.
pub(crate) fn instantiate(key: c_long) -> Result<(), Errno> {
    let payload = b"payload";
    // SAFETY: The payload is valid for its length. 0 stands for no keyring.
    checked(unsafe {
        libc::syscall(
            libc::SYS_keyctl,
            libc::KEYCTL_INSTANTIATE,
            key,
            payload.as_ptr(),
            payload.len(),
            0,
        )
    })
    .map(drop)
}
