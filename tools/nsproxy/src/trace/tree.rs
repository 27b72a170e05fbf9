// SPDX-License-Identifier: GPL-2.0-only

//! A journal as a tree of the kernel's function calls.

use super::{Traced, function::function};
use crate::errno::show;
use anstyle::{AnsiColor, Style};
use nsproxy_uapi::{Count, Step, Taken};
use std::fmt::Write as _;

const MORE: Style = AnsiColor::Green.on_default();
const LESS: Style = AnsiColor::Yellow.on_default();
const REFUSED: Style = AnsiColor::Red.on_default().bold();
const QUIET: Style = Style::new().dimmed();

/// A function with its effects and the functions that it called.
struct Node {
    name: String,
    effects: Vec<String>,
    calls: Vec<Node>,
}

impl Node {
    fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            effects: Vec::new(),
            calls: Vec::new(),
        }
    }

    /// Writes the effects and calls, with `margin` before each line.
    fn write(&self, margin: &str, text: &mut String) {
        let bar = if self.calls.is_empty() { " " } else { "│" };
        for line in &self.effects {
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

/// Returns the tree of a call, with its outcome.
pub(super) fn tree(traced: &Traced) -> String {
    let mut root = Node::new("");
    let begun = traced.journal.steps.first().map(|taken| taken.time);
    for taken in &traced.journal.steps {
        let function = function(taken, &traced.journal, traced.how.as_of_2011);
        if taken.step == Step::Caller {
            root.effects = effects(taken);
            if !traced.journal.has_counts() {
                root.effects.push(format!("{QUIET}{NOT_COUNTED}{QUIET:#}"));
            }
            if !traced.is_timed() {
                root.effects.push(format!("{QUIET}{NOT_TIMED}{QUIET:#}"));
            }
            continue;
        }
        let mut within = &mut root;
        for name in function.within {
            if within.calls.last().is_none_or(|last| last.name != *name) {
                within.calls.push(Node::new(name));
            }
            within = within.calls.last_mut().expect("pushed above if missing");
        }
        // The end of a function whose calls are steps themselves.
        let is_open = |last: &mut Node| last.name == function.name && !last.calls.is_empty();
        let mut node = within
            .calls
            .pop_if(is_open)
            .unwrap_or_else(|| Node::new(function.name));
        node.effects = effects(taken);
        if traced.is_timed() {
            let since = (taken.time - begun.unwrap_or_default()).as_nanos() as f64 / 1000.0;
            let _ = write!(node.name, " {QUIET}{since:.1} µs{QUIET:#}");
        }
        within.calls.push(node);
    }

    let mut text = format!("{}: {}\n", traced.name, traced.call);
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

/// The line that replaces the times in a journal without them.
const NOT_TIMED: &str = "no times: the clock of this kernel is too coarse";

/// Describes the effects of a step, one per line.
fn effects(taken: &Taken) -> Vec<String> {
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

/// Names a namespace by the caller's members that point at it, or by its kind, and by its id.
fn name(count: &Count) -> String {
    let members: Vec<_> = count.members.iter().map(|member| member.name()).collect();
    let name = match members[..] {
        [] => count.kind.name().to_owned(),
        _ => members.join("="),
    };
    format!("{name} {}", count.id)
}

/// Formats the change of a count.
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

    fn plain(traced: &Traced) -> String {
        anstream::adapter::strip_str(&tree(traced)).to_string()
    }

    #[test]
    fn functions_are_below_their_callers() {
        let text = plain(&samples::traced());
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

    #[test]
    fn a_function_encloses_the_namespaces_that_it_creates() {
        let text = plain(&samples::unshared());
        let expected = "\
├─ check_unshare_flags 1.0 µs
├─ unshare_userns
│  ├─ prepare_creds 2.0 µs
│  └─ create_user_ns 3.0 µs
├─ unshare_nsproxy_namespaces
│  └─ create_new_namespaces 3.2 µs
│     │    nsproxy                  count 0 -> 1 (+1)
│     └─ copy_utsname 3.1 µs
│             uts 42                   ns_ref 0 -> 1 (+1)  active 0
├─ switch_task_namespaces
";
        assert!(text.contains(expected), "{text}");
        assert!(
            text.ends_with("└─ ksys_unshare 7.0 µs\nsucceeded\n"),
            "{text}"
        );
    }

    #[test]
    fn a_coarse_clock_has_no_times() {
        let mut traced = samples::traced();
        for taken in &mut traced.journal.steps[1..] {
            taken.time = std::time::Duration::from_millis(4);
        }
        let text = plain(&traced);
        assert!(text.contains("│    no times: the clock "), "{text}");
        assert!(
            text.contains("├─ fget\n") && !text.contains(" µs"),
            "{text}"
        );
    }
}
