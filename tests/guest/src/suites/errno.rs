// SPDX-License-Identifier: GPL-2.0-only

//! Each reason for which setns fails, as far as a root shell can cause it.
//!
//! A name starts with the row of `docs/checks.md` that the case is about: `E` for the entry, `V` for
//! the validation of the target of a pidfd, then the kinds. The rows `P`, of the preparation, fail
//! only on a shortage of memory: [`super::faults`].

use super::{nesting, of_cases};
use crate::{
    case::{
        Case, Expect, FdSource, NsPath, Unrelated,
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
            "no test can stop a process at this point of exit(2)",
        ),
        Test::skipped(
            "mnt of an anonymous mount namespace",
            "no file descriptor refers to one: nsfs has no file, and no process is in one",
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
        nesting::cases(),
    ]
    .concat()
}

const UTS: u32 = Kind::Uts.flag();

/// Returns the cases of E1 to E6.
fn entry() -> Vec<Case> {
    let mut cases = Vec::new();
    for number in [-1, 999, i32::MIN, i32::MAX, libc::AT_FDCWD] {
        cases.extend(cases! {
            { name: format!("E1 fd {number} is not open"), fd: FdSource::Number(number), nstype: 0
              => refused(Reason::BadFd) }
        });
    }
    cases.extend(cases! {
        { name: "E1 nsfs file opened with O_PATH",
          fd: FdSource::TargetBy(NsPath::OPath, Kind::Uts), nstype: 0 => refused(Reason::BadFd) }
        { name: "E3 pidfd, nstype 0", fd: FdSource::Pidfd, nstype: 0 => refused(Reason::NoFlags) }
    });
    for kind in Kind::ALL {
        let others = Kind::ALL.into_iter().filter(|other| *other != kind);
        let others = others.map(|other| (other.flag() as i32, format!("of {}", other.name())));
        let next = Kind::ALL[(kind as usize + 1) % 8].flag() as i32;
        let additional = [
            (next, "another"),
            (1, "1"),
            (libc::CLONE_VM, "CLONE_VM"),
            (i32::MIN, "the sign"),
        ];
        let additional =
            additional.map(|(bits, word)| (kind.flag() as i32 | bits, format!("of it and {word}")));
        for (nstype, word) in others.chain(additional) {
            let name = kind.name();
            cases.extend(cases! {
                { name: format!("E2 nsfs file of {name}, nstype {word}"),
                  fd: FdSource::Target(name), nstype: nstype => refused(Reason::NsType) }
            });
        }
    }
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
        cases.extend(cases! {
            { name: format!("E4 pidfd, nstype {word}"), fd: FdSource::Pidfd, nstype: bits
              => refused(Reason::UnknownFlags) }
        });
    }
    for (nstype, word) in [(0, "0"), (UTS, "uts")] {
        for (file, fd) in [
            ("a /proc/PID directory", FdSource::ProcDirectory),
            ("a regular file", FdSource::Unrelated(Unrelated::Regular)),
            ("a pipe", FdSource::Unrelated(Unrelated::Pipe)),
            ("a socket", FdSource::Unrelated(Unrelated::Socket)),
        ] {
            cases.extend(cases! {
                { name: format!("E6 {file}, nstype {word}"), fd: fd, nstype: nstype
                  => refused(Reason::Neither) }
            });
        }
    }
    // These checks come before those of capabilities.
    let user = || [Setup::SetIds(USER)];
    cases.extend(cases! {
        { name: "E1 fd -1, by a user without rights", fd: FdSource::Number(-1), nstype: 0,
          caller: user() => refused(Reason::BadFd) }
        { name: "E2 nsfs file of uts, nstype of net, by a user without rights",
          fd: FdSource::Target("uts"), nstype: Kind::Net.flag(), caller: user()
          => refused(Reason::NsType) }
        { name: "E3 pidfd, nstype 0, by a user without rights", fd: FdSource::Pidfd, nstype: 0,
          caller: user() => refused(Reason::NoFlags) }
        { name: "E4 pidfd, nstype 1, by a user without rights", fd: FdSource::Pidfd, nstype: 1,
          caller: user() => refused(Reason::UnknownFlags) }
        { name: "E6 a pipe, by a user without rights", fd: FdSource::Unrelated(Unrelated::Pipe),
          nstype: UTS, caller: user() => refused(Reason::Neither) }
    });
    let cases = cases.into_iter();
    cases
        .map(|case| case.target(Target::in_all_new()))
        .collect()
}

