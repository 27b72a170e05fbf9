// SPDX-License-Identifier: GPL-2.0-only

//! The part of the page that needs no scripts: each call, its outcome and its steps.

use super::source_lines::{Lines, Origin};
use serde::Deserialize;
use serde_json::{Map, Number, Value};
use std::fmt::Write as _;

/// The fields of the document that this part needs.
#[derive(Deserialize)]
pub(super) struct Document {
    calls: Vec<Call>,
    /// With the source lines of the steps.
    sources: Option<Origin>,
}

#[derive(Deserialize)]
struct Call {
    system_call: String,
    call: String,
    dry_run: bool,
    as_of_2011: bool,
    timed: bool,
    refusal: Option<Refusal>,
    /// Namespace ids by member.
    before: Map<String, Value>,
    after: Map<String, Value>,
    steps: Vec<Step>,
}

#[derive(Deserialize)]
struct Refusal {
    errno: String,
    says: String,
    hints: Vec<String>,
    cap: Option<String>,
    user_ns: Option<Number>,
    namespace: Option<Ns>,
}

#[derive(Deserialize)]
struct Ns {
    kind: String,
    id: Number,
}

#[derive(Deserialize)]
struct Step {
    step: String,
    function: String,
    within: Vec<String>,
    depth: usize,
    says: String,
    kernel: Place,
    module: Place,
    time: u64,
    errno: Option<String>,
    about: Option<Ns>,
    nsproxy: Option<Nsproxy>,
    counts: Vec<Counts>,
    lines: Option<Lines>,
}

#[derive(Deserialize)]
struct Place {
    file: String,
    name: String,
}

#[derive(Deserialize)]
struct Nsproxy {
    before: i64,
    after: i64,
}

#[derive(Deserialize)]
struct Counts {
    id: Number,
    kind: String,
    ns_ref: [i64; 2],
    active: [i64; 2],
}

/// The user namespace, and the members of `struct nsproxy` in their order.
const MEMBERS: [&str; 9] = [
    "user",
    "uts",
    "ipc",
    "mnt",
    "pid_for_children",
    "net",
    "time",
    "time_for_children",
    "cgroup",
];

/// The functions that make up setns(2), and the contract of each.
const PHASES: [(&str, &str); 4] = [
    ("prepare_nsset", "prepare: allocates all memory"),
    ("validate_ns", "validate: may refuse"),
    ("validate_nsset", "validate: the first refusal ends it"),
    ("commit_nsset", "commit: cannot fail"),
];

/// An index of the kernel's identifiers. The text of each link names the function and its file,
/// which is enough offline.
const IDENTIFIER: &str = "https://elixir.bootlin.com/linux/latest/C/ident/";

/// Returns the title of the page.
pub(super) fn title(document: &Document) -> String {
    match document.calls.as_slice() {
        [call] => escape(&call.call),
        calls => format!("{} calls", calls.len()),
    }
}

/// Returns the origin of the source lines; nothing in a page without them.
pub(super) fn origin(document: &Document) -> String {
    document
        .sources
        .as_ref()
        .map_or(String::new(), Origin::html)
}

/// Returns all calls.
pub(super) fn calls(document: &Document) -> String {
    let calls = document.calls.iter().enumerate();
    calls.map(|(number, call)| call.html(number)).collect()
}

impl Call {
    fn html(&self, number: usize) -> String {
        let mut html = format!(
            "<article class=\"call\" id=\"call-{number}\">\n<header><h2><code>{}</code>: {}",
            escape(&self.system_call),
            escape(&self.call)
        );
        for (is_set, badge) in [(self.dry_run, "dry run"), (self.as_of_2011, "as of 2011")] {
            if is_set {
                let _ = write!(html, " <span class=\"badge\">{badge}</span>");
            }
        }
        html += "</h2>\n";
        match &self.refusal {
            None => html += &self.success(),
            Some(refusal) => {
                let step = self.steps.iter().position(|step| step.errno.is_some());
                html += &refusal.html(self.dry_run, step.map(|step| address(number, step)));
            }
        }
        if self
            .steps
            .first()
            .is_some_and(|step| step.nsproxy.is_none())
        {
            html += "<p class=\"note\">Counts are shown only to root of the initial user and pid \
                     namespaces.</p>\n";
        }
        if !self.timed {
            html += "<p class=\"note\">No times: the clock of this kernel is too coarse.</p>\n";
        }
        html += "</header>\n";
        self.write_path(&mut html, number);
        html += "</article>\n";
        html
    }

