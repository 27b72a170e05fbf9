// SPDX-License-Identifier: GPL-2.0-only

//! Ways to pass a check, for the author of a traced program.

use super::traced_task::TracedTask;
use crate::{caller::Caller, creation, lookup};
use nsproxy_diagnose::Task;
use nsproxy_uapi::{Kind, Reason, Refusal, nsfs};
use std::{fs::File, os::fd::OwnedFd};

/// The position of a user namespace, seen from that of a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Position {
    Same,
    /// An ancestor, or outside of all that this process may know.
    Above,
    Below,
    Unknown,
}

/// Returns ways to pass the check that refused a call of a task with `flags`, each of which is enough.
pub(super) fn hints(refusal: &Refusal, flags: u64, task: &TracedTask) -> Vec<String> {
    let hint = match refusal.reason {
        Reason::CapOwner | Reason::CapUser | Reason::CapSet | Reason::Chroot => {
            return ways_to_capability(refusal, task);
        }
        Reason::CapNew => {
            let mut hints = vec!["add CLONE_NEWUSER, which gives it all capabilities".to_owned()];
            hints.extend(gain(refusal, task));
            return hints;
        }
        Reason::Ptrace => {
            "run with CAP_SYS_PTRACE in the user namespace of that process, or as its user and with \
             all its capabilities"
        }
        Reason::BadFd => "check the result of open(2), and omit O_PATH",
        Reason::Neither => "open a file in /proc/PID/ns, a bind mount of one, or a pidfd",
        Reason::NsType => "pass 0, or the CLONE_NEW* of the file",
        Reason::NoFlags => "pass the CLONE_NEW* of each kind to enter",
        Reason::UnknownFlags => "pass only CLONE_NEW*",
        Reason::FsShared => {
            "the threads of a process share them: call unshare(CLONE_FS) first in the same thread \
             (Go: after runtime.LockOSThread()), or make the call in a child made by fork(2)"
        }
        Reason::MmShared => "make the call in a child made by fork(2), without CLONE_VM",
        Reason::Threads => {
            "make the call before a second thread starts (Go: in a constructor of cgo), or in a \
             child made by fork(2)"
        }
        Reason::SameUser => "omit CLONE_NEWUSER, or skip the call",
        Reason::NotBelow => {
            "run in that pid namespace, or in one above it: no process leaves its own"
        }
        _ => {
            // The hints that are not about options of this tool.
            let caller = caller(task);
            return caller.map_or_else(Vec::new, |caller| creation::hints(refusal, flags, &caller));
        }
    };
    vec![hint.to_owned()]
}

/// Returns ways to the capability that is missing.
fn ways_to_capability(refusal: &Refusal, task: &TracedTask) -> Vec<String> {
    let Some((_, user_ns)) = refusal.cap else {
        return Vec::new();
    };
    let place = || lookup::name(Kind::User, user_ns);
    match position(task, user_ns) {
        Position::Same => {
            let mut hints: Vec<_> = gain(refusal, task).into_iter().collect();
            if matches!(refusal.reason, Reason::CapSet | Reason::Chroot) {
                hints.push(
                    "enter the user namespace that owns the namespace as well, in the same call or \
                     before"
                        .to_owned(),
                );
            }
            hints
        }
        Position::Above => vec![format!(
            "run outside of the user namespace of the program: in {}, or in one above it",
            place()
        )],
        Position::Below if refusal.reason == Reason::CapUser => {
            gain(refusal, task).into_iter().collect()
        }
        Position::Below => {
            let mut hints = vec![format!("enter {} first", place())];
            hints.extend(gain(refusal, task));
            hints
        }
        Position::Unknown => Vec::new(),
    }
}

/// Returns how to gain the missing capability in the user namespace of the task.
fn gain(refusal: &Refusal, task: &TracedTask) -> Option<String> {
    let (cap, _) = refusal.cap?;
    Some(caller(task)?.gain(cap))
}

fn caller(task: &TracedTask) -> Option<Caller> {
    Task::of(task.tid).ok().as_ref().map(Caller::of)
}

/// Returns the position of the user namespace with an id, seen from that of a task.
fn position(task: &TracedTask, id: u64) -> Position {
    if id == 0 {
        return Position::Above;
    }
    let Ok(own) = File::open(task.path("ns/user")) else {
        return Position::Unknown;
    };
    let own = OwnedFd::from(own);
    let own_id = id_of(&own);
    if own_id == Some(id) {
        return Position::Same;
    }
    if ancestors(own).any(|above| above == Some(id)) {
        return Position::Above;
    }
    let open = |pid| File::open(format!("/proc/{pid}/ns/user")).ok();
    let other = lookup::find(Kind::User, id).and_then(|known| open(known.pid));
    let is_below = |other: File| ancestors(other.into()).any(|above| above == own_id);
    match other.is_some_and(is_below) {
        true => Position::Below,
        false => Position::Unknown,
    }
}

fn id_of(user_ns: &OwnedFd) -> Option<u64> {
    nsfs::id_or_inode(user_ns).ok()
}

/// Returns the ids of the user namespaces above one, as far as this process may know them.
fn ancestors(user_ns: OwnedFd) -> impl Iterator<Item = Option<u64>> {
    let parent = |user_ns: &OwnedFd| nsfs::parent(user_ns).ok();
    std::iter::successors(parent(&user_ns), move |at| parent(at)).map(|at| id_of(&at))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::{io::Errno, thread::gettid};

    #[test]
    fn user_namespaces_have_a_position() {
        let task = TracedTask::read(gettid());
        let own = id_of(&File::open("/proc/self/ns/user").unwrap().into());
        assert_eq!(position(&task, own.unwrap()), Position::Same);
        // The id of one that this process may not know.
        assert_eq!(position(&task, 0), Position::Above);
        assert_eq!(position(&task, u64::MAX), Position::Unknown);
    }

    #[test]
    fn hints_are_about_the_position() {
        let task = TracedTask::read(gettid());
        let own = id_of(&File::open("/proc/self/ns/user").unwrap().into());
        let hints = |reason, user_ns| {
            let refusal = Refusal {
                errno: Errno::PERM,
                reason,
                cap: Some((21, user_ns)),
                count: 0,
                namespace: Some((Kind::Net, 1)),
                limit: None,
            };
            hints(&refusal, 0, &task).join("; ")
        };
        let own = own.unwrap();
        assert!(hints(Reason::CapSet, own).contains("CAP_SYS_ADMIN"));
        assert!(hints(Reason::CapSet, own).contains("enter the user namespace that owns"));
        assert!(!hints(Reason::CapOwner, own).contains("enter the user namespace"));
        assert!(hints(Reason::CapOwner, 0).starts_with("run outside of the user namespace"));
        assert_eq!(hints(Reason::CapOwner, u64::MAX), "");
    }
}
