// SPDX-License-Identifier: GPL-2.0-only

//! The namespaces of a process, one or more of them at once, by pidfd.

use super::of_cases;
use crate::{
    case::{
        Case, FdSource,
        fixtures::Fixtures,
        implementation::{self, Device, Entry, Kind},
        target::{Target, USER},
    },
    errno::{Code, outcome_name},
    process::setup::Setup,
    report::ktap::Test,
    sys,
};
use anyhow::{Context as _, Result, ensure};
use rustix::process::PidfdFlags;
use std::{
    fs,
    os::fd::AsRawFd as _,
    sync::mpsc::{Receiver, channel},
    thread,
};

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
    let user = Kind::User.flag();
    let all = implementation::all_kinds();
    let uts_net_time = implementation::flags_of(&[Kind::Uts, Kind::Net, Kind::Time]);
    cases.push(into_target("", uts_net_time));
    cases.push(into_target("all but user: ", all & !user));
    cases.push(into_target("all: ", all));
    cases.extend(mixes());
    cases.extend(owners());
    cases.extend(effects());
    cases.extend(all_or_nothing());
    cases.extend(first_error());
    cases
}

/// From where root is into namespaces of a target that is in new ones of all kinds.
fn into_target(prefix: &str, kinds: u32) -> Case {
    let name = format!("{prefix}{}", implementation::kind_names(kinds));
    Case::new(name, FdSource::Pidfd, kinds as i32)
        .target(Target::in_all_new())
        .moves(kinds)
}

/// A target that is in some namespaces of its own, and shares the others with the caller.
fn mixes() -> Vec<Case> {
    let mut cases = Vec::new();
    let all = implementation::all_kinds();
    let user = Kind::User.flag();
    let mixes = [
        &[Kind::Uts, Kind::Net, Kind::Time][..],
        &[Kind::Mnt, Kind::Pid],
        &[Kind::Ipc, Kind::Cgroup],
        &[],
    ];
    for mix in mixes {
        let own = implementation::flags_of(mix);
        let target = Target::in_new(own);
        let word = match own {
            0 => "none".to_owned(),
            _ => implementation::kind_names(own),
        };
        cases.push(
            Case::new(
                format!("all but user of a target in new {word}"),
                FdSource::Pidfd,
                (all & !user) as i32,
            )
            .target(target.clone())
            .moves(all & !user),
        );
        cases.push(
            Case::new(
                format!("all of a target in new {word}: user is that of the caller"),
                FdSource::Pidfd,
                all as i32,
            )
            .target(target)
            .fails(Code::EINVAL),
        );
    }
    // What its children will be in is not what it is in.
    let pid = Kind::Pid.flag();
    let time = Kind::Time.flag();
    cases.extend([
        Case::new(
            "pid of a target whose children are in another",
            FdSource::Pidfd,
            pid as i32,
        )
        .target(Target::new([
            Setup::Unshare(pid),
            Setup::Fork,
            Setup::Unshare(pid),
            Setup::Sibling,
        ]))
        .moves(pid),
        Case::new(
            "time of a target whose children are in another",
            FdSource::Pidfd,
            time as i32,
        )
        .target(Target::new([
            Setup::Unshare(time),
            Setup::ClockOffsets {
                monotonic: 77,
                boottime: 99,
            },
        ]))
        .caller([
            Setup::Unshare(time),
            Setup::ClockOffsets {
                monotonic: 11,
                boottime: 22,
            },
            Setup::Fork,
        ])
        .moves(time),
    ]);
    let own = all & !user;
    cases.push(
        Case::new(
            "all but user of the caller itself",
            FdSource::OwnPidfd,
            own as i32,
        )
        .moves(own),
    );
    cases
}

/// A user's target, and that user: the user namespace comes first and brings the rights.
fn owners() -> Vec<Case> {
    let all = implementation::all_kinds();
    let user = Kind::User.flag();
    let of_user = || Target::in_all_new().of_user();
    let mut cases = vec![
        Case::new(
            "all, by the user that made them",
            FdSource::Pidfd,
            all as i32,
        )
        .target(of_user())
        .caller([Setup::SetIds(USER)])
        .moves(all),
        Case::new("all of a user, by root", FdSource::Pidfd, all as i32)
            .target(of_user())
            .moves(all),
    ];
    for kind in Kind::ALL {
        let kinds = kind.flag() | user;
        cases.push(
            Case::new(
                format!(
                    "{}, by the user that made them",
                    implementation::kind_names(kinds)
                ),
                FdSource::Pidfd,
                kinds as i32,
            )
            .target(of_user())
            .caller([Setup::SetIds(USER)])
            .moves(kinds),
        );
        if kind != Kind::User {
            cases.push(
                Case::new(
                    format!("{} without user, by the user that made it", kind.name()),
                    FdSource::Pidfd,
                    kind.flag() as i32,
                )
                .target(of_user())
                .caller([Setup::SetIds(USER)])
                .fails(Code::EPERM),
            );
        }
    }
    cases
}

