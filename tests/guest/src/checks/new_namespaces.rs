// SPDX-License-Identifier: GPL-2.0-only

//! Checks what a new namespace has of the old one, and its owner.
//!
//! The module calls the kernel's function to create a namespace. So a comparison of both
//! implementations would not notice a mistake.

use crate::{
    case::{
        Case,
        implementation::{self, Kind, SystemCall},
        run::CallerRun,
    },
    snapshot::{CLONED, Snapshot},
};
use nsproxy_uapi::clone_flags::UNSHARE_EMPTY_MNTNS;

/// Checks the namespaces of these kinds that a call has created. Those of clone(2) are the new task's.
pub(super) fn check(case: &Case, run: &CallerRun, kinds: u32, wrong: &mut Vec<String>) {
    let CallerRun {
        by: entry,
        before,
        after,
        ..
    } = run;
    let prefix = match case.call {
        SystemCall::Clone(_) => format!("{CLONED}/"),
        _ => String::new(),
    };
    let now = |key: &str| after.get(&format!("{prefix}{key}"));
    let has = |kind: Kind| kinds & kind.flag() != 0;
    let mut want = |key: &str, expected: &str| {
        let now = now(key);
        if now != expected {
            wrong.push(format!("{entry}: {key} is {now:?}, expected {expected:?}"));
        }
    };
    for kind in implementation::kinds_of(kinds) {
        if let Some(link) = owned_link(kind) {
            want(&format!("owner/ns/{link}"), now("ns/user"));
        }
        for (key, value) in contents(kind, case.call.flags(), before) {
            want(key, value);
        }
    }
    if !before.get("shared_memory/is_orphan").is_empty() {
        let is_orphan = after.get("shared_memory/is_orphan");
        if is_orphan != has(Kind::Ipc).to_string() {
            wrong.push(format!("{entry}: shared_memory/is_orphan is {is_orphan}"));
        }
    }
    if has(Kind::Mnt) {
        for key in ["root/mount", "cwd/mount"] {
            if now(key) == before.get(key) {
                wrong.push(format!("{entry}: {key} is that of the old namespace"));
            }
        }
    }
}

/// Returns the link that changes when a namespace of a kind is created, unless the kind is user.
fn owned_link(kind: Kind) -> Option<&'static str> {
    match kind {
        Kind::User => None,
        Kind::Pid => Some("pid_for_children"),
        Kind::Time => Some("time_for_children"),
        kind => Some(kind.name()),
    }
}

/// Returns keys of a snapshot, with the values in a new namespace.
fn contents(kind: Kind, flags: u64, before: &Snapshot) -> Vec<(&'static str, &str)> {
    let kept = |key: &'static str| (key, before.get(key));
    match kind {
        // Denied in the old one, it is denied in the new one.
        Kind::User => vec![("uid_map", ""), ("gid_map", ""), kept("setgroups")],
        Kind::Mnt if flags & UNSHARE_EMPTY_MNTNS != 0 => vec![("mounts", "1")],
        Kind::Mnt => vec![kept("mounts")],
        Kind::Uts => vec![kept("hostname"), kept("domainname")],
        Kind::Cgroup => vec![("cgroup", "0::/")],
        Kind::Time => vec![kept("timens_offsets")],
        // They have nothing of the old one.
        Kind::Ipc | Kind::Pid | Kind::Net => vec![],
    }
}
