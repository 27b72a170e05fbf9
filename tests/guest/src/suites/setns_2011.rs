// SPDX-License-Identifier: GPL-2.0-only

//! setns as it was in 2011: three kinds, and one check before all others.

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

/// The kinds of then.
const KINDS: [Kind; 3] = [Kind::Net, Kind::Uts, Kind::Ipc];

pub(crate) fn tests() -> Vec<Test> {
    let mut cases = Vec::new();
    cases.extend(three_kinds());
    cases.extend(no_others());
    cases.extend(files());
    cases.extend(rights());
    of_cases(cases)
}

/// A case that is about the call of then. Nothing to compare with, unless the case says so.
fn case(name: impl Into<String>, handle: FdSource, nstype: u32) -> Case {
    Case {
        subject: Entry::Device2011,
        reference: None,
        ..Case::new(name, handle, nstype as i32)
    }
    .target(Target::in_all_new())
}

/// The same, where today's setns(2) does what it did then.
fn as_today(case: Case) -> Case {
    Case {
        reference: Some(Entry::Syscall),
        ..case
    }
}

fn three_kinds() -> Vec<Case> {
    let mut cases = Vec::new();
    for kind in KINDS {
        let name = kind.name();
        let flag = kind.flag();
        for (word, nstype) in [("0", 0), ("right", flag)] {
            cases.push(as_today(
                case(
                    format!("{name} of a target, nstype {word}"),
                    FdSource::Target(name),
                    nstype,
                )
                .moves(flag),
            ));
        }
        for other in Kind::ALL.into_iter().filter(|other| *other != kind) {
            cases.push(as_today(
                case(
                    format!("{name}, nstype of {}: EINVAL", other.name()),
                    FdSource::Target(name),
                    other.flag(),
                )
                .refused(Reason::NsType),
            ));
        }
        cases.push(as_today(
            case(
                format!("{name} of the caller itself"),
                FdSource::Own(name),
                flag,
            )
            .moves(flag),
        ));
        cases.push(as_today(
            case(
                format!("{name} of a target, after unshare"),
                FdSource::Target(name),
                flag,
            )
            .caller([Setup::Unshare(flag)])
            .moves(flag),
        ));
        cases.push(as_today(
            case(
                format!("{name} of a target, a child stays"),
                FdSource::Target(name),
                flag,
            )
            .caller([Setup::Sibling])
            .moves(flag),
        ));
        cases.push(as_today(
            case(
                format!("{name} of a target, a thread stays"),
                FdSource::Target(name),
                flag,
            )
            .caller([Setup::Thread])
            .moves(flag),
        ));
    }
    cases.push(as_today(
        case(
            "ipc leaves semaphores as they were before this process",
            FdSource::Target("ipc"),
            0,
        )
        .caller([Setup::RaiseSemaphore])
        .moves(Kind::Ipc.flag()),
    ));
    cases.push(as_today(
        case("net leaves semaphores alone", FdSource::Target("net"), 0)
            .caller([Setup::RaiseSemaphore])
            .moves(Kind::Net.flag()),
    ));
    cases
}

fn no_others() -> Vec<Case> {
    let mut cases = Vec::new();
    for kind in Kind::ALL.into_iter().filter(|kind| !KINDS.contains(kind)) {
        let name = kind.name();
        for (word, nstype) in [("0", 0), ("right", kind.flag())] {
            cases.push(
                case(
                    format!("{name} was not known then, nstype {word}: EINVAL"),
                    FdSource::Target(name),
                    nstype,
                )
                .refused(Reason::NoNs),
            );
        }
    }
    for (word, nstype) in [
        ("0", 0),
        ("uts", Kind::Uts.flag()),
        ("all", implementation::all_kinds()),
    ] {
        cases.push(
            case(
                format!("a pidfd was not known then, nstype {word}: EINVAL"),
                FdSource::Pidfd,
                nstype,
            )
            .refused(Reason::NoNs),
        );
    }
    cases
}

fn files() -> Vec<Case> {
    vec![
        as_today(case("fd -1: EBADF", FdSource::Number(-1), 0).refused(Reason::BadFd)),
        as_today(
            case(
                "opened with O_PATH: EBADF",
                FdSource::TargetBy(NsPath::OPath, Kind::Uts),
                0,
            )
            .refused(Reason::BadFd),
        ),
        as_today(
            case(
                "a regular file: EINVAL",
                FdSource::Unrelated(Unrelated::Regular),
                0,
            )
            .refused(Reason::NoNs),
        ),
        as_today(
            case("a pipe: EINVAL", FdSource::Unrelated(Unrelated::Pipe), 0).refused(Reason::NoNs),
        ),
        as_today(
            case("a /proc/PID directory: EINVAL", FdSource::ProcDirectory, 0).refused(Reason::NoNs),
        ),
    ]
}

/// `EPERM` comes before anything else, and only the initial user namespace counts.
fn rights() -> Vec<Case> {
    let root_below = [Setup::Unshare(Kind::User.flag()), Setup::MapRoot];
    let handles = [
        ("fd -1", FdSource::Number(-1)),
        ("a pipe", FdSource::Unrelated(Unrelated::Pipe)),
        ("a pidfd", FdSource::Pidfd),
        ("mnt of a target", FdSource::Target("mnt")),
        ("uts of a target", FdSource::Target("uts")),
    ];
    let mut cases = Vec::new();
    for (word, handle) in handles {
        for (who, steps) in [
            ("a user without rights", vec![Setup::SetIds(USER)]),
            (
                "root without CAP_SYS_ADMIN",
                vec![Setup::KeepCaps(!creds::SYS_ADMIN)],
            ),
            ("root of a user namespace", root_below.to_vec()),
        ] {
            cases.push(
                case(format!("EPERM first: {word}, by {who}"), handle, 1)
                    .caller(steps)
                    .refused(Reason::CapInit),
            );
        }
    }
    for kind in KINDS {
        let name = kind.name();
        cases.push(
            case(
                format!("EPERM even for its own {name}, by root of a user namespace"),
                FdSource::Own(name),
                0,
            )
            .caller([
                Setup::Unshare(Kind::User.flag() | kind.flag()),
                Setup::MapRoot,
            ])
            .refused(Reason::CapInit),
        );
        // The one check is all there is: today's asks the owner's user namespace, too, where
        // root of the initial one has every capability anyway.
        cases.push(as_today(
            case(
                format!("{name} owned by a user namespace of uid 1000, by root"),
                FdSource::Target(name),
                0,
            )
            .target(Target::in_new(Kind::User.flag() | kind.flag()).of_user())
            .caller([Setup::KeepCaps(creds::SYS_ADMIN)])
            .moves(kind.flag()),
        ));
    }
    cases
}
