// SPDX-License-Identifier: GPL-2.0-only

//! The whole life of a served process: clone(2), execve(2), exit(2), and all that it does in between.
//!
//! The subject of each case is served from its first setup on. So all namespaces of the case are
//! created, shared, entered and left by the module, in the subject, its children, and the programs
//! that they execute. The reference is a process that is not served.

use super::{callers::Caller, kinds, of_cases, unshare};
use crate::{
    case::{
        Case,
        fixtures::Fixtures,
        implementation::{Device, Entry, Kind, all_kinds, kind_names},
        target::USER,
    },
    checks::leaked_namespaces::wait_until,
    env::{
        kernel::Feature,
        module::Module,
        serve_status::{self, enable},
    },
    process::{
        setup::{Setup, map_root},
        workers::{Child, run_in_child},
    },
    report::ktap::Test,
    sys::{self, Fork},
};
use anyhow::{Context as _, Result, bail, ensure};
use nsproxy_uapi::{
    Reason,
    clone_flags::{CLEAR_SIGHAND, EMPTY_MNTNS, NNP},
};
use rustix::{io::Errno, process::WaitOptions};
use std::{
    fs::File,
    io::{Read as _, Write as _},
    os::fd::OwnedFd,
    process::Command,
    thread,
};

pub(crate) fn tests() -> Vec<Test> {
    // Without the module, the tests of it are skipped.
    if Module::find().is_ok_and(|module| module == Module::Loaded)
        && let Some(tests) = serve_status::tests_if_unsupported("the life of a process is served")
    {
        return tests;
    }
    let served =
        |name: &str, run: fn(&mut Fixtures) -> Result<()>| Test::new(name, run).of_module();
    let mut tests = vec![
        served("a fork, a program and an exit are counted", counted),
        served("each thread is counted", threads_counted),
        served("a task that cannot be created", not_created),
        served(
            "threads that exit at once leave nothing behind",
            exits_at_once,
        ),
        served("a killed process leaves nothing behind", killed),
        served(
            "C1 flags of 64 bits that exclude others, explained",
            exclusive_flags,
        ),
        Test::new("the namespaces of a new task are active", |_| active(false)),
        served("the namespaces of a new task are active: served", |_| {
            active(true)
        }),
        Test::new("a user namespace that is left is inactive", |_| {
            inactive(false, leave)
        }),
        served("a user namespace that is left is inactive: served", |_| {
            inactive(true, leave)
        }),
        Test::new(
            "a user namespace in which a fork failed is inactive",
            |_| inactive(false, fail_to_fork),
        ),
        served(
            "a user namespace in which a fork failed is inactive: served",
            |_| inactive(true, fail_to_fork),
        ),
    ];
    let lifelong = |(name, case): (&str, Case)| Case {
        name: format!("{name}: {}", case.name),
        subject: Entry::Lifelong,
        reason: None,
        ..case
    };
    let of = |name, cases: Vec<Case>| cases.into_iter().map(move |case| (name, case));
    let others = of("unshare", unshare::cases()).chain(of("kinds", kinds::cases()));
    tests.extend(of_cases(reasons()));
    tests.extend(of_cases(cases()));
    // By the kernel alone, they are the cases of other suites.
    let others = of_cases(others.map(lifelong)).into_iter();
    tests.extend(others.map(Test::of_module));
    tests
}

const USERS: u32 = Kind::User.flag();

/// Returns the cases of clone(2).
fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for kinds in unshare::sets() {
        let name = format!("{} by root", kind_names(kinds));
        cases.push(Case::clone_task(name, kinds.into()).creates(kinds));
    }
    for caller in Caller::of_creation() {
        for kinds in unshare::sets().chain([0]) {
            let name = format!("{} by {caller}", names(kinds));
            cases.push(Case::clone_task(name, kinds.into()).caller(caller.setups()));
        }
    }
    for (word, flag) in FLAGS {
        // clone(2) has no room for CLONE_NEWTIME, and clone3(2) needs it.
        let has_room =
            |kinds: &u32| flag & libc::CLONE_VM as u64 == 0 || kinds & Kind::Time.flag() == 0;
        for kinds in unshare::sets().chain([0]).filter(has_room) {
            let name = format!("{} with {word}", names(kinds));
            let mut case = Case::clone_task(name, u64::from(kinds) | flag);
            if flag == libc::CLONE_PARENT as u64 {
                // The new task becomes a sibling of the caller. The caller gets a parent that leaves
                // the new task to init.
                case = case.caller([Setup::Fork]).creates(kinds);
            }
            cases.push(case);
        }
        for kinds in [0, Kind::Uts.flag()] {
            let name = format!(
                "{} with {word} by root with a time namespace for children",
                names(kinds)
            );
            let mut caller = vec![Setup::Unshare(Kind::Time.flag())];
            if flag == libc::CLONE_PARENT as u64 {
                caller.insert(0, Setup::Fork);
            }
            cases.push(Case::clone_task(name, u64::from(kinds) | flag).caller(caller));
        }
    }
    cases
}

