// SPDX-License-Identifier: GPL-2.0-only

//! Each kind by itself, by nsfs file descriptor.

use super::of_cases;
use crate::{
    case::{
        Case, Handle,
        implementation::{self, Kind},
        target::Target,
    },
    errno::Code,
    process::setup::Step,
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
        cases.push(into_target_with_company(kind, Step::Sibling));
        // These three want a caller without threads: see the suite `errno`.
        if !matches!(kind, Kind::User | Kind::Mnt | Kind::Time) {
            cases.push(into_target_with_company(kind, Step::Thread));
        }
    }
    cases.extend(effects());
    cases
}

/// From where root is into a namespace of a target that is in new ones of all kinds.
fn into_target(kind: Kind, nstype: u32, word: &str) -> Case {
    let name = kind.name();
    Case::new(
        format!("{name} of a target, nstype {word}"),
        Handle::Target(name),
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
        Handle::Target(name),
        0,
    );
    match kind {
        // Out of a user namespace of one's own only leads to its children. And the target's pid
        // namespace must be one below the caller's.
        Kind::User => case
            .target(Target::in_all_new())
            .caller([Step::EnterTarget(kind.flag())])
            .fails(Code::EINVAL),
        _ => case
            .target(Target::in_all_new())
            .caller([Step::Unshare(kind.flag())])
            .moves(kind.flag()),
    }
}

/// Into the namespace that the caller is in already.
fn into_own(kind: Kind) -> Case {
    let name = kind.name();
    let case = Case::new(format!("{name} of the caller itself"), Handle::Own(name), 0);
    match kind {
        Kind::User => case.fails(Code::EINVAL),
        _ => case.moves(kind.flag()),
    }
}

/// With a task beside it that shares the nsproxy: that one stays where it is.
fn into_target_with_company(kind: Kind, company: Step) -> Case {
    let name = kind.name();
    let word = match company {
        Step::Thread => "thread",
        _ => "child",
    };
    Case::new(
        format!("{name} of a target, a {word} stays"),
        Handle::Target(name),
        0,
    )
    .target(Target::in_all_new())
    .caller([company])
    .moves(kind.flag())
}

/// What comes with some kinds besides the namespace.
fn effects() -> Vec<Case> {
    let into = |name: &str, kind: Kind, steps: Vec<Step>| {
        Case::new(name, Handle::Target(kind.name()), 0)
            .target(Target::in_all_new())
            .caller(steps)
            .moves(kind.flag())
    };
    vec![
        into(
            "ipc leaves semaphores as they were before this process",
            Kind::Ipc,
            vec![Step::RaiseSemaphore],
        ),
        into(
            "net leaves semaphores alone",
            Kind::Net,
            vec![Step::RaiseSemaphore],
        ),
        into(
            "mnt takes root and working directory along",
            Kind::Mnt,
            vec![
                Step::Chdir("/tmp/nsproxy-tests-cwd".into()),
                Step::Chroot("/tmp/nsproxy-tests-root".into()),
            ],
        ),
        into(
            "uts leaves root and working directory alone",
            Kind::Uts,
            vec![
                Step::Chdir("/tmp/nsproxy-tests-cwd".into()),
                Step::Chroot("/tmp/nsproxy-tests-root".into()),
            ],
        ),
        into(
            "uts leaves alone where children will be",
            Kind::Uts,
            vec![Step::Unshare(implementation::flags_of(&[
                Kind::Pid,
                Kind::Time,
            ]))],
        ),
        into("user with no_new_privs", Kind::User, vec![Step::NoNewPrivs]),
        into(
            "user with few capabilities",
            Kind::User,
            vec![Step::KeepCaps(crate::process::caps::SYS_ADMIN)],
        ),
        Case::new(
            "pid_for_children of a target that only its children are in",
            Handle::Target("pid_for_children"),
            Kind::Pid.flag() as i32,
        )
        .target(Target::in_new(Kind::Pid.flag()))
        .moves(Kind::Pid.flag()),
        Case::new(
            "time_for_children of a target",
            Handle::Target("time_for_children"),
            Kind::Time.flag() as i32,
        )
        .target(Target::new([
            Step::Unshare(Kind::Time.flag()),
            Step::ClockOffsets {
                monotonic: 77,
                boottime: 99,
            },
        ]))
        .moves(Kind::Time.flag()),
        Case::new(
            "net of uid 1000, by that user from inside its user namespace",
            Handle::Target("net"),
            0,
        )
        .target(Target::in_new(implementation::flags_of(&[Kind::User, Kind::Net])).of_user())
        .caller([Step::EnterTarget(Kind::User.flag())])
        .moves(Kind::Net.flag()),
    ]
}
