// SPDX-License-Identifier: GPL-2.0-only

//! The operations of a sequence, as data.
//!
//! An operation that does not apply does nothing, in both worlds: its process does not exist, or its
//! handle is not open. So any part of a sequence is a sequence, and can be tried when shrinking.

use super::super::named_enum::named_enum;
use crate::{case::implementation::Kind, process::creds, snapshot::LINKS};
use anyhow::{Context as _, Result, ensure};
use nsproxy_uapi::clone_flags::UNSHARE_EMPTY_MNTNS;
use std::{fmt, str::FromStr};

/// The most processes at a time.
pub(super) const PROCS: u8 = 5;
/// The number of processes at the start, which are root in the namespaces of the world.
pub(super) const FIRST: u8 = 3;
/// The most open handles on namespaces.
pub(super) const HANDLES: u8 = 3;
/// The most open pidfds.
pub(super) const PIDFDS: u8 = 2;
/// The number of files to mount namespaces on.
pub(super) const PINS: u8 = 2;
/// The number of directories.
pub(super) const DIRS: u8 = 2;
/// The number of cgroups.
pub(super) const CGROUPS: u8 = 2;

/// A number with a letter before it: `p0`.
pub(super) trait Numbered: fmt::Debug + Clone {
    const LETTER: char;
    /// Numbers are less than this.
    const COUNT: u8;
}

macro_rules! numbered {
    ($($(#[$doc:meta])* $name:ident $letter:literal $count:expr;)*) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Copy, Debug, PartialEq, Eq)]
            pub(super) struct $name(pub(super) u8);

            impl Numbered for $name {
                const LETTER: char = $letter;
                const COUNT: u8 = $count;
            }

            impl fmt::Display for $name {
                fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                    write!(f, "{}{}", Self::LETTER, self.0)
                }
            }

            impl FromStr for $name {
                type Err = anyhow::Error;

                fn from_str(text: &str) -> Result<Self> {
                    parse_number::<Self>(text).map(Self)
                }
            }
        )*
    };
}

fn parse_number<T: Numbered>(text: &str) -> Result<u8> {
    let number = text.strip_prefix(T::LETTER);
    let number = number
        .and_then(|number| number.parse().ok())
        .with_context(|| format!("{text:?} is not {} and a number", T::LETTER))?;
    ensure!(number < T::COUNT, "{text:?}: there are only {}", T::COUNT);
    Ok(number)
}

numbered! {
    /// The slot of a process.
    Proc 'p' PROCS;
    /// The slot of a file descriptor of a namespace.
    Handle 'h' HANDLES;
    /// The slot of a pidfd.
    Pidfd 'f' PIDFDS;
    /// A file to mount a namespace on.
    Pin 'm' PINS;
    /// A directory.
    Dir 'd' DIRS;
    /// A cgroup.
    Cgroup 'c' CGROUPS;
}

/// One of the files of `/proc/PID/ns`, by its index in [`LINKS`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Link(pub(super) u8);

impl Link {
    pub(super) fn name(self) -> &'static str {
        LINKS[usize::from(self.0)]
    }

    /// Returns the kind of the namespace.
    pub(super) fn kind(self) -> Kind {
        let name = self.name().trim_end_matches("_for_children");
        let found = Kind::ALL.into_iter().find(|kind| kind.name() == name);
        found.expect("each link is of a kind")
    }
}

/// A file to keep open, or to pass to setns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// `/proc/PID/ns/LINK`
    Link(Proc, Link),
    /// The pidfd that was opened when the process started.
    Process(Proc),
    /// The file that is open in the slot.
    Handle(Handle),
    Pidfd(Pidfd),
    /// `NS_GET_USERNS` of a handle.
    Owner(Handle),
    /// `NS_GET_PARENT` of a handle.
    Parent(Handle),
    /// The namespace that is mounted there.
    Pin(Pin),
    /// `/proc/PID`, which is neither a namespace nor a pidfd.
    Directory(Proc),
    /// A file descriptor that is not open.
    Closed,
}

named_enum! {
    /// A capability to drop, of those that setns checks.
    enum Cap {
        SysAdmin = "sys_admin",
        SysChroot = "sys_chroot",
        SysPtrace = "sys_ptrace",
        Every = "all",
    }
}

impl Cap {
    /// Returns the bits of the other capabilities.
    pub(super) fn others(self) -> u64 {
        match self {
            Self::SysAdmin => !creds::SYS_ADMIN,
            Self::SysChroot => !creds::SYS_CHROOT,
            Self::SysPtrace => !creds::SYS_PTRACE,
            Self::Every => creds::NONE,
        }
    }
}

/// Flags of unshare(2) that are no kinds, with their names in the text.
pub(super) const UNSHARE_FLAGS: &[(&str, u64)] = &[
    ("fs", libc::CLONE_FS as u64),
    ("files", libc::CLONE_FILES as u64),
    ("sysvsem", libc::CLONE_SYSVSEM as u64),
    ("thread", libc::CLONE_THREAD as u64),
    ("sighand", libc::CLONE_SIGHAND as u64),
    ("vm", libc::CLONE_VM as u64),
    ("empty", UNSHARE_EMPTY_MNTNS),
];
/// Those that a fork can have as well: they share no memory.
pub(super) const FORK_FLAGS: &[(&str, u64)] = UNSHARE_FLAGS.split_at(3).0;

/// A change that a process makes to its own state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Act {
    /// unshare(2), with `CLONE_NEW*` and [`UNSHARE_FLAGS`].
    Unshare(u64),
    /// Executes this program, which continues.
    Execute,
    /// Has its system calls served from now on, or not any more, where the module makes the calls.
    Serve(bool),
    /// Maps its user to root, in a user namespace that it just created.
    MapRoot,
    /// Becomes the unprivileged user.
    BecomeUser,
    /// Drops a capability.
    Drop(Cap),
    /// Sets a secure bit, which entering a user namespace clears.
    SecureBit,
    /// Starts a second thread, which sleeps.
    Thread,
    Chroot(Dir),
    Chdir(Dir),
    /// Raises the semaphore of its ipc namespace with `SEM_UNDO`.
    Raise,
    /// Sets the host name, which contains the number.
    Hostname(u8),
    /// Sets the clock offset of its new time namespace for children, in seconds.
    Clocks(u8),
    /// Mounts a tmpfs.
    Mount,
    /// Opens a file, and keeps it open.
    Keep,
    /// Allows no more namespaces in its user namespace. Leaves the initial one before.
    Limit,
}

/// One operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Op {
    /// A process changes its own state.
    Do(Proc, Act),
    /// A process calls setns. `nstype` is 0 or `CLONE_NEW*`.
    Setns {
        proc: Proc,
        to: Source,
        nstype: u32,
    },
    /// A process forks, if the slot of the child is free.
    Fork {
        proc: Proc,
        child: Proc,
        /// `CLONE_NEW*` and [`FORK_FLAGS`].
        flags: u64,
    },
    /// A process exits. One of the first [`FIRST`] processes stays a zombie.
    Exit(Proc),
    /// The root opens a file in the slot of a handle, and closes the old one.
    Open(Handle, Source),
    /// The root opens a pidfd.
    OpenPidfd(Pidfd, Proc),
    Close(Handle),
    /// The root mounts a namespace, which keeps it alive.
    Pin(Handle, Pin),
    Unpin(Pin),
    /// The root moves a process to a cgroup.
    Move(Proc, Cgroup),
}
