// SPDX-License-Identifier: GPL-2.0-only

//! One or more namespaces of a process in one call, by pidfd.

use super::of_cases;
use crate::{
    case::{
        Case, Expect, FdSource,
        fixtures::Fixtures,
        implementation::{self, Entry, Kind, flags_of as flags},
        target::{Target, USER},
    },
    env::kernel::{Feature, PIDFD_THREAD},
    errno::{Code, outcome_name},
    process::setup::Setup,
    report::ktap::Test,
    sys,
};
use anyhow::{Context as _, Result, ensure};
use std::{
    fs,
    os::fd::AsRawFd as _,
    sync::mpsc::{Receiver, channel},
    thread,
};

const USER_NS: u32 = Kind::User.flag();

pub(crate) fn tests() -> Vec<Test> {
    let mut tests = of_cases(cases());
    tests.push(Test::new(
        "uts of a thread that is elsewhere than its process",
        of_a_thread,
    ));
    tests
}

pub(super) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for (i, one) in Kind::ALL.into_iter().enumerate() {
        cases.push(into_target("", one.flag()));
        for other in &Kind::ALL[i + 1..] {
            cases.push(into_target("", one.flag() | other.flag()));
        }
    }
    let all = implementation::all_kinds();
    cases.push(into_target("", flags(&[Kind::Uts, Kind::Net, Kind::Time])));
    cases.push(into_target("all but user: ", all & !USER_NS));
    cases.push(into_target("all: ", all));
    cases.extend(mixes());
    cases.extend(owners());
    cases.extend(effects());
    cases.extend(all_or_nothing());
    cases.extend(first_error());
    cases
}

/// Returns the case of a call by root into namespaces of a target in new ones of all kinds.
fn into_target(prefix: &str, kinds: u32) -> Case {
    let name = format!("{prefix}{}", implementation::kind_names(kinds));
    Case::new(name, FdSource::Pidfd, kinds as i32)
        .target(Target::in_all_new())
        .moves(kinds)
}

/// Returns cases of a target that shares some of its namespaces with the caller.
fn mixes() -> Vec<Case> {
    let all = implementation::all_kinds();
    let but_user = all & !USER_NS;
    let pidfd = FdSource::Pidfd;
    let [_, _, _, _, pid, _, _, time] = Kind::ALL.map(Kind::flag);
    let clock_offsets = |monotonic, boottime| Setup::ClockOffsets {
        monotonic,
        boottime,
    };
    // The call enters the namespaces of the target, not those for its children.
    let mut cases = cases! {
        { name: "pid of a target whose children are in another", fd: pidfd, nstype: pid,
          target: Target::new([
              Setup::Unshare(pid), Setup::Fork, Setup::Unshare(pid), Setup::Sibling,
          ]) => moves(pid) }
        { name: "time of a target whose children are in another", fd: pidfd, nstype: time,
          target: Target::new([Setup::Unshare(time), clock_offsets(77, 99)]),
          caller: [Setup::Unshare(time), clock_offsets(11, 22), Setup::Fork] => moves(time) }
        { name: "all but user of the caller itself", fd: FdSource::OwnPidfd, nstype: but_user
          => moves(but_user) }
    };
    for own in [
        flags(&[Kind::Uts, Kind::Net, Kind::Time]),
        flags(&[Kind::Mnt, Kind::Pid]),
        flags(&[Kind::Ipc, Kind::Cgroup]),
        0,
    ] {
        let word = match own {
            0 => "none".to_owned(),
            _ => implementation::kind_names(own),
        };
        cases.extend(cases! {
            { name: format!("all but user of a target in new {word}"), fd: pidfd,
              nstype: but_user, target: Target::in_new(own) => moves(but_user) }
            { name: format!("all of a target in new {word}: user is that of the caller"),
              fd: pidfd, nstype: all, target: Target::in_new(own) => fails(Code::EINVAL) }
        });
    }
    cases
}

