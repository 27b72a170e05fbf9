// SPDX-License-Identifier: GPL-2.0-only

//! Each kind alone, by a file of nsfs.

use super::of_cases;
use crate::{
    case::{Case, FdSource, implementation::Kind, target::Target},
    errno::Code,
    process::{creds, setup::Setup},
    report::ktap::Test,
};

pub(crate) fn tests() -> Vec<Test> {
    of_cases(cases())
}

pub(super) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for kind in Kind::ALL {
        let (name, flag) = (kind.name(), kind.flag());
        let fd = FdSource::Target(name);
        cases.push(into_target(kind, 0, "0"));
        cases.push(into_target(kind, flag, "right"));
        if kind == Kind::User {
            // A process can only enter a descendant of its user namespace, not its own one. The
            // target's pid namespace must be below the caller's.
            cases.extend(cases! {
                { name: "user of a target, after unshare", fd: fd, nstype: 0,
                  caller: [Setup::EnterTarget(flag)] => fails(Code::EINVAL) }
                { name: "user of the caller itself", fd: FdSource::Own(name), nstype: 0
                  => fails(Code::EINVAL) }
            });
        } else {
            cases.extend(cases! {
                { name: format!("{name} of a target, after unshare"), fd: fd, nstype: 0,
                  caller: [Setup::Unshare(flag)] => moves(flag) }
                { name: format!("{name} of the caller itself"), fd: FdSource::Own(name), nstype: 0
                  => moves(flag) }
            });
        }
        // The other task shares the nsproxy, and does not move.
        cases.extend(cases! {
            { name: format!("{name} of a target, a child stays"), fd: fd, nstype: 0,
              caller: [Setup::Sibling] => moves(flag) }
        });
        // These three require a caller without threads: see the suite `errno`.
        if !matches!(kind, Kind::User | Kind::Mnt | Kind::Time) {
            cases.extend(cases! {
                { name: format!("{name} of a target, a thread stays"), fd: fd, nstype: 0,
                  caller: [Setup::Thread] => moves(flag) }
            });
        }
    }
    cases.extend(effects());
    for case in &mut cases {
        let has_target = case.target.is_some() || matches!(case.fd, FdSource::Own(_));
        if !has_target {
            case.target = Some(Target::in_all_new());
        }
    }
    cases
}

/// Returns the case of a call by root into a namespace of a target in new ones of all kinds.
pub(super) fn into_target(kind: Kind, nstype: u32, word: &str) -> Case {
    let name = format!("{} of a target, nstype {word}", kind.name());
    Case::new(name, FdSource::Target(kind.name()), nstype as i32)
        .target(Target::in_all_new())
        .moves(kind.flag())
}

/// Returns cases of the effects of some kinds in addition to the namespace.
fn effects() -> Vec<Case> {
    let [user, mnt, uts, ipc, pid, _, net, time] = Kind::ALL.map(Kind::flag);
    let away = || {
        [
            Setup::Chdir("/tmp/nsproxy-tests-cwd".into()),
            Setup::Chroot("/tmp/nsproxy-tests-root".into()),
        ]
    };
    let clock_offsets = Setup::ClockOffsets {
        monotonic: 77,
        boottime: 99,
    };
    cases! {
        { name: "ipc leaves semaphores as they were before this process",
          fd: FdSource::Target("ipc"), nstype: 0, caller: [Setup::RaiseSemaphore] => moves(ipc) }
        { name: "net leaves semaphores alone", fd: FdSource::Target("net"), nstype: 0,
          caller: [Setup::RaiseSemaphore] => moves(net) }
        { name: "mnt takes root and working directory along", fd: FdSource::Target("mnt"),
          nstype: 0, caller: away() => moves(mnt) }
        { name: "uts leaves root and working directory alone", fd: FdSource::Target("uts"),
          nstype: 0, caller: away() => moves(uts) }
        { name: "uts leaves the namespaces for children alone", fd: FdSource::Target("uts"),
          nstype: 0, caller: [Setup::Unshare(pid | time)] => moves(uts) }
        { name: "user with no_new_privs", fd: FdSource::Target("user"), nstype: 0,
          caller: [Setup::NoNewPrivs] => moves(user) }
        { name: "user with few capabilities", fd: FdSource::Target("user"), nstype: 0,
          caller: [Setup::KeepCaps(creds::SYS_ADMIN)] => moves(user) }
        { name: "pid_for_children of a target that only its children are in",
          fd: FdSource::Target("pid_for_children"), nstype: pid, target: Target::in_new(pid)
          => moves(pid) }
        { name: "time_for_children of a target", fd: FdSource::Target("time_for_children"),
          nstype: time, target: Target::new([Setup::Unshare(time), clock_offsets])
          => moves(time) }
        { name: "net of uid 1000, by that user from inside its user namespace",
          fd: FdSource::Target("net"), nstype: 0, target: Target::in_new(user | net).of_user(),
          caller: [Setup::EnterTarget(user)] => moves(net) }
    }
}
