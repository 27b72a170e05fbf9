// SPDX-License-Identifier: GPL-2.0-only

//! A race of the kernel's own, which setns(2) and the device share since both call
//! `timens_commit()`.
//!
//! The first task to enter a time namespace freezes its offsets and copies them into the page that
//! the vDSO reads. `timens_set_vvar_page()` marks the offsets as frozen before it copies them. A
//! task that finds the mark continues without the lock, and until the copy is complete, the vDSO
//! shows it the clock without any offset. `tests/known-kernel-bugs/` has the patch, and one that
//! widens the window, which is too narrow otherwise.

use super::shared_state::SharedState;
use crate::{
    case::implementation::Kind,
    process::workers::{kill, wait},
    report::{ktap::Test, verdict_port},
    sys::{self, Shared, clock_by_syscall, clock_by_vdso},
};
use anyhow::{Context as _, Result, ensure};
use std::{
    fs::{self, File},
    os::fd::AsRawFd as _,
    process,
    sync::atomic::Ordering::SeqCst,
    thread,
};

/// The number of time namespaces to enter.
const ROUNDS: u64 = 500;
/// The number of tasks that enter each at the same time: the number of CPUs of the guest.
const TASKS: u64 = 2;
/// The offset of the monotonic clock in these namespaces, in seconds.
const OFFSET: i64 = 100_000;

/// The counters that the tasks share.
#[derive(Clone, Copy)]
enum At {
    /// The round that the creator of the namespaces has started.
    Round,
    /// Arrivals of tasks at the start of a round; `Done` counts the ends.
    Arrived,
    Done,
    /// Tasks that saw a clock without its offset.
    Early,
    Len,
}

pub(super) fn tests() -> Vec<Test> {
    vec![Test::new(
        "known: the vDSO of the second task in a time namespace may lack the offsets",
        |fixtures| {
            let state = SharedState::new(&[], false, fixtures.effort.seed)?;
            let shared = Shared::new(At::Len as usize)?;
            // In a child, since the next children of the creator are in the last namespace.
            let creator = state.spawn(|| make_and_enter(&state, &shared))?;
            let status = wait(creator)?;
            state.complaints.none()?;
            ensure!(
                status.exit_status() == Some(0),
                "the creator ended with {status:?}"
            );

            let entered = shared[At::Done as usize].load(SeqCst);
            let early = shared[At::Early as usize].load(SeqCst);
            ensure!(
                entered == ROUNDS * TASKS,
                "only {entered} tasks have entered"
            );
            let word = if early == 0 { "not seen" } else { "known" };
            println!(
                "# {word}: {early} of {entered} tasks read the clock of a new time namespace by the \
                 vDSO without its offset"
            );
            verdict_port::fact("races.known.timens", format!("early={early} of={entered}"))
        },
    )]
}

/// Creates the namespaces, one after the other, and has children enter each at the same time.
fn make_and_enter(state: &SharedState, shared: &Shared) -> Result<()> {
    let creator = process::id();
    let mut tasks = Vec::new();
    for _ in 0..TASKS {
        tasks.push(state.spawn(|| enter_each(creator, shared))?);
    }
    for round in 1..=ROUNDS {
        sys::unshare(Kind::Time.flag())?;
        let offsets = "/proc/self/timens_offsets";
        fs::write(offsets, format!("monotonic {OFFSET} 0")).context(offsets)?;
        shared[At::Round as usize].store(round, SeqCst);
        while shared[At::Done as usize].load(SeqCst) < round * TASKS {
            thread::yield_now();
            state.complaints.none()?;
        }
        let refused = fs::write(offsets, format!("monotonic {OFFSET} 0"));
        ensure!(
            refused.is_err_and(|error| error.raw_os_error() == Some(libc::EACCES)),
            "the offsets can be changed although tasks have entered"
        );
    }
    tasks.into_iter().try_for_each(kill)
}

/// Enters the namespace of each round together with the other tasks, until its parent kills it.
fn enter_each(creator: u32, shared: &Shared) -> Result<()> {
    let path = format!("/proc/{creator}/ns/time_for_children");
    for round in 1.. {
        while shared[At::Round as usize].load(SeqCst) < round {
            thread::yield_now();
        }
        let file = File::open(&path).context("time_for_children")?;
        // No yield: the tasks must make the call at the same moment, each on its CPU.
        shared[At::Arrived as usize].fetch_add(1, SeqCst);
        while shared[At::Arrived as usize].load(SeqCst) < round * TASKS {
            std::hint::spin_loop();
        }
        sys::setns(file.as_raw_fd(), Kind::Time.flag() as i32)?;
        let early = !has_offset(clock_by_vdso);
        ensure!(
            has_offset(clock_by_syscall),
            "the system call shows no offset"
        );
        shared[At::Early as usize].fetch_add(early.into(), SeqCst);
        shared[At::Done as usize].fetch_add(1, SeqCst);

        // The page is complete once all have entered.
        while shared[At::Done as usize].load(SeqCst) < round * TASKS {
            std::hint::spin_loop();
        }
        ensure!(
            has_offset(clock_by_vdso),
            "the vDSO still shows no offset after all tasks have entered"
        );
    }
    Ok(())
}

/// Returns whether the monotonic clock is ahead by [`OFFSET`]. No guest runs that long.
fn has_offset(clock: fn(libc::clockid_t) -> i64) -> bool {
    clock(libc::CLOCK_MONOTONIC_COARSE) >= OFFSET * 1_000_000_000
}
