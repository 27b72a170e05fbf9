// SPDX-License-Identifier: GPL-2.0-only

//! Roles whose threads switch namespaces.

use super::super::{
    outcome::{Event, Situation},
    shared_state::{ALL, FLAGS, KINDS, SharedState, TODAY},
};
use crate::case::implementation::{Entry, Kind};
use anyhow::Result;
use fastrand::Rng;
use std::thread;

/// The number of threads at a time.
const THREADS: usize = 3;
/// The most calls that a thread makes before it ends and another one starts.
const CALLS: usize = 200;

/// Starts threads that each call `once` repeatedly and end. A new thread replaces each that ends.
fn threads(
    state: &SharedState,
    rng: &mut Rng,
    once: fn(&SharedState, &mut Rng) -> Result<()>,
) -> Result<()> {
    state.publish(state.slot(), Some(rustix::process::getpid()));
    let work = |mut rng: Rng| {
        for _ in 0..rng.usize(CALLS / 2..CALLS) {
            if !state.is_running() {
                break;
            }
            if let Err(e) = once(state, &mut rng) {
                state.report(&format!("{e:#}"));
                state.stop();
            }
        }
        state.record(Event::Exit);
    };
    thread::scope(|scope| {
        let mut running: Vec<_> = (0..THREADS)
            .map(|_| (rng.fork(), scope))
            .map(|(rng, scope)| scope.spawn(move || work(rng)))
            .collect();
        while state.is_running() {
            // The oldest first. A panic would have ended the process.
            let _ = running.remove(0).join();
            let rng = rng.fork();
            running.push(scope.spawn(move || work(rng)));
        }
    });
    Ok(())
}

/// Switches one namespace at a time, by its file.
pub(crate) fn switch_by_file(state: &SharedState, rng: &mut Rng) -> Result<()> {
    threads(state, rng, by_file)
}

fn by_file(state: &SharedState, rng: &mut Rng) -> Result<()> {
    let kind = KINDS[rng.usize(..KINDS.len())];
    let home = state.random_home(rng);
    let nstype = if rng.bool() { kind.flag() } else { 0 };
    let file = home.file(kind);
    if state
        .call(rng, Situation::Stays, entries_for(kind), file, nstype)?
        .is_ok()
    {
        state.expect_in(kind.name(), home.inode(kind), "after it was entered")?;
    }
    Ok(())
}

/// Returns the entries that support the kind.
fn entries_for(kind: Kind) -> &'static [Entry] {
    if kind == Kind::Cgroup { TODAY } else { ALL }
}

/// Switches four namespaces at once, by a pidfd.
pub(crate) fn switch_by_pidfd(state: &SharedState, rng: &mut Rng) -> Result<()> {
    threads(state, rng, by_pidfd)
}

/// Switches four namespaces once.
pub(super) fn by_pidfd(state: &SharedState, rng: &mut Rng) -> Result<()> {
    let home = state.random_home(rng);
    let pidfd = &home.pidfd;
    if state
        .call(rng, Situation::Stays, TODAY, pidfd, FLAGS)?
        .is_ok()
    {
        for kind in KINDS {
            state.expect_in(kind.name(), home.inode(kind), "after a set was entered")?;
        }
    }
    Ok(())
}

/// Creates a namespace and leaves it at once. No other task holds a reference for long, so that the
/// switch usually drops the last one.
pub(crate) fn unshare_and_leave(state: &SharedState, rng: &mut Rng) -> Result<()> {
    threads(state, rng, |state, rng| {
        // Network namespaces are slow to create, and freed in the background.
        let kind = match rng.u32(..64) {
            0 => Kind::Net,
            n => [Kind::Uts, Kind::Ipc, Kind::Cgroup][n as usize % 3],
        };
        state
            .unshare(rng, Situation::Creates, TODAY, kind.flag())?
            .ok();
        let home = state.random_home(rng);
        let new = state.own(kind.name())?;
        if state.is_known(kind, new) {
            state.report(&format!("{}:[{new}] is not new", kind.name()));
        }
        let file = home.file(kind);
        if state
            .call(rng, Situation::LastReference, entries_for(kind), file, 0)?
            .is_ok()
        {
            state.expect_in(kind.name(), home.inode(kind), "after the last reference")?;
        }
        Ok(())
    })
}
