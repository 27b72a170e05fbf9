// SPDX-License-Identifier: GPL-2.0-only

//! The situations in which calls are made, their allowed outcomes, and other events.

use crate::errno::{Code, Outcome};
use std::fmt;

macro_rules! list {
    ($(#[$doc:meta])* $name:ident { $($(#[$of:meta])* $variant:ident: $word:literal $(=> $may:expr)?,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(super) enum $name {
            $($(#[$of])* $variant,)*
        }

        impl $name {
            /// Every variant, in order.
            pub(super) const ALL: &[Self] = &[$(Self::$variant,)*];
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(match self { $(Self::$variant => $word,)* })
            }
        }

        list!(@may $name { $($variant $(=> $may)?,)* });
    };
    (@may $name:ident { $($variant:ident => $may:expr,)* }) => {
        impl $name {
            /// Returns the outcomes that are allowed.
            pub(super) fn allowed(self) -> &'static [Outcome] {
                match self { $(Self::$variant => $may,)* }
            }
        }
    };
    (@may $name:ident { $($variant:ident,)* }) => {};
}

list! {
    /// The situation in which a call is made. Only the outcomes that `setns(2)` documents for it
    /// are allowed.
    Situation {
        Stays: "a permanent namespace" => &[Ok(())],
        /// `ESRCH`: the nsproxy or the task no longer exists: `validate_nsset()`.
        Moving: "a task that switches itself" => &[Ok(()), Err(Code::ESRCH)],
        Dying: "a task that is being killed" => &[Ok(()), Err(Code::ESRCH)],
        /// `EPERM`: it has new credentials, or access is denied: `ptrace_may_access()` in
        /// `validate_nsset()`.
        Executing: "a task that executes another program"
            => &[Ok(()), Err(Code::EPERM), Err(Code::ESRCH)],
        /// Root and working directory are shared at the moment of the check, or are not:
        /// `mntns_install()`.
        SharedRoot: "while root and working directory are shared, or just were"
            => &[Ok(()), Err(Code::EINVAL)],
        /// `ESRCH`: as for `Moving`, by a pidfd. `mntns_install()` finds a root under any mounts.
        Mounting: "a mount namespace that changes" => &[Ok(()), Err(Code::ESRCH)],
        UserFirst: "a user namespace, the first time" => &[Ok(())],
        /// `userns_install()`.
        UserAgain: "the caller's own user namespace" => &[Err(Code::EINVAL)],
        /// As above, by a pidfd: `EPERM` once it has no memory that it shares with its user.
        UserDying: "a user namespace of a task that is being killed"
            => &[Ok(()), Err(Code::EPERM), Err(Code::ESRCH)],
        /// The thread group is alone at the moment of the check, or is not: `timens_install()`.
        Threads: "while a thread starts or ends" => &[Ok(()), Err(Code::EUSERS)],
        Fresh: "a time namespace, by a new process" => &[Ok(())],
        LastReference: "dropping the last reference" => &[Ok(())],
        /// `ESRCH`: the pid namespace no longer exists, or as for `Moving`: `validate_nsset()`.
        Reaper: "a pid namespace whose init is being killed" => &[Ok(()), Err(Code::ESRCH)],
    }
}

list! {
    /// Events that are counted besides calls.
    Event {
        Look: "links read",
        Open: "namespaces opened",
        List: "lists read",
        Kill: "processes killed",
        Zombie: "zombies met",
        Reaped: "reaped processes met",
        Mount: "mounts made",
        Fork: "processes forked",
        NoChild: "forks into a dead pid namespace refused",
        Unload: "unloads",
        Busy: "unloads refused",
        Absent: "opens without a device",
        Exit: "threads ended",
    }
}
