// SPDX-License-Identifier: GPL-2.0-only

//! The table of namespaces.

use super::info::{NamespaceInfo, Related};
use std::fmt::{Display, Write as _};

/// The names of the columns, each with whether its cells are numbers, which are aligned right.
const COLUMNS: [(&str, bool); 7] = [
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
    let rows: Vec<_> = infos.iter().map(|info| row(info, all)).collect();
    let head = COLUMNS.map(|(name, _)| name.to_owned());
    let lines = || [&head].into_iter().chain(&rows);
    let mut widths = [0; COLUMNS.len()];
    for line in lines() {
        for (width, cell) in widths.iter_mut().zip(line) {
            *width = cell.chars().count().max(*width);
        }
    }
    let mut text = String::new();
    for line in lines() {
        let mut formatted = String::new();
        for ((cell, width), (_, is_number)) in line.iter().zip(widths).zip(COLUMNS) {
            let _ = match is_number {
                true => write!(formatted, "{cell:>width$} "),
                false => write!(formatted, "{cell:<width$} "),
            };
        }
        text += formatted.trim_end();
        text.push('\n');
    }
    text
}

fn row(info: &NamespaceInfo, all: bool) -> [String; COLUMNS.len()] {
    let inode = or_dash(info.inode);
    [
        format!("{}:[{inode}]", info.kind.name()),
        or_dash(info.id),
        or_dash(info.owner.map(number)),
        info.processes.len().to_string(),
        or_dash(info.processes.first()),
        or_dash(info.first.as_ref().map(|first| printable(&first.command))),
        printable(&held_by(info, all)),
    ]
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
