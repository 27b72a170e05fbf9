// SPDX-License-Identifier: GPL-2.0-only

//! What an errno can mean: the checks that can give it, for the call that was made.

use crate::{
    errno::show,
    plan::{Call, Source},
    seen::Seen,
};
use nsproxy_uapi::{Implementation, Kind};
use rustix::io::Errno;

/// `errno` by its name, and what may be behind it.
pub(crate) fn explain(
    errno: Errno,
    call: &Call,
    via: Implementation,
    of_2011: bool,
    seen: &Seen,
) -> String {
    let mut text = show(errno);
    match reasons(errno, call, via, of_2011, seen)[..] {
        [] => {}
        [reason] => text = format!("{text}\nreason: {reason}"),
        ref reasons => {
            text += "\npossible reasons:";
            for reason in reasons {
                text += "\n - ";
                text += reason;
            }
        }
    }
    text
}

/// Those checks of the path that give `errno`, as far as the call can have failed them.
fn reasons(
    errno: Errno,
    call: &Call,
    via: Implementation,
    of_2011: bool,
    seen: &Seen,
) -> Vec<&'static str> {
    let has = |kind| call.kinds.contains(&kind);
    let of_process = matches!(call.source, Source::Process(_));
    let by_device = via == Implementation::Module;
    let known_in_2011 = [Kind::Net, Kind::Uts, Kind::Ipc];
    let wrong_file = if of_process {
        Some(false)
    } else {
        seen.is_wrong_file(call)
    };

    // What comes before all other checks, and can be known.
    if errno == Errno::INVAL && wrong_file == Some(true) {
        return vec!["the file is not a namespace, or one of another kind"];
    }

    let all: &[(Errno, bool, &str)] = &[
        (
            Errno::PERM,
            by_device && seen.filtered,
            "a seccomp filter is active, and the module serves such callers only if loaded with \
             allow_seccomp=1",
        ),
        (
            Errno::PERM,
            of_2011,
            "missing CAP_SYS_ADMIN in the initial user namespace, the first check of 2011",
        ),
        (
            Errno::PERM,
            of_process,
            "ptrace(2) denies access to the process",
        ),
        (
            Errno::PERM,
            !of_2011,
            "missing CAP_SYS_ADMIN in the user namespace that owns the namespace, or in the caller's",
        ),
        (
            Errno::PERM,
            !of_2011 && has(Kind::Mnt),
            "missing CAP_SYS_CHROOT in the caller's user namespace",
        ),
        (
            Errno::INVAL,
            wrong_file.is_none(),
            "the file is not a namespace, or one of another kind",
        ),
        (
            Errno::INVAL,
            of_2011 && call.kinds.iter().any(|kind| !known_in_2011.contains(kind)),
            "in 2011 only net, uts and ipc had namespace files",
        ),
        (
            Errno::INVAL,
            of_process && seen.lacks_kind,
            "a kind that this kernel was built without",
        ),
        (
            Errno::INVAL,
            !of_2011 && has(Kind::User),
            "the caller is in that user namespace already",
        ),
        (
            Errno::INVAL,
            !of_2011 && (has(Kind::User) || has(Kind::Mnt)),
            "root and working directory are shared with another task (CLONE_FS)",
        ),
        (
            Errno::INVAL,
            !of_2011 && has(Kind::Mnt),
            "the mount namespace is anonymous",
        ),
        (
            Errno::INVAL,
            !of_2011 && has(Kind::Pid),
            "the pid namespace is neither the caller's nor a descendant of it",
        ),
        (
            Errno::SRCH,
            of_process,
            "the process has exited, or is exiting",
        ),
        (
            Errno::USERS,
            has(Kind::Time),
            "another thread or task shares the caller's memory, which maps the clocks of the vDSO",
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
    use std::{fs::File, os::fd::AsFd as _};

    const NOTHING: Seen = Seen {
        link: None,
        lacks_kind: false,
        filtered: false,
    };

    #[test]
    fn only_what_can_be() {
        let call = Call {
            source: Source::Process(1),
            kinds: vec![Kind::Uts, Kind::Pid, Kind::Mnt],
        };
        let text = explain(Errno::INVAL, &call, Implementation::Kernel, false, &NOTHING);
        assert!(text.starts_with("EINVAL: "), "{text}");
        assert!(text.contains("nor a descendant"), "{text}");
        assert!(text.contains("CLONE_FS"), "{text}");
        assert!(!text.contains("that user namespace"), "{text}");
        assert!(!text.contains("built without"), "{text}");
        let filtered = Seen {
            filtered: true,
            ..NOTHING
        };
        let text = explain(Errno::PERM, &call, Implementation::Kernel, false, &filtered);
        assert!(text.contains("ptrace"), "{text}");
        assert!(!text.contains("seccomp"), "{text}");
    }

    #[test]
    fn the_module_minds_filters() {
        let call = Call {
            source: Source::Process(1),
            kinds: vec![Kind::Uts],
        };
        let via = Implementation::Module;
        let filtered = Seen {
            filtered: true,
            ..NOTHING
        };
        assert!(explain(Errno::PERM, &call, via, false, &filtered).contains("allow_seccomp=1"));
        assert!(!explain(Errno::PERM, &call, via, false, &NOTHING).contains("seccomp"));
    }

    #[test]
    fn a_kind_that_the_kernel_lacks() {
        let call = Call {
            source: Source::Process(1),
            kinds: vec![Kind::Time],
        };
        let seen = Seen {
            lacks_kind: true,
            ..NOTHING
        };
        let text = explain(Errno::INVAL, &call, Implementation::Kernel, false, &seen);
        assert!(text.contains("reason: a kind that"), "{text}");
    }

    #[test]
    fn the_wrong_file_is_the_only_reason() {
        let call = Call {
            source: Source::File("whatever".into()),
            kinds: vec![Kind::Mnt],
        };
        let text = |path| {
            let file = File::open(path).unwrap();
            let seen = Seen::look(&call, file.as_fd());
            explain(Errno::INVAL, &call, Implementation::Kernel, false, &seen)
        };
        for path in ["/proc/self/ns/uts", "/dev/null"] {
            assert!(text(path).contains("reason: the file is not"), "{path}");
        }
        let right = text("/proc/self/ns/mnt");
        assert!(
            right.contains("CLONE_FS") && !right.contains("the file"),
            "{right}"
        );
    }
}
