// SPDX-License-Identifier: GPL-2.0-only

//! Whether what came of a call is what was to come of it.

use crate::{
    case::{
        Case, Expect, Handle,
        implementation::{self, Kind},
        run::{Ran, Side},
        target::{self, Process},
    },
    errno::{Outcome, word},
    process::command::Foreseen,
    snapshot::{Difference, LINKS},
};
use nsproxy_uapi::Reason;
use std::fmt::Write as _;

/// Returns the first lines of the report of a failed case: the results of both sides, and the check
/// that decided, with its place in the kernel's source.
pub(crate) fn results(case: &Case, subject: &Side, reference: Option<&Side>) -> String {
    let sides = reference.into_iter().chain([subject]);
    let returned = sides.map(|side| format!("{} returned {}", side.entry, word(side.outcome)));
    let mut text = returned.collect::<Vec<_>>().join(", ");
    let foreseen = subject.foreseen;
    let refused = foreseen.and_then(|foreseen| Some((foreseen.reason()?, foreseen.kind())));
    let (word, check) = match (refused, case.reason) {
        (Some(refused), _) => ("check", refused),
        (None, Some(reason)) => ("expected check", (reason, case.kind())),
        (None, None) => return text,
    };
    let (reason, kind) = check;
    let _ = write!(text, "\n{word}: {}", reason.name());
    if let Some(place) = reason.place(kind) {
        let _ = write!(text, ": {place}");
    }
    text
}

/// One side against what the case says.
pub(crate) fn judge(case: &Case, ran: &Ran, target: Option<&Process>, wrong: &mut Vec<String>) {
    let moved_to = destinations(case, target, ran.opened);
    let Side {
        entry,
        before,
        outcome,
        to_go,
        foreseen,
        after,
    } = &ran.side;
    if let Some(foreseen) = foreseen {
        judge_foreseen(case, *outcome, *foreseen, wrong);
    }
    match (case.expect, outcome) {
        (Expect::Moved(_), Err(code)) => {
            wrong.push(format!("{entry} failed with {code}, expected success"));
        }
        (Expect::Fails(expected), outcome) if *outcome != Err(expected) => {
            wrong.push(format!(
                "{entry} returned {}, expected {expected}",
                word(*outcome)
            ));
        }
        _ => {}
    }
    if let (Expect::Fails(_), Some(to_go @ 1..)) = (case.expect, to_go) {
        wrong.push(format!(
            "{entry} made too few allocations: {to_go} to go until the one that was to fail"
        ));
    }
    if outcome.is_err() || !entry.has_effect() {
        // All or nothing.
        let word = word(*outcome);
        for Difference { key, left, right } in before.differences(after) {
            wrong.push(format!(
                "{entry} returned {word}, and yet {key} changed: {left} -> {right}"
            ));
        }
        return;
    }
    if let Expect::Moved(_) = case.expect {
        for link in LINKS {
            let now = after.link(link);
            match moved_to.iter().find(|(moved, _)| *moved == link) {
                Some((_, to)) if target::inode(now) != Some(*to) => {
                    wrong.push(format!("{entry}: ns/{link} is {now}, expected [{to}]"));
                }
                None if now != before.link(link) => {
                    let was = before.link(link);
                    wrong.push(format!("{entry}: ns/{link} changed: {was} -> {now}"));
                }
                _ => {}
            }
        }
    }
    judge_sights(case, &ran.side, wrong);
    // Whoever shared the nsproxy stays where it was.
    for (rest, was) in before.below("companion") {
        let key = format!("companion/{rest}");
        let now = after.get(&key);
        if now != was {
            wrong.push(format!("{entry}: {key} changed: {was} -> {now}"));
        }
    }
}

/// A dry run knows what comes of the call, and why.
fn judge_foreseen(case: &Case, outcome: Outcome, foreseen: Foreseen, wrong: &mut Vec<String>) {
    let reason = foreseen.reason();
    let foreseen = foreseen.outcome;
    if foreseen != outcome {
        wrong.push(format!(
            "the dry run said {}, the call returned {}",
            word(foreseen),
            word(outcome)
        ));
    }
    let name = |reason: Option<Reason>| reason.map_or("none", Reason::name);
    if reason == Some(Reason::Unexplained) || reason.is_some() != foreseen.is_err() {
        wrong.push(format!(
            "the dry run said {}, for this reason: {}",
            word(foreseen),
            name(reason)
        ));
    }
    if case.reason.is_some() && reason != case.reason {
        wrong.push(format!(
            "the dry run gave this reason: {}, expected {}",
            name(reason),
            name(case.reason)
        ));
    }
}

