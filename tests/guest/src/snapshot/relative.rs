// SPDX-License-Identifier: GPL-2.0-only

//! Renames values that are unique to a process, so that two processes can be compared.

use super::{OF_CHILD, Snapshot};
use std::collections::BTreeMap;

/// The namespaces that get another name, in addition to those before.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Named {
    /// No others: each namespace that was not there before has its number.
    Known,
    /// The namespaces that were not there before, since the process has created them.
    New,
}

impl Snapshot {
    /// Replaces the names of namespaces and mounts that only this process has.
    ///
    /// A namespace in `before` is named after its links there, one of a child ([`OF_CHILD`]) after
    /// the links of the child, and with [`Named::New`] all others after their links now. So two
    /// processes that did the same have equal values. Mounts of root and working directory in these
    /// mount namespaces are renamed, too.
    pub(crate) fn relative_to(&self, before: &Self, named: Named) -> Self {
        let mut names = before.names();
        if named == Named::New {
            self.add_new_names(&mut names);
        }
        let mnt = self.link("mnt");
        let is_in_the_same = mnt == before.link("mnt");
        let is_in_the_childs = before
            .below(OF_CHILD)
            .any(|of_child| of_child == ("mnt", mnt));
        self.renamed(|key, value| match key {
            "root/mount" | "cwd/mount" if is_in_the_same => {
                let word = if value == before.get(key) {
                    "before"
                } else if value == before.get("root/mount") {
                    "the root before"
                } else {
                    "another of the namespace"
                };
                Some(word.to_owned())
            }
            "root/mount" | "cwd/mount" if is_in_the_childs => Some("of the child".to_owned()),
            "root/mount" if named == Named::New => Some("new".to_owned()),
            "cwd/mount" if named == Named::New => Some(if value == self.get("root/mount") {
                "the new root".to_owned()
            } else {
                "new".to_owned()
            }),
            "cloned/root/mount" | "cloned/cwd/mount" if named == Named::New => {
                let place = |name: &str| before.get(&format!("{name}/mount")) == value;
                let known = ["root", "cwd"].into_iter().find(|name| place(name));
                Some(known.map_or("new".to_owned(), |name| format!("the {name} before")))
            }
            _ if is_link(key) => names.get(value).cloned(),
            _ => None,
        })
    }

    /// Returns the values that differ from those in `before`, the state of the same process before a
    /// call, so that they can be compared with those on another kernel. Values of children are left out
    /// if they are those of the process before the call.
    pub(crate) fn changes_since(&self, before: &Self) -> BTreeMap<String, String> {
        let [was, now] = [before, self].map(|at| at.relative_to(before, Named::New));
        let was: BTreeMap<_, _> = was.compared().collect();
        let mut changes = BTreeMap::new();
        // Not every kernel has perf, which its own cases check.
        for (key, value) in now.compared().filter(|(key, _)| !key.starts_with("perf/")) {
            let of_process = CHILDREN.iter().find_map(|child| key.strip_prefix(child));
            let old = was.get(key).or_else(|| was.get(of_process?));
            if old != Some(&value) {
                changes.insert(key.to_owned(), difference(key, old.copied(), value));
            }
        }
        changes
    }

    /// Adds the namespaces of this snapshot that have no name.
    fn add_new_names<'a>(&'a self, names: &mut BTreeMap<&'a str, String>) {
        let mut new: BTreeMap<&str, String> = BTreeMap::new();
        let links = self.compared().filter(|(key, _)| is_link(key));
        for (link, value) in links.filter(|(_, value)| !names.contains_key(value)) {
            new.entry(value)
                .and_modify(|name| name.extend([", ", link]))
                .or_insert_with(|| format!("new: {link}"));
        }
        // Errors are the same for all processes.
        new.retain(|value, _| value.contains('['));
        names.extend(new);
    }

    /// Returns the new names of the namespaces of the process and of its child.
    fn names(&self) -> BTreeMap<&str, String> {
        let mut names = BTreeMap::new();
        // Names from the process override those from the child.
        for (prefix, word) in [(OF_CHILD, "a child's"), ("ns", "before")] {
            let mut known: BTreeMap<&str, String> = BTreeMap::new();
            for (link, value) in self.below(prefix) {
                known
                    .entry(value)
                    .and_modify(|name| name.extend([", ", link]))
                    .or_insert_with(|| format!("{word}: {link}"));
            }
            names.extend(known);
        }
        names
    }
}

/// The prefixes of the keys of children.
const CHILDREN: [&str; 3] = ["child/", "program/", "cloned/"];

