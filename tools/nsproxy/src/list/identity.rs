// SPDX-License-Identifier: GPL-2.0-only

//! The identity of a namespace as a link shows it: its kind and its inode number.

use nsproxy_uapi::{Kind, nsfs};
use rustix::{
    fs::{Mode, OFlags, fstat, fstatfs},
    io::Errno,
};
use std::{
    ffi::OsStr,
    os::fd::{AsFd, AsRawFd as _, OwnedFd},
    path::Path,
};

/// `NSFS_MAGIC` of `linux/magic.h`.
const NSFS_MAGIC: u64 = 0x6e73_6673;

/// The kind and the inode number of a namespace. No two namespaces in use have the same one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Identity {
    /// The kind.
    pub kind: Kind,
    /// The inode number.
    pub inode: u64,
}

impl Identity {
    /// Parses a link in `/proc/PID/ns` or `/proc/PID/fd`, or the root of a mount of nsfs, such as
    /// `net:[4026531833]`.
    pub(super) fn parse(link: &OsStr) -> Option<Self> {
        let (name, inode) = link.to_str()?.strip_suffix(']')?.split_once(":[")?;
        let mut kinds = Kind::ALL.into_iter();
        Some(Self {
            kind: kinds.find(|kind| kind.name() == name)?,
            inode: inode.parse().ok()?,
        })
    }

    /// Reads the identity of an open file of nsfs.
    pub(super) fn of_file(file: impl AsFd) -> Result<Self, Errno> {
        Ok(Self {
            kind: nsfs::kind(&file)?,
            inode: fstat(&file)?.st_ino,
        })
    }
}

/// Opens a file of nsfs for reading.
///
/// # Errors
///
/// Those of open(2); `ENOTTY` for a file of another filesystem, which is not opened: that may block
/// or have a side effect, and a process can mount another file there or close the descriptor.
pub(crate) fn open_nsfs(path: &Path) -> Result<OwnedFd, Errno> {
    let found = rustix::fs::open(path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?;
    if fstatfs(&found)?.f_type as u64 != NSFS_MAGIC {
        return Err(Errno::NOTTY);
    }
    let flags = OFlags::RDONLY | OFlags::CLOEXEC;
    let again = format!("/proc/self/fd/{}", found.as_raw_fd());
    rustix::fs::open(again, flags, Mode::empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_of_namespaces() {
        let parse = |link: &str| Identity::parse(link.as_ref());
        let expected = Identity {
            kind: Kind::Net,
            inode: 4_026_531_833,
        };
        assert_eq!(parse("net:[4026531833]"), Some(expected));
        for link in [
            "socket:[12]",
            "anon_inode:[pidfd]",
            "net:[x]",
            "net:[12",
            "/net:[12]",
            "net:[12] (deleted)",
        ] {
            assert_eq!(parse(link), None, "{link}");
        }
    }

    #[test]
    fn only_files_of_nsfs_are_opened() {
        let link = std::fs::read_link("/proc/self/ns/uts").unwrap();
        let file = open_nsfs(Path::new("/proc/self/ns/uts")).unwrap();
        assert_eq!(
            Identity::of_file(file).ok(),
            Identity::parse(link.as_os_str())
        );
        let errno = open_nsfs(Path::new("/dev/null")).unwrap_err();
        assert_eq!(errno, Errno::NOTTY);
    }
}
