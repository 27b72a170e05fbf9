// SPDX-License-Identifier: GPL-2.0-only

//! The tree of namespaces: each is below the user namespace that owns it.

use super::{
    columns::{Column, align},
    identity::Identity,
    info::NamespaceInfo,
    table::{cells, name},
};
use nsproxy_uapi::Kind;
use std::collections::BTreeMap;

const COLUMNS: [Column; 7] = [
    ("NAMESPACE", false),
    ("ID", true),
    ("PARENT", true),
    ("PROCS", true),
    ("PID", true),
    ("COMMAND", false),
    ("HELD BY", false),
];

/// Formats the namespaces for which `is_listed` is true, and the owners above them. With `all`, each
/// has all its holders.
pub(super) fn tree(
    infos: &[NamespaceInfo],
    is_listed: impl Fn(&NamespaceInfo) -> bool,
    all: bool,
) -> String {
    let rows = nodes(infos, is_listed).into_iter().map(|node| {
        let Node { prefix, info } = node;
        cells(info, prefix + &name(info), info.parent, all)
    });
    align(COLUMNS, &rows.collect::<Vec<_>>())
}

/// A line of the tree.
struct Node<'a> {
    /// The branches that lead to it.
    prefix: String,
    info: &'a NamespaceInfo,
}

/// Returns the nodes from the roots downwards. A root is a namespace without a visible owner.
fn nodes(infos: &[NamespaceInfo], is_listed: impl Fn(&NamespaceInfo) -> bool) -> Vec<Node<'_>> {
    let mut owned: BTreeMap<Option<Identity>, Vec<&NamespaceInfo>> = BTreeMap::new();
    for info in infos {
        let owner = info.owner.map(|owner| owner.identity);
        owned.entry(owner).or_default().push(info);
    }
    // A user namespace and all below it come after the other namespaces of the same owner.
    for siblings in owned.values_mut() {
        siblings.sort_by_key(|info| info.kind == Kind::User);
    }
    // Without a visible owner, the user namespaces come first: most trees have one root.
    if let Some(roots) = owned.get_mut(&None) {
        roots.sort_by_key(|info| info.kind != Kind::User);
    }
    let mut nodes = Vec::new();
    for root in take_listed(&mut owned, None, &is_listed) {
        root.flatten("", "", &mut nodes);
    }
    nodes
}

/// A namespace, and the listed namespaces that it owns.
struct Subtree<'a> {
    info: &'a NamespaceInfo,
    owned: Vec<Subtree<'a>>,
}

impl<'a> Subtree<'a> {
    /// Adds the nodes. The first line begins with `first`, the lines below it with `rest`.
    fn flatten(self, first: &str, rest: &str, nodes: &mut Vec<Node<'a>>) {
        nodes.push(Node {
            prefix: first.to_owned(),
            info: self.info,
        });
        let count = self.owned.len();
        for (index, subtree) in self.owned.into_iter().enumerate() {
            let [branch, below] = if index + 1 == count {
                ["└─ ", "   "]
            } else {
                ["├─ ", "│  "]
            };
            subtree.flatten(&format!("{rest}{branch}"), &format!("{rest}{below}"), nodes);
        }
    }
}

/// Takes the namespaces of an owner that are listed, or have a listed one below them.
fn take_listed<'a>(
    owned: &mut BTreeMap<Option<Identity>, Vec<&'a NamespaceInfo>>,
    owner: Option<Identity>,
    is_listed: &impl Fn(&NamespaceInfo) -> bool,
) -> Vec<Subtree<'a>> {
    let mut subtrees = Vec::new();
    for info in owned.remove(&owner).unwrap_or_default() {
        let kind = info.kind;
        let identity = info.inode.map(|inode| Identity { kind, inode });
        let below = identity.map(|identity| take_listed(owned, Some(identity), is_listed));
        let below = below.unwrap_or_default();
        if is_listed(info) || !below.is_empty() {
            subtrees.push(Subtree { info, owned: below });
        }
    }
    subtrees
}

