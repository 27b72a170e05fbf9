// SPDX-License-Identifier: GPL-2.0-only

//! Each reason for which setns fails, as far as a root shell can bring it about.
//!
//! The names start with the row of the table of checks that a case is about: `E` for the entry,
//! `V` for the look at the target of a pidfd, then the kinds. The rows of what is prepared, `P`,
//! only fail when memory is short: [`super::faults`].

use super::of_cases;
use crate::{
    case::{
        Case, FdSource, NsPath, Unrelated,
        implementation::{self, Kind},
        target::{Liveness, Target, USER},
    },
    process::{creds, setup::Setup},
    report::ktap::Test,
};
use nsproxy_uapi::Reason;

pub(crate) fn tests() -> Vec<Test> {
    let mut tests = of_cases(cases());
    tests.extend([
        Test::skipped(
            "E5 pidfd: a kind that the kernel was built without",
            "the module is built for kernels that have all eight",
        ),
        Test::skipped(
            "V4 the target has left its pid namespace and still has an nsproxy",
            "a moment inside exit(2), which nobody can stop at",
        ),
        Test::skipped(
            "mnt of an anonymous mount namespace",
            "no file descriptor leads there: nsfs has none, and no process is in one",
        ),
    ]);
    tests
}

pub(super) fn cases() -> Vec<Case> {
    [
        entry(),
        target(),
        mnt(),
        pid(),
        user(),
        time(),
        capabilities(),
    ]
    .concat()
}

/// E1 to E6.
fn entry() -> Vec<Case> {
    let uts = Kind::Uts.flag() as i32;
    let mut cases = Vec::new();
    let mut case = |name: String, handle: FdSource, nstype: i32, reason: Reason| {
        cases.push(
            Case::new(name, handle, nstype)
                .target(Target::in_all_new())
                .refused(reason),
        );
    };
    for number in [-1, 999, i32::MIN, i32::MAX, libc::AT_FDCWD] {
        case(
            format!("E1 fd {number} is not open"),
            FdSource::Number(number),
            0,
            Reason::BadFd,
        );
    }
    case(
        "E1 nsfs file opened with O_PATH".into(),
        FdSource::TargetBy(NsPath::OPath, Kind::Uts),
        0,
        Reason::BadFd,
    );
    for kind in Kind::ALL {
        let name = kind.name();
        for other in Kind::ALL.into_iter().filter(|other| *other != kind) {
            case(
                format!("E2 nsfs file of {name}, nstype of {}", other.name()),
                FdSource::Target(name),
                other.flag() as i32,
                Reason::NsType,
            );
        }
        case(
            format!("E2 nsfs file of {name}, nstype of it and another"),
            FdSource::Target(name),
            (kind.flag() | Kind::ALL[(kind as usize + 1) % 8].flag()) as i32,
            Reason::NsType,
        );
        for (junk, word) in [
            (1, "1"),
            (libc::CLONE_VM, "CLONE_VM"),
            (i32::MIN, "the sign"),
        ] {
            case(
                format!("E2 nsfs file of {name}, nstype of it and {word}"),
                FdSource::Target(name),
                kind.flag() as i32 | junk,
                Reason::NsType,
            );
        }
    }
    case(
        "E3 pidfd, nstype 0".into(),
        FdSource::Pidfd,
        0,
        Reason::NoFlags,
    );
    for (bits, word) in [
        (1, "1"),
        (-1, "-1"),
        (i32::MIN, "only the sign"),
        (libc::CLONE_VM, "CLONE_VM"),
        (libc::CLONE_FS, "CLONE_FS"),
        (
            libc::CLONE_NEWUTS | libc::CLONE_FILES,
            "uts and CLONE_FILES",
        ),
        (libc::CLONE_NEWUTS | 1, "uts and 1"),
    ] {
        case(
            format!("E4 pidfd, nstype {word}"),
            FdSource::Pidfd,
            bits,
            Reason::UnknownFlags,
        );
    }
    for nstype in [0, uts] {
        let word = if nstype == 0 { "0" } else { "uts" };
        for (what, handle) in [
            ("a /proc/PID directory", FdSource::ProcDirectory),
            ("a regular file", FdSource::Unrelated(Unrelated::Regular)),
            ("a pipe", FdSource::Unrelated(Unrelated::Pipe)),
            ("a socket", FdSource::Unrelated(Unrelated::Socket)),
        ] {
            case(
                format!("E6 {what}, nstype {word}"),
                handle,
                nstype,
                Reason::Neither,
            );
        }
    }
    // No capability is needed up to here.
    for (name, handle, nstype, reason) in [
        ("E1 fd -1", FdSource::Number(-1), 0, Reason::BadFd),
        (
            "E2 nsfs file of uts, nstype of net",
            FdSource::Target("uts"),
            Kind::Net.flag() as i32,
            Reason::NsType,
        ),
        ("E3 pidfd, nstype 0", FdSource::Pidfd, 0, Reason::NoFlags),
        (
            "E4 pidfd, nstype 1",
            FdSource::Pidfd,
            1,
            Reason::UnknownFlags,
        ),
        (
            "E6 a pipe",
            FdSource::Unrelated(Unrelated::Pipe),
            uts,
            Reason::Neither,
        ),
    ] {
        cases.push(
            Case::new(format!("{name}, by a user without rights"), handle, nstype)
                .target(Target::in_all_new())
                .caller([Setup::SetIds(USER)])
                .refused(reason),
        );
    }
    cases
}

