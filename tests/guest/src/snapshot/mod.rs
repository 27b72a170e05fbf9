// SPDX-License-Identifier: GPL-2.0-only

//! Snapshots: the state that a process sees of itself, as text that can be compared.
//!
//! [`take`] collects the values. [`relative`] makes values of two processes comparable.

mod clock;
pub(crate) mod print;
mod relative;
mod take;

pub(crate) use clock::ClockBase;
pub(crate) use relative::Named;
pub(crate) use take::{Children, print_links};

use crate::errno::Code;
use rustix::{
    fd::AsFd,
    fs::{Mode, OFlags},
    io::Errno,
};
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    ffi::CString,
    fmt::{self, Write as _},
};

/// The files of `/proc/PID/ns`.
pub(crate) const LINKS: [&str; 10] = [
    "user",
    "mnt",
    "uts",
    "ipc",
    "pid",
    "pid_for_children",
    "cgroup",
    "net",
    "time",
    "time_for_children",
];

/// Returns the target of each of [`LINKS`], given the path of their directory.
pub(crate) fn read_links(
    at: impl AsFd,
    path: &str,
) -> impl Iterator<Item = (&'static str, Result<CString, Errno>)> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let dir = rustix::fs::openat(at, path, flags, Mode::empty());
    LINKS.into_iter().map(move |link| {
        let dir = dir.as_ref().map_err(|errno| *errno);
        let target = dir.and_then(|dir| rustix::fs::readlinkat(dir, link, Vec::new()));
        (link, target)
    })
}

/// Returns the value, or the name of the error.
pub(crate) fn value_or_error(result: Result<String, Errno>) -> String {
    result.unwrap_or_else(|errno| Code::from(errno).to_string())
}

/// The links to namespaces that a user namespace owns: those that unshare(2) and clone(2) change.
pub(crate) const OWNED_LINKS: [&str; 7] = [
    "mnt",
    "uts",
    "ipc",
    "pid_for_children",
    "cgroup",
    "net",
    "time_for_children",
];

/// The key above the namespace links of a child in other namespaces. They name namespaces, and are
/// not compared.
pub(crate) const OF_CHILD: &str = "info/child_ns";

/// The key above the snapshot of a task that clone(2) has created.
pub(crate) const CLONED: &str = "cloned";

/// The state that a process sees: a line `key: value` for each value.
///
/// Keys are paths: `ns/uts`, `cap/effective`, `child/ns/pid`. Values below `info/` differ between
/// any two processes and are never compared.
///
/// A text is faster than a map in an emulator: most snapshots are sent once and equal another one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Snapshot(String);

/// A value that differs between two snapshots.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Difference {
    pub(crate) key: String,
    pub(crate) left: String,
    pub(crate) right: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} / {}", self.key, self.left, self.right)
    }
}

impl Snapshot {
    /// Adds a value. Each key is added once and has no colon. Key and value have no line break.
    pub(crate) fn add(&mut self, key: impl fmt::Display, value: impl fmt::Display) {
        let begin = self.0.len();
        write!(self.0, "{key}: {value}").expect("writing to a string cannot fail");
        let line = &self.0[begin..];
        assert!(!line.contains('\n'), "line break in: {line:?}");
        self.0.push('\n');
    }

    /// Adds all values of another snapshot, below `key`.
    pub(crate) fn add_below(&mut self, key: &str, other: &Self) {
        for (path, value) in other.compared() {
            self.add(format_args!("{key}/{path}"), value);
        }
    }

    /// Adds the namespaces of a task, given its path in `proc`.
    pub(crate) fn add_links(&mut self, proc: impl AsFd, task: &str, prefix: &str) {
        for (link, target) in read_links(proc, &format!("{task}/ns")) {
            let target = target.map(|target| target.to_string_lossy().into_owned());
            self.add(format_args!("{prefix}/{link}"), value_or_error(target));
        }
    }

    /// Returns the value of `key`, or an empty string.
    pub(crate) fn get(&self, key: &str) -> &str {
        self.iter()
            .find_map(|(other, value)| (other == key).then_some(value))
            .unwrap_or_default()
    }

    /// Returns the value of `ns/<link>`, or an empty string.
    pub(crate) fn link(&self, link: &str) -> &str {
        self.below("ns")
            .find_map(|(other, value)| (other == link).then_some(value))
            .unwrap_or_default()
    }

