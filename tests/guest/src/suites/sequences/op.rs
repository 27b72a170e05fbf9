// SPDX-License-Identifier: GPL-2.0-only

//! A sequence is data: what is done, and by which of a handful of processes.
//!
//! Whatever does not apply (the process is not there, the handle is not open) does nothing, in
//! both worlds: so any part of a sequence is a sequence, and shrinking works.

use crate::{
    case::implementation::{Kind, kinds_word},
    process::caps,
    snapshot::LINKS,
};
use std::fmt;

/// How many processes there can be at a time.
pub(super) const PROCS: u8 = 5;
/// How many of them are there from the start, as root where the test is.
pub(super) const BORN: u8 = 3;
/// How many handles on namespaces can be open at a time.
pub(super) const HANDLES: u8 = 3;
/// How many handles on processes.
pub(super) const PIDFDS: u8 = 2;
/// How many places a namespace can be mounted at.
pub(super) const PINS: u8 = 2;
/// How many directories there are to go to.
pub(super) const DIRS: u8 = 2;
/// How many cgroups there are to be in.
pub(super) const CGROUPS: u8 = 2;

macro_rules! numbered {
    ($($(#[$doc:meta])* $name:ident $letter:literal $count:expr;)*) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Copy, Debug, PartialEq, Eq)]
            pub(super) struct $name(pub(super) u8);

            impl $name {
                /// What it is called, before its number.
                pub(super) const LETTER: char = $letter;
                /// How many there are.
                pub(super) const COUNT: u8 = $count;
            }

            impl fmt::Display for $name {
                fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                    write!(f, "{}{}", Self::LETTER, self.0)
                }
            }
        )*
    };
}

numbered! {
    /// A process, or the place for one.
    Proc 'p' PROCS;
    /// A file descriptor of a namespace, or the place for one.
    Handle 'h' HANDLES;
    /// A pidfd that is kept, or the place for one.
    Pidfd 'f' PIDFDS;
    /// A file that a namespace can be mounted at.
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

    /// The kind of namespace behind it.
    pub(super) fn kind(self) -> Kind {
        let name = self.name().trim_end_matches("_for_children");
        let found = Kind::ALL.into_iter().find(|kind| kind.name() == name);
        found.expect("each link is of a kind")
    }
}

/// What is opened, to be kept or to be handed to setns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// `/proc/PID/ns/LINK`
    Link(Proc, Link),
    /// A pidfd that was opened when the process was born.
    Process(Proc),
    /// What is open there.
    Handle(Handle),
    Pidfd(Pidfd),
    /// `NS_GET_USERNS` of a handle.
    Owner(Handle),
    /// `NS_GET_PARENT` of a handle.
    Parent(Handle),
    /// What is mounted there.
    Pin(Pin),
    /// `/proc/PID`, which is neither a namespace nor a pidfd.
    Directory(Proc),
    /// A number with no file behind it.
    Closed,
}

/// A capability that setns may ask for, to be lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cap {
    SysAdmin,
    SysChroot,
    SysPtrace,
    All,
}

impl Cap {
    pub(super) const EVERY: [Self; 4] =
        [Self::SysAdmin, Self::SysChroot, Self::SysPtrace, Self::All];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::SysAdmin => "sys_admin",
            Self::SysChroot => "sys_chroot",
            Self::SysPtrace => "sys_ptrace",
            Self::All => "all",
        }
    }

    /// The bits that stay.
    pub(super) fn others(self) -> u64 {
        match self {
            Self::SysAdmin => !caps::SYS_ADMIN,
            Self::SysChroot => !caps::SYS_CHROOT,
            Self::SysPtrace => !caps::SYS_PTRACE,
            Self::All => caps::NONE,
        }
    }
}

/// What a process does to its own state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Act {
    /// `unshare()`, with `CLONE_NEW*`.
    Unshare(u32),
    /// Maps the user that it is to root, in a user namespace that it just made.
    MapRoot,
    /// Becomes the user without rights.
    BecomeUser,
    /// Loses a capability.
    Drop(Cap),
    /// Sets a secure bit, which a change of user namespace clears.
    SecureBit,
    /// Starts a second thread, which sleeps.
    Thread,
    Chroot(Dir),
    Chdir(Dir),
    /// Raises the semaphore of its ipc namespace, to be undone when it leaves.
    Raise,
    /// Sets the host name to one with that number.
    Hostname(u8),
    /// Sets the offset of the clocks for children in a new time namespace, in seconds.
    Clocks(u8),
    /// Mounts a tmpfs.
    Mount,
}