/// Returns a case for each reason that only clone(2) has. A name starts with the row of
/// `docs/checks.md` that the case is about.
fn reasons() -> Vec<Case> {
    const PID: u32 = Kind::Pid.flag();
    let flag = |flag: i32| flag as u64;
    let [vm, fs, sighand, parent, sysvsem] = [
        libc::CLONE_VM,
        libc::CLONE_FS,
        libc::CLONE_SIGHAND,
        libc::CLONE_PARENT,
        libc::CLONE_SYSVSEM,
    ]
    .map(flag);
    let thread = vm | sighand | flag(libc::CLONE_THREAD);
    let kind = |kind: Kind| u64::from(kind.flag());
    let pid_for_children = || vec![Setup::Unshare(PID)];
    let as_init = || vec![Setup::Unshare(PID), Setup::Fork];
    let refused = |name: &str, flags, caller: Vec<Setup>, reason| {
        Case::clone_task(name.to_owned(), flags)
            .caller(caller)
            .refused(reason)
    };
    use Reason::{CloneFlags, CloneFs, CloneParent, CloneSysvsem, CloneThread};
    vec![
        refused("C1 an unknown bit", 1 << 63, vec![], CloneFlags),
        refused("C1 a signal", libc::SIGUSR1 as u64, vec![], CloneFlags),
        refused(
            "C1 CLONE_DETACHED",
            flag(libc::CLONE_DETACHED),
            vec![],
            CloneFlags,
        ),
        refused(
            "C1 CLONE_SIGHAND without CLONE_VM",
            sighand,
            vec![],
            CloneFlags,
        ),
        refused(
            "C1 CLONE_THREAD without CLONE_SIGHAND",
            vm | flag(libc::CLONE_THREAD),
            vec![],
            CloneFlags,
        ),
        refused(
            "C2 mnt with CLONE_FS",
            kind(Kind::Mnt) | fs,
            vec![],
            CloneFs,
        ),
        refused(
            "C2 user with CLONE_FS",
            kind(Kind::User) | fs,
            vec![],
            CloneFs,
        ),
        refused(
            "C2 CLONE_EMPTY_MNTNS with CLONE_FS",
            EMPTY_MNTNS | fs,
            vec![],
            CloneFs,
        ),
        Case::clone_task(
            "C2 net with CLONE_FS, which is allowed",
            kind(Kind::Net) | fs,
        )
        .creates(Kind::Net.flag()),
        refused("C3 CLONE_PARENT by an init", parent, as_init(), CloneParent),
        refused(
            "C4 a thread in a new user namespace",
            thread | kind(Kind::User),
            vec![],
            CloneThread,
        ),
        refused(
            "C4 a thread in a new pid namespace",
            thread | u64::from(PID),
            vec![],
            CloneThread,
        ),
        refused(
            "C4 a thread in another pid namespace",
            thread,
            pid_for_children(),
            CloneThread,
        ),
        refused(
            "C5 ipc with CLONE_SYSVSEM",
            kind(Kind::Ipc) | sysvsem,
            vec![],
            CloneSysvsem,
        ),
        refused(
            "U7 CLONE_EMPTY_MNTNS by uid 1000",
            EMPTY_MNTNS,
            vec![Setup::SetIds(USER)],
            Reason::CapNew,
        ),
        refused(
            "U7 net by uid 1000",
            kind(Kind::Net),
            vec![Setup::SetIds(USER)],
            Reason::CapNew,
        ),
    ]
}

fn names(kinds: u32) -> String {
    match kinds {
        0 => "no kind".to_owned(),
        _ => kind_names(kinds),
    }
}

