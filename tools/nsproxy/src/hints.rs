// SPDX-License-Identifier: GPL-2.0-only

//! Ways to pass a check, for the user of this tool and for the author of a program.

use crate::{
    caller::{Caller, OVERFLOW_ID},
    denied_access, lookup,
    plan::{Call, Source},
    request::Request,
};
use nsproxy_diagnose::{AccessMode, Task};
use nsproxy_uapi::{Kind, Reason, Refusal, nsfs};
use std::os::fd::{AsFd as _, AsRawFd as _, BorrowedFd, OwnedFd};

const FROM_A_CHILD: &str = "make the call from a child made by fork(2)";

/// Returns ways to pass the check that refused a call of a task, each of which is enough. The task must
/// be in the state in which it made the call.
pub(crate) fn hints(refusal: &Refusal, request: &Request<'_>, task: &Task) -> Vec<String> {
    // Without these flags, an earlier call has set the pid namespace for children.
    let of_thread = u64::from(Kind::User.flag() | Kind::Pid.flag());
    let gain = || {
        let cap = refusal.cap.map_or(0, |(cap, _)| cap);
        Caller::of(task).gain(cap)
    };
    let hint = match refusal.reason {
        Reason::BadFd => "check the result of open(2), and omit O_PATH",
        Reason::Neither => request.pick(
            "name a file in /proc/PID/ns, or a bind mount of one",
            "open a file in /proc/PID/ns, a bind mount of one, or a pidfd",
        ),
        Reason::NsType => {
            let own = right_option(request);
            return vec![own.unwrap_or_else(|| "pass 0, or the CLONE_NEW* of the file".to_owned())];
        }
        Reason::NoFlags => "pass the CLONE_NEW* of each kind to enter",
        Reason::UnknownFlags => "pass only CLONE_NEW*",
        Reason::Ptrace => {
            if let Some(target) = request.target(task) {
                return denied_access::describe(task, &target, AccessMode::RealCreds).1;
            }
            "run with CAP_SYS_PTRACE in the user namespace of that process, or as its user and with \
             all its capabilities"
        }
        Reason::CapOwner | Reason::CapSet | Reason::Chroot | Reason::CapUser | Reason::CapInit => {
            return ways_to_capability(refusal, request, task);
        }
        Reason::FsShared if task.status().threads.is_some_and(|threads| threads > 1) => {
            "the threads of a process share them: call unshare(CLONE_FS) first in the same thread \
             (Go: after runtime.LockOSThread()), or make the call in a child made by fork(2)"
        }
        Reason::FsShared => "call unshare(CLONE_FS) first, or call from a child made by fork(2)",
        Reason::MmShared => "make the call in a child made by fork(2), without CLONE_VM",
        Reason::Threads | Reason::UnshareThreads => {
            "make the call before a second thread starts (Go: in a constructor of cgo), or in a \
             child made by fork(2)"
        }
        Reason::NotBelow => {
            "run in that pid namespace, or in one above it: no process leaves its own"
        }
        Reason::SameUser => request.pick("omit -U", "omit CLONE_NEWUSER, or skip the call"),
        Reason::NoNs => "omit --2011",
        Reason::CapNew => {
            let new_user_ns = request.pick(
                "create a user namespace as well, with -U or -r",
                "add CLONE_NEWUSER, which gives it all capabilities",
            );
            return vec![new_user_ns.to_owned(), gain()];
        }
        Reason::UsernsOff => {
            return vec![
                "sysctl kernel.unprivileged_userns_clone=1, as root".to_owned(),
                gain(),
            ];
        }
        Reason::Limit => return of_limit(refusal),
        Reason::Chrooted => {
            "call it outside of the chroot, or enter the directory with pivot_root(2) instead"
        }
        Reason::Unmapped => "write the maps of the user namespace first: uid_map and gid_map",
        Reason::PidForChildren | Reason::SighandShared | Reason::VmShared => FROM_A_CHILD,
        Reason::CloneThread if request.flags() & of_thread == 0 => FROM_A_CHILD,
        Reason::Lsm => {
            "see the kernel log for the security module; AppArmor: \
             sysctl kernel.apparmor_restrict_unprivileged_userns=0"
        }
        Reason::CloneFs => "omit CLONE_FS",
        Reason::CloneParent => "omit CLONE_PARENT",
        Reason::CloneThread => "omit CLONE_THREAD",
        Reason::CloneSysvsem => "omit CLONE_SYSVSEM",
        Reason::PidOwner => {
            "enter the user namespace that owns the caller's pid namespace, or one below it"
        }
        _ => return Vec::new(),
    };
    vec![hint.to_owned()]
}

