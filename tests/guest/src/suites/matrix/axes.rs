// SPDX-License-Identifier: GPL-2.0-only

//! The axes of the matrix.

use super::super::{callers::Caller, named_enum::named_enum};
use crate::case::{
    FdSource, NsPath, Unrelated,
    implementation::{self, Kind},
    target::{Liveness, Target},
};

/// The callers for which the outcome depends on the set of kinds: one with all capabilities, one
/// that gains them with the user namespace, and two that only some kinds refuse.
pub(super) const CALLERS_OF_SETS: [Caller; 4] = [
    Caller::Root,
    Caller::WithoutCapabilities,
    Caller::ThreadOfTwo,
    Caller::SharingFs,
];

named_enum! {
    /// The relation of the target to the caller.
    enum Relation {
        Itself = "self",
        Parent = "parent",
        Child = "child",
        Sibling = "sibling in a user namespace of its own",
        SiblingOfInitial = "sibling in the initial user namespace",
        SiblingOfUser = "sibling of uid 1000",
        Stranger = "unrelated process",
        DeadKept = "dead process, kept by the fd",
        Zombie = "zombie",
        Reaped = "reaped process",
        Anonymous = "anonymous mount namespace",
    }
}

impl Relation {
    /// Returns the target to start, if it is a process besides the caller.
    pub(super) fn target(self) -> Option<Target> {
        let new = Target::in_all_new();
        match self {
            Self::Itself | Self::Parent | Self::Child | Self::Anonymous => None,
            Self::Sibling => Some(new),
            Self::SiblingOfInitial => Some(Target::in_new(
                implementation::all_kinds() & !Kind::User.flag(),
            )),
            Self::SiblingOfUser => Some(new.of_user()),
            Self::Stranger => Some(new.orphaned()),
            Self::DeadKept | Self::Reaped => Some(new.with_liveness(Liveness::Reaped)),
            Self::Zombie => Some(new.with_liveness(Liveness::Zombie)),
        }
    }

    /// Returns the file in `/proc/PID/ns`, or the reason why there is none.
    pub(super) fn nsfs(self, kind: Kind) -> Result<FdSource, &'static str> {
        let link = kind.name();
        match self {
            Self::Itself => Ok(FdSource::Own(link)),
            Self::Parent => Ok(FdSource::Home(link)),
            Self::Child => Ok(FdSource::Child(link)),
            Self::Sibling
            | Self::SiblingOfInitial
            | Self::SiblingOfUser
            | Self::Stranger
            | Self::DeadKept => Ok(FdSource::Target(link)),
            Self::Zombie | Self::Reaped => Err("a dead process has no files in /proc/PID/ns"),
            Self::Anonymous => Err("no file descriptor leads to an anonymous mount namespace"),
        }
    }

    /// Returns a pidfd, or the reason why there is none.
    pub(super) fn pidfd(self) -> Result<FdSource, &'static str> {
        match self {
            Self::Itself => Ok(FdSource::OwnPidfd),
            Self::Parent => Ok(FdSource::HomePidfd),
            Self::Child => Ok(FdSource::ChildPidfd),
            Self::Sibling
            | Self::SiblingOfInitial
            | Self::SiblingOfUser
            | Self::Stranger
            | Self::Zombie
            | Self::Reaped => Ok(FdSource::Pidfd),
            Self::DeadKept => Err("a pidfd keeps no namespace of a dead process"),
            Self::Anonymous => Err("no process is in an anonymous mount namespace"),
        }
    }
}

/// The paths to a namespace other than its file in `/proc`.
pub(super) const WAYS: [NsPath; 7] = [
    NsPath::OPath,
    NsPath::BindMount,
    NsPath::FileHandle,
    NsPath::PidfdIoctl,
    NsPath::Owner,
    NsPath::Parent,
    NsPath::Socket,
];

pub(super) fn way_name(way: NsPath) -> &'static str {
    match way {
        NsPath::OPath => "O_PATH",
        NsPath::BindMount => "bind mount",
        NsPath::FileHandle => "nsfs file handle",
        NsPath::PidfdIoctl => "PIDFD_GET_NAMESPACE",
        NsPath::Owner => "NS_GET_USERNS",
        NsPath::Parent => "NS_GET_PARENT",
        NsPath::Socket => "SIOCGSKNS",
    }
}

/// Returns the reason why a path does not lead to a namespace of that kind, if there is one.
pub(super) fn way_is_closed(way: NsPath, kind: Kind) -> Option<&'static str> {
    match way {
        NsPath::Parent if !matches!(kind, Kind::User | Kind::Pid) => {
            Some("only user and pid namespaces have parents")
        }
        NsPath::Socket if kind != Kind::Net => Some("a socket belongs to a network namespace only"),
        _ => None,
    }
}

/// The second argument of the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NsType {
    Zero,
    Right,
    Wrong(Kind),
    Several,
    JunkOne,
    JunkCloneVm,
    JunkSign,
    All,
    MinusOne,
}

impl NsType {
    /// One of each sort, for files that make the call fail before nstype is checked.
    pub(super) const SOME: [Self; 5] = [
        Self::Zero,
        Self::Right,
        Self::Several,
        Self::All,
        Self::MinusOne,
    ];

    /// Returns all values except 0.
    pub(super) fn other_than_zero(kind: Kind) -> impl Iterator<Item = Self> {
        let wrong = Kind::ALL.into_iter().filter(move |other| *other != kind);
        [Self::Right]
            .into_iter()
            .chain(wrong.map(Self::Wrong))
            .chain([
                Self::Several,
                Self::JunkOne,
                Self::JunkCloneVm,
                Self::JunkSign,
                Self::All,
                Self::MinusOne,
            ])
    }

    /// Returns the number, for a namespace of that kind.
    pub(super) fn number(self, kind: Kind) -> i32 {
        let right = kind.flag() as i32;
        match self {
            Self::Zero => 0,
            Self::Right => right,
            Self::Wrong(other) => other.flag() as i32,
            Self::Several => right | Kind::ALL[(kind as usize + 1) % Kind::ALL.len()].flag() as i32,
            Self::JunkOne => right | 1,
            Self::JunkCloneVm => right | libc::CLONE_VM,
            Self::JunkSign => right | i32::MIN,
            Self::All => implementation::all_kinds() as i32,
            Self::MinusOne => -1,
        }
    }

    /// Returns a name that is unique: it includes the wrong kind.
    pub(super) fn name_in_full(self) -> String {
        match self {
            Self::Wrong(other) => format!("of {}", other.name()),
            _ => self.name().to_owned(),
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Zero => "0",
            Self::Right => "right",
            Self::Wrong(_) => "of another kind",
            Self::Several => "of it and another",
            Self::JunkOne => "right with bit 0",
            Self::JunkCloneVm => "right with CLONE_VM",
            Self::JunkSign => "right with the sign",
            Self::All => "all",
            Self::MinusOne => "-1",
        }
    }
}

/// Returns files that are no namespace and no pidfd, by name.
pub(super) fn other_files() -> impl Iterator<Item = (&'static str, FdSource)> {
    let unrelated = Unrelated::ALL.map(|(name, file)| (name, FdSource::Unrelated(file)));
    [
        ("closed", FdSource::Number(999)),
        ("-1", FdSource::Number(-1)),
        ("AT_FDCWD", FdSource::Number(libc::AT_FDCWD)),
        ("/proc/PID directory", FdSource::ProcDirectory),
    ]
    .into_iter()
    .chain(unrelated)
}