/// One operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Op {
    /// A process changes its own state.
    Do(Proc, Act),
    /// A process calls setns, the one way or the other. `nstype` is 0 or `CLONE_NEW*`.
    Setns {
        proc: Proc,
        to: Source,
        nstype: u32,
    },
    /// A process forks, if there is room for the child.
    Fork {
        proc: Proc,
        child: Proc,
        /// `CLONE_FS`: root and working directory are shared.
        share_fs: bool,
    },
    /// A process ends. One that was there from the start stays a zombie.
    Exit(Proc),
    /// A handle on a namespace is opened and kept, in the place of what was there.
    Open(Handle, Source),
    /// The same for a process.
    OpenPidfd(Pidfd, Proc),
    Close(Handle),
    /// A namespace is mounted, which keeps it.
    Pin(Handle, Pin),
    Unpin(Pin),
    /// A process is put into a cgroup.
    Move(Proc, Cgroup),
}

impl Source {
    /// In words.
    fn words(self) -> String {
        match self {
            Self::Link(proc, link) => format!("ns/{} of {proc}", link.name()),
            Self::Process(proc) => format!("pidfd of {proc}"),
            Self::Handle(handle) => format!("{handle}"),
            Self::Pidfd(pidfd) => format!("{pidfd}"),
            Self::Owner(handle) => format!("owner of {handle}"),
            Self::Parent(handle) => format!("parent of {handle}"),
            Self::Pin(pin) => format!("what is mounted at {pin}"),
            Self::Directory(proc) => format!("/proc directory of {proc}"),
            Self::Closed => "no file".to_owned(),
        }
    }
}

impl Act {
    fn words(self) -> String {
        match self {
            Self::Unshare(flags) => format!("unshares {}", kinds_word(flags)),
            Self::MapRoot => "maps itself to root".to_owned(),
            Self::BecomeUser => "becomes the user without rights".to_owned(),
            Self::Drop(Cap::All) => "drops all capabilities".to_owned(),
            Self::Drop(cap) => format!("drops CAP_{}", cap.name().to_uppercase()),
            Self::SecureBit => "sets a secure bit".to_owned(),
            Self::Thread => "starts a thread".to_owned(),
            Self::Chroot(dir) => format!("takes {dir} as its root"),
            Self::Chdir(dir) => format!("goes to {dir}"),
            Self::Raise => "raises the semaphore, with undo".to_owned(),
            Self::Hostname(n) => format!("sets host name {n}"),
            Self::Clocks(seconds) => format!("sets its children's clocks to +{seconds} s"),
            Self::Mount => "mounts a tmpfs".to_owned(),
        }
    }
}

impl Op {
    /// The operation in words, for people; see [`super::text`] for what can be typed.
    pub(super) fn words(self) -> String {
        match self {
            Self::Do(proc, act) => format!("{proc} {}", act.words()),
            Self::Setns { proc, to, nstype } => {
                let kinds = if nstype == 0 {
                    "0".to_owned()
                } else {
                    kinds_word(nstype)
                };
                format!("{proc} calls setns({}, {kinds})", to.words())
            }
            Self::Fork {
                proc,
                child,
                share_fs,
            } => {
                let how = if share_fs { " with CLONE_FS" } else { "" };
                format!("{proc} forks {child}{how}")
            }
            Self::Exit(proc) => format!("{proc} exits"),
            Self::Open(handle, source) => format!("{handle} becomes {}", source.words()),
            Self::OpenPidfd(pidfd, proc) => format!("{pidfd} becomes a pidfd of {proc}"),
            Self::Close(handle) => format!("{handle} is closed"),
            Self::Pin(handle, pin) => format!("{handle} is mounted at {pin}"),
            Self::Unpin(pin) => format!("{pin} is unmounted"),
            Self::Move(proc, cgroup) => format!("{proc} moves to {cgroup}"),
        }
    }
}
