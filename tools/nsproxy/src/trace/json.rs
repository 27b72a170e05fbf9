// SPDX-License-Identifier: GPL-2.0-only

//! A journal as JSON.

use super::{
    Traced,
    function::{Place, function},
};
use crate::{cause::Described, errno, json::Versioned, refusal};
use nsproxy_uapi::{Count, Kind, Member, Step};
use serde::Serialize;
use std::collections::BTreeMap;

/// The document that `nsproxy trace --json` prints.
#[derive(Serialize)]
pub(super) struct Document {
    calls: Vec<Call>,
}

#[derive(Serialize)]
struct Call {
    system_call: &'static str,
    call: String,
    dry_run: bool,
    as_of_2011: bool,
    /// Whether the clock advances between the steps; otherwise their times mean nothing.
    timed: bool,
    refusal: Option<Refused>,
    /// The ids of the caller's namespaces, by the names of `/proc/PID/ns`.
    before: BTreeMap<&'static str, u64>,
    after: BTreeMap<&'static str, u64>,
    steps: Vec<Taken>,
}

#[derive(Serialize)]
struct Refused {
    errno: String,
    number: i32,
    #[serde(flatten)]
    cause: Described,
}

#[derive(Serialize)]
struct Namespace {
    kind: &'static str,
    id: u64,
}

#[derive(Serialize)]
struct Taken {
    /// Stable.
    step: &'static str,
    function: &'static str,
    /// The callers of the function, from the system call inwards.
    within: &'static [&'static str],
    depth: usize,
    says: &'static str,
    kernel: Place,
    module: Place,
    /// The time since the first step, in ns.
    time: u64,
    errno: Option<String>,
    about: Option<Namespace>,
    nsproxy: Option<Moved>,
    counts: Vec<Counted>,
}

#[derive(Serialize)]
struct Moved {
    /// 0 for a new nsproxy. Also 0 at the step `target`, which reads the count only once.
    before: u32,
    after: u32,
}

#[derive(Serialize)]
struct Counted {
    id: u64,
    kind: &'static str,
    members: Vec<&'static str>,
    constant: bool,
    ns_ref: [u32; 2],
    active: [u32; 2],
}

impl Document {
    pub(super) fn new(traced: &[Traced]) -> Self {
        Self {
            calls: traced.iter().map(Call::new).collect(),
        }
    }

    pub(super) fn text(&self) -> String {
        Versioned::new(self).pretty()
    }
}

impl Call {
    fn new(traced: &Traced) -> Self {
        let Traced {
            name,
            call,
            how,
            refused,
            journal,
        } = traced;
        let begun = journal.steps.first().map(|taken| taken.time);
        let by_name = |all: Vec<(Member, u64)>| {
            all.into_iter()
                .map(|(member, id)| (member.name(), id))
                .collect()
        };
        Self {
            system_call: name,
            call: call.clone(),
            dry_run: how.dry_run,
            as_of_2011: how.as_of_2011,
            timed: traced.is_timed(),
            refusal: refused.as_ref().map(Refused::new),
            before: by_name(journal.before()),
            after: by_name(journal.after()),
            steps: journal
                .steps
                .iter()
                .map(|taken| {
                    let function = function(taken, journal, how.as_of_2011);
                    let since = taken.time - begun.unwrap_or_default();
                    let refused = taken.errno.filter(|_| taken.step != Step::Return);
                    Taken {
                        step: taken.step.name(),
                        function: function.name,
                        within: function.within,
                        depth: function.within.len() + usize::from(taken.step != Step::Caller),
                        says: function.says,
                        kernel: function.kernel,
                        module: function.module,
                        time: since.as_nanos() as u64,
                        errno: refused.map(errno::word),
                        about: taken.about.map(Namespace::new),
                        nsproxy: taken.nsproxy.map(|[before, after]| Moved { before, after }),
                        counts: taken.counts.iter().map(Counted::new).collect(),
                    }
                })
                .collect(),
        }
    }
}

impl Refused {
    fn new(refused: &refusal::Refused) -> Self {
        let errno = refused.refusal.errno;
        Self {
            errno: errno::word(errno),
            number: errno.raw_os_error(),
            cause: refused.cause.clone().without_missing(),
        }
    }
}

impl Namespace {
    fn new((kind, id): (Kind, u64)) -> Self {
        Self {
            kind: kind.name(),
            id,
        }
    }
}

impl Counted {
    fn new(count: &Count) -> Self {
        Self {
            id: count.id,
            kind: count.kind.name(),
            members: count.members.iter().map(|member| member.name()).collect(),
            constant: count.constant,
            ns_ref: count.ns_ref,
            active: count.active,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::samples;

    #[test]
    fn the_document_has_the_steps_of_the_journal() {
        let text = Document::new(&[samples::traced()]).text();
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        let call = &value["calls"][0];
        assert_eq!(call["system_call"], "setns");
        assert_eq!(call["before"]["uts"], 7);
        assert_eq!(call["after"]["uts"], 42);
        assert_eq!(call["timed"], true);
        let steps = call["steps"].as_array().unwrap();
        let install = steps.iter().find(|step| step["step"] == "install").unwrap();
        assert_eq!(install["function"], "utsns_install");
        assert_eq!(install["kernel"]["file"], "kernel/utsname.c");
        assert_eq!(install["depth"], 2);
        assert_eq!(install["counts"][1]["ns_ref"], serde_json::json!([3, 4]));
    }

    #[test]
    fn a_created_namespace_is_that_of_the_caller_afterwards() {
        let text = Document::new(&[samples::unshared()]).text();
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        let call = &value["calls"][0];
        assert_eq!(call["before"], serde_json::json!({ "user": 3, "uts": 7 }));
        assert_eq!(call["after"], serde_json::json!({ "user": 41, "uts": 42 }));
        let html = crate::page::page(&text);
        assert!(html.contains("<code>user</code> 3 → 41"), "{html}");
        assert!(html.contains("<code>unshare()</code>"), "{html}");
        assert!(!html.contains("<code>setns()</code>"), "{html}");
    }

    #[test]
    fn the_document_can_be_a_page() {
        let html = crate::page::page(&Document::new(&[samples::traced()]).text());
        assert!(html.contains("<code>uts</code> 7 → 42"), "{html}");
        assert!(html.contains("uts 42 ns_ref 3 → 4"), "{html}");
    }
}
