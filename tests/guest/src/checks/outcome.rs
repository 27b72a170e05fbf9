// SPDX-License-Identifier: GPL-2.0-only

//! Checks a call against the case's expectation.

use crate::{
    case::{
        Case, Expect, FdSource,
        implementation::{self, Kind, SystemCall},
        run::CallerRun,
        target::{self, TargetProcess},
    },
    checks::new_namespaces,
    env::kernel,
    errno::{Outcome, outcome_name},
    process::{command::DryRun, creds},
    snapshot::{CLONED, Difference, LINKS, Named, OF_CHILD, Snapshot},
};
use nsproxy_uapi::{Reason, clone_flags::UNSHARE_EMPTY_MNTNS};
use std::fmt::Write as _;

/// Returns the first lines of the report of a failed case: the results of both callers, and the
/// check that refused, with its place in the kernel's source.
pub(crate) fn results(case: &Case, subject: &CallerRun, reference: Option<&CallerRun>) -> String {
    let runs = reference.into_iter().chain([subject]);
    let returned = runs.map(|run| format!("{} returned {}", run.by, outcome_name(run.outcome)));
    let mut text = returned.collect::<Vec<_>>().join(", ");
    let dry_run = subject.dry_run;
    let refused = dry_run.and_then(|dry_run| Some((dry_run.reason()?, dry_run.kind())));
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

/// Checks the run of one caller.
pub(crate) fn check(
    case: &Case,
    run: &CallerRun,
    target: Option<&TargetProcess>,
    wrong: &mut Vec<String>,
) {
    let CallerRun {
        by: entry,
        opened,
        before,
        outcome,
        to_go,
        dry_run,
        after,
        ..
    } = run;
    if let Some(dry_run) = dry_run {
        check_dry_run(case, *outcome, *dry_run, wrong);
    }
    match (case.expect, outcome) {
        (Expect::Moved(_) | Expect::Created(_), Err(code)) => {
            wrong.push(format!("{entry} failed with {code}, expected success"));
        }
        (Expect::Fails(expected), outcome) if *outcome != Err(expected) => {
            wrong.push(format!(
                "{entry} returned {}, expected {expected}",
                outcome_name(*outcome)
            ));
        }
        _ => {}
    }
    if let (Expect::Fails(_), Some(to_go @ 1..)) = (case.expect, to_go) {
        wrong.push(format!(
            "{entry} made too few allocations: {to_go} remained until the one that fails"
        ));
    }
    if outcome.is_err() || !entry.0.has_effect() {
        // All or nothing.
        let result = outcome_name(*outcome);
        for Difference { key, left, right } in before.differences(after) {
            wrong.push(format!(
                "{entry} returned {result}, and yet {key} changed: {left} -> {right}"
            ));
        }
        return;
    }
    if let Expect::Moved(_) = case.expect {
        let moved_to = destinations(case, target, *opened, before);
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
    if let Expect::Created(kinds) = case.expect {
        check_created(case, run, kinds, wrong);
        check_shared(case, run, wrong);
        new_namespaces::check(case, run, kinds, wrong);
    }
    check_marks(case, run, wrong);
    check_credentials(case, run, wrong);
    // A task that shared the nsproxy does not move.
    for (rest, was) in before.below("companion") {
        let key = format!("companion/{rest}");
        let now = after.get(&key);
        if now != was {
            wrong.push(format!("{entry}: {key} changed: {was} -> {now}"));
        }
    }
}

/// Checks that the dry run predicted the result of the call, with the reason of a refusal.
fn check_dry_run(case: &Case, outcome: Outcome, dry_run: DryRun, wrong: &mut Vec<String>) {
    let reason = dry_run.reason();
    let name = |reason: Option<Reason>| reason.map_or("none", Reason::name);
    let predicted = outcome_name(dry_run.outcome);
    if dry_run.outcome != outcome {
        let returned = outcome_name(outcome);
        wrong.push(format!(
            "the dry run predicted {predicted}, the call returned {returned}"
        ));
    }
    if reason.is_some() != dry_run.outcome.is_err() {
        wrong.push(format!(
            "the dry run predicted {predicted} with reason {}",
            name(reason)
        ));
    }
    let is_counted = match reason {
        // The caller and at least one other task.
        Some(
            Reason::FsShared
            | Reason::Threads
            | Reason::MmShared
            | Reason::UnshareThreads
            | Reason::SighandShared
            | Reason::VmShared,
        ) => dry_run.count > 1,
        _ => dry_run.count == 0,
    };
    let cap = match reason {
        Some(
            Reason::CapOwner
            | Reason::CapSet
            | Reason::CapUser
            | Reason::CapNew
            | Reason::UsernsOff
            | Reason::CapInit,
        ) => Some(creds::SYS_ADMIN),
        Some(Reason::Chroot) => Some(creds::SYS_CHROOT),
        _ => None,
    };
    if !is_counted || dry_run.cap != cap.map(u64::trailing_zeros) {
        wrong.push(format!(
            "the dry run refused for {}: missing capability {:?}, {} tasks",
            name(reason),
            dry_run.cap,
            dry_run.count
        ));
    }
    if case.reason.is_some() && reason != case.reason {
        wrong.push(format!(
            "the dry run predicted reason {}, expected {}",
            name(reason),
            name(case.reason)
        ));
    }
}

/// Returns the links that a successful call changes, each with the inode number that it must have.
fn destinations(
    case: &Case,
    target: Option<&TargetProcess>,
    opened: Option<u64>,
    before: &Snapshot,
) -> Vec<(&'static str, u64)> {
    let Expect::Moved(kinds) = case.expect else {
        return Vec::new();
    };
    let mut destinations = Vec::new();
    for kind in implementation::kinds_of(kinds) {
        let namespace = match case.fd {
            FdSource::Pidfd => target.and_then(|process| process.link(kind.name())),
            FdSource::OwnPidfd => None,
            FdSource::ChildPidfd => {
                target::inode(before.get(&format!("{OF_CHILD}/{}", kind.name())))
            }
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

/// Checks that the links of these kinds changed, and no others: those of the new task for clone(2).
fn check_created(case: &Case, run: &CallerRun, kinds: u32, wrong: &mut Vec<String>) {
    let CallerRun {
        by: entry,
        before,
        after,
        ..
    } = run;
    let flags = case.call.flags();
    let is_clone = matches!(case.call, SystemCall::Clone(_));
    for link in LINKS {
        let was = before.link(link);
        let now = match is_clone {
            true => after.get(&format!("{CLONED}/ns/{link}")),
            false => after.link(link),
        };
        let creates = |kind: Kind| match kind {
            Kind::Pid if is_clone => link == "pid" || link == "pid_for_children",
            // A task that shares memory keeps its clocks.
            Kind::Time if is_clone && flags & libc::CLONE_VM as u64 == 0 => {
                link == "time" || link == "time_for_children"
            }
            // Only the children enter it.
            Kind::Time => link == "time_for_children",
            kind => links_moved_by(kind).contains(&link),
        };
        if implementation::kinds_of(kinds).any(creates) == (was == now) {
            wrong.push(format!("{entry}: ns/{link} was {was}, is {now}"));
        }
        if is_clone && after.link(link) != was {
            wrong.push(format!("{entry}: ns/{link} of the parent changed"));
        }
    }
}

/// Checks that the caller shares only what it shared before and has not unshared.
fn check_shared(case: &Case, run: &CallerRun, wrong: &mut Vec<String>) {
    const IMPLY_FS: u64 = (Kind::User.flag() | Kind::Mnt.flag()) as u64;
    let fs = libc::CLONE_FS as u64 | IMPLY_FS | UNSHARE_EMPTY_MNTNS;
    let SystemCall::Unshare(_) = case.call else {
        return;
    };
    for (key, flags) in [
        ("shared/files", libc::CLONE_FILES as u64),
        ("shared/fs", fs),
    ] {
        let (was, now) = (run.before.get(key), run.after.get(key));
        let expected = if case.call.flags() & flags != 0 && was == "true" {
            "false"
        } else {
            was
        };
        if now != expected {
            wrong.push(format!("{}: {key} is {now}, expected {expected}", run.by));
        }
    }
}

/// Returns the links of a process that change when it enters a namespace of a kind.
fn links_moved_by(kind: Kind) -> &'static [&'static str] {
    match kind {
        Kind::User => &["user"],
        Kind::Mnt => &["mnt"],
        Kind::Uts => &["uts"],
        Kind::Ipc => &["ipc"],
        // Only the children enter it.
        Kind::Pid => &["pid_for_children"],
        Kind::Cgroup => &["cgroup"],
        Kind::Net => &["net"],
        Kind::Time => &["time", "time_for_children"],
    }
}

/// Checks that a caller that moved sees the marks of the target: a comparison of the two callers
/// would not notice if neither saw them.
fn check_marks(case: &Case, run: &CallerRun, wrong: &mut Vec<String>) {
    let Expect::Moved(kinds) = case.expect else {
        return;
    };
    let CallerRun {
        by: entry,
        before,
        after,
        ..
    } = run;
    let mut want = |key: &str, value: &str| {
        if after.get(key) != value {
            let now = after.get(key);
            wrong.push(format!("{entry}: {key} is {now:?}, expected {value:?}"));
        }
    };
    let marked = case.target.as_ref().map_or(0, |target| target.marked);
    for kind in implementation::kinds_of(kinds & marked) {
        let link = links_moved_by(kind)[0];
        if !case.fd.is_of_target() || after.link(link) == before.link(link) {
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
            // See `check_credentials`.
            Kind::User => {}
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

/// The keys of the capability sets of a snapshot, and whether the set is full after a task has entered
/// a user namespace. It is empty otherwise.
const CAPABILITY_SETS: [(&str, bool); 5] = [
    ("cap/inheritable", false),
    ("cap/permitted", true),
    ("cap/effective", true),
    ("cap/bounding", true),
    ("cap/ambient", false),
];

/// Checks the capability sets and the secure bits of a caller that moved: those of a new user
/// namespace, or else the same as before.
fn check_credentials(case: &Case, run: &CallerRun, wrong: &mut Vec<String>) {
    let (Expect::Moved(kinds) | Expect::Created(kinds)) = case.expect else {
        return;
    };
    let prefix = match case.call {
        SystemCall::Clone(_) => format!("{CLONED}/"),
        _ => String::new(),
    };
    let CallerRun {
        by: entry,
        before,
        after,
        ..
    } = run;
    let mut expected = Vec::new();
    let bits_before = before.get("securebits");
    if kinds & Kind::User.flag() == 0 {
        let sets = CAPABILITY_SETS.map(|(key, _)| (key, before.get(key).to_owned()));
        expected.extend(sets);
        expected.push(("securebits", bits_before.to_owned()));
    } else {
        let (Ok(all), Ok(bits)) = (
            kernel::all_capabilities(),
            u32::from_str_radix(bits_before.trim_start_matches("0x"), 16),
        ) else {
            wrong.push(format!(
                "cannot read cap_last_cap, or the secure bits {bits_before:?}"
            ));
            return;
        };
        let sets = CAPABILITY_SETS.map(|(key, is_full)| {
            let set = if is_full { all } else { 0 };
            (key, format!("{set:016x}"))
        });
        expected.extend(sets);
        let kept = bits & kernel::secure_bits_kept();
        expected.push(("securebits", format!("{kept:#x}")));
    }
    for (key, value) in expected {
        let now = after.get(&format!("{prefix}{key}"));
        if now != value {
            wrong.push(format!("{entry}: {key} is {now:?}, expected {value:?}"));
        }
    }
}

/// Compares the runs of both callers.
pub(crate) fn compare(
    case: &Case,
    reference: &CallerRun,
    subject: &CallerRun,
    wrong: &mut Vec<String>,
) {
    // Two callers that create namespaces have different ones.
    let created = match case.call {
        SystemCall::Setns => Named::Known,
        SystemCall::Unshare(_) | SystemCall::Clone(_) => Named::New,
    };
    let relative = |run: &CallerRun, at: &Snapshot| at.relative_to(&run.before, created);
    if reference.outcome != subject.outcome {
        wrong.push("the results differ".to_owned());
    }
    // Fast path: equal snapshots have equal relative snapshots.
    if reference.before.is_same(&subject.before) && reference.after.is_same(&subject.after) {
        return;
    }
    for (when, left, right) in [
        (
            "before the call",
            relative(reference, &reference.before),
            relative(subject, &subject.before),
        ),
        (
            "after the call",
            relative(reference, &reference.after),
            relative(subject, &subject.after),
        ),
    ] {
        let differences = left.differences(&right);
        if !differences.is_empty() {
            let mut text = format!("different {when} ({} / {}):", reference.by, subject.by);
            for difference in differences {
                let _ = write!(text, "\n  {difference}");
            }
            wrong.push(text);
        }
    }
}