/// V1 to V3.
fn target() -> Vec<Case> {
    let mut cases = Vec::new();
    // In namespaces that are easily entered: what fails is the target.
    let target = Target::in_new(Kind::Uts.flag());
    for kinds in [
        Kind::Uts.flag(),
        implementation::all_kinds() & !Kind::User.flag(),
    ] {
        let word = implementation::kind_names(kinds);
        cases.push(
            Case::new(
                format!("V1 the target was reaped: {word}"),
                FdSource::Pidfd,
                kinds as i32,
            )
            .target(target.clone().with_liveness(Liveness::Reaped))
            .refused(Reason::Reaped),
        );
        cases.push(
            Case::new(
                format!("V3 the target is a zombie: {word}"),
                FdSource::Pidfd,
                kinds as i32,
            )
            .target(target.clone().with_liveness(Liveness::Zombie))
            .refused(Reason::Exiting),
        );
    }
    let uts = Kind::Uts.flag() as i32;
    // The rights to enter, but none to look into a process that has more.
    let curious = Setup::KeepCaps(creds::SYS_ADMIN);
    cases.extend([
        Case::new(
            "V2 ptrace access: without CAP_SYS_PTRACE to a target that has it",
            FdSource::Pidfd,
            uts,
        )
        .target(target.clone())
        .caller([curious.clone()])
        .refused(Reason::Ptrace),
        Case::new(
            "V2 ptrace access: a user to a target of root",
            FdSource::Pidfd,
            uts,
        )
        .target(target.clone())
        .caller([Setup::SetIds(USER)])
        .refused(Reason::Ptrace),
        Case::new(
            "V2 before V3: a zombie that may not be looked into",
            FdSource::Pidfd,
            uts,
        )
        .target(target.clone().with_liveness(Liveness::Zombie))
        .caller([curious.clone()])
        .refused(Reason::Ptrace),
        Case::new(
            "V1 before V2: a reaped one that could not have been looked into",
            FdSource::Pidfd,
            uts,
        )
        .target(target.clone().with_liveness(Liveness::Reaped))
        .caller([curious])
        .refused(Reason::Reaped),
        // The real credentials count, and of these what is permitted.
        Case::new(
            "V2 ptrace access: CAP_SYS_PTRACE only permitted, to a target that has it",
            FdSource::Pidfd,
            uts,
        )
        .target(target.clone())
        .caller([Setup::LowerCaps(creds::SYS_ADMIN)])
        .moves(Kind::Uts.flag()),
        // The other side of the row: nothing but the capability is missing above.
        Case::new(
            "V2 ptrace access: with CAP_SYS_PTRACE",
            FdSource::Pidfd,
            uts,
        )
        .target(target)
        .caller([Setup::KeepCaps(creds::SYS_ADMIN | creds::SYS_PTRACE)])
        .moves(Kind::Uts.flag()),
    ]);
    cases
}

