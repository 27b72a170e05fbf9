// SPDX-License-Identifier: GPL-2.0-only

//! Roles that enter namespaces of kinds that a process can enter only once: a child for each.

use super::{
    super::{
        outcome::{Event, Situation},
        shared_state::{SharedState, TODAY, pidfd},
    },
    pause,
};
use crate::{
    case::{implementation::Kind, target::USER},
    process::{creds::become_user, workers::wait},
    sys,
};
use anyhow::{Context as _, Result, ensure};
use fastrand::Rng;
use rustix::process::PidfdFlags;
use std::{os::unix::process::CommandExt as _, process::Command, thread};

/// The number of children at a time.
const AT_ONCE: usize = 3;

/// Starts children that each run `once` and exit, several at a time.
fn children(
    state: &SharedState,
    rng: &mut Rng,
    once: fn(&SharedState, &mut Rng) -> Result<()>,
) -> Result<()> {
    while state.is_running() {
        let mut pids = Vec::new();
        for _ in 0..AT_ONCE {
            let mut rng = rng.fork();
            pids.push(state.spawn(|| once(state, &mut rng))?);
            state.record(Event::Fork);
        }
        for pid in pids {
            let status = wait(pid)?;
            if status.exit_status() != Some(0) {
                state.report(&format!("a child ended with {status:?}"));
            }
        }
    }
    Ok(())
}

/// Enters the user namespace of a user, by processes of that user. Some enter one whose only
/// process is being killed.
pub(crate) fn enter_user(state: &SharedState, rng: &mut Rng) -> Result<()> {
    children(state, rng, |state, rng| {
        become_user(USER)?;
        let flag = Kind::User.flag();
        if rng.bool() {
            let home = state.random_home(rng);
            let file = home.file(Kind::User);
            state.call(rng, Situation::UserFirst, TODAY, file, 0)?.ok();
            state.expect_in("user", home.inode(Kind::User), "after it was entered")?;
            state
                .call(rng, Situation::UserAgain, TODAY, file, flag)?
                .ok();
            return Ok(());
        }
        let Some(pid) = state.random_published(rng) else {
            return Ok(());
        };
        let Some(pidfd) = pidfd(pid, PidfdFlags::empty())? else {
            return Ok(());
        };
        pause(rng, 2000);
        let before = state.own("user")?;
        let entered = state.call(rng, Situation::UserDying, TODAY, &pidfd, flag)?;
        let after = state.own("user")?;
        if entered.is_ok() == (after == before) {
            state.report(&format!(
                "user: {entered:?}, but the caller is in user:[{after}], before in user:[{before}]"
            ));
        }
        Ok(())
    })
}

/// Enters a time namespace, by children that share no memory, while their siblings exit.
pub(crate) fn enter_time_afresh(state: &SharedState, rng: &mut Rng) -> Result<()> {
    children(state, rng, |state, rng| {
        let home = state.random_home(rng);
        let (fd, inode) = (home.file(Kind::Time), home.inode(Kind::Time));
        state
            .call(rng, Situation::Fresh, TODAY, fd, Kind::Time.flag())?
            .ok();
        for link in ["time", "time_for_children"] {
            state.expect_in(link, inode, "after it was entered")?;
        }
        let (vdso, syscall) = (
            sys::clock_by_vdso(libc::CLOCK_MONOTONIC),
            sys::clock_by_syscall(libc::CLOCK_MONOTONIC),
        );
        // The scheduler may run another task between the two.
        let apart = (syscall - vdso).abs() / 1_000_000_000;
        if apart > 100 {
            state.report(&format!(
                "the vDSO's clock and the kernel's are {apart} s apart"
            ));
        }
        Ok(())
    })
}

/// Enters a time namespace, by a process with a thread that has just started or is about to end.
pub(crate) fn enter_time_beside_threads(state: &SharedState, rng: &mut Rng) -> Result<()> {
    while state.is_running() {
        let mut thread_rng = rng.fork();
        let thread = thread::Builder::new().stack_size(64 << 10).spawn(move || {
            if thread_rng.bool() {
                pause(&mut thread_rng, 500);
            }
        })?;
        for _ in 0..rng.u32(1..4) {
            enter_time(state, rng)?;
        }
        ensure!(thread.join().is_ok(), "a thread panicked");
        // It has ended for libc, but not necessarily for the kernel.
        enter_time(state, rng)?;
        state.record(Event::Exit);
    }
    Ok(())
}

fn enter_time(state: &SharedState, rng: &mut Rng) -> Result<()> {
    let before = state.own("time")?;
    let home = state.random_home(rng);
    let file = home.file(Kind::Time);
    let entered = state.call(rng, Situation::Threads, TODAY, file, 0)?;
    let expected = entered.map_or(before, |()| home.inode(Kind::Time));
    state.expect_in("time", expected, "beside a thread")
}

/// Creates a user namespace, by a process with a thread that has just started or is about to end.
pub(crate) fn create_user_beside_threads(state: &SharedState, rng: &mut Rng) -> Result<()> {
    children(state, rng, |state, rng| {
        let mut thread_rng = rng.fork();
        let thread = thread::Builder::new().stack_size(64 << 10).spawn(move || {
            if thread_rng.bool() {
                pause(&mut thread_rng, 500);
            }
        })?;
        let mut thread = Some(thread);
        let before = state.own("user")?;
        for _ in 0..4 {
            let flag = Kind::User.flag();
            let created = state.unshare(rng, Situation::CreatesBeside, TODAY, flag)?;
            let after = state.own("user")?;
            if created.is_ok() == (after == before) {
                state.report(&format!(
                    "user: {created:?}, in user:[{after}], before in user:[{before}]"
                ));
            }
            if created.is_ok() {
                break;
            }
            // It has ended for libc, but not necessarily for the kernel.
            if let Some(thread) = thread.take() {
                ensure!(thread.join().is_ok(), "a thread panicked");
                state.record(Event::Exit);
            }
        }
        Ok(())
    })
}

/// Creates a time namespace for children, has a child enter it, and enters it by execve(2). Others
/// enter the time namespace of this process meanwhile.
pub(crate) fn execute_into_time(state: &SharedState, rng: &mut Rng) -> Result<()> {
    children(state, rng, |state, rng| {
        let entries = state.serve(rng.bool())?;
        state
            .unshare(rng, Situation::Creates, entries, Kind::Time.flag())?
            .ok();
        let inode = state.own("time_for_children")?;
        ensure!(inode != state.own("time")?, "the time namespace is not new");
        if rng.bool() {
            let child = state.spawn(|| state.expect_in("time", inode, "after a fork"))?;
            wait(child)?;
        }
        state.publish(state.slot(), Some(rustix::process::getpid()));
        pause(rng, 2000);
        state.record(Event::Execute);
        let script = format!("test \"$(readlink /proc/$$/ns/time)\" = \"time:[{inode}]\"");
        // Returns only if it fails.
        let failed = Command::new("/bin/sh").args(["-c", &script]).exec();
        Err(failed).context("/bin/sh")
    })
}
