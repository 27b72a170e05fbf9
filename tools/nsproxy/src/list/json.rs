// SPDX-License-Identifier: GPL-2.0-only

//! The JSON document of the list. `docs/cli.md` describes its schema.

use super::{
    holders::Holder,
    info::{NamespaceInfo, Related},
    without_process::Listns,
};
use crate::errno;
use serde::Serialize;

#[derive(Serialize)]
pub(super) struct Document<'a> {
    namespaces: Vec<Entry<'a>>,
    /// The number of processes that the caller may not access.
    hidden_processes: usize,
    /// `all`, `partial`, or the errno of listns(2).
    listns: String,
}

#[derive(Serialize)]
struct Entry<'a> {
    kind: &'static str,
    inode: Option<u64>,
    id: Option<u64>,
    owner: Option<RelatedEntry>,
    parent: Option<RelatedEntry>,
    processes: &'a [u32],
    /// The uid of the process with the lowest pid.
    uid: Option<u32>,
    /// Its name.
    command: Option<&'a str>,
    holders: &'a [Holder],
    /// The number of listed namespaces that it owns.
    owned: usize,
    /// The number of listed namespaces whose parent it is.
    children: usize,
}

#[derive(Serialize)]
struct RelatedEntry {
    inode: u64,
    id: Option<u64>,
}

impl RelatedEntry {
    fn new(related: Related) -> Self {
        Self {
            inode: related.identity.inode,
            id: related.id,
        }
    }
}

impl<'a> Document<'a> {
    pub(super) fn new(infos: &[&'a NamespaceInfo], hidden: usize, listns: Listns) -> Self {
        let entry = |info: &&'a NamespaceInfo| Entry {
            kind: info.kind.name(),
            inode: info.inode,
            id: info.id,
            owner: info.owner.map(RelatedEntry::new),
            parent: info.parent.map(RelatedEntry::new),
            processes: &info.processes,
            uid: info.first.as_ref().map(|first| first.uid),
            command: info.first.as_ref().map(|first| first.command.as_str()),
            holders: &info.holders,
            owned: info.owned,
            children: info.children,
        };
        Self {
            namespaces: infos.iter().map(entry).collect(),
            hidden_processes: hidden,
            listns: match listns {
                Listns::All => "all".to_owned(),
                Listns::Partial => "partial".to_owned(),
                Listns::Failed(errno) => errno::word(errno),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{super::sample, *};
    use crate::json::Versioned;
    use rustix::io::Errno;
    use serde_json::json;

    #[test]
    fn the_schema_is_that_of_version_1() {
        let infos = sample::namespaces();
        let infos: Vec<_> = infos.iter().collect();
        let document = Document::new(&infos[1..], 4, Listns::Failed(Errno::NOSYS));
        let document = Versioned::new(document);
        let expected = json!({
            "version": 1,
            "namespaces": [
                {
                    "kind": "net",
                    "inode": 4_026_532_170_u64,
                    "id": 12,
                    "owner": { "inode": 4_026_531_837_u64, "id": 3 },
                    "parent": null,
                    "processes": [1234, 1235],
                    "uid": 1000,
                    "command": "my\u{1b}cmd",
                    "holders": [
                        { "type": "mount", "path": "/run/netns/blue", "pid": null },
                        { "type": "file", "pid": 7, "fd": 5 },
                        { "type": "thread", "pid": 7, "tid": 8 },
                        { "type": "for_children", "pid": 9, "tid": 10 },
                    ],
                    "owned": 0,
                    "children": 0,
                },
                {
                    "kind": "pid",
                    "inode": null,
                    "id": 13,
                    "owner": null,
                    "parent": null,
                    "processes": [],
                    "uid": null,
                    "command": null,
                    "holders": [],
                    "owned": 0,
                    "children": 0,
                },
            ],
            "hidden_processes": 4,
            "listns": "ENOSYS",
        });
        assert_eq!(serde_json::to_value(document).unwrap(), expected);
    }

    #[test]
    fn the_reach_of_listns_is_a_word() {
        for (listns, word) in [(Listns::All, "all"), (Listns::Partial, "partial")] {
            assert_eq!(Document::new(&[], 0, listns).listns, word);
        }
    }
}