/// Returns the option for the kind of the file.
fn right_option(request: &Request<'_>) -> Option<String> {
    let Request::Setns { call, file } = request else {
        return None;
    };
    let Source::File(path) = &call.source else {
        return None;
    };
    let letter = nsfs::kind(file).ok()?.letter();
    Some(format!("name its kind: -{letter}={}", path.display()))
}

/// Returns the name of the sysctl that limits the namespaces of a kind.
pub(crate) fn sysctl(kind: Kind) -> String {
    format!("user.max_{}_namespaces", kind.name())
}

fn of_limit(refusal: &Refusal) -> Vec<String> {
    let Some((kind, _)) = refusal.namespace else {
        return Vec::new();
    };
    let (name, kind) = (sysctl(kind), kind.name());
    let mut hints = vec![format!(
        "raise the limit: write a higher number to {name} as root there"
    )];
    let is_zero = refusal.limit.is_some_and(|limit| limit.max == Some(0));
    if !is_zero {
        hints.push(format!(
            "end processes in other {kind} namespaces of this user"
        ));
    }
    hints
}

/// Returns ways to the capability that is missing in a user namespace.
fn ways_to_capability(refusal: &Refusal, request: &Request<'_>, task: &Task) -> Vec<String> {
    let Some((cap, user_ns)) = refusal.cap else {
        return Vec::new();
    };
    let caller = Caller::of(task);
    let mut hints = Vec::new();
    let is_own = user_ns != 0 && caller.user_ns == Some(user_ns);
    if matches!(refusal.reason, Reason::CapSet | Reason::Chroot) {
        hints.extend(match request {
            Request::Setns { call, file } => user_ns_first(call, *file, task)
                .map(|option| format!("enter the user namespace as well, with {option}")),
            Request::Program(_) if is_own => Some(
                "enter the user namespace that owns the namespace as well, in the same call or \
                 before"
                    .to_owned(),
            ),
            Request::Program(_) | Request::Creation(_) => None,
        });
    }
    // The set of the task decides in its own, also if that cannot be opened.
    if is_own || (user_ns == 0 && caller.user_ns.is_none()) {
        hints.push(caller.gain(cap));
        return hints;
    }
    let place = || lookup::name(Kind::User, user_ns);
    let Some(below) = below_own(refusal, request, task) else {
        hints.push(format!(
            "run outside of the caller's user namespace: in {}, or in one above it",
            place()
        ));
        return hints;
    };
    match request {
        Request::Setns { call, file } => {
            // The owner has all capabilities there, and none in its own user namespace, which the other
            // kinds check next.
            let option = match refusal.reason {
                Reason::CapUser => Some(String::new()),
                _ => {
                    let option = option(call, *file, user_ns);
                    option.map(|option| format!(", with {option}"))
                }
            };
            if let (Some(option), Ok(uid)) = (option, nsfs::owner_uid(below))
                && ![caller.euid, OVERFLOW_ID].contains(&uid)
            {
                hints.push(format!("run as its owner, uid {uid}{option}"));
            }
        }
        Request::Program(_) if refusal.reason != Reason::CapUser => {
            hints.push(format!("enter {} first", place()));
        }
        Request::Program(_) | Request::Creation(_) => {}
    }
    hints.push(caller.gain(cap));
    hints
}

/// Returns the option that also enters the target's user namespace, if the call would then succeed.
fn user_ns_first(call: &Call, file: BorrowedFd<'_>, task: &Task) -> Option<String> {
    let owner;
    let (file, nstype, option) = match call.source {
        Source::Process(_) if call.kinds.contains(&Kind::User) => return None,
        Source::Process(_) => (file, call.nstype(), "-U".to_owned()),
        Source::File(_) => {
            owner = nsfs::owner(file).ok()?;
            let option = option(call, file, nsfs::id_or_inode(&owner).ok()?)?;
            (owner.as_fd(), 0, option)
        }
    };
    let call = nsproxy_diagnose::Call::Setns {
        fd: file.as_raw_fd(),
        nstype: (nstype | Kind::User.flag()) as i32,
    };
    let verdict = nsproxy_diagnose::explain(task, call);
    (verdict.result.is_ok() && verdict.causes.is_empty()).then_some(option)
}

