// SPDX-License-Identifier: GPL-2.0-only

//! Namespaces for the tests of the formats.

use super::{
    holders::Holder,
    identity::Identity,
    info::{NamespaceInfo, ProcessInfo, Related},
};
use nsproxy_uapi::Kind;

/// Returns an owner without a process, a namespace with all its attributes, and one that cannot be
/// opened.
pub(super) fn namespaces() -> Vec<NamespaceInfo> {
    let identity = Identity {
        kind: Kind::User,
        inode: 4_026_531_837,
    };
    let related = |id| Some(Related { identity, id });
    vec![
        NamespaceInfo {
            owner: related(None),
            owned: 2,
            children: 1,
            ..NamespaceInfo::new(Kind::User, Some(identity.inode), None)
        },
        NamespaceInfo {
            owner: related(Some(3)),
            processes: vec![1234, 1235],
            first: Some(ProcessInfo {
                uid: 1000,
                command: "my\x1bcmd".to_owned(),
            }),
            holders: vec![
                Holder::Mount {
                    path: "/run/netns/blue".into(),
                    pid: None,
                },
                Holder::File { pid: 7, fd: 5 },
                Holder::Thread { pid: 7, tid: 8 },
                Holder::ForChildren {
                    pid: 9,
                    tid: Some(10),
                },
            ],
            ..NamespaceInfo::new(Kind::Net, Some(4_026_532_170), Some(12))
        },
        NamespaceInfo::new(Kind::Pid, None, Some(13)),
    ]
}
