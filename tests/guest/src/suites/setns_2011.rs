// SPDX-License-Identifier: GPL-2.0-only

//! setns of 2011: three kinds, and a check of a capability before all others.

use super::of_cases;
use crate::{
    case::{
        Case, FdSource, NsPath, Unrelated,
        implementation::{self, Entry, Kind},
        target::{Target, USER},
    },
    process::{creds, setup::Setup},
    report::ktap::Test,
};
use nsproxy_uapi::Reason;

/// The kinds that setns knew in 2011.
const KINDS: [Kind; 3] = [Kind::Net, Kind::Uts, Kind::Ipc];

pub(crate) fn tests() -> Vec<Test> {
    of_cases(cases())
}

fn cases() -> Vec<Case> {
    let alone = [no_others(), capabilities()].concat().into_iter();
    let as_today = [three_kinds(), files()].concat().into_iter();
    let cases = alone.map(|case| (case, None));
    let cases = cases.chain(as_today.map(|case| (case, Some(Entry::Syscall))));
    cases
        .map(|(case, reference)| Case {
            subject: Entry::Device2011,
            reference,
            target: case.target.or_else(|| Some(Target::in_all_new())),
            ..case
        })
        .collect()
}

/// Returns cases in which setns(2) does the same today.
fn three_kinds() -> Vec<Case> {
    let mut cases = Vec::new();
    for kind in KINDS {
        let (name, flag) = (kind.name(), kind.flag());
        let fd = FdSource::Target(name);
        for other in Kind::ALL.into_iter().filter(|other| *other != kind) {
            cases.extend(cases! {
                { name: format!("{name}, nstype of {}: EINVAL", other.name()), fd: fd,
                  nstype: other.flag() => refused(Reason::NsType) }
            });
        }
        cases.extend(cases! {
            { name: format!("{name} of a target, nstype 0"), fd: fd, nstype: 0 => moves(flag) }
            { name: format!("{name} of a target, nstype right"), fd: fd, nstype: flag
              => moves(flag) }
            { name: format!("{name} of the caller itself"), fd: FdSource::Own(name), nstype: flag
              => moves(flag) }
            { name: format!("{name} of a target, after unshare"), fd: fd, nstype: flag,
              caller: [Setup::Unshare(flag)] => moves(flag) }
            { name: format!("{name} of a target, a child stays"), fd: fd, nstype: flag,
              caller: [Setup::Sibling] => moves(flag) }
            { name: format!("{name} of a target, a thread stays"), fd: fd, nstype: flag,
              caller: [Setup::Thread] => moves(flag) }
            // setns of 2011 does not check the owning user namespace. Today root of the initial one
            // has every capability in it.
            { name: format!("{name} owned by a user namespace of uid 1000, by root"), fd: fd,
              nstype: 0, target: Target::in_new(Kind::User.flag() | flag).of_user(),
              caller: [Setup::KeepCaps(creds::SYS_ADMIN)] => moves(flag) }
        });
    }
    cases.extend(cases! {
        { name: "ipc leaves semaphores as they were before this process",
          fd: FdSource::Target("ipc"), nstype: 0, caller: [Setup::RaiseSemaphore]
          => moves(Kind::Ipc.flag()) }
        { name: "net leaves semaphores alone", fd: FdSource::Target("net"), nstype: 0,
          caller: [Setup::RaiseSemaphore] => moves(Kind::Net.flag()) }
    });
    cases
}

fn no_others() -> Vec<Case> {
    let mut cases = Vec::new();
    for kind in Kind::ALL.into_iter().filter(|kind| !KINDS.contains(kind)) {
        let name = kind.name();
        for (word, nstype) in [("0", 0), ("right", kind.flag())] {
            cases.extend(cases! {
                { name: format!("{name} was not known then, nstype {word}: EINVAL"),
                  fd: FdSource::Target(name), nstype: nstype => refused(Reason::NoNs) }
            });
        }
    }
    let all = implementation::all_kinds();
    for (word, nstype) in [("0", 0), ("uts", Kind::Uts.flag()), ("all", all)] {
        cases.extend(cases! {
            { name: format!("a pidfd was not known then, nstype {word}: EINVAL"),
              fd: FdSource::Pidfd, nstype: nstype => refused(Reason::NoNs) }
        });
    }
    cases
}

/// Returns cases in which setns(2) does the same today.
fn files() -> Vec<Case> {
    cases! {
        { name: "fd -1: EBADF", fd: FdSource::Number(-1), nstype: 0 => refused(Reason::BadFd) }
        { name: "opened with O_PATH: EBADF", fd: FdSource::TargetBy(NsPath::OPath, Kind::Uts),
          nstype: 0 => refused(Reason::BadFd) }
        { name: "a regular file: EINVAL", fd: FdSource::Unrelated(Unrelated::Regular), nstype: 0
          => refused(Reason::NoNs) }
        { name: "a pipe: EINVAL", fd: FdSource::Unrelated(Unrelated::Pipe), nstype: 0
          => refused(Reason::NoNs) }
        { name: "a /proc/PID directory: EINVAL", fd: FdSource::ProcDirectory, nstype: 0
          => refused(Reason::NoNs) }
    }
}

/// Returns cases of the first check: `CAP_SYS_ADMIN` in the initial user namespace.
fn capabilities() -> Vec<Case> {
    let user = Kind::User.flag();
    let mut cases = Vec::new();
    for (file, fd) in [
        ("fd -1", FdSource::Number(-1)),
        ("a pipe", FdSource::Unrelated(Unrelated::Pipe)),
        ("a pidfd", FdSource::Pidfd),
        ("mnt of a target", FdSource::Target("mnt")),
        ("uts of a target", FdSource::Target("uts")),
    ] {
        cases.extend(cases! {
            { name: format!("EPERM first: {file}, by a user without rights"), fd: fd, nstype: 1,
              caller: [Setup::SetIds(USER)] => refused(Reason::CapInit) }
            { name: format!("EPERM first: {file}, by root without CAP_SYS_ADMIN"), fd: fd,
              nstype: 1, caller: [Setup::KeepCaps(!creds::SYS_ADMIN)]
              => refused(Reason::CapInit) }
            { name: format!("EPERM first: {file}, by root of a user namespace"), fd: fd,
              nstype: 1, caller: [Setup::Unshare(user), Setup::MapRoot]
              => refused(Reason::CapInit) }
        });
    }
    for kind in KINDS {
        let name = kind.name();
        cases.extend(cases! {
            { name: format!("EPERM even for its own {name}, by root of a user namespace"),
              fd: FdSource::Own(name), nstype: 0,
              caller: [Setup::Unshare(user | kind.flag()), Setup::MapRoot]
              => refused(Reason::CapInit) }
        });
    }
    cases
}