/// Returns the value, without what depends on the guest: how many mounts there are more than before, and
/// that a directory is another one. A new namespace has the name of one link to it, the first in
/// alphabetical order, since a kernel may have more links to it.
fn difference(key: &str, old: Option<&str>, value: &str) -> String {
    let number = |text: &str| text.parse::<i64>().ok();
    let last = key.rsplit('/').next().unwrap_or_default();
    match (last, old.and_then(number), number(value)) {
        ("mounts", Some(old), Some(new)) => format!("{:+}", new - old),
        ("dev" | "inode", ..) => "another".to_owned(),
        _ => match value.strip_prefix("new: ") {
            Some(links) => format!("new: {}", links.split(", ").min().unwrap_or(links)),
            None => value.to_owned(),
        },
    }
}

/// Returns whether the value of a key is a namespace.
fn is_link(key: &str) -> bool {
    key.starts_with("ns/") || key.contains("/ns/")
}

#[cfg(test)]
mod tests {
    use super::super::tests::seen;
    use super::Named;

    #[test]
    fn namespaces_are_named_after_links() {
        let before = seen(&[
            ("ns/uts", "uts:[1]"),
            ("ns/time", "time:[2]"),
            ("ns/time_for_children", "time:[2]"),
            ("info/child_ns/uts", "uts:[3]"),
        ]);
        let after = seen(&[
            ("ns/uts", "uts:[3]"),
            ("ns/time", "time:[4]"),
            ("child/ns/time", "time:[2]"),
        ]);
        let expected = seen(&[
            ("ns/uts", "a child's: uts"),
            ("ns/time", "time:[4]"),
            ("child/ns/time", "before: time, time_for_children"),
        ]);
        assert_eq!(after.relative_to(&before, Named::Known), expected);
    }

    #[test]
    fn new_namespaces_are_named_after_links() {
        let before = seen(&[("ns/uts", "uts:[1]"), ("ns/net", "net:[2]")]);
        let after = seen(&[
            ("ns/uts", "uts:[1]"),
            ("ns/net", "net:[3]"),
            ("ns/pid_for_children", "ENOENT"),
            ("child/ns/net", "net:[3]"),
        ]);
        let expected = seen(&[
            ("ns/uts", "before: uts"),
            ("ns/net", "new: ns/net, child/ns/net"),
            ("ns/pid_for_children", "ENOENT"),
            ("child/ns/net", "new: ns/net, child/ns/net"),
        ]);
        assert_eq!(after.relative_to(&before, Named::New), expected);
    }

    #[test]
    fn changes_do_not_depend_on_the_guest() {
        let guest = |first: &str, mounts: &str, more: &str| {
            let before = seen(&[
                ("ns/uts", first),
                ("ns/net", "net:[2]"),
                ("hostname", "guest"),
                ("mounts", mounts),
                ("root/inode", mounts),
            ]);
            let after = seen(&[
                ("ns/uts", "uts:[90]"),
                ("ns/net", "net:[2]"),
                ("hostname", "target"),
                ("mounts", more),
                ("root/inode", more),
                ("child/ns/uts", "uts:[90]"),
                ("child/ns/net", "net:[2]"),
                ("child/is_init", "false"),
                ("perf/records", "1"),
            ]);
            after.changes_since(&before)
        };
        let changes = guest("uts:[1]", "10", "11");
        assert_eq!(guest("uts:[7]", "20", "21"), changes);
        let changes: Vec<_> = changes.into_iter().collect();
        let of_uts = "new: child/ns/uts";
        let expected = [
            ("child/is_init", "false"),
            ("child/ns/uts", of_uts),
            ("hostname", "target"),
            ("mounts", "+1"),
            ("ns/uts", of_uts),
            ("root/inode", "another"),
        ];
        let expected = expected.map(|(key, value)| (key.to_owned(), value.to_owned()));
        assert_eq!(changes, expected);
    }

    #[test]
    fn mounts_are_named_in_known_namespaces() {
        let at = |mnt, root, cwd| {
            seen(&[
                ("ns/mnt", mnt),
                ("root/mount", root),
                ("cwd/mount", cwd),
                ("info/child_ns/mnt", "mnt:[2]"),
            ])
        };
        let before = at("mnt:[1]", "10", "11");
        let mounts = |mnt, root, cwd| {
            let relative = at(mnt, root, cwd).relative_to(&before, Named::Known);
            ["root/mount", "cwd/mount"].map(|key| relative.get(key).to_owned())
        };
        assert_eq!(mounts("mnt:[1]", "10", "10"), ["before", "the root before"]);
        assert_eq!(mounts("mnt:[1]", "10", "11"), ["before", "before"]);
        assert_eq!(mounts("mnt:[1]", "12", "11")[0], "another of the namespace");
        assert_eq!(mounts("mnt:[2]", "20", "20"), ["of the child"; 2]);
        assert_eq!(mounts("mnt:[3]", "30", "31"), ["30", "31"]);
    }
}