/// Returns the cases of V1 to V3.
fn target() -> Vec<Case> {
    let pidfd = FdSource::Pidfd;
    // The uts namespace alone can be entered, so that the check of the target decides.
    let target = || Target::in_new(UTS);
    let zombie = || target().with_liveness(Liveness::Zombie);
    let reaped = || target().with_liveness(Liveness::Reaped);
    let mut cases = Vec::new();
    for kinds in [UTS, implementation::all_kinds() & !Kind::User.flag()] {
        let names = implementation::kind_names(kinds);
        cases.extend(cases! {
            { name: format!("V1 the target was reaped: {names}"), fd: pidfd, nstype: kinds,
              target: reaped() => refused(Reason::Reaped) }
            { name: format!("V3 the target is a zombie: {names}"), fd: pidfd, nstype: kinds,
              target: zombie() => refused(Reason::Exiting) }
        });
    }
    // The caller may enter the namespace, but must not access a process with more capabilities.
    let admin = || [Setup::KeepCaps(creds::SYS_ADMIN)];
    cases.extend(cases! {
        { name: "V2 ptrace access: without CAP_SYS_PTRACE to a target that has it",
          fd: pidfd, nstype: UTS, target: target(), caller: admin() => refused(Reason::Ptrace) }
        { name: "V2 ptrace access: a user to a target of root",
          fd: pidfd, nstype: UTS, target: target(), caller: [Setup::SetIds(USER)]
          => refused(Reason::Ptrace) }
        { name: "V2 before V3: a zombie without access",
          fd: pidfd, nstype: UTS, target: zombie(), caller: admin() => refused(Reason::Ptrace) }
        { name: "V1 before V2: a reaped target without access",
          fd: pidfd, nstype: UTS, target: reaped(), caller: admin() => refused(Reason::Reaped) }
        // The check uses the real credentials, and their permitted capabilities.
        { name: "V2 ptrace access: CAP_SYS_PTRACE only permitted, to a target that has it",
          fd: pidfd, nstype: UTS, target: target(), caller: [Setup::LowerCaps(creds::SYS_ADMIN)]
          => moves(UTS) }
        // Proves that only the capability is missing in the first of these cases.
        { name: "V2 ptrace access: with CAP_SYS_PTRACE", fd: pidfd, nstype: UTS, target: target(),
          caller: [Setup::KeepCaps(creds::SYS_ADMIN | creds::SYS_PTRACE)] => moves(UTS) }
    });
    cases
}

/// Returns the cases of the checks of mount namespaces.
fn mnt() -> Vec<Case> {
    let mnt = Kind::Mnt.flag();
    let both = mnt | UTS;
    let without_chroot = || Setup::KeepCaps(creds::SYS_ADMIN | creds::SYS_PTRACE);
    let least = || Setup::KeepCaps(creds::SYS_ADMIN | creds::SYS_CHROOT | creds::SYS_PTRACE);
    let mut cases = Vec::new();
    for (word, fd, nstype, moved) in [
        ("nsfs", FdSource::Target("mnt"), 0, mnt),
        ("pidfd", FdSource::Pidfd, mnt, mnt),
        ("pidfd with uts", FdSource::Pidfd, both, both),
    ] {
        let shared = cases! {
            { name: format!("mnt EINVAL CLONE_FS shared with a process: {word}"),
              fd: fd, nstype: nstype, caller: [Setup::ShareFs] => refused(Reason::FsShared) }
            { name: format!("mnt EINVAL CLONE_FS shared with a thread: {word}"),
              fd: fd, nstype: nstype, caller: [Setup::Thread] => refused(Reason::FsShared) }
        };
        // With uts, the nsset has a copy of the fs_struct, which is not shared. The check uses that
        // of the task.
        cases.extend(shared.into_iter().map(|case| match nstype == both {
            true => case.refused_despite_the_copy(Expect::Moved(both)),
            false => case,
        }));
        cases.extend(cases! {
            { name: format!("mnt EPERM without CAP_SYS_CHROOT: {word}"), fd: fd, nstype: nstype,
              caller: [without_chroot()] => refused(Reason::Chroot) }
            { name: format!("mnt EPERM before EINVAL: {word}"), fd: fd, nstype: nstype,
              caller: [Setup::ShareFs, without_chroot()] => refused(Reason::Chroot) }
            { name: format!("mnt with no more capabilities than it requires: {word}"), fd: fd,
              nstype: nstype, caller: [least()] => moves(moved) }
        });
    }
    let cases = cases.into_iter();
    cases
        .map(|case| case.target(Target::in_all_new()))
        .collect()
}

