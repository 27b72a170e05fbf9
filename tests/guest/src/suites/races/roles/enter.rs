// SPDX-License-Identifier: GPL-2.0-only

//! Those who enter the namespaces of tasks that move, die or execute meanwhile.

use super::{
    super::{
        outcome::{Event, Situation},
        scene::{FLAGS, Stage, TODAY, pidfd},
        workers::{child, wait},
    },
    become_user, observe, pause,
};
use crate::{case::implementation::Kind, errno::Code};
use anyhow::{Context as _, Result};
use fastrand::Rng;
use rustix::{
    event::{PollFd, PollFlags, Timespec},
    io::Errno,
    process::{Pid, PidfdFlags},
    thread::CapabilitySet,
};
use std::os::fd::OwnedFd;

/// So often is a task entered that was found, before another one is.
const TIMES: usize = 20;

/// A pidfd for a thread that is not the first of its process: `PIDFD_THREAD`.
const THREAD: PidfdFlags = PidfdFlags::from_bits_retain(libc::O_EXCL as u32);

/// Enters tasks that make themselves known, each until it is gone; then `entered`.
fn enter(
    stage: &Stage,
    rng: &mut Rng,
    situation: Situation,
    flags: u32,
    entered: impl Fn(&Stage, &mut Rng) -> Result<()>,
) -> Result<()> {
    while stage.goes_on() {
        let found = stage.published(rng);
        let found = found.map(|pid| pidfd(pid, PidfdFlags::empty()));
        let Some(pidfd) = found.transpose()?.flatten() else {
            pause(rng, 1000);
            continue;
        };
        for _ in 0..TIMES {
            match stage.call(rng, situation, TODAY, &pidfd, flags)? {
                Ok(()) => entered(stage, rng)?,
                Err(Code::ESRCH) => {
                    stage.happened(how_gone(&pidfd)?);
                    // Once more: what is gone stays gone.
                    if stage.call(rng, situation, TODAY, &pidfd, flags)?.is_ok() {
                        stage.wrong("entered a task that was gone");
                    }
                    break;
                }
                Err(_) => {}
            }
            if rng.u32(..4) == 0 {
                pause(rng, 300);
            }
        }
    }
    Ok(())
}

/// Whether a dead task has still its pid.
fn how_gone(pidfd: &OwnedFd) -> Result<Event> {
    let mut fds = [PollFd::new(pidfd, PollFlags::IN)];
    rustix::event::poll(&mut fds, Some(&Timespec::default()))?;
    Ok(if fds[0].revents().contains(PollFlags::HUP) {
        Event::Reaped
    } else {
        Event::Zombie
    })
}

/// Tasks that only sit in a set of namespaces, and die.
pub(crate) fn enter_dying(stage: &Stage, rng: &mut Rng) -> Result<()> {
    enter(stage, rng, Situation::Dying, FLAGS, |stage, _| {
        stage.expect_one_home("after a dying task was entered")?;
        if stage.own("uts")? == stage.homes[0].inode(Kind::Uts) {
            stage.wrong("entered, and in the namespaces of before");
        }
        Ok(())
    })
}

/// Tasks that switch between sets of namespaces: what is entered is one set, never a mixture.
pub(crate) fn enter_moving(stage: &Stage, rng: &mut Rng) -> Result<()> {
    enter(stage, rng, Situation::Moving, FLAGS, |stage, _| {
        stage.expect_one_home("after a moving task was entered")
    })
}

/// The same, threads of a process.
pub(crate) fn enter_threads(stage: &Stage, rng: &mut Rng) -> Result<()> {
    while stage.goes_on() {
        let Some(pid) = stage.published(rng) else {
            pause(rng, 1000);
            continue;
        };
        for task in observe::threads_of(stage, pid)? {
            let name = task.rsplit('/').next().unwrap_or_default();
            let tid = Pid::from_raw(name.parse()?).context("tid 0")?;
            let Some(pidfd) = pidfd(tid, THREAD)? else {
                continue;
            };
            for _ in 0..TIMES {
                match stage.call(rng, Situation::Moving, TODAY, &pidfd, FLAGS)? {
                    Ok(()) => stage.expect_one_home("after a moving thread was entered")?,
                    Err(_) => break,
                }
            }
        }
    }
    Ok(())
}

/// Users whose rights change as they execute a program. By a user with the right to enter
/// namespaces and without that to look into everyone.
pub(crate) fn enter_executing(stage: &Stage, rng: &mut Rng) -> Result<()> {
    become_user(CapabilitySet::SYS_ADMIN)?;
    enter(stage, rng, Situation::Executing, FLAGS, |stage, _| {
        stage.expect_one_home("after an executing task was entered")
    })
}

/// The pid namespace of an init that dies: a child is in it, or is none.
pub(crate) fn enter_pid_of_dying(stage: &Stage, rng: &mut Rng) -> Result<()> {
    let flags = Kind::Pid.flag();
    enter(stage, rng, Situation::Reaper, flags, |stage, _| {
        let home = stage.homes[0].inode(Kind::Pid);
        match child(stage, |_| Ok(())) {
            Ok(pid) => {
                wait(pid)?;
                stage.happened(Event::Fork);
            }
            // alloc_pid() in a pid namespace whose init has begun to exit.
            Err(e) if e.downcast_ref() == Some(&Errno::NOMEM) => stage.happened(Event::NoChild),
            Err(e) => return Err(e),
        }
        // Without an init there is nothing to read: `pidns_for_children_get()`.
        if stage.link("thread-self/ns/pid_for_children")? == Some(home) {
            stage.wrong("entered, and children would be in the pid namespace of before");
        }
        Ok(())
    })
}
