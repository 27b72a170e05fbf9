// SPDX-License-Identifier: GPL-2.0-only

//! Finds the namespaces that no process, file or mount of `/proc` shows, by listns(2).

use super::collector::Collector;
use nsproxy_uapi::{Kind, listns, open_by_id};
use rustix::{
    fs::stat,
    io::Errno,
    thread::{CapabilitySet, capabilities},
};

/// `PROC_USER_INIT_INO` and `PROC_PID_INIT_INO` of `linux/proc_ns.h`.
const INITIAL: [(&str, u64); 2] = [("user", 0xEFFF_FFFD), ("pid", 0xEFFF_FFFC)];

/// How much of the system listns(2) shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Listns {
    /// All namespaces.
    All,
    /// The namespaces that the caller may see.
    Partial,
    /// None: the call fails.
    Failed(Errno),
}

/// Returns the kind and id of each namespace in use that the caller may see.
///
/// Must be called before `/proc` is read: a namespace that is created in between would seem to have
/// no process.
pub(super) fn list() -> (Vec<(Kind, u64)>, Listns) {
    let mut listed = Vec::new();
    // The ids do not show the kinds, so each call selects one.
    for kind in Kind::ALL {
        match listns(kind.flag()) {
            Ok(ids) => listed.extend(ids.into_iter().map(|id| (kind, id))),
            Err(errno) => return (Vec::new(), Listns::Failed(errno)),
        }
    }
    let extent = if sees_all() {
        Listns::All
    } else {
        Listns::Partial
    };
    (listed, extent)
}

/// Adds the listed namespaces that were not found in `/proc`.
pub(super) fn collect(collector: &mut Collector, listed: &[(Kind, u64)]) {
    for &(kind, id) in listed {
        if collector.has_id(id) {
            continue;
        }
        match open_by_id(id, None) {
            Ok(file) => collector.add_file(file),
            // It is no longer in use.
            Err(Errno::STALE) => {}
            Err(_) => collector.add_unopened(kind, id),
        }
    }
}

/// Returns whether the kernel shows all namespaces to this process: `may_see_all_namespaces()`.
pub(crate) fn sees_all() -> bool {
    let is_initial = |(name, inode)| {
        let stat = stat(format!("/proc/self/ns/{name}"));
        stat.is_ok_and(|stat| stat.st_ino == inode)
    };
    let has =
        |sets: rustix::thread::CapabilitySets| sets.effective.contains(CapabilitySet::SYS_ADMIN);
    INITIAL.into_iter().all(is_initial) && capabilities(None).is_ok_and(has)
}

#[cfg(test)]
mod tests {
    use super::*;
    use nsproxy_uapi::nsfs;
    use std::fs::File;

    #[test]
    fn a_listed_namespace_is_added_once() {
        let file = File::open("/proc/self/ns/uts").unwrap();
        // Since Linux 6.18, which opens no namespace by its id alone.
        let Ok(id) = nsfs::id(&file) else { return };
        if open_by_id(id, None).is_err() {
            return;
        }
        let mut collector = Collector::default();
        for _ in 0..2 {
            collect(&mut collector, &[(Kind::Uts, id)]);
        }
        let infos = collector.finish();
        let uts: Vec<_> = infos.iter().filter(|info| info.kind == Kind::Uts).collect();
        assert!(uts.len() == 1 && uts[0].id == Some(id), "{infos:?}");
        assert!(uts[0].processes.is_empty(), "{infos:?}");
    }

    #[test]
    fn an_id_that_is_no_longer_in_use_is_not_added() {
        let mut collector = Collector::default();
        collect(&mut collector, &[(Kind::Uts, u64::MAX)]);
        let errno = open_by_id(u64::MAX, None).unwrap_err();
        assert_eq!(collector.finish().is_empty(), errno == Errno::STALE);
    }
}
