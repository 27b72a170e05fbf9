// SPDX-License-Identifier: GPL-2.0-only

//! What the page says in writing: each call, what came of it, and its steps.

use serde::Deserialize;
use serde_json::{Map, Number, Value};
use std::fmt::Write as _;

/// The document, as far as it is written out here.
#[derive(Deserialize)]
pub(super) struct Document {
    calls: Vec<Call>,
}

#[derive(Deserialize)]
struct Call {
    call: String,
    dry_run: bool,
    as_of_2011: bool,
    refusal: Option<Refusal>,
    /// The ids by the members that point at them.
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
    time: u64,
    errno: Option<String>,
    about: Option<Ns>,
    nsproxy: Option<Nsproxy>,
    counts: Vec<Counts>,
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

/// The members in the order of `struct nsproxy`, and the user namespace of the cred.
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

/// The title of the page, in HTML.
pub(super) fn title(document: &Document) -> String {
    match document.calls.as_slice() {
        [call] => escape(&call.call),
        calls => format!("{} calls", calls.len()),
    }
}

/// All calls, in HTML.
pub(super) fn calls(document: &Document) -> String {
    let mut html = String::new();
    for (number, call) in document.calls.iter().enumerate() {
        call.write(&mut html, number);
    }
    html
}

impl Call {
    fn write(&self, html: &mut String, number: usize) {
        let name = escape(&self.call);
        let _ = write!(
            html,
            "<article class=\"call\" id=\"call-{number}\" aria-labelledby=\"name-{number}\">\n\
             <h2 id=\"name-{number}\"><code>setns</code>: <span class=\"what\">{name}</span>"
        );
        if self.dry_run {
            *html += " <span class=\"badge\">dry run</span>";
        }
        if self.as_of_2011 {
            *html += " <span class=\"badge\">as of 2011</span>";
        }
        *html += "</h2>\n";
        match &self.refusal {
            None => self.write_success(html),
            Some(refusal) => {
                let decided = self.steps.iter().position(|step| step.errno.is_some());
                refusal.write(html, self.dry_run, decided.map(|at| address(number, at)));
            }
        }
        *html += "<ol class=\"written\" start=\"0\">\n";
        for (at, step) in self.steps.iter().enumerate() {
            step.write(html, number, at);
        }
        *html += "</ol>\n</article>\n";
    }