/// Flags of clone(2) beside the kinds.
const FLAGS: [(&str, u64); 8] = [
    ("CLONE_VM", libc::CLONE_VM as u64),
    ("CLONE_FS", libc::CLONE_FS as u64),
    ("CLONE_FILES", libc::CLONE_FILES as u64),
    ("CLONE_SYSVSEM", libc::CLONE_SYSVSEM as u64),
    ("CLONE_PARENT", libc::CLONE_PARENT as u64),
    ("CLONE_SIGHAND without CLONE_VM", libc::CLONE_SIGHAND as u64),
    (
        "CLONE_VM and CLONE_SYSVSEM",
        (libc::CLONE_VM | libc::CLONE_SYSVSEM) as u64,
    ),
    ("CLONE_EMPTY_MNTNS", EMPTY_MNTNS),
];

/// Checks how often `f`, which runs in a served process, has the module create tasks, execute
/// programs, and end tasks.
fn counts(expected: [u64; 3], f: fn() -> Result<()>) -> Result<()> {
    let processes = serve_status::processes()?;
    let served = run_in_child(move || {
        enable(&Device::open()?)?;
        let before = serve_status::life()?;
        f()?;
        let after = serve_status::life()?;
        let counted: Vec<_> = after
            .iter()
            .zip(before)
            .map(|(after, before)| after - before)
            .collect();
        ensure!(
            counted == expected,
            "counted {counted:?}, expected {expected:?}"
        );
        Ok(())
    });
    served?;
    let now = serve_status::processes()?;
    ensure!(
        now == processes,
        "{now} processes are served, expected {processes}"
    );
    Ok(())
}

fn counted(_: &mut Fixtures) -> Result<()> {
    counts([1, 1, 1], || {
        let status = Command::new("/bin/busybox").arg("true").status()?;
        ensure!(status.success(), "{status}");
        Ok(())
    })
}

fn threads_counted(_: &mut Fixtures) -> Result<()> {
    counts([3, 0, 3], || {
        let threads = [(); 3].map(|()| thread::spawn(|| {}));
        for thread in threads {
            thread.join().ok().context("a thread has panicked")?;
        }
        // A thread may still be on its way out when it is joined.
        for _ in 0..100 {
            if std::fs::read_dir("/proc/self/task")?.count() == 1 {
                break;
            }
            thread::yield_now();
        }
        Ok(())
    })
}

/// The new task gets its namespaces, and loses them when it gets no pid: its pid namespace has no
/// init any more.
fn not_created(_: &mut Fixtures) -> Result<()> {
    counts([2, 0, 2], || {
        // The gate after the suite finds a user namespace that stays active.
        sys::unshare(USERS | Kind::Pid.flag())?;
        match sys::fork()? {
            Fork::Child => sys::exit(0),
            Fork::Parent(init) => {
                rustix::process::waitpid(Some(init), WaitOptions::empty())?;
            }
        }
        match sys::fork() {
            Err(Errno::NOMEM) => {}
            Ok(Fork::Child) => sys::exit(0),
            other => bail!("fork: {:?}", other.map(|_| ())),
        }
        // The failure was not the end of this process.
        ensure!(
            Device::open()?.serves()?,
            "the process is not served any more"
        );
        Ok(())
    })
}

/// Checks `CLONE_SIGHAND` with `CLONE_CLEAR_SIGHAND`, and `CLONE_THREAD` with `CLONE_NNP`. They are
/// no cases: `sys::clone_task()` uses clone(2) for `CLONE_VM`, whose flags have 32 bits.
fn exclusive_flags(_: &mut Fixtures) -> Result<()> {
    let thread = libc::CLONE_THREAD as u64;
    let shared = (libc::CLONE_VM | libc::CLONE_SIGHAND) as u64;
    let device = Device::open()?;
    for (flags, expected) in [
        (shared, None),
        (CLEAR_SIGHAND, None),
        (shared | CLEAR_SIGHAND, Some(Reason::CloneFlags)),
        (shared | thread, None),
        (shared | NNP, None),
        (shared | thread | NNP, Some(Reason::CloneFlags)),
    ] {
        let reason = device.trace_clone(flags)?.0.map(|refusal| refusal.reason);
        ensure!(
            reason == expected,
            "{flags:#x}: {reason:?}, expected {expected:?}"
        );
    }
    Ok(())
}

