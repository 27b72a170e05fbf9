// SPDX-License-Identifier: GPL-2.0-only

//! Collects namespaces by their identities, and opens each once for its id and its owner.

use super::{
    identity::{Identity, open_nsfs},
    info::{NamespaceInfo, Related},
};
use nsproxy_uapi::{Kind, nsfs};
use std::{
    collections::{BTreeMap, BTreeSet},
    os::fd::OwnedFd,
    path::{Path, PathBuf},
};

/// The namespaces that were found so far.
#[derive(Debug, Default)]
pub(super) struct Collector {
    found: BTreeMap<Identity, NamespaceInfo>,
    /// The namespaces that were opened.
    opened: BTreeSet<Identity>,
    /// Kind and id of the namespaces that cannot be opened.
    unopened: Vec<(Kind, u64)>,
}

impl Collector {
    /// Returns the entry of a namespace, which `path` opens. Adds it if it is new, together with its
    /// owner and its parent.
    pub(super) fn at(
        &mut self,
        identity: Identity,
        path: impl FnOnce() -> PathBuf,
    ) -> &mut NamespaceInfo {
        // If an earlier path has failed, this one may succeed.
        if !self.opened.contains(&identity) {
            self.open(identity, &path());
        }
        self.entry(identity)
    }

    fn entry(&mut self, identity: Identity) -> &mut NamespaceInfo {
        let Identity { kind, inode } = identity;
        let new = || NamespaceInfo::new(kind, Some(inode), None);
        self.found.entry(identity).or_insert_with(new)
    }

    fn open(&mut self, identity: Identity, path: &Path) {
        let Ok(file) = open_nsfs(path) else { return };
        // The path may refer to another namespace by now.
        if Identity::of_file(&file) == Ok(identity) {
            self.add(identity, file);
            self.entry(identity).path = Some(path.to_owned());
        }
    }

    /// Adds the namespace behind an open file, if it is not yet known.
    pub(super) fn add_file(&mut self, file: OwnedFd) {
        if let Ok(identity) = Identity::of_file(&file) {
            self.add(identity, file);
        }
    }

    /// Adds a namespace, its owner and its parent, and those above them.
    fn add(&mut self, identity: Identity, file: OwnedFd) {
        let mut files = vec![(identity, file)];
        while let Some((identity, file)) = files.pop() {
            if !self.opened.insert(identity) {
                continue;
            }
            let mut related = |file: OwnedFd| {
                let identity = Identity::of_file(&file).ok()?;
                let id = nsfs::id(&file).ok();
                files.push((identity, file));
                Some(Related { identity, id })
            };
            let owner = nsfs::owner(&file).ok().and_then(&mut related);
            let parent = nsfs::parent(&file).ok().and_then(&mut related);
            let info = self.entry(identity);
            info.id = nsfs::id(&file).ok();
            info.owner = owner;
            info.parent = parent;
        }
    }

    /// Adds a namespace that cannot be opened.
    pub(super) fn add_unopened(&mut self, kind: Kind, id: u64) {
        self.unopened.push((kind, id));
    }

    /// Returns whether a namespace with this id was found.
    pub(super) fn has_id(&self, id: u64) -> bool {
        self.found.values().any(|info| info.id == Some(id))
    }

    /// Returns the namespaces in the order of their kinds, and of their ids or inode numbers.
    pub(super) fn finish(mut self) -> Vec<NamespaceInfo> {
        let related = |info: &NamespaceInfo| (info.owner, info.parent);
        let all: Vec<_> = self.found.values().map(related).collect();
        for (owner, parent) in all {
            if let Some(owner) = owner {
                self.entry(owner.identity).owned += 1;
            }
            if let Some(parent) = parent {
                self.entry(parent.identity).children += 1;
            }
        }
        let mut infos: Vec<_> = self.found.into_values().collect();
        let unopened = self.unopened.into_iter();
        infos.extend(unopened.map(|(kind, id)| NamespaceInfo::new(kind, None, Some(id))));
        for info in &mut infos {
            info.processes.sort_unstable();
            info.holders.sort();
        }
        infos.sort_by_key(|info| (info.kind, info.id, info.inode));
        infos
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own(kind: Kind) -> (Identity, PathBuf) {
        let path = PathBuf::from(format!("/proc/self/ns/{}", kind.name()));
        let link = std::fs::read_link(&path).unwrap();
        (Identity::parse(link.as_os_str()).unwrap(), path)
    }

    #[test]
    fn the_owner_of_a_namespace_is_found_with_it() {
        let mut collector = Collector::default();
        let (net, path) = own(Kind::Net);
        collector.at(net, || path).processes.push(7);
        let infos = collector.finish();
        let info = infos.iter().find(|info| info.kind == Kind::Net).unwrap();
        assert_eq!(info.inode, Some(net.inode));
        // It may be outside the caller's user namespace.
        if let Some(owner) = info.owner {
            let inode = Some(owner.identity.inode);
            let owner = infos.iter().find(|info| info.inode == inode).unwrap();
            assert_eq!((owner.kind, owner.owned), (Kind::User, 1));
            assert!(owner.processes.is_empty());
        }
    }

    #[test]
    fn a_path_to_another_namespace_is_not_used() {
        let mut collector = Collector::default();
        let ((net, path), (_, other)) = (own(Kind::Net), own(Kind::Uts));
        assert_eq!(collector.at(net, || other).path, None);
        assert_eq!(collector.at(net, || path.clone()).path, Some(path));
        let infos = collector.finish();
        assert!(infos.iter().all(|info| info.kind != Kind::Uts), "{infos:?}");
    }

    #[test]
    fn a_namespace_that_cannot_be_opened_has_its_id() {
        let mut collector = Collector::default();
        collector.add_unopened(Kind::Ipc, 12);
        assert_eq!(
            collector.finish(),
            [NamespaceInfo::new(Kind::Ipc, None, Some(12))]
        );
    }
}
