// SPDX-License-Identifier: GPL-2.0-only

//! What a file of nsfs tells about its namespace.

use super::ioctl;
use rustix::io::Errno;
use std::{
    ffi::{c_int, c_uint},
    os::fd::{AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd},
};

/// A namespace that another one has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Relative {
    /// The user namespace that it belongs to.
    Owner,
    /// The user or pid namespace that it was made in.
    Parent,
}

/// `NS_GET_USERNS` and `NS_GET_PARENT`.
///
/// # Errors
///
/// `EPERM` if it is beyond what the caller may see; `EINVAL` if that kind has none.
pub(crate) fn relative_namespace(of: BorrowedFd<'_>, which: Relative) -> Result<OwnedFd, Errno> {
    // _IO(0xb7, 1), _IO(0xb7, 2)
    let command = match which {
        Relative::Owner => 0xb701,
        Relative::Parent => 0xb702,
    };
    let fd = ioctl(of.as_raw_fd(), command, 0)?;
    // SAFETY: The kernel just made it, for this call.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as c_int) })
}

/// `NS_GET_NSTYPE`: the `CLONE_NEW*` of its kind.
///
/// # Errors
///
/// `ENOTTY` for what is no file of nsfs.
pub(crate) fn namespace_type(of: BorrowedFd<'_>) -> Result<u32, Errno> {
    // _IO(0xb7, 3)
    const NS_GET_NSTYPE: c_uint = 0xb703;
    Ok(ioctl(of.as_raw_fd(), NS_GET_NSTYPE, 0)? as u32)
}