/// Returns cases of a user's target. That user gets its capabilities by entering the user namespace,
/// which comes first.
fn owners() -> Vec<Case> {
    let all = implementation::all_kinds();
    let pidfd = FdSource::Pidfd;
    let target = || Target::in_all_new().of_user();
    let user = || [Setup::SetIds(USER)];
    let mut cases = cases! {
        { name: "all, by the user that made them", fd: pidfd, nstype: all, target: target(),
          caller: user() => moves(all) }
        { name: "all of a user, by root", fd: pidfd, nstype: all, target: target() => moves(all) }
    };
    for kind in Kind::ALL {
        let kinds = kind.flag() | USER_NS;
        let names = implementation::kind_names(kinds);
        cases.extend(cases! {
            { name: format!("{names}, by the user that made them"), fd: pidfd, nstype: kinds,
              target: target(), caller: user() => moves(kinds) }
        });
        if kind != Kind::User {
            cases.extend(cases! {
                { name: format!("{} without user, by the user that made it", kind.name()),
                  fd: pidfd, nstype: kind.flag(), target: target(), caller: user()
                  => fails(Code::EPERM) }
            });
        }
    }
    cases
}

/// Returns the setups that move root and working directory.
fn away() -> [Setup; 2] {
    [
        Setup::Chdir("/tmp/nsproxy-tests-cwd".into()),
        Setup::Chroot("/tmp/nsproxy-tests-root".into()),
    ]
}

/// Returns cases of the effects of some kinds in addition to the namespaces.
fn effects() -> Vec<Case> {
    let pidfd = FdSource::Pidfd;
    let all = implementation::all_kinds();
    let [_, mnt, uts, ipc, _, _, net, _] = Kind::ALL.map(Kind::flag);
    let mut cases = cases! {
        { name: "uts+ipc leaves semaphores as they were before this process", fd: pidfd,
          nstype: uts | ipc, caller: [Setup::RaiseSemaphore] => moves(uts | ipc) }
        { name: "uts+net leaves semaphores alone", fd: pidfd, nstype: uts | net,
          caller: [Setup::RaiseSemaphore] => moves(uts | net) }
        { name: "mnt+uts takes root and working directory along", fd: pidfd, nstype: mnt | uts,
          caller: away() => moves(mnt | uts) }
        { name: "mnt takes root and working directory along", fd: pidfd, nstype: mnt,
          caller: away() => moves(mnt) }
        { name: "uts+net leaves root and working directory alone", fd: pidfd, nstype: uts | net,
          caller: away() => moves(uts | net) }
        { name: "uts+net, a child stays", fd: pidfd, nstype: uts | net, caller: [Setup::Sibling]
          => moves(uts | net) }
        { name: "uts+net, a thread stays", fd: pidfd, nstype: uts | net, caller: [Setup::Thread]
          => moves(uts | net) }
        // The call checks and changes a copy of root and working directory first. The child shares
        // those of the task.
        { name: "all, a child stays", fd: pidfd, nstype: all, caller: [Setup::Sibling]
          => moves(all) }
    };
    for case in &mut cases {
        case.target = Some(Target::in_all_new());
    }
    cases.extend(cases! {
        { name: "mnt+uts of the caller itself", fd: FdSource::OwnPidfd, nstype: mnt | uts,
          caller: away() => moves(mnt | uts) }
    });
    cases
}

