// SPDX-License-Identifier: GPL-2.0-only

//! Each kind by itself, by nsfs file descriptor.

use super::of_cases;
use crate::{
    case::{
        Case, FdSource,
        implementation::{self, Kind},
        target::Target,
    },
    errno::Code,
    process::setup::Setup,
    report::ktap::Test,
};

pub(crate) fn tests() -> Vec<Test> {
    of_cases(cases())
}

pub(super) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for kind in Kind::ALL {
        for (nstype, word) in [(0, "0"), (kind.flag(), "right")] {
            cases.push(into_target(kind, nstype, word));
        }
        cases.push(into_target_from_own(kind));
        cases.push(into_own(kind));
        cases.push(into_target_with_company(kind, Setup::Sibling));
        // These three want a caller without threads: see the suite `errno`.
        if !matches!(kind, Kind::User | Kind::Mnt | Kind::Time) {
            cases.push(into_target_with_company(kind, Setup::Thread));
        }
    }
    cases.extend(effects());
    cases
}

/// From where root is into a namespace of a target that is in new ones of all kinds.
pub(super) fn into_target(kind: Kind, nstype: u32, word: &str) -> Case {
    let name = kind.name();
    Case::new(
        format!("{name} of a target, nstype {word}"),
        FdSource::Target(name),
        nstype as i32,
    )
    .target(Target::in_all_new())
    .moves(kind.flag())
}

/// The same, from a namespace that the caller made for itself.
fn into_target_from_own(kind: Kind) -> Case {
    let name = kind.name();
    let case = Case::new(
        format!("{name} of a target, after unshare"),
        FdSource::Target(name),
        0,
    );
    match kind {
        // Out of a user namespace of one's own only leads to its children. And the target's pid
        // namespace must be one below the caller's.
        Kind::User => case
            .target(Target::in_all_new())
            .caller([Setup::EnterTarget(kind.flag())])
            .fails(Code::EINVAL),
        _ => case
            .target(Target::in_all_new())
            .caller([Setup::Unshare(kind.flag())])
            .moves(kind.flag()),
    }
}

/// Into the namespace that the caller is in already.
fn into_own(kind: Kind) -> Case {
    let name = kind.name();
    let case = Case::new(
        format!("{name} of the caller itself"),
        FdSource::Own(name),
        0,
    );
    match kind {
        Kind::User => case.fails(Code::EINVAL),
        _ => case.moves(kind.flag()),
    }
}

/// With a task beside it that shares the nsproxy: that one stays where it is.
fn into_target_with_company(kind: Kind, company: Setup) -> Case {
    let name = kind.name();
    let word = match company {
        Setup::Thread => "thread",
        _ => "child",
    };
    Case::new(
        format!("{name} of a target, a {word} stays"),
        FdSource::Target(name),
        0,
    )
    .target(Target::in_all_new())
    .caller([company])
    .moves(kind.flag())
}

/// What comes with some kinds besides the namespace.
fn effects() -> Vec<Case> {
    let into = |name: &str, kind: Kind, steps: Vec<Setup>| {
        Case::new(name, FdSource::Target(kind.name()), 0)
            .target(Target::in_all_new())
            .caller(steps)
            .moves(kind.flag())
    };
    vec![
        into(
            "ipc leaves semaphores as they were before this process",
            Kind::Ipc,
            vec![Setup::RaiseSemaphore],
        ),
        into(
            "net leaves semaphores alone",
            Kind::Net,
            vec![Setup::RaiseSemaphore],
        ),
        into(
            "mnt takes root and working directory along",
            Kind::Mnt,
            vec![
                Setup::Chdir("/tmp/nsproxy-tests-cwd".into()),
                Setup::Chroot("/tmp/nsproxy-tests-root".into()),
            ],
        ),
        into(
            "uts leaves root and working directory alone",
            Kind::Uts,
            vec![
                Setup::Chdir("/tmp/nsproxy-tests-cwd".into()),
                Setup::Chroot("/tmp/nsproxy-tests-root".into()),
            ],
        ),
        into(
            "uts leaves alone where children will be",
            Kind::Uts,
            vec![Setup::Unshare(implementation::flags_of(&[
                Kind::Pid,
                Kind::Time,
            ]))],
        ),
        into(
            "user with no_new_privs",
            Kind::User,
            vec![Setup::NoNewPrivs],
        ),
        into(
            "user with few capabilities",
            Kind::User,
            vec![Setup::KeepCaps(crate::process::creds::SYS_ADMIN)],
        ),
        Case::new(
            "pid_for_children of a target that only its children are in",
            FdSource::Target("pid_for_children"),
            Kind::Pid.flag() as i32,
        )
        .target(Target::in_new(Kind::Pid.flag()))
        .moves(Kind::Pid.flag()),
        Case::new(
            "time_for_children of a target",
            FdSource::Target("time_for_children"),
            Kind::Time.flag() as i32,
        )
        .target(Target::new([
            Setup::Unshare(Kind::Time.flag()),
            Setup::ClockOffsets {
                monotonic: 77,
                boottime: 99,
            },
        ]))
        .moves(Kind::Time.flag()),
        Case::new(
            "net of uid 1000, by that user from inside its user namespace",
            FdSource::Target("net"),
            0,
        )
        .target(Target::in_new(implementation::flags_of(&[Kind::User, Kind::Net])).of_user())
        .caller([Setup::EnterTarget(Kind::User.flag())])
        .moves(Kind::Net.flag()),
    ]
}
