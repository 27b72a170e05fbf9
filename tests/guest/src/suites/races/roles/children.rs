// SPDX-License-Identifier: GPL-2.0-only

//! Kinds that a process enters once in its life: a child for each.

use super::{
    super::{
        outcome::{Event, Situation},
        scene::{Stage, TODAY, pidfd},
        workers::{child, wait},
    },
    become_user, pause,
};
use crate::{case::implementation::Kind, sys};
use anyhow::{Result, ensure};
use fastrand::Rng;
use rustix::{process::PidfdFlags, thread::CapabilitySet};
use std::thread;

/// So many children at a time.
const AT_ONCE: usize = 3;

/// Children that each do this and end, several at a time.
fn children(stage: &Stage, rng: &mut Rng, once: fn(&Stage, &mut Rng) -> Result<()>) -> Result<()> {
    while stage.goes_on() {
        let mut pids = Vec::new();
        for _ in 0..AT_ONCE {
            let mut rng = rng.fork();
            pids.push(child(stage, |stage| once(stage, &mut rng))?);
            stage.happened(Event::Fork);
        }
        for pid in pids {
            wait(pid)?;
        }
    }
    Ok(())
}

/// A user's user namespace, entered by many of that user's processes; some of them one whose only
/// process is being killed.
pub(crate) fn enter_user(stage: &Stage, rng: &mut Rng) -> Result<()> {
    children(stage, rng, |stage, rng| {
        become_user(CapabilitySet::empty())?;
        let flag = Kind::User.flag();
        if rng.bool() {
            let home = stage.any_home(rng);
            let file = home.file(Kind::User);
            stage.call(rng, Situation::UserFirst, TODAY, file, 0)?.ok();
            stage.expect_in("user", home.inode(Kind::User), "after it was entered")?;
            stage
                .call(rng, Situation::UserAgain, TODAY, file, flag)?
                .ok();
            return Ok(());
        }
        let Some(pid) = stage.published(rng) else {
            return Ok(());
        };
        let Some(pidfd) = pidfd(pid, PidfdFlags::empty())? else {
            return Ok(());
        };
        pause(rng, 2000);
        let before = stage.own("user")?;
        let entered = stage.call(rng, Situation::UserDying, TODAY, &pidfd, flag)?;
        if entered.is_ok() == (stage.own("user")? == before) {
            stage.wrong(&format!(
                "user: {entered:?}, and the namespace says otherwise"
            ));
        }
        Ok(())
    })
}

/// A time namespace, by children that are alone in their memory, while their siblings end.
pub(crate) fn enter_time_afresh(stage: &Stage, rng: &mut Rng) -> Result<()> {
    children(stage, rng, |stage, rng| {
        let home = stage.any_home(rng);
        let (fd, inode) = (home.file(Kind::Time), home.inode(Kind::Time));
        stage
            .call(rng, Situation::Fresh, TODAY, fd, Kind::Time.flag())?
            .ok();
        for link in ["time", "time_for_children"] {
            stage.expect_in(link, inode, "after it was entered")?;
        }
        let (vdso, syscall) = (
            sys::clock_by_vdso(libc::CLOCK_MONOTONIC),
            sys::clock_by_syscall(libc::CLOCK_MONOTONIC),
        );
        // Someone else's turn may come between the two.
        let apart = (syscall - vdso).abs() / 1_000_000_000;
        if apart > 100 {
            stage.wrong(&format!(
                "the vDSO's clock and the kernel's are {apart} s apart"
            ));
        }
        Ok(())
    })
}

/// The same, by a process with a thread that has just begun or is about to end.
pub(crate) fn enter_time_beside_threads(stage: &Stage, rng: &mut Rng) -> Result<()> {
    while stage.goes_on() {
        let mut thread_rng = rng.fork();
        let thread = thread::Builder::new().stack_size(64 << 10).spawn(move || {
            if thread_rng.bool() {
                pause(&mut thread_rng, 500);
            }
        })?;
        for _ in 0..rng.u32(1..4) {
            enter_time(stage, rng)?;
        }
        ensure!(thread.join().is_ok(), "a thread panicked");
        // It is gone for libc; for the kernel it may not quite be.
        enter_time(stage, rng)?;
        stage.happened(Event::Exit);
    }
    Ok(())
}

fn enter_time(stage: &Stage, rng: &mut Rng) -> Result<()> {
    let before = stage.own("time")?;
    let home = stage.any_home(rng);
    let file = home.file(Kind::Time);
    let entered = stage.call(rng, Situation::Threads, TODAY, file, 0)?;
    let expected = entered.map_or(before, |()| home.inode(Kind::Time));
    stage.expect_in("time", expected, "beside a thread")
}