/// Returns cases in which one of several kinds fails: nothing must change, not even a kind that was
/// installed before.
fn all_or_nothing() -> Vec<Case> {
    let pidfd = FdSource::Pidfd;
    let target = Target::in_all_new;
    let [user, mnt, uts, ipc, pid, cgroup, net, time] = Kind::ALL.map(Kind::flag);
    let away_in_pid_ns = || {
        let [chdir, chroot] = away();
        [
            Setup::RaiseSemaphore,
            Setup::Unshare(pid),
            Setup::Fork,
            chdir,
            chroot,
        ]
    };
    cases! {
        { name: "uts+ipc+cgroup+net+time: time fails, last", fd: pidfd,
          nstype: uts | ipc | cgroup | net | time, target: target(),
          caller: [Setup::RaiseSemaphore, Setup::Thread] => fails(Code::EUSERS) }
        { name: "mnt+uts+net+time: time fails, last, and memory is shared", fd: pidfd,
          nstype: mnt | uts | net | time, target: target(), caller: [Setup::ShareVm]
          => fails(Code::EUSERS) }
        { name: "mnt+uts+ipc+pid: pid fails, in between", fd: pidfd, nstype: mnt | uts | ipc | pid,
          target: Target::in_new(mnt | uts | ipc), caller: away_in_pid_ns()
          => fails(Code::EINVAL) }
        { name: "user+time: time fails, the credentials stay", fd: pidfd, nstype: user | time,
          target: target(), caller: [Setup::ShareVm] => fails(Code::EUSERS) }
    }
}

/// Returns cases in which two of several kinds would fail: the error is that of the first check.
fn first_error() -> Vec<Case> {
    let [_, mnt, uts, _, _, _, net, time] = Kind::ALL.map(Kind::flag);
    // Target and caller are in the same user namespace, which owns only the first of two kinds.
    let target = |kind| Target::in_new(USER_NS | kind);
    let caller = |setup| [Setup::EnterTarget(USER_NS), setup];
    cases! {
        { name: "mnt and uts would fail", fd: FdSource::Pidfd, nstype: mnt | uts,
          target: target(mnt), caller: caller(Setup::ShareFs)
          => refused_despite_the_copy(Expect::Fails(Code::EPERM)) }
        { name: "time and net would fail", fd: FdSource::Pidfd, nstype: time | net,
          target: target(time), caller: caller(Setup::Thread) => fails(Code::EPERM) }
    }
}

/// Checks a pidfd of a thread, which is in another namespace than its process.
fn of_a_thread(fixtures: &mut Fixtures) -> Result<()> {
    Feature::PidfdThread.require()?;
    let entries = [Entry::Syscall, Entry::Device];
    let entries = entries
        .into_iter()
        .filter(|entry| fixtures.module.has(*entry));
    let (sender, receiver) = channel();
    let (done, wait) = channel();
    let target = thread::spawn(move || stay_elsewhere(|thread| sender.send(thread).is_ok(), &wait));
    let moved = receiver
        .recv()
        .context("the thread is gone")
        .and_then(|(tid, uts)| {
            entries.into_iter().try_for_each(|entry| {
                // In a new thread, which the call moves.
                let follow = thread::spawn(move || follow(entry, tid));
                let now = follow.join().expect("it does not panic")?;
                ensure!(now == uts, "{entry}: in {now}, expected {uts}");
                Ok(())
            })
        });
    drop(done);
    target.join().expect("it does not panic")?;
    moved
}

/// Enters a new uts namespace, reports its thread id and the namespace, and waits.
fn stay_elsewhere(tell: impl Fn((i32, String)) -> bool, wait: &Receiver<()>) -> Result<()> {
    sys::unshare(Kind::Uts.flag())?;
    tell((rustix::thread::gettid().as_raw_pid(), uts_of_thread()?));
    let _ = wait.recv();
    Ok(())
}

/// Enters the uts namespace of a thread. Returns the current namespace.
fn follow(entry: Entry, tid: i32) -> Result<String> {
    let pid = rustix::process::Pid::from_raw(tid).context("tid 0")?;
    let pidfd = rustix::process::pidfd_open(pid, PIDFD_THREAD).context("pidfd_open")?;
    let device = entry.open_device()?;
    let outcome = entry.setns(device.as_ref(), pidfd.as_raw_fd(), Kind::Uts.flag() as i32)?;
    ensure!(
        outcome.is_ok(),
        "{entry} returned {}",
        outcome_name(outcome)
    );
    uts_of_thread()
}

fn uts_of_thread() -> Result<String> {
    let link = fs::read_link("/proc/thread-self/ns/uts")?;
    Ok(link.to_string_lossy().into_owned())
}