/// What only mount namespaces ask for.
fn mnt() -> Vec<Case> {
    let mnt = Kind::Mnt.flag();
    let both = implementation::flags_of(&[Kind::Mnt, Kind::Uts]);
    let mut cases = Vec::new();
    for (word, handle, nstype) in [
        ("nsfs", FdSource::Target("mnt"), 0),
        ("pidfd", FdSource::Pidfd, mnt),
        ("pidfd with uts", FdSource::Pidfd, both),
    ] {
        let case = |name: &str| {
            Case::new(format!("mnt {name}: {word}"), handle, nstype as i32)
                .target(Target::in_all_new())
        };
        // With uts beside it, a copy of root and working directory is made, which nobody shares;
        // it is the task's own that counts.
        let refused = |case: Case| match nstype == both {
            true => case.refused_despite_the_copy(),
            false => case.refused(Reason::FsShared),
        };
        cases.push(refused(
            case("EINVAL CLONE_FS shared with a process").caller([Setup::ShareFs]),
        ));
        cases.push(refused(
            case("EINVAL CLONE_FS shared with a thread").caller([Setup::Thread]),
        ));
        cases.push(
            case("EPERM without CAP_SYS_CHROOT")
                .caller([Setup::KeepCaps(creds::SYS_ADMIN | creds::SYS_PTRACE)])
                .refused(Reason::Chroot),
        );
        cases.push(
            case("EPERM before EINVAL")
                .caller([
                    Setup::ShareFs,
                    Setup::KeepCaps(creds::SYS_ADMIN | creds::SYS_PTRACE),
                ])
                .refused(Reason::Chroot),
        );
        cases.push(
            case("with no more than it asks for")
                .caller([Setup::KeepCaps(
                    creds::SYS_ADMIN | creds::SYS_CHROOT | creds::SYS_PTRACE,
                )])
                .moves(if handle == FdSource::Pidfd {
                    nstype
                } else {
                    mnt
                }),
        );
    }
    cases
}

/// What only pid namespaces ask for.
fn pid() -> Vec<Case> {
    let pid = Kind::Pid.flag();
    let nested = [Setup::Unshare(pid), Setup::Fork];
    let case = |name: &str, handle: FdSource| {
        Case::new(format!("pid {name}"), handle, pid as i32).target(Target::in_new(pid))
    };
    vec![
        case(
            "EINVAL an ancestor of that of the caller: nsfs",
            FdSource::Home("pid"),
        )
        .caller(nested.clone())
        .refused(Reason::NotBelow),
        case(
            "EINVAL a sibling of that of the caller: nsfs",
            FdSource::Target("pid"),
        )
        .caller(nested.clone())
        .refused(Reason::NotBelow),
        case(
            "EINVAL a sibling of that of the caller: pidfd",
            FdSource::Pidfd,
        )
        .caller(nested.clone())
        .refused(Reason::NotBelow),
        // It is the caller's own that counts, not the one for its children.
        case(
            "the active one of the caller, its children being in another",
            FdSource::Own("pid"),
        )
        .caller([Setup::Unshare(pid)])
        .moves(pid),
        case(
            "that of a descendant, its children being in another",
            FdSource::Target("pid"),
        )
        .caller([Setup::Unshare(pid)])
        .moves(pid),
    ]
}

/// What only user namespaces ask for.
fn user() -> Vec<Case> {
    let user = Kind::User.flag();
    let nested = [Setup::Unshare(user), Setup::MapRoot];
    let mut cases = Vec::new();
    for (word, handle) in [
        ("nsfs", FdSource::Target("user")),
        ("pidfd", FdSource::Pidfd),
    ] {
        // Who may not look at the target does not get that far.
        let unless_pidfd = |reason| match handle {
            FdSource::Pidfd => Reason::Ptrace,
            _ => reason,
        };
        let case = |name: &str| {
            Case::new(format!("user {name}: {word}"), handle, user as i32)
                .target(Target::in_new(user))
        };
        cases.extend([
            case("EINVAL the one that the caller is in")
                .caller([Setup::EnterTarget(user)])
                .refused(Reason::SameUser),
            case("EINVAL the caller has threads")
                .caller([Setup::Thread])
                .refused(Reason::Threads),
            case("EINVAL the caller has threads that share nothing but memory")
                .caller([Setup::Thread, Setup::Unshare(libc::CLONE_FS as u32)])
                .refused(Reason::Threads),
            case("EINVAL CLONE_FS shared with a process")
                .caller([Setup::ShareFs])
                .refused(Reason::FsShared),
            case("EINVAL before EPERM: CLONE_FS shared by a user without rights")
                .caller([Setup::ShareFs, Setup::SetIds(USER)])
                .refused(unless_pidfd(Reason::FsShared)),
            case("EPERM not in the parent of the owner, no capability")
                .caller([Setup::SetIds(USER)])
                .refused(unless_pidfd(Reason::CapUser)),
            case("EPERM from one beside it")
                .caller(nested.clone())
                .refused(unless_pidfd(Reason::CapUser)),
            case("by its owner without any capability")
                .caller([Setup::KeepCaps(creds::NONE)])
                .moves(user),
            // Shared memory alone is no reason.
            case("memory shared with a process")
                .caller([Setup::ShareVm])
                .moves(user),
        ]);
    }
    cases.push(
        Case::new(
            "user EPERM a parent: nsfs",
            FdSource::Home("user"),
            user as i32,
        )
        .caller(nested)
        .refused(Reason::CapUser),
    );
    cases
}

