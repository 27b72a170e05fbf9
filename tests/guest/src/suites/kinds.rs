// SPDX-License-Identifier: GPL-2.0-only

//! Each kind alone, by a file of nsfs.

use super::{effects, of_cases};
use crate::{
    case::{Case, FdSource, implementation::Kind, target::Target},
    errno::Code,
    process::{creds, setup::Setup},
    report::ktap::Test,
};

pub(crate) fn tests() -> Vec<Test> {
    let mut tests = of_cases(cases());
    tests.extend(effects::tests());
    tests
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
    cases.extend(credentials());
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

/// Returns cases of callers with unusual credentials. Entering a user namespace replaces the secure
/// bits and all capability sets: see [`crate::checks::outcome`]. Other kinds leave them alone.
fn credentials() -> Vec<Case> {
    const SECBIT_NOROOT: u32 = 0x1;
    const SECBIT_NO_SETUID_FIXUP: u32 = 0x4;
    const SECBIT_KEEP_CAPS: u32 = 0x10;
    const SECBIT_NO_CAP_AMBIENT_RAISE: u32 = 0x40;
    const SECBIT_EXEC_RESTRICT_FILE: u32 = 0x100;
    const SECBIT_EXEC_DENY_INTERACTIVE: u32 = 0x400;
    const ALL: u32 = SECBIT_NOROOT
        | SECBIT_NO_SETUID_FIXUP
        | SECBIT_KEEP_CAPS
        | SECBIT_NO_CAP_AMBIENT_RAISE
        | SECBIT_EXEC_RESTRICT_FILE
        | SECBIT_EXEC_DENY_INTERACTIVE;
    // The lock of each bit is the next one.
    const LOCKS: u32 = ALL << 1;
    const EXEC: u32 = SECBIT_EXEC_RESTRICT_FILE | SECBIT_EXEC_DENY_INTERACTIVE;
    let caps = creds::SYS_ADMIN | creds::SYS_CHROOT;
    let callers = [
        ("secure bit NOROOT", vec![Setup::SecureBits(SECBIT_NOROOT)]),
        (
            "secure bit KEEP_CAPS",
            vec![Setup::SecureBits(SECBIT_KEEP_CAPS)],
        ),
        (
            "secure bit EXEC_RESTRICT_FILE",
            vec![Setup::SecureBits(SECBIT_EXEC_RESTRICT_FILE)],
        ),
        (
            "secure bit EXEC_DENY_INTERACTIVE",
            vec![Setup::SecureBits(SECBIT_EXEC_DENY_INTERACTIVE)],
        ),
        (
            "the secure bits of execution, locked",
            vec![Setup::SecureBits(EXEC | EXEC << 1)],
        ),
        ("all secure bits", vec![Setup::SecureBits(ALL)]),
        (
            "all secure bits, locked",
            vec![Setup::SecureBits(ALL | LOCKS)],
        ),
        ("no secure bit, all locked", vec![Setup::SecureBits(LOCKS)]),
        ("inheritable capabilities", vec![Setup::InheritCaps(caps)]),
        ("ambient capabilities", vec![Setup::AmbientCaps(caps)]),
        ("few bounding capabilities", vec![Setup::BoundCaps(caps)]),
        (
            "few capabilities of each set, and secure bits",
            vec![
                Setup::BoundCaps(caps),
                Setup::AmbientCaps(caps),
                Setup::SecureBits(ALL),
                Setup::KeepCaps(caps),
            ],
        ),
    ];
    let all_sets = callers[callers.len() - 1].1.clone();
    let mut cases = Vec::new();
    for (word, caller) in callers {
        cases.extend(cases! {
            { name: format!("user with {word}"), fd: FdSource::Target("user"), nstype: 0,
              caller: caller => moves(Kind::User.flag()) }
        });
    }
    for kind in Kind::ALL.into_iter().filter(|kind| *kind != Kind::User) {
        let name = kind.name();
        cases.extend(cases! {
            { name: format!("{name} leaves credentials alone"), fd: FdSource::Target(name),
              nstype: 0, caller: all_sets.clone() => moves(kind.flag()) }
        });
    }
    cases
}