    /// Returns the values below a key, with the rest of their keys.
    pub(crate) fn below(&self, key: &str) -> impl Iterator<Item = (&str, &str)> {
        self.iter().filter_map(move |(path, value)| {
            let rest = path.strip_prefix(key)?.strip_prefix('/')?;
            Some((rest, value))
        })
    }

    /// Returns the values that can be equal in two processes.
    fn compared(&self) -> impl Iterator<Item = (&str, &str)> {
        self.iter().filter(|(key, _)| !key.starts_with("info/"))
    }

    /// Returns all keys and values, in the order of addition.
    fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.lines().filter_map(|line| {
            let (key, value) = line.split_once(':')?;
            Some((key, value.strip_prefix(' ')?))
        })
    }

    /// Replaces each value for which `name` returns another one.
    pub(crate) fn renamed(&self, mut name: impl FnMut(&str, &str) -> Option<String>) -> Self {
        let mut renamed = Self(String::with_capacity(self.0.len()));
        for (key, value) in self.iter() {
            match name(key, value) {
                Some(name) => renamed.add(key, name),
                // As `add` does, without its checks.
                None => renamed.0.extend([key, ": ", value, "\n"]),
            }
        }
        renamed
    }

    /// Returns whether all compared values are equal and in the same order.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        self == other || self.compared().eq(other.compared())
    }

    /// Returns the differences, without `info/`. Namespaces come first, as they explain the rest,
    /// and values that only one side has come last.
    pub(crate) fn differences(&self, other: &Self) -> Vec<Difference> {
        if self.is_same(other) {
            return Vec::new();
        }
        let mut values: BTreeMap<&str, [&str; 2]> = BTreeMap::new();
        for (side, seen) in [self, other].into_iter().enumerate() {
            for (key, value) in seen.compared() {
                values.entry(key).or_default()[side] = value;
            }
        }
        let mut differences: Vec<_> = values
            .into_iter()
            .filter(|(_, [left, right])| left != right)
            .map(|(key, [left, right])| Difference {
                key: key.to_owned(),
                left: left.to_owned(),
                right: right.to_owned(),
            })
            .collect();
        differences.sort_by_key(|Difference { key, left, right }| {
            let is_one_sided = left.is_empty() || right.is_empty();
            (!key.starts_with("ns/"), is_one_sided)
        });
        differences
    }
}

/// A line for each value that can be compared.
impl fmt::Display for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (key, value) in self.compared() {
            writeln!(f, "{key}: {value}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn seen(values: &[(&str, &str)]) -> Snapshot {
        let mut seen = Snapshot::default();
        for (key, value) in values {
            seen.add(key, value);
        }
        seen
    }

    #[test]
    fn values_are_found_by_key() {
        let seen = seen(&[("ns/uts", "uts:[1]"), ("uid_map", ""), ("a", "b: c")]);
        assert_eq!(seen.link("uts"), "uts:[1]");
        assert_eq!(seen.get("uid_map"), "");
        assert_eq!(seen.get("a"), "b: c");
        assert_eq!(seen.get("uts"), "");
        assert_eq!(seen.compared().count(), 3);
    }

    #[test]
    #[should_panic(expected = "line break in")]
    fn a_value_is_a_line() {
        seen(&[("a", "b\nc: d")]);
    }

    #[test]
    fn differences_are_by_key() {
        let left = seen(&[("a", "1"), ("b", "2"), ("info/c", "3"), ("d", "4")]);
        assert!(left.differences(&left.clone()).is_empty());
        let moved = seen(&[("d", "4"), ("a", "1"), ("b", "2"), ("info/c", "5")]);
        assert!(left.differences(&moved).is_empty());
        let right = seen(&[("a", "1"), ("b", "5"), ("e", "6")]);
        let found: Vec<_> = left
            .differences(&right)
            .iter()
            .map(Difference::to_string)
            .collect();
        assert_eq!(found, ["b: 2 / 5", "d: 4 / ", "e:  / 6"]);
    }

    #[test]
    fn namespaces_come_first() {
        let left = seen(&[
            ("a", "1"),
            ("cap/effective", "1"),
            ("ns/net", "1"),
            ("ns/uts", "1"),
        ]);
        let right = seen(&[("cap/effective", "2"), ("ns/net", "2"), ("ns/uts", "2")]);
        let found: Vec<_> = left
            .differences(&right)
            .into_iter()
            .map(|difference| difference.key)
            .collect();
        assert_eq!(found, ["ns/net", "ns/uts", "cap/effective", "a"]);
    }
}
