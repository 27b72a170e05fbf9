// SPDX-License-Identifier: GPL-2.0-only

//! Effects of entering a namespace that no snapshot shows.

use super::request_key::authority_ends;
use crate::{
    case::{
        fd_source::open_ns,
        fixtures::Fixtures,
        implementation::{Device, Entry, Kind},
        target::{Target, TargetProcess},
    },
    env::serve_status,
    errno::{Code, expect},
    process::{
        Actor,
        command::{Call, Reply},
        setup::{self, Setup},
        workers::{self, Child, run_in_child},
    },
    report::ktap::Test,
    sys::{self, Semaphore},
};
use anyhow::{Context as _, Result, bail, ensure};
use rustix::{
    io::Errno,
    process::{Resource, Rlimit},
};
use std::{
    fs::File,
    io::Read as _,
    os::fd::{AsRawFd as _, OwnedFd},
    thread,
    time::Duration,
};

/// How long a task may take to wake up, or to sleep.
const TIMEOUT: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(10);

type Check = fn(Entry, &mut Fixtures) -> Result<()>;

pub(super) fn tests() -> Vec<Test> {
    let checks: [(&str, Check); 4] = [
        ("time freezes the offsets of the clocks", offsets_freeze),
        ("ipc wakes a task that waits for a semaphore", sleeper_wakes),
        (
            "user counts the caller in the user namespace",
            user_is_counted,
        ),
        ("user drops the authority over a key", authority_ends),
    ];
    let mut tests = Vec::new();
    for (name, check) in checks {
        for (entry, word) in [
            (Entry::Syscall, "syscall"),
            (Entry::Device, "device"),
            (Entry::Served, "served"),
        ] {
            tests.push(Test::new(format!("{name}: {word}"), move |fixtures| {
                fixtures.module.require(entry)?;
                if entry == Entry::Served && !serve_status::is_supported(&Device::open()?)? {
                    return Err(serve_status::unsupported());
                }
                check(entry, fixtures)
            }));
        }
    }
    tests
}

/// Enters a namespace, in a child.
fn enter(entry: Entry, file: &OwnedFd) -> Result<()> {
    let device = entry.open_device()?;
    expect(entry.setns(device.as_ref(), file.as_raw_fd(), 0)?, Ok(()))
}

/// Checks that the offsets of a time namespace are final once a task is in it, even if no task was
/// created in it.
fn offsets_freeze(entry: Entry, _: &mut Fixtures) -> Result<()> {
    let time = Kind::Time.flag();
    let first = Setup::ClockOffsets {
        monotonic: 77,
        boottime: 99,
    };
    let target = TargetProcess::start(&Target::new([Setup::Unshare(time), first]))?;
    let file = target.ns("time_for_children")?;
    run_in_child(|| {
        let proc: OwnedFd = File::open("/proc")?.into();
        let set = || setup::set_clock_offsets(&proc, 11, 22);
        // The namespace of this child is new.
        sys::unshare(time)?;
        set()?;
        enter(entry, &file)?;
        match set() {
            Err(error) if error.downcast_ref() == Some(&Errno::ACCESS) => Ok(()),
            result => bail!("writing the offsets: {result:?}, expected EACCES"),
        }
    })
}

/// Checks that the undone operations on a semaphore wake a task that waits for its value.
fn sleeper_wakes(entry: Entry, fixtures: &mut Fixtures) -> Result<()> {
    let target = fixtures.target(&Target::in_new(Kind::Ipc.flag()))?;
    let mut caller = Actor::spawn()?;
    if entry != Entry::Syscall {
        caller.open_device()?;
    }
    let slot = caller.pass_file(target.ns("ipc")?)?.slot;
    let Reply::Semaphore(id) = caller.set_up(&Setup::RaiseSemaphore)? else {
        bail!("no semaphore");
    };
    let semaphore = Semaphore(id);
    let sleeper = workers::spawn_child(
        || Ok(semaphore.wait_for_zero()?),
        |error| println!("# the sleeper: {error}"),
    )?;
    let result = (|| {
        let mut waited = Duration::ZERO;
        while semaphore.waiting_for_zero()? == 0 {
            ensure!(waited < TIMEOUT, "no task waits for the semaphore");
            thread::sleep(PAUSE);
            waited += PAUSE;
        }
        expect(caller.call(Call::new(entry, slot, 0))?, Ok(()))?;
        ensure!(semaphore.value()? == 0, "the operation was not undone");
        // The exit of the caller would wake it, too.
        let woke = sys::has_ended_within(sleeper, TIMEOUT)?;
        ensure!(woke, "the task still waits");
        Ok(())
    })();
    // Wakes a task that still waits.
    semaphore.remove()?;
    let status = workers::wait(sleeper)?;
    result?;
    ensure!(status.exit_status() == Some(0), "the sleeper: {status:?}");
    Ok(())
}

/// Checks that limits of the user namespace apply to the caller (`set_cred_ucounts()`): the creator of
/// this one may have no pending signal, and so all its users together.
fn user_is_counted(entry: Entry, _: &mut Fixtures) -> Result<()> {
    let (mut ready, tell) = std::io::pipe()?;
    let owner = Child::start(move || {
        let none = Rlimit {
            current: Some(0),
            maximum: Some(0),
        };
        rustix::process::setrlimit(Resource::Sigpending, none)?;
        sys::unshare(Kind::User.flag())?;
        drop(tell);
        sys::sleep_forever()
    })?;
    // Returns when the child has closed its end.
    ready.read_to_end(&mut Vec::new())?;
    let file = open_ns(&owner.pid.as_raw_pid().to_string(), "user");
    let result = file.and_then(|file| {
        run_in_child(|| {
            sys::queue_blocked_signal().context("a signal before the call")?;
            enter(entry, &file)?;
            let queued = sys::queue_blocked_signal().map_err(Code::from);
            expect(queued, Err(Code::EAGAIN)).context("a signal after the call")
        })
    });
    owner.kill()?;
    result
}