    fn success(&self) -> String {
        if self.dry_run {
            return "<div class=\"verdict\"><p><strong>Would succeed.</strong> A dry run changes \
                    nothing.</p></div>\n"
                .to_owned();
        }
        let ids = |member| [&self.before, &self.after].map(|ids| ids.get(member));
        let moved: Vec<_> = MEMBERS
            .into_iter()
            .map(|member| (member, ids(member)))
            .filter(|(_, [before, after])| before != after)
            .map(|(member, ids)| {
                let [before, after] =
                    ids.map(|id| id.map_or("none".to_owned(), |id| escape(&id.to_string())));
                format!("<span class=\"nowrap\"><code>{member}</code> {before} → {after}</span>")
            })
            .collect();
        let change = match moved.as_slice() {
            [] => "The caller was in these namespaces before.".to_owned(),
            moved => format!("The caller moved: {}.", moved.join(", ")),
        };
        format!("<div class=\"verdict\"><p><strong>Succeeded.</strong> {change}</p></div>\n")
    }

    /// Writes the steps as lists in lists: a list for each function that takes several steps.
    fn write_path(&self, html: &mut String, call: usize) {
        let mut open: Vec<&str> = Vec::new();
        *html += "<div class=\"path\">\n";
        *html += "<ol>\n";
        for (number, step) in self.steps.iter().enumerate() {
            let mut within: Vec<&str> = step.within.iter().map(String::as_str).collect();
            if step.depth > 0 {
                within.insert(0, &self.system_call);
            }
            let pairs = open.iter().zip(&within);
            let shared = pairs.take_while(|(open, within)| open == within).count();
            for _ in open.drain(shared..) {
                *html += "</ol></li>\n";
            }
            for function in &within[shared..] {
                let phase = PHASES.iter().find(|(name, _)| name == function);
                let phase = phase.map_or(String::new(), |(_, phase)| format!(" {phase}"));
                let _ = writeln!(
                    html,
                    "<li class=\"frame\"><p><code>{}()</code>{phase}</p><ol>",
                    escape(function)
                );
                open.push(function);
            }
            let before = number.checked_sub(1).map(|before| self.steps[before].time);
            let time = self.timed.then(|| step.since(before));
            step.write(html, &address(call, number), time);
        }
        for _ in open {
            *html += "</ol></li>\n";
        }
        *html += "</ol>\n</div>\n";
    }
}

impl Refusal {
    fn html(&self, dry_run: bool, step: Option<String>) -> String {
        let verb = if dry_run { "Would fail" } else { "Failed" };
        let (errno, says) = (escape(&self.errno), escape(&self.says));
        let mut html = format!(
            "<div class=\"verdict refused\"><p><strong>{verb} with {errno}</strong>: {says}."
        );
        if let Some(address) = step {
            let _ = write!(html, " <a href=\"#{address}\">Show the step</a>");
        }
        html += "</p>";
        let mut line = |term, text: &str| {
            let _ = write!(html, "<p>{term}: {}</p>", escape(text));
        };
        if let Some(cap) = &self.cap {
            let user_ns = self.user_ns.as_ref();
            let place = user_ns.map_or(String::new(), |id| format!(" in user namespace {id}"));
            line("missing", &format!("{cap}{place}"));
        }
        if let Some(ns) = &self.namespace {
            line("about", &format!("{} namespace {}", ns.kind, ns.id));
        }
        for hint in &self.hints {
            line("hint", hint);
        }
        html + "</div>\n"
    }
}