/// Returns the cases of the checks of pid namespaces.
fn pid() -> Vec<Case> {
    let pid = Kind::Pid.flag();
    let target = || Target::in_new(pid);
    let nested = || [Setup::Unshare(pid), Setup::Fork];
    let nested_user = || [Setup::Unshare(pid), Setup::Fork, Setup::SetIds(USER)];
    // The check uses the caller's own pid namespace, not that for its children.
    let children_in_another = || [Setup::Unshare(pid)];
    cases! {
        { name: "pid EINVAL an ancestor of that of the caller: nsfs", fd: FdSource::Home("pid"),
          nstype: pid, target: target(), caller: nested() => refused(Reason::NotBelow) }
        { name: "pid EINVAL a sibling of that of the caller: nsfs", fd: FdSource::Target("pid"),
          nstype: pid, target: target(), caller: nested() => refused(Reason::NotBelow) }
        { name: "pid EINVAL a sibling of that of the caller: pidfd", fd: FdSource::Pidfd,
          nstype: pid, target: target(), caller: nested() => refused(Reason::NotBelow) }
        { name: "pid EPERM before EINVAL: a sibling, by a user without rights",
          fd: FdSource::Target("pid"), nstype: pid, target: target(), caller: nested_user()
          => refused(Reason::CapOwner) }
        { name: "pid the active one of the caller, its children being in another",
          fd: FdSource::Own("pid"), nstype: pid, target: target(), caller: children_in_another()
          => moves(pid) }
        { name: "pid that of a descendant, its children being in another",
          fd: FdSource::Target("pid"), nstype: pid, target: target(), caller: children_in_another()
          => moves(pid) }
    }
}

/// Returns the cases of the checks of user namespaces.
fn user() -> Vec<Case> {
    let user = Kind::User.flag();
    let nested = || [Setup::Unshare(user), Setup::MapRoot];
    let mut cases = cases! {
        { name: "user EPERM a parent: nsfs", fd: FdSource::Home("user"), nstype: user,
          caller: nested() => refused(Reason::CapUser) }
    };
    for (word, fd) in [
        ("nsfs", FdSource::Target("user")),
        ("pidfd", FdSource::Pidfd),
    ] {
        // With a pidfd, the access to the target is checked first.
        let unless_pidfd = |reason| match fd {
            FdSource::Pidfd => Reason::Ptrace,
            _ => reason,
        };
        let named = |name: &str| format!("user {name}: {word}");
        let of_target = cases! {
            { name: named("EINVAL the one that the caller is in"), fd: fd, nstype: user,
              caller: [Setup::EnterTarget(user)] => refused(Reason::SameUser) }
            { name: named("EINVAL the caller has threads"), fd: fd, nstype: user,
              caller: [Setup::Thread] => refused(Reason::Threads) }
            { name: named("EINVAL the caller has threads that share nothing but memory"), fd: fd,
              nstype: user, caller: [Setup::Thread, Setup::Unshare(libc::CLONE_FS as u32)]
              => refused(Reason::Threads) }
            { name: named("EINVAL CLONE_FS shared with a process"), fd: fd, nstype: user,
              caller: [Setup::ShareFs] => refused(Reason::FsShared) }
            { name: named("EINVAL before EPERM: CLONE_FS shared by a user without rights"), fd: fd,
              nstype: user, caller: [Setup::ShareFs, Setup::SetIds(USER)]
              => refused(unless_pidfd(Reason::FsShared)) }
            { name: named("EPERM not in the parent of the owner, no capability"), fd: fd,
              nstype: user, caller: [Setup::SetIds(USER)]
              => refused(unless_pidfd(Reason::CapUser)) }
            { name: named("EPERM from one beside it"), fd: fd, nstype: user, caller: nested()
              => refused(unless_pidfd(Reason::CapUser)) }
            { name: named("by its owner without any capability"), fd: fd, nstype: user,
              caller: [Setup::KeepCaps(creds::NONE)] => moves(user) }
            // Shared memory alone does not matter.
            { name: named("memory shared with a process"), fd: fd, nstype: user,
              caller: [Setup::ShareVm] => moves(user) }
        };
        let of_target = of_target.into_iter();
        cases.extend(of_target.map(|case| case.target(Target::in_new(user))));
    }
    cases
}