/// Returns the option that makes the call enter this user namespace as well.
fn option(call: &Call, file: BorrowedFd<'_>, user_ns: u64) -> Option<String> {
    match call.source {
        Source::Process(_) => {
            let target = Task::of_pidfd(file).ok()?;
            let is_new = !call.kinds.contains(&Kind::User);
            (is_new && target.user_ns()?.id() == user_ns).then(|| "-U".to_owned())
        }
        Source::File(_) => {
            let known = lookup::find(Kind::User, user_ns)?;
            Some(format!("-U=/proc/{}/ns/user", known.pid))
        }
    }
}

/// Returns the user namespace that a refusal is about, or the one above it that is a child of the
/// task's; [`None`] if it is not below the task's.
fn below_own(refusal: &Refusal, request: &Request<'_>, task: &Task) -> Option<OwnedFd> {
    let own = task.user_ns()?.id();
    let (kind, _) = refusal.namespace?;
    let mut user_ns = request.entered(task, kind)?;
    if refusal.reason != Reason::CapUser {
        user_ns = nsfs::owner(user_ns).ok()?;
    }
    loop {
        let parent = nsfs::owner(&user_ns).ok()?;
        if nsfs::id_or_inode(&parent) == Ok(own) {
            return Some(user_ns);
        }
        user_ns = parent;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::creation::{self, Creation};
    use rustix::io::Errno;
    use std::fs::File;

    const SYS_ADMIN: u32 = 21;

    fn refusal(reason: Reason, cap: Option<(u32, u64)>) -> Refusal {
        Refusal {
            errno: Errno::PERM,
            reason,
            cap,
            count: 0,
            namespace: Some((Kind::Net, 1)),
            limit: None,
        }
    }

    fn of_program(reason: Reason, cap: Option<(u32, u64)>) -> String {
        let call = nsproxy_diagnose::Call::Setns { fd: -1, nstype: 0 };
        let request = Request::Program(call);
        hints(&refusal(reason, cap), &request, &Task::current()).join("; ")
    }

    #[test]
    fn hints_to_a_capability_are_about_its_user_namespace() {
        let own = Task::current().user_ns().unwrap().id();
        let lacks = |user_ns| Some((SYS_ADMIN, user_ns));
        let in_own = of_program(Reason::CapSet, lacks(own));
        assert!(in_own.contains("CAP_SYS_ADMIN"), "{in_own}");
        assert!(
            in_own.contains("enter the user namespace that owns"),
            "{in_own}"
        );
        let owner = of_program(Reason::CapOwner, lacks(own));
        assert!(!owner.contains("enter the user namespace"), "{owner}");
        // The id of one that this process may not know.
        let above = of_program(Reason::CapOwner, lacks(0));
        assert!(
            above.starts_with("run outside of the caller's user namespace"),
            "{above}"
        );
    }

    #[test]
    fn users_of_the_tool_and_authors_have_hints_of_their_own() {
        assert!(of_program(Reason::SameUser, None).contains("CLONE_NEWUSER"));
        let file = File::open("/proc/self/ns/net").unwrap();
        let call = Call {
            source: Source::File("/proc/self/ns/net".into()),
            kinds: vec![Kind::Uts],
        };
        let request = Request::Setns {
            call: &call,
            file: file.as_fd(),
        };
        let of_tool = |reason| hints(&refusal(reason, None), &request, &Task::current()).concat();
        assert_eq!(of_tool(Reason::SameUser), "omit -U");
        assert_eq!(
            of_tool(Reason::NsType),
            "name its kind: -n=/proc/self/ns/net"
        );
    }

    /// This test runs in a thread of its own.
    #[test]
    fn threads_have_a_hint_of_their_own() {
        assert!(of_program(Reason::FsShared, None).starts_with("the threads of a process"));
    }

    #[test]
    fn the_sysctl_needs_a_capability() {
        let creation = Creation::new(creation::Call::Unshare, &[Kind::User], 0);
        let request = Request::Creation(creation);
        let cap = Some((SYS_ADMIN, 3));
        let hints = hints(&refusal(Reason::UsernsOff, cap), &request, &Task::current());
        assert!(hints[1].contains("CAP_SYS_ADMIN"), "{hints:?}");
    }

    #[test]
    fn a_thread_after_another_pid_namespace_was_set_needs_a_child() {
        let hint = |flags: i32| {
            let creation = Creation::new(creation::Call::Clone, &[], flags as u64);
            let request = Request::Creation(creation);
            hints(
                &refusal(Reason::CloneThread, None),
                &request,
                &Task::current(),
            )
            .concat()
        };
        assert_eq!(hint(libc::CLONE_THREAD), FROM_A_CHILD);
        assert_eq!(
            hint(libc::CLONE_THREAD | libc::CLONE_NEWUSER),
            "omit CLONE_THREAD"
        );
    }
}