impl Step {
    fn write(&self, html: &mut String, address: &str, time: Option<String>) {
        let class = match self.errno {
            Some(_) => "step refused",
            None => "step",
        };
        let function = match self.depth {
            0 => "<span>before the call</span>".to_owned(),
            _ => format!("<code>{}</code>", escape(&self.function)),
        };
        let about = match &self.about {
            Some(Ns { kind, id }) => format!(" <span class=\"note\">{} {id}</span>", escape(kind)),
            None => String::new(),
        };
        let _ = write!(
            html,
            "<li class=\"{class}\" id=\"{address}\">\
             <a href=\"#{address}\">{function}{about}{}</a>\n<div class=\"detail\"><p>{}.",
            self.balance(),
            capitalized(&escape(&self.says))
        );
        if let Some(errno) = &self.errno {
            let _ = write!(html, " <strong>Refused with {}.</strong>", escape(errno));
        }
        if let Some(time) = time {
            let _ = write!(html, " <span class=\"note\">{time}</span>");
        }
        *html += "</p>\n";
        let Place { file, name } = &self.kernel;
        let (file, name) = (escape(file), escape(name));
        let _ = write!(
            html,
            "<p class=\"places\">C: <a href=\"{IDENTIFIER}{name}\">\
             <code>{file}: {name}()</code></a>"
        );
        let Place { file, name } = &self.module;
        let (file, name) = (escape(file), escape(name));
        let _ = writeln!(html, " Rust: <code>{file}: {name}</code></p>");
        let changes = self.changes();
        if !changes.is_empty() {
            let _ = writeln!(html, "<p class=\"changes\">{}</p>", changes.join("; "));
        }
        if let Some(lines) = &self.lines {
            *html += &lines.html();
        }
        *html += "</div></li>\n";
    }

    /// Returns whether the step reads an nsproxy for the first time, whose `before` is unknown.
    fn is_first_read(&self) -> bool {
        self.step == "target" && self.nsproxy.as_ref().is_some_and(|count| count.before == 0)
    }

    /// Returns the sums of references that the step acquired and released.
    fn balance(&self) -> String {
        let counts = self
            .counts
            .iter()
            .flat_map(|counts| [counts.ns_ref, counts.active]);
        let nsproxy = self.nsproxy.as_ref().filter(|_| !self.is_first_read());
        let all = counts.chain(nsproxy.map(|count| [count.before, count.after]));
        let (mut acquired, mut released) = (0, 0);
        for [before, after] in all {
            acquired += (after - before).max(0);
            released += (before - after).max(0);
        }
        let mut balance = "<span class=\"balance\">".to_owned();
        for (class, sign, sum) in [("up", '+', acquired), ("down", '−', released)] {
            if sum > 0 {
                let _ = write!(balance, " <span class=\"{class}\">{sign}{sum}</span>");
            }
        }
        balance + "</span>"
    }

    /// Describes the counts that changed.
    fn changes(&self) -> Vec<String> {
        let mut changes = Vec::new();
        if let Some(Nsproxy { before, after }) = self.nsproxy {
            let whose = match self.step.as_str() {
                "create-new-namespaces" | "return" => "new nsproxy",
                "target" | "target-put" => "nsproxy of the target",
                _ => "old nsproxy",
            };
            if self.is_first_read() {
                changes.push(format!("{whose}: count {after}, with the new reference"));
            } else {
                changes.extend(change(&format!("{whose} count"), [before, after]));
            }
        }
        for counts in &self.counts {
            let name = format!("{} {}", escape(&counts.kind), counts.id);
            changes.extend(change(&format!("{name} ns_ref"), counts.ns_ref));
            changes.extend(change(&format!("{name} active"), counts.active));
        }
        changes
    }

    /// Returns the time since the first step, and since the step at the time `before`.
    fn since(&self, before: Option<u64>) -> String {
        let total = time(self.time);
        match before {
            Some(before) => format!("{total} (+{})", time(self.time - before)),
            None => total,
        }
    }
}

/// Returns the address of a step in the page, without `#`.
fn address(call: usize, step: usize) -> String {
    format!("call={call}&amp;step={step}")
}

fn change(name: &str, [before, after]: [i64; 2]) -> Option<String> {
    let (class, sign) = match before.cmp(&after) {
        std::cmp::Ordering::Less => ("up", '+'),
        std::cmp::Ordering::Greater => ("down", '−'),
        std::cmp::Ordering::Equal => return None,
    };
    let by = after.abs_diff(before);
    Some(format!(
        "<span class=\"nowrap\">{name} {before} → {after} \
         <span class=\"{class}\">({sign}{by})</span></span>"
    ))
}

fn time(ns: u64) -> String {
    match ns {
        ..1000 => format!("{ns} ns"),
        _ => format!("{}.{} µs", ns / 1000, ns % 1000 / 100),
    }
}

fn capitalized(text: &str) -> String {
    let mut rest = text.chars();
    let first = rest.next().map(|first| first.to_ascii_uppercase());
    first.into_iter().chain(rest).collect()
}

/// Escapes text for HTML, also within quotes.
pub(super) fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
        .replace('\'', "&#39;")
}