/// Returns the cases of the checks of time namespaces.
fn time() -> Vec<Case> {
    let time = Kind::Time.flag();
    let nsfs = FdSource::Target("time");
    let mut cases = cases! {
        { name: "time EUSERS before EPERM: threads of a user without rights", fd: nsfs, nstype: 0,
          caller: [Setup::SetIds(USER), Setup::Thread] => refused(Reason::MmShared) }
    };
    for (word, fd) in [("nsfs", nsfs), ("pidfd", FdSource::Pidfd)] {
        cases.extend(cases! {
            { name: format!("time EUSERS the caller has threads: {word}"), fd: fd, nstype: time,
              caller: [Setup::Thread] => refused(Reason::MmShared) }
            { name: format!("time EUSERS memory shared with a process: {word}"), fd: fd,
              nstype: time, caller: [Setup::ShareVm] => refused(Reason::MmShared) }
            { name: format!("time EUSERS the caller is a child of vfork: {word}"), fd: fd,
              nstype: time, caller: [Setup::Vfork] => refused(Reason::MmShared) }
            { name: format!("time root and working directory shared with a process: {word}"),
              fd: fd, nstype: time, caller: [Setup::ShareFs] => moves(time) }
        });
    }
    let cases = cases.into_iter();
    cases
        .map(|case| case.target(Target::in_new(time)))
        .collect()
}

/// Returns the cases of the capability in the user namespace that owns the namespace, and of the one
/// in the user namespace of the nsset.
fn capabilities() -> Vec<Case> {
    let user = Kind::User.flag();
    // Root in a new user namespace, whose target belongs to the initial one.
    let root_below = || [Setup::Unshare(user), Setup::MapRoot];
    // The owner of the target's user namespace, who has every capability in it but not
    // CAP_SYS_ADMIN outside. (A mount namespace requires CAP_SYS_CHROOT first.)
    let owner = || [Setup::KeepCaps(creds::SYS_CHROOT | creds::SYS_PTRACE)];
    let mut cases = Vec::new();
    for kind in Kind::ALL.into_iter().filter(|kind| *kind != Kind::User) {
        let (name, flag) = (kind.name(), kind.flag());
        let (nsfs, pidfd) = (FdSource::Target(name), FdSource::Pidfd);
        let below = || Target::in_new(user | flag);
        let beside = || Target::in_new(flag);
        let first_checked = match kind {
            Kind::Cgroup => Reason::CapSet,
            _ => Reason::CapOwner,
        };
        cases.extend(cases! {
            { name: format!("{name} EPERM cap in the owning user namespace: nsfs"), fd: nsfs,
              nstype: 0, target: beside(), caller: root_below() => refused(Reason::CapOwner) }
            { name: format!("{name} EPERM cap in the user namespace of the set: nsfs"), fd: nsfs,
              nstype: 0, target: below(), caller: owner() => refused(Reason::CapSet) }
            { name: format!("{name} EPERM cap in the user namespace of the set: pidfd"), fd: pidfd,
              nstype: flag, target: below(), caller: owner() => refused(Reason::CapSet) }
            // The set contains the new user namespace.
            { name: format!("{name} with user: the user namespace of the set is the new one"),
              fd: pidfd, nstype: flag | user, target: below(), caller: owner()
              => moves(flag | user) }
            { name: format!("{name} EPERM with user: the namespace belongs to that of the caller"),
              fd: pidfd, nstype: flag | user, target: owned_by_initial(flag), caller: owner()
              => refused(Reason::CapOwner) }
            { name: format!("{name} EPERM no capability anywhere: nsfs"), fd: nsfs, nstype: 0,
              target: beside(), caller: [Setup::SetIds(USER)] => refused(first_checked) }
        });
    }
    cases
}

/// Returns a target in a new namespace that belongs to the initial user namespace, and in a new user
/// namespace.
fn owned_by_initial(kind: u32) -> Target {
    let mut target = Target::in_new(kind);
    let user = [Setup::Unshare(Kind::User.flag()), Setup::MapRoot];
    target.setups.extend(user);
    target
}
