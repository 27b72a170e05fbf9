// SPDX-License-Identifier: GPL-2.0-only

//! File handles of nsfs, which open a namespace by its id.

use crate::Kind;
use rustix::io::Errno;
use std::{
    ffi::{c_int, c_uint},
    io, mem,
    os::fd::{FromRawFd as _, OwnedFd},
};

/// `FD_NSFS_ROOT` of `linux/fcntl.h`: stands for a descriptor of nsfs, which has no mount point.
const FD_NSFS_ROOT: c_int = -10003;
/// `FILEID_NSFS` of the kernel's `enum fid_type`.
const FILEID_NSFS: c_int = 0xf1;

/// `struct file_handle`, whose `f_handle` is a `struct nsfs_file_handle` of `linux/nsfs.h`.
#[repr(C)]
struct FileHandle {
    handle_bytes: c_uint,
    handle_type: c_int,
    ns_id: u64,
    ns_type: u32,
    ns_inum: u32,
}

impl FileHandle {
    /// The offset and the size of `f_handle`.
    const F_HANDLE: (usize, usize) = {
        let offset = mem::offset_of!(FileHandle, ns_id);
        (offset, mem::size_of::<FileHandle>() - offset)
    };
}

/// Opens the namespace with this id, for reading: `open_by_handle_at(2)` with `FD_NSFS_ROOT`.
///
/// Linux 6.18 finds a namespace only if `place` is its kind and its inode number. Later kernels do
/// not need them.
///
/// # Errors
///
/// - `ESTALE` if no active namespace has the id, if it is not in `place`, or if the caller may not
///   open it. Linux 7.3 lets a caller open the namespaces that [`listns()`](crate::listns())
///   returns.
/// - `EBADF` before Linux 6.18, `ENOSYS` without `CONFIG_FHANDLE`.
/// - `EPERM` if a seccomp filter denies the call.
pub fn open_by_id(id: u64, place: Option<(Kind, u32)>) -> Result<OwnedFd, Errno> {
    let mut handle = FileHandle {
        handle_bytes: FileHandle::F_HANDLE.1 as c_uint,
        handle_type: FILEID_NSFS,
        ns_id: id,
        ns_type: place.map_or(0, |(kind, _)| kind.flag()),
        ns_inum: place.map_or(0, |(_, inode)| inode),
    };
    let flags = libc::O_RDONLY | libc::O_CLOEXEC;
    // SAFETY: `handle` has the layout of `struct file_handle`, with `handle_bytes` bytes in
    // `f_handle`.
    let fd = unsafe { libc::open_by_handle_at(FD_NSFS_ROOT, (&raw mut handle).cast(), flags) };
    if fd < 0 {
        return Err(Errno::from_io_error(&io::Error::last_os_error()).unwrap_or(Errno::PROTO));
    }
    // SAFETY: The kernel has just returned the descriptor, and no other value owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nsfs;
    use std::{fs::File, os::unix::fs::MetadataExt as _};

    #[test]
    fn handles_have_the_layout_of_the_kernel() {
        // NSFS_FILE_HANDLE_SIZE_VER0 is 16.
        assert_eq!(FileHandle::F_HANDLE, (8, 16));
        assert_eq!(mem::offset_of!(FileHandle, ns_inum), 8 + 12);
    }

    #[test]
    fn the_own_namespace_is_opened_by_its_id() {
        for kind in [Kind::Net, Kind::Uts, Kind::User] {
            let file = File::open(format!("/proc/self/ns/{}", kind.name())).unwrap();
            let inode = file.metadata().unwrap().ino() as u32;
            // Since Linux 6.18.
            let Ok(id) = nsfs::id(&file) else { return };
            let opened = match open_by_id(id, Some((kind, inode))) {
                // A seccomp filter, or no CONFIG_FHANDLE.
                Err(Errno::PERM | Errno::NOSYS) => return,
                opened => opened.unwrap(),
            };
            assert_eq!(nsfs::id(opened), Ok(id));
            let elsewhere = open_by_id(id, Some((kind, inode ^ 1)));
            assert_eq!(elsewhere.unwrap_err(), Errno::STALE);
        }
    }

    #[test]
    fn an_id_that_does_not_exist_is_refused() {
        let file = File::open("/proc/self/ns/net").unwrap();
        let errno = open_by_id(u64::MAX, None).unwrap_err();
        if nsfs::id(file).is_ok() && ![Errno::PERM, Errno::NOSYS].contains(&errno) {
            assert_eq!(errno, Errno::STALE);
        }
    }
}