/// Checks that the new namespaces of a task are active as long as it exists, and no longer.
fn active(is_served: bool) -> Result<()> {
    Feature::Listns.require()?;
    run_in_child(move || {
        if is_served {
            enable(&Device::open()?)?;
        }
        for kinds in [USERS, all_kinds()] {
            let before = sys::listns(all_kinds())?;
            let new = || -> Result<Vec<u64>> {
                let mut ids = sys::listns(all_kinds())?;
                ids.retain(|id| !before.contains(id));
                Ok(ids)
            };
            let (mut wait, mut end) = std::io::pipe()?;
            let child = sys::clone_task(kinds.into(), &mut || {
                let _ = wait.read(&mut [0]);
                0
            })?;
            let during = new()?.len();
            end.write_all(&[0])?;
            let all = WaitOptions::from_bits_retain(libc::__WALL as u32);
            rustix::process::waitpid(Some(child), all)?;
            let names = kind_names(kinds);
            ensure!(
                during == kinds.count_ones() as usize,
                "{during} namespaces are active in a new task with {names}"
            );
            let left = wait_until(new, Vec::is_empty)?.len();
            ensure!(left == 0, "{left} namespaces are active after {names}");
        }
        Ok(())
    })
}

/// Creates another user namespace.
fn leave() -> Result<()> {
    Ok(sys::unshare(USERS)?)
}

/// Has clone(2) fail after it has copied the credentials.
fn fail_to_fork() -> Result<()> {
    let flags = u64::from(Kind::Ipc.flag()) | libc::CLONE_SYSVSEM as u64;
    match sys::clone_task(flags, &mut || 0) {
        Err(Errno::INVAL) => Ok(()),
        other => bail!("clone: {other:?}"),
    }
}

/// Checks that a user namespace is inactive when its process has run `last` and exited, although
/// credentials still refer to it.
fn inactive(is_served: bool, last: fn() -> Result<()>) -> Result<()> {
    Feature::Listns.require()?;
    run_in_child(move || {
        if is_served {
            enable(&Device::open()?)?;
        }
        let proc: OwnedFd = File::open("/proc")?.into();
        let before = sys::listns(all_kinds())?;
        let mut pipe = None;
        let mut run = || -> Result<()> {
            sys::unshare(USERS)?;
            map_root(&proc, 0)?;
            // In the table that this process shares: both files have the credentials of their opener.
            pipe = Some(std::io::pipe()?);
            last()
        };
        let flags = (libc::CLONE_VM | libc::CLONE_FILES) as u64;
        let child = sys::clone_task(flags, &mut || i32::from(run().is_err()))?;
        let all = WaitOptions::from_bits_retain(libc::__WALL as u32);
        let status = rustix::process::waitpid(Some(child), all)?;
        let succeeded = status.is_some_and(|(_, status)| status.exit_status() == Some(0));
        ensure!(succeeded, "the process failed: {status:?}");
        let new = || -> Result<Vec<u64>> {
            let mut ids = sys::listns(all_kinds())?;
            ids.retain(|id| !before.contains(id));
            Ok(ids)
        };
        let left = wait_until(new, Vec::is_empty)?;
        ensure!(left.is_empty(), "active: {left:?}");
        drop(pipe);
        Ok(())
    })
}

/// The number of processes and of threads that exit.
const PROCESSES: u32 = 100;
const THREADS: usize = 8;

fn exits_at_once(_: &mut Fixtures) -> Result<()> {
    let processes = serve_status::processes()?;
    for _ in 0..PROCESSES {
        run_in_child(|| {
            enable(&Device::open()?)?;
            for _ in 0..THREADS {
                thread::Builder::new()
                    .stack_size(64 << 10)
                    .spawn(|| sys::sleep_forever())?;
            }
            // All threads exit with the process.
            Ok(())
        })?;
    }
    let now = serve_status::processes()?;
    ensure!(
        now == processes,
        "{now} processes are served, expected {processes}"
    );
    Ok(())
}

fn killed(_: &mut Fixtures) -> Result<()> {
    let processes = serve_status::processes()?;
    let mut children = Vec::new();
    for _ in 0..THREADS {
        children.push(Child::start(|| {
            enable(&Device::open()?)?;
            loop {
                if let Fork::Child = sys::fork()? {
                    sys::exit(0);
                }
                rustix::process::wait(WaitOptions::empty())?;
            }
        })?);
    }
    // At any point of a fork or an exit.
    for child in children {
        child.kill()?;
    }
    for _ in 0..100 {
        if serve_status::processes()? == processes {
            return Ok(());
        }
        thread::sleep(std::time::Duration::from_millis(20));
    }
    bail!("{} processes are served", serve_status::processes()?)
}