    fn write_success(&self, html: &mut String) {
        *html += "<div class=\"verdict\">";
        if self.dry_run {
            *html += "<p><strong>It would succeed.</strong> Nothing was changed.</p></div>\n";
            return;
        }
        *html += "<p><strong>It succeeded.</strong>";
        let members = MEMBERS.iter().copied();
        let mut moved =
            members.filter(|member| self.before.get(*member) != self.after.get(*member));
        match moved.next() {
            None => *html += " The caller is where it was.",
            Some(first) => {
                *html += " The caller moved: ";
                let moved: Vec<_> = std::iter::once(first)
                    .chain(moved)
                    .map(|member| {
                        let id = |of: &Map<String, Value>| {
                            of.get(member).map_or("none".to_owned(), Value::to_string)
                        };
                        format!(
                            "<span class=\"nowrap\"><code>{member}</code> {} → {}</span>",
                            escape(&id(&self.before)),
                            escape(&id(&self.after))
                        )
                    })
                    .collect();
                *html += &moved.join(", ");
                *html += ".";
            }
        }
        *html += "</p></div>\n";
    }
}

impl Refusal {
    fn write(&self, html: &mut String, dry_run: bool, decided: Option<String>) {
        let verb = if dry_run {
            "It would be refused"
        } else {
            "It was refused"
        };
        let _ = write!(
            html,
            "<div class=\"verdict refused\"><p><strong>{verb}: {}</strong>: {}.</p><dl>",
            escape(&self.errno),
            escape(&self.says)
        );
        let mut line = |term: &str, text: String| {
            let _ = write!(html, "<div><dt>{term}</dt><dd>{}</dd></div>", escape(&text));
        };
        if let Some(cap) = &self.cap {
            let place = match &self.user_ns {
                Some(id) => format!(" in user namespace {id}"),
                None => String::new(),
            };
            line("missing", format!("{cap}{place}"));
        }
        if let Some(ns) = &self.namespace {
            line("about", format!("{} namespace {}", ns.kind, ns.id));
        }
        for hint in &self.hints {
            line("hint", hint.clone());
        }
        *html += "</dl>";
        if let Some(address) = decided {
            let _ = write!(
                html,
                "<p><a href=\"#{address}\">the step that decided</a></p>"
            );
        }
        *html += "</div>\n";
    }
}

impl Step {
    /// With the address that the picture of this step has, too: where there is no picture, it
    /// leads here.
    fn write(&self, html: &mut String, call: usize, at: usize) {
        let class = if self.errno.is_some() {
            " class=\"refused\""
        } else {
            ""
        };
        let _ = write!(
            html,
            "<li id=\"{}\"{class}><p style=\"--depth: {}\"><code>{}</code>: {}",
            address(call, at),
            self.depth,
            escape(&self.function),
            escape(&self.says)
        );
        if let Some(Ns { kind, id }) = &self.about {
            let _ = write!(html, " ({} {id})", escape(kind));
        }
        if !self.within.is_empty() {
            let within = escape(&self.within.join(" › "));
            let _ = write!(
                html,
                " <span class=\"within\">in <code>{within}</code></span>"
            );
        }
        if let Some(errno) = &self.errno {
            let _ = write!(html, " <strong>✕ {}: decided here</strong>", escape(errno));
        }
        let _ = write!(html, " <span class=\"time\">{}</span></p>", time(self.time));
        self.write_moves(html);
        *html += "</li>\n";
    }

    fn write_moves(&self, html: &mut String) {
        let moves = self.moves();
        if !moves.is_empty() {
            let _ = write!(html, "<p class=\"moves\">{}</p>", moves.join("; "));
        }
    }

    fn moves(&self) -> Vec<String> {
        let mut moves = Vec::new();
        match (self.step.as_str(), &self.nsproxy) {
            (_, None) => {}
            // Only looked at: 0 is not its count.
            ("target", Some(Nsproxy { before: 0, after })) => {
                moves.push(format!("nsproxy of the process: count {after}"));
            }
            (step, Some(Nsproxy { before, after })) => {
                let whose = match step {
                    "create-new-namespaces" => "new nsproxy",
                    "target-put" => "nsproxy of the process",
                    _ => "nsproxy",
                };
                moves.extend(moved(whose, [*before, *after]));
            }
        }
        for counts in &self.counts {
            let name = format!("{} {}", escape(&counts.kind), counts.id);
            moves.extend(moved(&format!("{name} ns_ref"), counts.ns_ref));
            moves.extend(moved(&format!("{name} active"), counts.active));
        }
        moves
    }
}

/// Where a step is found in the page, in HTML: what comes after `#`.
fn address(call: usize, step: usize) -> String {
    format!("call={call}&amp;step={step}")
}

fn moved(what: &str, [before, after]: [i64; 2]) -> Option<String> {
    (before != after).then(|| {
        let sign = if after > before { '+' } else { '−' };
        let by = after.abs_diff(before);
        format!("{what} {before} → {after} ({sign}{by})")
    })
}

/// Time since the first step.
fn time(ns: u64) -> String {
    if ns < 1000 {
        format!("{ns} ns")
    } else {
        format!("{}.{} µs", ns / 1000, ns % 1000 / 100)
    }
}

/// Text in HTML, also within quotes.
fn escape(text: &str) -> String {
    let mut html = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => html += "&amp;",
            '<' => html += "&lt;",
            '>' => html += "&gt;",
            '"' => html += "&quot;",
            '\'' => html += "&#39;",
            other => html.push(other),
        }
    }
    html
}
