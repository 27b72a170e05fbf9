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

/// The function that creates a namespace of a kind.
struct Create {
    function: &'static str,
    file: &'static str,
    /// The check of the limit.
    limit: &'static str,
}

const fn create(kind: Kind) -> Create {
    let (function, file, limit) = match kind {
        Kind::User => (
            "create_user_ns",
            "kernel/user_namespace.c",
            "inc_user_namespaces(parent_ns, owner)",
        ),
        Kind::Mnt => (
            "alloc_mnt_ns",
            "fs/namespace.c",
            "inc_mnt_namespaces(user_ns)",
        ),
        Kind::Uts => (
            "clone_uts_ns",
            "kernel/utsname.c",
            "inc_uts_namespaces(user_ns)",
        ),
        Kind::Ipc => (
            "create_ipc_ns",
            "ipc/namespace.c",
            "inc_ipc_namespaces(user_ns)",
        ),
        Kind::Pid => (
            "create_pid_namespace",
            "kernel/pid_namespace.c",
            "inc_pid_namespaces(user_ns)",
        ),
        Kind::Cgroup => (
            "copy_cgroup_ns",
            "kernel/cgroup/namespace.c",
            "inc_cgroup_namespaces(user_ns)",
        ),
        Kind::Net => (
            "copy_net_ns",
            "net/core/net_namespace.c",
            "inc_net_namespaces(user_ns)",
        ),
        Kind::Time => (
            "clone_time_ns",
            "kernel/time/namespace.c",
            "inc_time_namespaces(user_ns)",
        ),
    };
    Create {
        function,
        file,
        limit,
    }
}

impl Reason {
    /// Returns where the kernel makes this check. `kind` is that of the namespace which was refused.
    ///
    /// [`None`] where no such place exists: a check of the 2011 path, a check that a kind makes while
    /// `kind` is unknown, or a failure without a check.
    pub fn place(self, kind: Option<Kind>) -> Option<Place> {
        let nsproxy = |function, check| {
            Some(Place {
                check,
                function,
                file: "kernel/nsproxy.c",
            })
        };
        let fork = |function, check| {
            Some(Place {
                check,
                function,
                file: "kernel/fork.c",
            })
        };
        let creating = |kind: Option<Kind>, check: fn(&Create) -> &'static str| {
            let create = create(kind?);
            Some(Place {
                check: check(&create),
                function: create.function,
                file: create.file,
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
            Self::UsernsOff => fork("ksys_unshare", "!unprivileged_userns_clone"),
            Self::UnshareFlags => fork("check_unshare_flags", "unshare_flags & ~(CLONE_THREAD"),
            Self::UnshareThreads => fork("check_unshare_flags", "thread_group_empty(current)"),
            Self::SighandShared => fork(
                "check_unshare_flags",
                "refcount_read(&current->sighand->count) > 1",
            ),
            Self::VmShared => fork("check_unshare_flags", "current_is_single_threaded()"),
            Self::NoFiles => fork("unshare_fd", "dup_fd(fd, NULL)"),
            Self::NewUcounts => fork("ksys_unshare", "set_cred_ucounts(new_cred)"),
            Self::CapNew => nsproxy(
                "unshare_nsproxy_namespaces",
                "ns_capable(user_ns, CAP_SYS_ADMIN)",
            ),
            Self::Limit => creating(kind, |create| create.limit),
            Self::Nested => match kind {
                Some(Kind::User) => creating(kind, |_| "parent_ns->level > 32"),
                Some(Kind::Pid) => creating(kind, |_| "level > MAX_PID_NS_LEVEL"),
                _ => None,
            },
            Self::Chrooted => creating(Some(Kind::User), |_| "current_chrooted()"),
            Self::Unmapped => creating(Some(Kind::User), |_| "kuid_has_mapping(parent_ns, owner)"),
            Self::Lsm => creating(Some(Kind::User), |_| "security_create_user_ns(new)"),
            Self::PidForChildren => Some(Place {
                check: "task_active_pid_ns(current) != old_ns",
                function: "copy_pid_ns",
                file: "kernel/pid_namespace.c",
            }),
            Self::PidOwner => creating(
                Some(Kind::Pid),
                |_| "in_userns(parent_pid_ns->user_ns, user_ns)",
            ),
            Self::NoNewNs => None,
            Self::CloneFlags => fork("clone3_args_valid", "kargs->flags & (CLONE_DETACHED"),
            Self::CloneFs => fork("copy_process", "clone_flags & (CLONE_NEWNS"),
            Self::CloneParent => fork("copy_process", "current->signal->flags & SIGNAL_UNKILLABLE"),
            Self::CloneThread => fork(
                "copy_process",
                "task_active_pid_ns(current) != nsp->pid_ns_for_children",
            ),
            Self::CloneSysvsem => nsproxy("copy_namespaces", "flags & (CLONE_NEWIPC"),
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
