// SPDX-License-Identifier: GPL-2.0-only

//! Threads that switch namespaces.

use super::super::{
    outcome::{Event, Situation},
    scene::{ALL, FLAGS, KINDS, Stage, TODAY},
};
use crate::{
    case::implementation::{Entry, Kind},
    sys,
};
use anyhow::Result;
use fastrand::Rng;
use std::thread;

/// So many threads of one process at a time.
const THREADS: usize = 3;
/// So many calls does a thread make until it ends and another begins.
const CALLS: usize = 200;

/// Threads of one process that each do one thing over and over again, end, and are begun anew.
fn threads(stage: &Stage, rng: &mut Rng, once: fn(&Stage, &mut Rng) -> Result<()>) -> Result<()> {
    stage.publish(stage.slot(), Some(rustix::process::getpid()));
    let work = |mut rng: Rng| {
        for _ in 0..rng.usize(CALLS / 2..CALLS) {
            if !stage.goes_on() {
                break;
            }
            if let Err(e) = once(stage, &mut rng) {
                stage.wrong(&format!("{e:#}"));
                stage.stop();
            }
        }
        stage.happened(Event::Exit);
    };
    thread::scope(|scope| {
        let mut running: Vec<_> = (0..THREADS)
            .map(|_| (rng.fork(), scope))
            .map(|(rng, scope)| scope.spawn(move || work(rng)))
            .collect();
        while stage.goes_on() {
            // The oldest goes first. A panic has ended the process by then.
            let _ = running.remove(0).join();
            let rng = rng.fork();
            running.push(scope.spawn(move || work(rng)));
        }
    });
    Ok(())
}

/// One namespace at a time, by its file.
pub(crate) fn switch_by_file(stage: &Stage, rng: &mut Rng) -> Result<()> {
    threads(stage, rng, by_file)
}

fn by_file(stage: &Stage, rng: &mut Rng) -> Result<()> {
    let kind = KINDS[rng.usize(..KINDS.len())];
    let home = stage.any_home(rng);
    let nstype = if rng.bool() { kind.flag() } else { 0 };
    let file = home.file(kind);
    if stage
        .call(rng, Situation::Stays, ways(kind), file, nstype)?
        .is_ok()
    {
        stage.expect_in(kind.name(), home.inode(kind), "after it was entered")?;
    }
    Ok(())
}

/// The implementations that know the kind.
fn ways(kind: Kind) -> &'static [Entry] {
    if kind == Kind::Cgroup { TODAY } else { ALL }
}

/// All four namespaces of someone at once, by a pidfd.
pub(crate) fn switch_by_pidfd(stage: &Stage, rng: &mut Rng) -> Result<()> {
    threads(stage, rng, by_pidfd)
}

/// The same, once.
pub(super) fn by_pidfd(stage: &Stage, rng: &mut Rng) -> Result<()> {
    let home = stage.any_home(rng);
    let pidfd = &home.pidfd;
    if stage
        .call(rng, Situation::Stays, TODAY, pidfd, FLAGS)?
        .is_ok()
    {
        for kind in KINDS {
            stage.expect_in(kind.name(), home.inode(kind), "after a set was entered")?;
        }
    }
    Ok(())
}

/// A new namespace, which is left at once: nobody else has a reference, unless for a moment.
pub(crate) fn unshare_and_leave(stage: &Stage, rng: &mut Rng) -> Result<()> {
    threads(stage, rng, |stage, rng| {
        // Those of the network are made and freed slowly, in the background.
        let kind = match rng.u32(..64) {
            0 => Kind::Net,
            n => [Kind::Uts, Kind::Ipc, Kind::Cgroup][n as usize % 3],
        };
        sys::unshare(kind.flag())?;
        let home = stage.any_home(rng);
        let new = stage.own(kind.name())?;
        if stage.is_known(kind, new) {
            stage.wrong(&format!("{}:[{new}] is not new", kind.name()));
        }
        let file = home.file(kind);
        if stage
            .call(rng, Situation::LastReference, ways(kind), file, 0)?
            .is_ok()
        {
            stage.expect_in(kind.name(), home.inode(kind), "after the last reference")?;
        }
        Ok(())
    })
}