#[cfg(test)]
mod tests {
    use super::{
        super::{
            holders::Holder,
            info::{ProcessInfo, Related},
        },
        *,
    };

    fn related(kind: Kind, inode: u64, id: u64) -> Option<Related> {
        let identity = Identity { kind, inode };
        let id = Some(id);
        Some(Related { identity, id })
    }

    fn namespace(kind: Kind, inode: u64, owner: Option<Related>) -> NamespaceInfo {
        NamespaceInfo {
            owner,
            ..NamespaceInfo::new(kind, Some(inode), Some(inode))
        }
    }

    /// Returns the initial user namespace, one in it without a process, and another one in that, each
    /// with other namespaces; and a namespace whose owner is not visible.
    fn sample() -> Vec<NamespaceInfo> {
        let owners = [1, 2, 3].map(|inode| related(Kind::User, inode, inode));
        let with = |pid: u32, command: &str, info: NamespaceInfo| NamespaceInfo {
            processes: vec![pid],
            first: Some(ProcessInfo {
                uid: 0,
                command: command.to_owned(),
            }),
            ..info
        };
        let below = |owner: usize, info: NamespaceInfo| NamespaceInfo {
            parent: owners[owner],
            ..info
        };
        vec![
            with(
                1,
                "init",
                NamespaceInfo {
                    owned: 4,
                    children: 1,
                    ..namespace(Kind::User, 1, None)
                },
            ),
            below(
                0,
                NamespaceInfo {
                    owned: 1,
                    children: 1,
                    ..namespace(Kind::User, 2, owners[0])
                },
            ),
            below(1, with(7, "sh", namespace(Kind::User, 3, owners[1]))),
            with(1, "init", namespace(Kind::Pid, 10, owners[0])),
            NamespaceInfo {
                parent: related(Kind::Pid, 10, 10),
                ..with(7, "sh", namespace(Kind::Pid, 11, owners[2]))
            },
            with(1, "init", namespace(Kind::Net, 20, owners[0])),
            NamespaceInfo {
                holders: vec![Holder::Mount {
                    path: "/run/netns/blue".into(),
                    pid: None,
                }],
                ..namespace(Kind::Net, 21, owners[0])
            },
            with(7, "sh", namespace(Kind::Net, 22, owners[2])),
            with(9, "top", namespace(Kind::Net, 23, None)),
        ]
    }

    fn of_kinds(kinds: &[Kind]) -> String {
        tree(&sample(), |info| kinds.contains(&info.kind), false)
    }

    #[test]
    fn namespaces_are_below_their_owners() {
        let expected = "\
NAMESPACE         ID PARENT PROCS PID COMMAND HELD BY
user:[1]           1      -     1   1 init    -
├─ pid:[10]       10      -     1   1 init    -
├─ net:[20]       20      -     1   1 init    -
├─ net:[21]       21      -     0   - -       /run/netns/blue
└─ user:[2]        2      1     0   - -       no process, owner of 1
   └─ user:[3]     3      2     1   7 sh      -
      ├─ pid:[11] 11     10     1   7 sh      -
      └─ net:[22] 22      -     1   7 sh      -
net:[23]          23      -     1   9 top     -
";
        assert_eq!(of_kinds(&Kind::ALL), expected);
    }

    #[test]
    fn owners_of_listed_namespaces_are_shown() {
        let expected = "\
NAMESPACE         ID PARENT PROCS PID COMMAND HELD BY
user:[1]           1      -     1   1 init    -
├─ pid:[10]       10      -     1   1 init    -
└─ user:[2]        2      1     0   - -       no process, owner of 1
   └─ user:[3]     3      2     1   7 sh      -
      └─ pid:[11] 11     10     1   7 sh      -
";
        assert_eq!(of_kinds(&[Kind::Pid]), expected);
    }

    #[test]
    fn owners_of_nothing_listed_are_not_shown() {
        assert_eq!(of_kinds(&[Kind::Uts]).lines().count(), 1);
    }
}
