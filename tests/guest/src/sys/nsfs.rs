// SPDX-License-Identifier: GPL-2.0-only

//! Files of nsfs: paths to them other than `/proc`, and their ioctls.

use super::checked;
use rustix::io::Errno;
use std::{
    ffi::{c_int, c_uint, c_ulong},
    mem,
    os::fd::{AsFd, AsRawFd as _, FromRawFd as _, OwnedFd},
};

/// An ioctl that takes no argument and returns a new file descriptor.
fn ioctl_that_opens(of: impl AsFd, command: c_uint) -> Result<OwnedFd, Errno> {
    // SAFETY: None of the commands below reads or writes memory.
    let fd = checked(
        unsafe { libc::ioctl(of.as_fd().as_raw_fd(), c_ulong::from(command), 0 as c_ulong) }.into(),
    )?;
    // SAFETY: The kernel has just returned the descriptor, and no other value owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as c_int) })
}

/// A namespace that is related to another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Relative {
    /// The owning user namespace.
    Owner,
    /// The parent of a user or pid namespace.
    Parent,
}

/// `NS_GET_USERNS` and `NS_GET_PARENT`.
///
/// # Errors
///
/// `EPERM` if the caller may not see it; `EINVAL` if the kind has none.
pub(crate) fn relative(of: impl AsFd, which: Relative) -> Result<OwnedFd, Errno> {
    ioctl_that_opens(
        of,
        match which {
            Relative::Owner => 0xb701,
            Relative::Parent => 0xb702,
        },
    )
}

/// `NS_GET_NSTYPE`: the `CLONE_NEW*` of its kind.
///
/// # Errors
///
/// `ENOTTY` if the file is not of nsfs.
pub(crate) fn namespace_type(of: impl AsFd) -> Result<u32, Errno> {
    const NS_GET_NSTYPE: c_uint = 0xb703;
    Ok(super::ioctl(of.as_fd().as_raw_fd(), NS_GET_NSTYPE, 0)? as u32)
}

/// `NS_GET_ID`: the unique id.
///
/// # Errors
///
/// `ENOTTY` if the file is not of nsfs.
pub(crate) fn id(of: impl AsFd) -> Result<u64, Errno> {
    const NS_GET_ID: c_uint = 0x8008_b70d;
    let mut id = 0_u64;
    let address = (&raw mut id).expose_provenance();
    super::ioctl(of.as_fd().as_raw_fd(), NS_GET_ID, address)?;
    Ok(id)
}

/// `SIOCGSKNS`: the network namespace that a socket belongs to.
pub(crate) fn net_of_socket(socket: impl AsFd) -> Result<OwnedFd, Errno> {
    ioctl_that_opens(socket, 0x894c)
}

/// Space for the handle of any file.
#[repr(C)]
struct FileHandle {
    head: libc::file_handle,
    space: [u8; libc::MAX_HANDLE_SZ as usize],
}

/// Reopens a file by its handle: `name_to_handle_at()`, `open_by_handle_at()`.
pub(crate) fn by_file_handle(file: impl AsFd) -> Result<OwnedFd, Errno> {
    let fd = file.as_fd().as_raw_fd();
    let mut handle = FileHandle {
        // SAFETY: Zeroes are a valid value.
        head: unsafe { mem::zeroed() },
        space: [0; libc::MAX_HANDLE_SZ as usize],
    };
    handle.head.handle_bytes = libc::MAX_HANDLE_SZ as c_uint;
    let mut mount: c_int = 0;
    // SAFETY: The handle has as much space as `handle_bytes`.
    let named = unsafe {
        libc::name_to_handle_at(
            fd,
            c"".as_ptr(),
            (&raw mut handle).cast(),
            &raw mut mount,
            libc::AT_EMPTY_PATH,
        )
    };
    checked(named.into())?;
    let flags = libc::O_RDONLY | libc::O_CLOEXEC;
    // SAFETY: The kernel has just written the handle.
    let opened = unsafe { libc::open_by_handle_at(fd, (&raw mut handle).cast(), flags) };
    let opened = checked(opened.into())?;
    // SAFETY: The kernel has just returned the descriptor, and no other value owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(opened as c_int) })
}
