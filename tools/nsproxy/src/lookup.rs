// SPDX-License-Identifier: GPL-2.0-only

//! Finds namespaces of the processes in `/proc` by their ids.

use nsproxy_uapi::{Kind, nsfs};
use std::{fmt, fs, os::unix::fs::MetadataExt as _};

/// A namespace, as other tools identify it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Known {
    pub(crate) kind: Kind,
    /// The inode number, as in `/proc/PID/ns` and in `lsns(8)`.
    pub(crate) inode: u64,
    /// The lowest pid of a process in it.
    pub(crate) pid: u32,
}

impl fmt::Display for Known {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, inode, pid } = self;
        write!(f, "{}:[{inode}], process {pid}", kind.name())
    }
}

/// Finds a namespace by its id, or inode number on a kernel without ids; [`None`] if the caller may access no process in it.
pub(crate) fn find(kind: Kind, id: u64) -> Option<Known> {
    let entries = fs::read_dir("/proc").ok()?.flatten();
    let mut pids: Vec<u32> = entries
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .collect();
    pids.sort_unstable();
    pids.into_iter().find_map(|pid| {
        let file = fs::File::open(format!("/proc/{pid}/ns/{}", kind.name())).ok()?;
        let inode = file.metadata().ok()?.ino();
        (nsfs::id_or_inode(file) == Ok(id)).then_some(Known { kind, inode, pid })
    })
}

/// Names a namespace in a sentence. The module reports 0 if the caller may not know the id.
pub(crate) fn name(kind: Kind, id: u64) -> String {
    let word = kind.name();
    if id == 0 {
        return format!("a {word} namespace outside the caller's");
    }
    match find(kind, id) {
        Some(known) if known.inode == id => format!("{word} namespace {known}"),
        Some(known) => format!("{word} namespace {id} ({known})"),
        None => format!("{word} namespace {id}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_own_namespace_is_found() {
        let file = fs::File::open("/proc/self/ns/user").unwrap();
        let inode = file.metadata().unwrap().ino();
        let id = nsfs::id_or_inode(&file).unwrap();
        let known = find(Kind::User, id).unwrap();
        assert_eq!((known.kind, known.inode), (Kind::User, inode));
        let named = name(Kind::User, id);
        assert!(
            named.contains(&format!("user:[{inode}], process ")),
            "{named}"
        );
    }

    #[test]
    fn an_unknown_namespace_has_only_its_id() {
        assert_eq!(
            name(Kind::Net, u64::MAX),
            format!("net namespace {}", u64::MAX)
        );
        assert_eq!(name(Kind::User, 0), "a user namespace outside the caller's");
    }
}
