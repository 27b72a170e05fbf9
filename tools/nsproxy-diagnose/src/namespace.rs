// SPDX-License-Identifier: GPL-2.0-only

//! Namespaces by their files, and the relations between them.

use nsproxy_uapi::nsfs;
use rustix::io::Errno;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// An open namespace.
#[derive(Debug)]
pub struct Namespace {
    file: OwnedFd,
    device: u64,
    inode: u64,
}

impl Namespace {
    /// The inode number of the initial user namespace: `PROC_USER_INIT_INO`.
    pub(crate) const INITIAL_USER: u64 = 0xEFFF_FFFD;
    /// The inode number of the initial pid namespace: `PROC_PID_INIT_INO`.
    pub(crate) const INITIAL_PID: u64 = 0xEFFF_FFFC;

    /// Takes the file of a namespace.
    pub(crate) fn new(file: OwnedFd) -> Result<Self, Errno> {
        let found = rustix::fs::fstat(&file)?;
        Ok(Self {
            file,
            device: found.st_dev,
            inode: found.st_ino,
        })
    }

    /// Returns whether both are the same namespace.
    pub fn is(&self, other: &Self) -> bool {
        (self.device, self.inode) == (other.device, other.inode)
    }

    /// Returns the inode number, as in `/proc/PID/ns`.
    pub fn inode(&self) -> u64 {
        self.inode
    }

    /// Returns the id, which is never reused, or the inode number on a kernel without ids (before Linux
    /// 6.18). Ids are small, and inode numbers of namespaces are not.
    pub fn id(&self) -> u64 {
        nsfs::id_or_inode(&self.file).unwrap_or(self.inode)
    }

    /// Opens the user namespace that owns it. For a user namespace, that is the parent.
    pub(crate) fn owner(&self) -> Relative {
        Relative::of(nsfs::owner(&self.file))
    }

    /// Returns whether a user namespace is `other`, or below it; [`None`] if that is not known. `other`
    /// is that of this process, or below it.
    pub(crate) fn is_below(&self, other: &Self) -> Option<bool> {
        let mut at = self.try_clone().ok()?;
        while !at.is(other) {
            match at.owner() {
                Relative::Within(parent) => at = parent,
                // All that are within were compared.
                Relative::Outside => return Some(false),
                Relative::Unknown => return None,
            }
        }
        Some(true)
    }

    /// Opens the parent of a pid namespace.
    pub(crate) fn parent(&self) -> Relative {
        Relative::of(nsfs::parent(&self.file))
    }

    /// Returns the uid of the user who owns a user namespace.
    pub(crate) fn owner_uid(&self) -> Result<u32, Errno> {
        nsfs::owner_uid(&self.file)
    }

    pub(crate) fn try_clone(&self) -> Result<Self, Errno> {
        let file = rustix::io::fcntl_dupfd_cloexec(&self.file, 0)?;
        Ok(Self { file, ..*self })
    }
}

impl From<Namespace> for OwnedFd {
    fn from(namespace: Namespace) -> Self {
        namespace.file
    }
}

impl AsFd for Namespace {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

/// A user or pid namespace that is related to another one.
#[derive(Debug)]
pub(crate) enum Relative {
    /// It is that of this process, or below it.
    Within(Namespace),
    /// It is not, so this process has no rights in it and cannot open it.
    Outside,
    Unknown,
}

impl Relative {
    fn of(opened: Result<OwnedFd, Errno>) -> Self {
        match opened.and_then(Namespace::new) {
            Ok(namespace) => Self::Within(namespace),
            // `ns_get_owner()` and `pidns_get_parent()`
            Err(Errno::PERM) => Self::Outside,
            Err(_) => Self::Unknown,
        }
    }

    /// Returns its id, or 0 if this process may not know it.
    pub(crate) fn id(&self) -> u64 {
        match self {
            Self::Within(namespace) => namespace.id(),
            Self::Outside | Self::Unknown => 0,
        }
    }
}

impl From<Option<Namespace>> for Relative {
    fn from(namespace: Option<Namespace>) -> Self {
        namespace.map_or(Self::Unknown, Self::Within)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;

    fn own(name: &str) -> Namespace {
        Namespace::new(File::open(format!("/proc/self/ns/{name}")).unwrap().into()).unwrap()
    }

    #[test]
    fn a_namespace_is_itself() {
        let user = own("user");
        assert!(user.is(&own("user")) && user.is(&user.try_clone().unwrap()));
        assert!(!user.is(&own("uts")));
    }

    #[test]
    fn the_parent_of_the_own_user_namespace_is_outside() {
        let parent = own("user").owner();
        assert!(matches!(parent, Relative::Outside), "{parent:?}");
        assert_eq!(parent.id(), 0);
    }
}
