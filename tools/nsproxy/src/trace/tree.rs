// SPDX-License-Identifier: GPL-2.0-only

//! A journal as a tree, which reads like the kernel's calls.

use super::{Traced, function::function};
use crate::errno::show;
use anstyle::{AnsiColor, Style};
use nsproxy_uapi::{Count, Step, Taken};
use std::fmt::Write as _;

const MORE: Style = AnsiColor::Green.on_default();
const LESS: Style = AnsiColor::Yellow.on_default();
const REFUSED: Style = AnsiColor::Red.on_default().bold();
const QUIET: Style = Style::new().dimmed();

/// A function, what it did, and what it called.
struct Node {
    name: String,
    did: Vec<String>,
    calls: Vec<Node>,
}

impl Node {
    fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            did: Vec::new(),
            calls: Vec::new(),
        }
    }

    /// Writes what it did and called, with `margin` before each line.
    fn write(&self, margin: &str, text: &mut String) {
        let bar = if self.calls.is_empty() { " " } else { "│" };
        for line in &self.did {
            let _ = writeln!(text, "{margin}{bar}    {line}");
        }
        for (index, call) in self.calls.iter().enumerate() {
            let (branch, below) = if index + 1 == self.calls.len() {
                ("└─", "   ")
            } else {
                ("├─", "│  ")
            };
            let _ = writeln!(text, "{margin}{branch} {}", call.name);
            call.write(&format!("{margin}{below}"), text);
        }
    }
}

/// The whole of it.
pub(super) fn tree(traced: &Traced<'_>) -> String {
    let mut root = Node::new("");
    let mut begun = None;
    for taken in &traced.journal.steps {
        let function = function(taken, &traced.journal, traced.how.as_of_2011);
        let begun = *begun.get_or_insert(taken.time);
        if taken.step == Step::Caller {
            root.did = did(taken);
            if !traced.journal.has_counts() {
                root.did.push(format!("{QUIET}{NOT_COUNTED}{QUIET:#}"));
            }
            continue;
        }
        let mut within = &mut root;
        for name in function.within {
            if within.calls.last().is_none_or(|last| last.name != *name) {
                within.calls.push(Node::new(name));
            }
            within = within.calls.last_mut().expect("just looked at or made");
        }
        let after = (taken.time - begun).as_nanos() as f64 / 1000.0;
        let name = format!("{} {QUIET}{after:.1} µs{QUIET:#}", function.name);
        within.calls.push(Node {
            did: did(taken),
            ..Node::new(&name)
        });
    }

    let mut text = format!("setns: {}\n", traced.call);
    root.write("", &mut text);
    match &traced.refused {
        Some(refused) => {
            let _ = writeln!(text, "{REFUSED}refused{REFUSED:#}: {refused}");
        }
        None if traced.how.dry_run => {
            text += "would succeed: a dry run ends at the point of no return\n"
        }
        None => text += "succeeded\n",
    }
    text
}

/// The line that replaces the counts in a journal without them.
const NOT_COUNTED: &str = "counts are shown only to root of the initial user and pid namespaces";

/// What a step did, a line each.
fn did(taken: &Taken) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(errno) = taken.errno.filter(|_| taken.step != Step::Return) {
        lines.push(format!("{REFUSED}{}{REFUSED:#}", show(errno)));
    }
    if let Some([before, after]) = taken.nsproxy {
        let count = match taken.step {
            Step::Target => format!("{after}, with the reference just taken"),
            _ => moved([before, after]),
        };
        lines.push(format!("{:<24} count {count}", "nsproxy"));
    }
    let (constant, counted): (Vec<&Count>, _) = taken.counts.iter().partition(|c| c.constant);
    if !constant.is_empty() {
        let names: Vec<_> = constant.into_iter().map(name).collect();
        let names = names.join(", ");
        lines.push(format!("{QUIET}initial, not counted: {names}{QUIET:#}"));
    }
    lines.extend(counted.into_iter().map(|count: &Count| {
        if count.ns_ref == [0; 2] {
            return name(count);
        }
        let (ns_ref, active) = (moved(count.ns_ref), moved(count.active));
        format!("{:<24} ns_ref {ns_ref}  active {active}", name(count))
    }));
    lines
}

/// A namespace: what of the caller's it is, or its kind, and its id.
fn name(count: &Count) -> String {
    let members: Vec<_> = count.members.iter().map(|member| member.name()).collect();
    let name = match members[..] {
        [] => count.kind.name().to_owned(),
        _ => members.join("="),
    };
    format!("{name} {}", count.id)
}

/// From so many to so many.
fn moved([before, after]: [u32; 2]) -> String {
    let (style, sign) = match before.cmp(&after) {
        std::cmp::Ordering::Less => (MORE, "+"),
        std::cmp::Ordering::Greater => (LESS, "-"),
        std::cmp::Ordering::Equal => return format!("{after}"),
    };
    let by = before.abs_diff(after);
    format!("{style}{before} -> {after} ({sign}{by}){style:#}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::samples;

    fn plain(traced: &Traced<'_>) -> String {
        anstream::adapter::strip_str(&tree(traced)).to_string()
    }

    #[test]
    fn functions_are_below_those_that_called_them() {
        let call = samples::call();
        let text = plain(&samples::traced(&call));
        let lines: Vec<_> = text.lines().collect();
        let at = |line: &str| {
            let found = lines.iter().position(|has| has.starts_with(line));
            found.unwrap_or_else(|| panic!("{line:?} is not in\n{text}"))
        };
        assert!(at("├─ prepare_nsset") < at("│  └─ create_new_namespaces 2.0 µs"));
        assert!(at("├─ validate_ns") < at("│  └─ utsns_install"));
        assert!(
            text.contains("uts 42                   ns_ref 3 -> 4 (+1)  active 2"),
            "{text}"
        );
        assert!(
            text.contains("│    initial, not counted: uts 7\n"),
            "{text}"
        );
        assert!(text.ends_with("succeeded\n"), "{text}");
    }
}
