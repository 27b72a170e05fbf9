// SPDX-License-Identifier: GPL-2.0-only

//! The table of namespaces, and the cells of a namespace in it.

use super::{
    columns::{Column, align},
    info::{NamespaceInfo, Related},
};
use std::fmt::Display;

const COLUMNS: [Column; 7] = [
    ("NAMESPACE", false),
    ("ID", true),
    ("OWNER", true),
    ("PROCS", true),
    ("PID", true),
    ("COMMAND", false),
    ("HELD BY", false),
];

/// The maximum number of holders in a cell.
const SHOWN: usize = 3;

/// Formats the table. With `all`, it has all holders of each namespace.
pub(super) fn table(infos: &[&NamespaceInfo], all: bool) -> String {
    let row = |info: &&NamespaceInfo| cells(info, name(info), info.owner, all);
    align(COLUMNS, &infos.iter().map(row).collect::<Vec<_>>())
}

/// Returns the cells of a namespace: its name, and with its ids that of a related one.
pub(super) fn cells(
    info: &NamespaceInfo,
    name: String,
    related: Option<Related>,
    all: bool,
) -> [String; COLUMNS.len()] {
    [
        name,
        or_dash(info.id),
        or_dash(related.map(number)),
        info.processes.len().to_string(),
        or_dash(info.processes.first()),
        or_dash(info.first.as_ref().map(|first| printable(&first.command))),
        printable(&held_by(info, all)),
    ]
}

/// Returns the name of a namespace as links show it.
pub(super) fn name(info: &NamespaceInfo) -> String {
    format!("{}:[{}]", info.kind.name(), or_dash(info.inode))
}

fn or_dash(value: Option<impl Display>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| value.to_string())
}

/// Returns the id of a namespace, or its inode number where the kernel has no ids.
fn number(related: Related) -> u64 {
    related.id.unwrap_or(related.identity.inode)
}

/// Returns the holders in one line; for a namespace without a process also the relation to others,
/// which keeps it in use.
fn held_by(info: &NamespaceInfo, all: bool) -> String {
    let shown = if all { usize::MAX } else { SHOWN };
    let mut parts: Vec<_> = info.holders.iter().map(ToString::to_string).collect();
    let more = parts.len().saturating_sub(shown);
    parts.truncate(shown);
    if more > 0 {
        parts.push(format!("{more} more"));
    }
    if info.processes.is_empty() {
        if info.holders.is_empty() {
            parts.push("no process".to_owned());
        }
        if info.owned > 0 {
            parts.push(format!("owner of {}", info.owned));
        }
        // The parent of a user namespace is its owner.
        if info.children > 0 && info.owned == 0 {
            parts.push(format!("parent of {}", info.children));
        }
    }
    if parts.is_empty() {
        parts.push("-".to_owned());
    }
    parts.join(", ")
}

/// Replaces characters that move the cursor or have another effect on a terminal.
fn printable(text: &str) -> String {
    text.replace(char::is_control, "?")
}

#[cfg(test)]
mod tests {
    use super::{super::sample, *};

    fn lines(all: bool) -> Vec<String> {
        let infos = sample::namespaces();
        let infos: Vec<_> = infos.iter().collect();
        table(&infos, all).lines().map(str::to_owned).collect()
    }

    #[test]
    fn columns_are_aligned() {
        let expected = "\
NAMESPACE         ID      OWNER PROCS  PID COMMAND HELD BY
user:[4026531837]  - 4026531837     0    - -       no process, owner of 2
net:[4026532170]  12          3     2 1234 my?cmd  /run/netns/blue, pid 7 fd 5, pid 7 thread 8, 1 more
pid:[-]           13          -     0    - -       no process";
        assert_eq!(lines(false).join("\n"), expected);
    }

    #[test]
    fn all_holders_are_shown_on_request() {
        let line = &lines(true)[2];
        let expected = "pid 7 fd 5, pid 7 thread 8, pid 9 thread 10 for children";
        assert!(line.ends_with(expected), "{line}");
    }
}
