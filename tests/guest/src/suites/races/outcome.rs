// SPDX-License-Identifier: GPL-2.0-only

//! The situations in which calls are made, their allowed outcomes, and other events.

use super::super::named_enum::named_enum;
use crate::{
    case::implementation::{Entry, EntryOf, SystemCall},
    errno::{Code, Outcome},
};

named_enum! {
    /// The situation in which a call is made.
    enum Situation {
        Stays = "a permanent namespace",
        /// `ESRCH`: the nsproxy or the task no longer exists: `validate_nsset()`.
        Moving = "a task that switches itself",
        /// `ESRCH`: as for `Moving`.
        Dying = "a task that is being killed",
        /// `EPERM`: it has new credentials, or access is denied: `ptrace_may_access()` in
        /// `validate_nsset()`.
        Executing = "a task that executes another program",
        /// `EINVAL`: root and working directory are shared at the moment of the check:
        /// `mntns_install()`.
        SharedRoot = "while root and working directory are shared, or just were",
        /// `ESRCH`: as for `Moving`, by a pidfd. `mntns_install()` finds a root under any mounts.
        Mounting = "a mount namespace that changes",
        UserFirst = "a user namespace, the first time",
        /// `EINVAL`: `userns_install()`.
        UserAgain = "the caller's own user namespace",
        /// `ESRCH`: as for `Moving`, by a pidfd. `EPERM`: the task has no memory any more, which would
        /// allow its user to access it.
        UserDying = "a user namespace of a task that is being killed",
        /// `EUSERS`: the thread group has a second thread at the moment of the check:
        /// `timens_install()`.
        Threads = "while a thread starts or ends",
        Fresh = "a time namespace, by a new process",
        LastReference = "dropping the last reference",
        Creates = "new namespaces",
        /// `EINVAL`: the thread group has a second thread at the moment of the check:
        /// `check_unshare_flags()`.
        CreatesBeside = "a new user namespace, while a thread starts or ends",
        /// `ESRCH`: the pid namespace no longer exists, or as for `Moving`: `validate_nsset()`.
        Reaper = "a pid namespace whose init is being killed",
    }
}

impl Situation {
    /// Returns an entry of the system call that is made, for messages.
    pub(super) fn by(self, entry: Entry) -> EntryOf {
        let call = match self {
            Self::Creates | Self::CreatesBeside => SystemCall::Unshare(0),
            _ => SystemCall::Setns,
        };
        EntryOf(entry, call)
    }

    /// Returns the outcomes that setns(2) or unshare(2) documents for the situation. No other is
    /// allowed.
    pub(super) fn allowed(self) -> &'static [Outcome] {
        match self {
            Self::Stays | Self::UserFirst | Self::Fresh | Self::LastReference | Self::Creates => {
                &[Ok(())]
            }
            Self::Moving | Self::Dying | Self::Mounting | Self::Reaper => {
                &[Ok(()), Err(Code::ESRCH)]
            }
            Self::Executing | Self::UserDying => &[Ok(()), Err(Code::EPERM), Err(Code::ESRCH)],
            Self::SharedRoot | Self::CreatesBeside => &[Ok(()), Err(Code::EINVAL)],
            Self::UserAgain => &[Err(Code::EINVAL)],
            Self::Threads => &[Ok(()), Err(Code::EUSERS)],
        }
    }
}

named_enum! {
    /// Events that are counted besides calls.
    enum Event {
        Look = "links read",
        Open = "namespaces opened",
        List = "lists read",
        Kill = "processes killed",
        Zombie = "zombies met",
        Reaped = "reaped processes met",
        Mount = "mounts made",
        Fork = "processes forked",
        NoChild = "forks into a dead pid namespace refused",
        Unload = "unloads",
        Busy = "unloads refused",
        Absent = "opens without a device",
        Exit = "threads ended",
        Clone = "tasks with new namespaces",
        Execute = "programs executed",
        Toggle = "starts and stops of serving",
        Served = "processes served",
        Done = "roles that unload ended",
    }
}
