// SPDX-License-Identifier: GPL-2.0-only

//! What an errno can mean: the checks that can give it, for the call that was made.

use crate::{
    errno::show,
    plan::{Call, Source},
};
use nsproxy_uapi::{Kind, Via};
use rustix::io::Errno;

/// `errno` by its name, and what may be behind it.
pub(crate) fn explain(errno: Errno, call: &Call, via: &Via) -> String {
    let mut text = show(errno);
    let reasons = reasons(errno, call, via);
    if !reasons.is_empty() {
        text += "\npossible reasons:";
    }
    for reason in reasons {
        text += "\n - ";
        text += reason;
    }
    text
}

/// Those checks of the path that give `errno`, as far as the call can have failed them.
fn reasons(errno: Errno, call: &Call, via: &Via) -> Vec<&'static str> {
    let has = |kind| call.kinds.contains(&kind);
    let of_process = matches!(call.source, Source::Process(_));
    let of_2011 = matches!(via, Via::Device2011(_));
    let by_device = !matches!(via, Via::Syscall);
    let known_in_2011 = [Kind::Net, Kind::Uts, Kind::Ipc];

    let all: &[(Errno, bool, &str)] = &[
        (
            Errno::PERM,
            by_device,
            "a seccomp filter is on, and the module does not serve such callers unless loaded \
             with allow_seccomp=1",
        ),
        (
            Errno::PERM,
            of_2011,
            "no CAP_SYS_ADMIN in the initial user namespace, which came before anything else",
        ),
        (
            Errno::PERM,
            of_process,
            "ptrace(2) would not let us look at the process",
        ),
        (
            Errno::PERM,
            !of_2011,
            "no CAP_SYS_ADMIN in the user namespace that owns the namespace, or in our own",
        ),
        (
            Errno::PERM,
            !of_2011 && has(Kind::Mnt),
            "no CAP_SYS_CHROOT in our user namespace",
        ),
        (
            Errno::INVAL,
            !of_process,
            "the file is no namespace, or one of another kind",
        ),
        (
            Errno::INVAL,
            of_2011 && call.kinds.iter().any(|kind| !known_in_2011.contains(kind)),
            "in 2011 there were net, uts and ipc",
        ),
        (
            Errno::INVAL,
            of_process,
            "a kind that this kernel was built without",
        ),
        (
            Errno::INVAL,
            !of_2011 && has(Kind::User),
            "we are in that user namespace already",
        ),
        (
            Errno::INVAL,
            !of_2011 && (has(Kind::User) || has(Kind::Mnt)),
            "our root and working directory are shared with another task (CLONE_FS)",
        ),
        (
            Errno::INVAL,
            !of_2011 && has(Kind::Mnt),
            "the mount namespace is an anonymous one",
        ),
        (
            Errno::INVAL,
            !of_2011 && has(Kind::Pid),
            "the pid namespace is neither ours nor a descendant of it",
        ),
        (
            Errno::SRCH,
            of_process,
            "the process has exited, or is about to",
        ),
        (
            Errno::USERS,
            has(Kind::Time),
            "another thread, or a task that shares our memory: a time namespace is entered alone",
        ),
    ];
    all.iter()
        .filter(|(when, possible, _)| *when == errno && *possible)
        .map(|(_, _, reason)| *reason)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_can_be() {
        let call = Call {
            source: Source::Process(1),
            kinds: vec![Kind::Uts, Kind::Pid],
        };
        let text = explain(Errno::INVAL, &call, &Via::Syscall);
        assert!(text.starts_with("EINVAL: "), "{text}");
        assert!(text.contains("nor a descendant"), "{text}");
        assert!(!text.contains("CLONE_FS"), "{text}");
        assert!(!explain(Errno::PERM, &call, &Via::Syscall).contains("seccomp"));
    }
}
