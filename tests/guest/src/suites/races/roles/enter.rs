// SPDX-License-Identifier: GPL-2.0-only

//! Roles that enter the namespaces of tasks that switch, die or execute at the same time.

use super::{
    super::{
        outcome::{Event, Situation},
        shared_state::{FLAGS, SharedState, TODAY, pidfd},
    },
    create, observe, pause,
};
use crate::{
    case::{
        implementation::{Kind, flags_of},
        target::USER,
    },
    errno::Code,
    process::{
        creds::{SYS_ADMIN, become_user_with_caps},
        workers::wait,
    },
};
use anyhow::{Context as _, Result};
use fastrand::Rng;
use rustix::{
    event::{PollFd, PollFlags, Timespec},
    io::Errno,
    process::{Pid, PidfdFlags},
};
use std::os::fd::OwnedFd;

/// How often a task is entered before another one is chosen.
const TIMES: usize = 20;

/// `PIDFD_THREAD`: a pidfd of a thread, not of its process.
const THREAD: PidfdFlags = PidfdFlags::from_bits_retain(libc::O_EXCL as u32);

/// Enters tasks that are published, each until it is gone. Calls `entered` after each success.
fn enter(
    state: &SharedState,
    rng: &mut Rng,
    situation: Situation,
    flags: u32,
    entered: impl Fn(&SharedState, &mut Rng) -> Result<()>,
) -> Result<()> {
    while state.is_running() {
        let found = state.random_published(rng);
        let found = found.map(|pid| pidfd(pid, PidfdFlags::empty()));
        let Some(pidfd) = found.transpose()?.flatten() else {
            pause(rng, 1000);
            continue;
        };
        for _ in 0..TIMES {
            match state.call(rng, situation, TODAY, &pidfd, flags)? {
                Ok(()) => entered(state, rng)?,
                Err(Code::ESRCH) => {
                    state.record(zombie_or_reaped(&pidfd)?);
                    // A task that is gone must stay gone.
                    if state.call(rng, situation, TODAY, &pidfd, flags)?.is_ok() {
                        state.report("entered a task that was gone");
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

/// Returns whether a dead task is still a zombie.
fn zombie_or_reaped(pidfd: &OwnedFd) -> Result<Event> {
    let mut fds = [PollFd::new(pidfd, PollFlags::IN)];
    rustix::event::poll(&mut fds, Some(&Timespec::default()))?;
    Ok(if fds[0].revents().contains(PollFlags::HUP) {
        Event::Reaped
    } else {
        Event::Zombie
    })
}

/// Enters tasks that sleep in a set of namespaces, and are killed.
pub(crate) fn enter_dying(state: &SharedState, rng: &mut Rng) -> Result<()> {
    enter(state, rng, Situation::Dying, FLAGS, |state, _| {
        state.expect_one_home("after a dying task was entered")?;
        if state.own("uts")? == state.homes[0].inode(Kind::Uts) {
            state.report("setns returned 0, but the caller is in its old namespaces");
        }
        Ok(())
    })
}

/// Enters tasks that switch between sets of namespaces. The caller must end up in one set, never in
/// a mixture of two.
pub(crate) fn enter_moving(state: &SharedState, rng: &mut Rng) -> Result<()> {
    enter(state, rng, Situation::Moving, FLAGS, |state, _| {
        state.expect_one_home("after a moving task was entered")
    })
}

/// Enters tasks that create namespaces: always new ones.
pub(crate) fn enter_creating(state: &SharedState, rng: &mut Rng) -> Result<()> {
    let kinds = flags_of(&create::AT_ONCE);
    enter(state, rng, Situation::Moving, kinds, |state, _| {
        for kind in create::AT_ONCE {
            if state.own(kind.name())? == state.homes[0].inode(kind) {
                let kind = kind.name();
                state.report(&format!("entered the {kind} namespace of the test"));
            }
        }
        Ok(())
    })
}

/// Enters tasks whose time namespace is about to change, by execve(2).
pub(crate) fn enter_time_of_executing(state: &SharedState, rng: &mut Rng) -> Result<()> {
    let time = Kind::Time.flag();
    enter(state, rng, Situation::Moving, time, |state, _| {
        let inode = state.own("time")?;
        state.expect_in("time_for_children", inode, "after time was entered")
    })
}

/// Enters threads of a process that switch between sets of namespaces.
pub(crate) fn enter_threads(state: &SharedState, rng: &mut Rng) -> Result<()> {
    while state.is_running() {
        let Some(pid) = state.random_published(rng) else {
            pause(rng, 1000);
            continue;
        };
        for task in observe::threads_of(state, pid)? {
            let name = task.rsplit('/').next().unwrap_or_default();
            let tid = Pid::from_raw(name.parse()?).context("tid 0")?;
            let Some(pidfd) = pidfd(tid, THREAD)? else {
                continue;
            };
            for _ in 0..TIMES {
                match state.call(rng, Situation::Moving, TODAY, &pidfd, FLAGS)? {
                    Ok(()) => state.expect_one_home("after a moving thread was entered")?,
                    Err(_) => break,
                }
            }
        }
    }
    Ok(())
}

/// Enters tasks of a user whose credentials change as they execute a program. The caller has
/// `CAP_SYS_ADMIN`, but not `CAP_SYS_PTRACE`.
pub(crate) fn enter_executing(state: &SharedState, rng: &mut Rng) -> Result<()> {
    become_user_with_caps(USER, SYS_ADMIN)?;
    enter(state, rng, Situation::Executing, FLAGS, |state, _| {
        state.expect_one_home("after an executing task was entered")
    })
}

/// Enters the pid namespace of an init that is killed. A later fork creates a child in it, or fails.
pub(crate) fn enter_pid_of_dying(state: &SharedState, rng: &mut Rng) -> Result<()> {
    let flags = Kind::Pid.flag();
    enter(state, rng, Situation::Reaper, flags, |state, _| {
        let home = state.homes[0].inode(Kind::Pid);
        match state.spawn(|| Ok(())) {
            Ok(pid) => {
                wait(pid)?;
                state.record(Event::Fork);
            }
            // alloc_pid() in a pid namespace whose init has begun to exit.
            Err(e) if e.downcast_ref() == Some(&Errno::NOMEM) => state.record(Event::NoChild),
            Err(e) => return Err(e),
        }
        // Without an init the link cannot be read: `pidns_for_children_get()`.
        if state.link("thread-self/ns/pid_for_children")? == Some(home) {
            state.report("setns returned 0, but children would be in the old pid namespace");
        }
        Ok(())
    })
}
