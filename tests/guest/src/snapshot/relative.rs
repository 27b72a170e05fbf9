// SPDX-License-Identifier: GPL-2.0-only

//! Renames values that are unique to a process, so that two processes can be compared.

use super::{OF_CHILD, Snapshot};
use std::collections::BTreeMap;

impl Snapshot {
    /// Replaces the names of namespaces and mounts that only this process has.
    ///
    /// A namespace in `before` is named after its links there, and one of a child ([`OF_CHILD`])
    /// after the links of the child. So two processes that did the same have equal values. Mounts of
    /// root and working directory in these mount namespaces are renamed, too.
    pub(crate) fn relative_to(&self, before: &Self) -> Self {
        let names = before.names();
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
            _ if key.starts_with("ns/") || key.contains("/ns/") => names.get(value).cloned(),
            _ => None,
        })
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

#[cfg(test)]
mod tests {
    use super::super::tests::seen;

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
        assert_eq!(after.relative_to(&before), expected);
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
            let relative = at(mnt, root, cwd).relative_to(&before);
            ["root/mount", "cwd/mount"].map(|key| relative.get(key).to_owned())
        };
        assert_eq!(mounts("mnt:[1]", "10", "10"), ["before", "the root before"]);
        assert_eq!(mounts("mnt:[1]", "10", "11"), ["before", "before"]);
        assert_eq!(mounts("mnt:[1]", "12", "11")[0], "another of the namespace");
        assert_eq!(mounts("mnt:[2]", "20", "20"), ["of the child"; 2]);
        assert_eq!(mounts("mnt:[3]", "30", "31"), ["30", "31"]);
    }
}