/// What comes with some kinds besides the namespaces.
fn effects() -> Vec<Case> {
    let away = || {
        [
            Setup::Chdir("/tmp/nsproxy-tests-cwd".into()),
            Setup::Chroot("/tmp/nsproxy-tests-root".into()),
        ]
    };
    let uts_ipc = implementation::flags_of(&[Kind::Uts, Kind::Ipc]);
    let uts_net = implementation::flags_of(&[Kind::Uts, Kind::Net]);
    let mnt_uts = implementation::flags_of(&[Kind::Mnt, Kind::Uts]);
    let mnt = Kind::Mnt.flag();
    let case = |name: &str, kinds: u32, steps: Vec<Setup>| {
        Case::new(name, FdSource::Pidfd, kinds as i32)
            .target(Target::in_all_new())
            .caller(steps)
            .moves(kinds)
    };
    vec![
        case(
            "uts+ipc leaves semaphores as they were before this process",
            uts_ipc,
            vec![Setup::RaiseSemaphore],
        ),
        case(
            "uts+net leaves semaphores alone",
            uts_net,
            vec![Setup::RaiseSemaphore],
        ),
        case(
            "mnt+uts takes root and working directory along",
            mnt_uts,
            away().into(),
        ),
        case(
            "mnt takes root and working directory along",
            mnt,
            away().into(),
        ),
        case(
            "uts+net leaves root and working directory alone",
            uts_net,
            away().into(),
        ),
        case("uts+net, a child stays", uts_net, vec![Setup::Sibling]),
        case("uts+net, a thread stays", uts_net, vec![Setup::Thread]),
        // A copy of root and working directory is what is checked and changed first, but the
        // task's own are shared all the same.
        case(
            "all, a child stays",
            implementation::all_kinds(),
            vec![Setup::Sibling],
        ),
        Case::new(
            "mnt+uts of the caller itself",
            FdSource::OwnPidfd,
            mnt_uts as i32,
        )
        .caller(away())
        .moves(mnt_uts),
    ]
}

/// One of several fails: nothing has changed, not even what was installed before it.
fn all_or_nothing() -> Vec<Case> {
    let before_time =
        implementation::flags_of(&[Kind::Uts, Kind::Ipc, Kind::Cgroup, Kind::Net, Kind::Time]);
    let before_pid = implementation::flags_of(&[Kind::Mnt, Kind::Uts, Kind::Ipc, Kind::Pid]);
    vec![
        Case::new(
            format!(
                "{}: time fails, last",
                implementation::kind_names(before_time)
            ),
            FdSource::Pidfd,
            before_time as i32,
        )
        .target(Target::in_all_new())
        .caller([Setup::RaiseSemaphore, Setup::Thread])
        .fails(Code::EUSERS),
        Case::new(
            format!(
                "{}: pid fails, in between",
                implementation::kind_names(before_pid)
            ),
            FdSource::Pidfd,
            before_pid as i32,
        )
        .target(Target::in_new(implementation::flags_of(&[
            Kind::Mnt,
            Kind::Uts,
            Kind::Ipc,
        ])))
        .caller([
            Setup::RaiseSemaphore,
            Setup::Unshare(Kind::Pid.flag()),
            Setup::Fork,
            Setup::Chdir("/tmp/nsproxy-tests-cwd".into()),
            Setup::Chroot("/tmp/nsproxy-tests-root".into()),
        ])
        .fails(Code::EINVAL),
        Case::new(
            "mnt+uts+net+time: time fails, last, and memory is shared",
            FdSource::Pidfd,
            implementation::flags_of(&[Kind::Mnt, Kind::Uts, Kind::Net, Kind::Time]) as i32,
        )
        .target(Target::in_all_new())
        .caller([Setup::ShareVm])
        .fails(Code::EUSERS),
        Case::new(
            "user+time: time fails, the credentials stay",
            FdSource::Pidfd,
            implementation::flags_of(&[Kind::User, Kind::Time]) as i32,
        )
        .target(Target::in_all_new())
        .caller([Setup::ShareVm])
        .fails(Code::EUSERS),
    ]
}

/// Two of several would fail: which one does tells which one is asked first.
fn first_error() -> Vec<Case> {
    let user = Kind::User.flag();
    // A target and a caller in the same user namespace, which owns the first of two kinds only.
    let case = |own: Kind, other: Kind, state: Setup| {
        Case::new(
            format!("{} and {} would fail", own.name(), other.name()),
            FdSource::Pidfd,
            implementation::flags_of(&[own, other]) as i32,
        )
        .target(Target::in_new(user | own.flag()))
        .caller([Setup::EnterTarget(user), state])
    };
    vec![
        case(Kind::Mnt, Kind::Uts, Setup::ShareFs).refused_despite_the_copy(),
        case(Kind::Time, Kind::Net, Setup::Thread).fails(Code::EPERM),
    ]
}

/// Threads have namespaces of their own, and a pidfd can be that of a thread.
fn of_a_thread(_: &mut Fixtures) -> Result<()> {
    let (tell, told) = channel();
    let (done, wait) = channel();
    let target = thread::spawn(move || stay_elsewhere(|thread| tell.send(thread).is_ok(), &wait));
    let moved = told
        .recv()
        .context("the thread is gone")
        .and_then(|(tid, uts)| {
            [Entry::Syscall, Entry::Device]
                .into_iter()
                .try_for_each(|entry| {
                    // A caller that the test can do without afterwards.
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

/// Goes into a new uts namespace, says which thread it is and where, and waits.
fn stay_elsewhere(tell: impl Fn((i32, String)) -> bool, wait: &Receiver<()>) -> Result<()> {
    sys::unshare(Kind::Uts.flag())?;
    tell((rustix::thread::gettid().as_raw_pid(), uts_of_thread()?));
    let _ = wait.recv();
    Ok(())
}

/// Follows a thread into its uts namespace, and says where it is now.
fn follow(entry: Entry, tid: i32) -> Result<String> {
    let pid = rustix::process::Pid::from_raw(tid).context("tid 0")?;
    // PIDFD_THREAD
    let flags = PidfdFlags::from_bits_retain(libc::O_EXCL as u32);
    let pidfd = rustix::process::pidfd_open(pid, flags).context("pidfd_open")?;
    let device = Device::open()?;
    let outcome = entry.setns(Some(&device), pidfd.as_raw_fd(), Kind::Uts.flag() as i32)?;
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
