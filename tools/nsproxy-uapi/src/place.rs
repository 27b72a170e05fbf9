// SPDX-License-Identifier: GPL-2.0-only

//! The places in the kernel's source of the checks behind each [`Reason`].
//!
//! `docs/checks.md` lists them in order. `make check` compares them with the kernel's source.

use crate::{Kind, Reason};
use std::fmt;

/// A check in the kernel's source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The expression, as it appears in the source.
    pub check: &'static str,
    /// The function that evaluates it.
    pub function: &'static str,
    /// The file of that function, from the top of the tree.
    pub file: &'static str,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            check,
            function,
            file,
        } = self;
        write!(f, "{check} in {function}(), {file}")
    }
}

/// The `install()` of a kind, with its two checks of `CAP_SYS_ADMIN`.
struct Install {
    function: &'static str,
    file: &'static str,
    /// The check in the user namespace that owns the namespace.
    owner: &'static str,
    /// The check in the user namespace of the set.
    set: &'static str,
}

/// `mntns_install()` has shorter names than the others.
const OF_SET: &str = "ns_capable(nsset->cred->user_ns, CAP_SYS_ADMIN)";

const fn install(kind: Kind) -> Install {
    let (function, file, owner, set) = match kind {
        Kind::User => (
            "userns_install",
            "kernel/user_namespace.c",
            "ns_capable(user_ns, CAP_SYS_ADMIN)",
            "ns_capable(user_ns, CAP_SYS_ADMIN)",
        ),
        Kind::Mnt => (
            "mntns_install",
            "fs/namespace.c",
            "ns_capable(mnt_ns->user_ns, CAP_SYS_ADMIN)",
            "ns_capable(user_ns, CAP_SYS_ADMIN)",
        ),
        Kind::Uts => (
            "utsns_install",
            "kernel/utsname.c",
            "ns_capable(ns->user_ns, CAP_SYS_ADMIN)",
            OF_SET,
        ),
        Kind::Ipc => (
            "ipcns_install",
            "ipc/namespace.c",
            "ns_capable(ns->user_ns, CAP_SYS_ADMIN)",
            OF_SET,
        ),
        Kind::Pid => (
            "pidns_install",
            "kernel/pid_namespace.c",
            "ns_capable(new->user_ns, CAP_SYS_ADMIN)",
            OF_SET,
        ),
        Kind::Cgroup => (
            "cgroupns_install",
            "kernel/cgroup/namespace.c",
            "ns_capable(cgroup_ns->user_ns, CAP_SYS_ADMIN)",
            OF_SET,
        ),
        Kind::Net => (
            "netns_install",
            "net/core/net_namespace.c",
            "ns_capable(net->user_ns, CAP_SYS_ADMIN)",
            OF_SET,
        ),
        Kind::Time => (
            "timens_install",
            "kernel/time/namespace.c",
            "ns_capable(ns->user_ns, CAP_SYS_ADMIN)",
            OF_SET,
        ),
    };
    Install {
        function,
        file,
        owner,
        set,
    }
}

impl Reason {
    /// Returns where the kernel makes this check. `kind` is that of the namespace which was refused.
    ///
    /// [`None`] where no such place exists: a check of the 2011 path, or a check of `install()` without a
    /// kind.
    pub fn place(self, kind: Option<Kind>) -> Option<Place> {
        let nsproxy = |function, check| {
            Some(Place {
                check,
                function,
                file: "kernel/nsproxy.c",
            })
        };
        let installing = |kind: Option<Kind>, check: fn(&Install) -> &'static str| {
            let install = install(kind?);
            Some(Place {
                check: check(&install),
                function: install.function,
                file: install.file,
            })
        };
        match self {
            Self::BadFd => nsproxy("setns", "fd_empty(f)"),
            Self::Neither => nsproxy("setns", "pidfd_pid(fd_file(f))"),
            Self::NsType => nsproxy("setns", "ns->ns_type != flags"),
            Self::NoFlags => nsproxy("check_setns_flags", "!flags"),
            Self::UnknownFlags => nsproxy("check_setns_flags", "flags & ~CLONE_NS_ALL"),
            Self::Unsupported => nsproxy("check_setns_flags", "#ifndef CONFIG_"),
            Self::NoNsProxy => nsproxy("create_nsproxy", "kmem_cache_alloc(nsproxy_cachep"),
            Self::NoCred => nsproxy("prepare_nsset", "prepare_creds()"),
            Self::NoFs => nsproxy("prepare_nsset", "copy_fs_struct(me->fs)"),
            Self::Reaped => nsproxy("validate_nsset", "pid_task(pid, PIDTYPE_PID)"),
            Self::Ptrace => nsproxy(
                "validate_nsset",
                "ptrace_may_access(tsk, PTRACE_MODE_READ_REALCREDS)",
            ),
            Self::Exiting => nsproxy("validate_nsset", "nsp = tsk->nsproxy"),
            Self::NoPidNs => nsproxy("validate_nsset", "task_active_pid_ns(tsk)"),
            Self::CapOwner => installing(kind, |install| install.owner),
            Self::CapSet => installing(kind, |install| install.set),
            Self::Chroot => installing(Some(Kind::Mnt), |_| "ns_capable(user_ns, CAP_SYS_CHROOT)"),
            Self::CapUser => installing(Some(Kind::User), |install| install.owner),
            Self::Anonymous => installing(Some(Kind::Mnt), |_| "is_anon_ns(mnt_ns)"),
            Self::FsShared => {
                let asks = |kind: &Kind| matches!(kind, Kind::Mnt | Kind::User);
                installing(kind.filter(asks), |_| "current->fs->users != 1")
            }
            Self::Root => installing(Some(Kind::Mnt), |_| "vfs_path_lookup"),
            Self::NotBelow => installing(Some(Kind::Pid), |_| "pidns_is_ancestor(new, active)"),
            Self::SameUser => installing(Some(Kind::User), |_| "user_ns == current_user_ns()"),
            Self::Threads => installing(Some(Kind::User), |_| "thread_group_empty(current)"),
            Self::Ucounts => installing(Some(Kind::User), |_| "set_cred_ucounts(cred)"),
            Self::MmShared => installing(Some(Kind::Time), |_| "current_is_single_threaded()"),
            Self::CapInit | Self::NoNs => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_reads_as_in_the_source() {
        let place = |reason: Reason, kind| reason.place(kind).map(|place| place.to_string());
        assert_eq!(
            place(Reason::CapOwner, Some(Kind::Net)).unwrap(),
            "ns_capable(net->user_ns, CAP_SYS_ADMIN) in netns_install(), net/core/net_namespace.c"
        );
        assert_eq!(
            place(Reason::NoFlags, None).unwrap(),
            "!flags in check_setns_flags(), kernel/nsproxy.c"
        );
        assert_eq!(place(Reason::CapOwner, None), None);
        assert_eq!(place(Reason::CapInit, Some(Kind::Net)), None);
        assert_eq!(place(Reason::FsShared, Some(Kind::Net)), None);
        assert!(place(Reason::FsShared, Some(Kind::Mnt)).is_some());
    }
}