/// Where each link is to lead after a call that succeeded, as far as it is another.
fn destinations(
    case: &Case,
    target: Option<&Process>,
    opened: Option<u64>,
) -> Vec<(&'static str, u64)> {
    let Expect::Moved(kinds) = case.expect else {
        return Vec::new();
    };
    let mut destinations = Vec::new();
    for kind in implementation::kinds_of(kinds) {
        let namespace = match case.handle {
            Handle::Pidfd => target.and_then(|process| process.link(kind.name())),
            Handle::OwnPidfd => None,
            _ => opened,
        };
        if let Some(namespace) = namespace {
            for link in links_moved_by(kind) {
                destinations.push((*link, namespace));
            }
        }
    }
    destinations
}

/// The links of a process that change when it enters a namespace of a kind.
fn links_moved_by(kind: Kind) -> &'static [&'static str] {
    match kind {
        Kind::User => &["user"],
        Kind::Mnt => &["mnt"],
        Kind::Uts => &["uts"],
        Kind::Ipc => &["ipc"],
        // Only the children will be in it.
        Kind::Pid => &["pid_for_children"],
        Kind::Cgroup => &["cgroup"],
        Kind::Net => &["net"],
        Kind::Time => &["time", "time_for_children"],
    }
}

/// What a caller that moved must see: a comparison finds nothing if both sides see nothing.
fn judge_sights(case: &Case, side: &Side, wrong: &mut Vec<String>) {
    let Expect::Moved(kinds) = case.expect else {
        return;
    };
    let Side {
        entry,
        before,
        after,
        ..
    } = side;
    let mut want = |key: &str, value: &str| {
        if after.get(key) != value {
            let now = after.get(key);
            wrong.push(format!("{entry}: {key} is {now:?}, expected {value:?}"));
        }
    };
    let sights = case.target.as_ref().map_or(0, |target| target.sights);
    for kind in implementation::kinds_of(kinds & sights) {
        let link = links_moved_by(kind)[0];
        if !case.handle.is_of_target() || after.link(link) == before.link(link) {
            continue;
        }
        match kind {
            Kind::Uts => want("hostname", target::HOSTNAME),
            Kind::Ipc => want("message_queue", "found"),
            Kind::Net => want("interfaces", &format!("lo {}", target::INTERFACE)),
            Kind::Time => {
                for (clock, offset) in [
                    ("monotonic", target::MONOTONIC),
                    ("monotonic_coarse", target::MONOTONIC),
                    ("boottime", target::BOOTTIME),
                ] {
                    for way in ["vdso", "syscall"] {
                        want(&format!("clock/{clock}/{way}"), &format!("{offset:+} s"));
                    }
                }
            }
            Kind::User => {
                want("cap/effective", after.get("cap/bounding"));
            }
            Kind::Pid => want("child/is_init", "false"),
            Kind::Mnt => want("cwd/mount", after.get("root/mount")),
            Kind::Cgroup => want("cgroup", "0::/.."),
        }
    }
    if !before.get("semaphore").is_empty() {
        let undone = kinds & Kind::Ipc.flag() != 0;
        want("semaphore", if undone { "0" } else { "1" });
    }
}

/// The two sides against each other.
pub(crate) fn compare(reference: &Side, subject: &Side, wrong: &mut Vec<String>) {
    if reference.outcome != subject.outcome {
        wrong.push("the results differ".to_owned());
    }
    // What is the same as it is has no other name to be the same by.
    if reference.before.is_same(&subject.before) && reference.after.is_same(&subject.after) {
        return;
    }
    for (when, left, right) in [
        (
            "before the call",
            reference.before.relative_to(&reference.before),
            subject.before.relative_to(&subject.before),
        ),
        (
            "after the call",
            reference.after.relative_to(&reference.before),
            subject.after.relative_to(&subject.before),
        ),
    ] {
        let differences = left.differences(&right);
        if !differences.is_empty() {
            let mut text = format!(
                "different {when} ({} / {}):",
                reference.entry, subject.entry
            );
            for difference in differences {
                let _ = write!(text, "\n  {difference}");
            }
            wrong.push(text);
        }
    }
}
