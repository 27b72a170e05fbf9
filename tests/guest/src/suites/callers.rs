// SPDX-License-Identifier: GPL-2.0-only

//! The states of callers with which the suites matrix, unshare and clone cross their calls.

use super::named_enum::named_enum;
use crate::{
    case::{
        implementation::{Kind, all_kinds},
        target::USER,
    },
    process::{creds, setup::Setup},
};

named_enum! {
    /// The state of a caller.
    enum Caller {
        Root = "root",
        WithoutSysAdmin = "root without CAP_SYS_ADMIN",
        WithoutSysChroot = "root without CAP_SYS_CHROOT",
        WithoutSysPtrace = "root without CAP_SYS_PTRACE",
        WithoutCapabilities = "root without capabilities",
        User = "uid 1000",
        RootBelow = "root in a child user namespace",
        UserRootBelow = "uid 1000 in a child user namespace",
        Unmapped = "an unmapped user",
        InNamespacesOfItsOwn = "root in new namespaces of all kinds but user",
        ThreadOfTwo = "a thread of two",
        SharingFs = "a CLONE_FS sharer",
        SharingFiles = "a CLONE_FILES sharer",
        SharingMemory = "a CLONE_VM sharer",
        SharingSighand = "a CLONE_SIGHAND sharer",
        ChildOfVfork = "a vfork child",
        Chrooted = "a chrooted root",
        NoNewPrivs = "root with no_new_privs",
        WithSemaphores = "root with semaphores to undo",
        WithPidForChildren = "root whose children are in a new pid namespace",
        WithTimeForChildren = "root whose children are in a new time namespace",
        Limited = "root in a child user namespace with limits of 0",
    }
}

impl Caller {
    /// Returns the callers of setns(2).
    pub(super) fn of_setns() -> impl Iterator<Item = Self> {
        Self::ALL.into_iter().filter(|caller| {
            !matches!(
                caller,
                Self::Unmapped
                    | Self::SharingFiles
                    | Self::SharingSighand
                    | Self::WithPidForChildren
                    | Self::WithTimeForChildren
                    | Self::Limited
            )
        })
    }

    /// Returns the callers of unshare(2) and clone(2), beside root.
    pub(super) fn of_creation() -> impl Iterator<Item = Self> {
        Self::ALL.into_iter().filter(|caller| {
            !matches!(
                caller,
                Self::Root | Self::WithoutSysChroot | Self::WithoutSysPtrace
            )
        })
    }

    /// Returns the setups that lead to the state.
    pub(super) fn setups(self) -> Vec<Setup> {
        const USERS: u32 = Kind::User.flag();
        match self {
            Self::Root => vec![],
            Self::WithoutSysAdmin => vec![Setup::KeepCaps(!creds::SYS_ADMIN)],
            Self::WithoutSysChroot => vec![Setup::KeepCaps(!creds::SYS_CHROOT)],
            Self::WithoutSysPtrace => vec![Setup::KeepCaps(!creds::SYS_PTRACE)],
            Self::WithoutCapabilities => vec![Setup::KeepCaps(creds::NONE)],
            Self::User => vec![Setup::SetIds(USER)],
            Self::RootBelow => vec![Setup::Unshare(USERS), Setup::MapRoot],
            Self::UserRootBelow => vec![Setup::SetIds(USER), Setup::Unshare(USERS), Setup::MapRoot],
            Self::Unmapped => vec![Setup::Unshare(USERS)],
            Self::InNamespacesOfItsOwn => vec![Setup::Unshare(all_kinds() & !USERS), Setup::Fork],
            Self::ThreadOfTwo => vec![Setup::Thread],
            Self::SharingFs => vec![Setup::ShareFs],
            Self::SharingFiles => vec![Setup::ShareFiles],
            Self::SharingMemory => vec![Setup::ShareVm],
            Self::SharingSighand => vec![Setup::ShareSighand],
            Self::ChildOfVfork => vec![Setup::Vfork],
            Self::Chrooted => vec![
                Setup::Chdir("/tmp/nsproxy-tests-cwd".into()),
                Setup::Chroot("/tmp/nsproxy-tests-root".into()),
            ],
            Self::NoNewPrivs => vec![Setup::NoNewPrivs],
            Self::WithSemaphores => vec![Setup::RaiseSemaphore],
            Self::WithPidForChildren => vec![Setup::Unshare(Kind::Pid.flag())],
            Self::WithTimeForChildren => vec![Setup::Unshare(Kind::Time.flag())],
            Self::Limited => vec![
                Setup::Unshare(USERS),
                Setup::MapRoot,
                Setup::Limit(all_kinds(), 0),
            ],
        }
    }
}