/// What only time namespaces ask for.
fn time() -> Vec<Case> {
    let time = Kind::Time.flag();
    let mut cases = Vec::new();
    for (word, handle) in [
        ("nsfs", FdSource::Target("time")),
        ("pidfd", FdSource::Pidfd),
    ] {
        let case = |name: &str| {
            Case::new(format!("time {name}: {word}"), handle, time as i32)
                .target(Target::in_new(time))
        };
        cases.extend([
            case("EUSERS the caller has threads")
                .caller([Setup::Thread])
                .refused(Reason::MmShared),
            case("EUSERS memory shared with a process")
                .caller([Setup::ShareVm])
                .refused(Reason::MmShared),
            case("EUSERS the caller is a child of vfork")
                .caller([Setup::Vfork])
                .refused(Reason::MmShared),
            case("root and working directory shared with a process")
                .caller([Setup::ShareFs])
                .moves(time),
        ]);
    }
    cases.push(
        Case::new(
            "time EUSERS before EPERM: threads of a user without rights",
            FdSource::Target("time"),
            0,
        )
        .target(Target::in_new(time))
        .caller([Setup::SetIds(USER), Setup::Thread])
        .refused(Reason::MmShared),
    );
    cases
}

/// The capability in the user namespace that owns the namespace, and the one in the set's.
fn capabilities() -> Vec<Case> {
    let user = Kind::User.flag();
    let mut cases = Vec::new();
    for kind in Kind::ALL.into_iter().filter(|kind| *kind != Kind::User) {
        let name = kind.name();
        let flag = kind.flag();
        // Root of a user namespace of its own, towards what belongs to the initial one.
        let root_below = [Setup::Unshare(user), Setup::MapRoot];
        // Owner of the target's user namespace, and so capable of everything in it, but of
        // nothing where it is itself. (A mount namespace asks for CAP_SYS_CHROOT before.)
        let owner = [Setup::KeepCaps(creds::SYS_CHROOT | creds::SYS_PTRACE)];
        let first_asked = match kind {
            Kind::Cgroup => Reason::CapSet,
            _ => Reason::CapOwner,
        };
        let below = Target::in_new(user | flag);
        let beside = Target::in_new(flag);
        cases.extend([
            Case::new(
                format!("{name} EPERM cap in the owning user namespace: nsfs"),
                FdSource::Target(name),
                0,
            )
            .target(beside.clone())
            .caller(root_below.clone())
            .refused(Reason::CapOwner),
            Case::new(
                format!("{name} EPERM cap in the user namespace of the set: nsfs"),
                FdSource::Target(name),
                0,
            )
            .target(below.clone())
            .caller(owner.clone())
            .refused(Reason::CapSet),
            Case::new(
                format!("{name} EPERM cap in the user namespace of the set: pidfd"),
                FdSource::Pidfd,
                flag as i32,
            )
            .target(below.clone())
            .caller(owner.clone())
            .refused(Reason::CapSet),
            // With the user namespace in the set it is the new one that counts.
            Case::new(
                format!("{name} with user: the user namespace of the set is the new one"),
                FdSource::Pidfd,
                (flag | user) as i32,
            )
            .target(below.clone())
            .caller(owner)
            .moves(flag | user),
            Case::new(
                format!("{name} EPERM with user: the namespace belongs to that of the caller"),
                FdSource::Pidfd,
                (flag | user) as i32,
            )
            .target(owned_by_initial(flag))
            .caller([Setup::KeepCaps(creds::SYS_CHROOT | creds::SYS_PTRACE)])
            .refused(Reason::CapOwner),
            Case::new(
                format!("{name} EPERM no capability anywhere: nsfs"),
                FdSource::Target(name),
                0,
            )
            .target(beside)
            .caller([Setup::SetIds(USER)])
            .refused(first_asked),
        ]);
    }
    cases
}

/// A target in a new namespace that belongs to the initial user namespace, and then in a new user
/// namespace.
fn owned_by_initial(kind: u32) -> Target {
    let mut target = Target::in_new(kind);
    target
        .setups
        .extend([Setup::Unshare(Kind::User.flag()), Setup::MapRoot]);
    target
}
