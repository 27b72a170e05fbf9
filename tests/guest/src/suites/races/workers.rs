// SPDX-License-Identifier: GPL-2.0-only

//! The processes that work in a scene: started together, watched, stopped.

use super::scene::Stage;
use crate::sys::{self, Fork};
use anyhow::{Result, bail};
use fastrand::Rng;
use rustix::process::{Pid, Signal, WaitOptions, WaitStatus};
use std::{
    thread,
    time::{Duration, Instant},
};

/// What a worker does until the scene is over. Runs in a process of its own.
pub(super) type Role = fn(&Stage, &mut Rng) -> Result<()>;

/// How long workers may take to come to an end.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often the crew is looked after.
const TICK: Duration = Duration::from_millis(20);

/// Processes at work. Those that are left are killed when this goes.
pub(super) struct Crew(Vec<Pid>);

impl Crew {
    /// Starts `n` workers for each role.
    pub(super) fn start(stage: &Stage, cast: &[(usize, Role)]) -> Result<Self> {
        let mut crew = Self(Vec::new());
        for &(n, role) in cast {
            for _ in 0..n {
                let mut rng = Rng::with_seed(stage.seed ^ (crew.0.len() as u64 + 1) << 32);
                crew.0.push(child(stage, |stage| role(stage, &mut rng))?);
            }
        }
        Ok(crew)
    }

    /// Waits until the scene may end: after `share` if `is_met`, and at the latest after `limit`.
    /// Says how it goes about every ten seconds.
    pub(super) fn watch(
        &mut self,
        stage: &Stage,
        share: Duration,
        limit: Duration,
        is_met: impl Fn() -> bool,
        progress: impl Fn() -> String,
    ) -> Result<()> {
        const BETWEEN: Duration = Duration::from_secs(9);
        let begun = Instant::now();
        let mut said = begun;
        while begun.elapsed() < limit && (begun.elapsed() < share || !is_met()) {
            thread::sleep(TICK);
            if said.elapsed() > BETWEEN {
                said = Instant::now();
                println!("# {} s: {}", begun.elapsed().as_secs(), progress());
            }
            if self.bury(stage)? {
                // Who ends before the end has said why.
                break;
            }
        }
        stage.stop();
        let deadline = Instant::now() + PATIENCE;
        while !self.0.is_empty() {
            self.bury(stage)?;
            if Instant::now() > deadline {
                bail!("{} workers do not come to an end", self.0.len());
            }
            thread::sleep(Duration::from_millis(1));
        }
        Ok(())
    }

    /// Takes those that ended, and says whether there were some.
    fn bury(&mut self, stage: &Stage) -> Result<bool> {
        let before = self.0.len();
        let mut left = Vec::new();
        for pid in self.0.drain(..) {
            match rustix::process::waitpid(Some(pid), WaitOptions::NOHANG)? {
                None => left.push(pid),
                Some((_, status)) if status.exit_status() == Some(0) => {}
                Some((_, status)) => stage.wrong(&format!("a worker ended with {status:?}")),
            }
        }
        self.0 = left;
        Ok(self.0.len() < before)
    }
}

impl Drop for Crew {
    fn drop(&mut self) {
        for pid in self.0.drain(..) {
            let _ = end(pid);
        }
    }
}

/// A child that does this and ends; also when its parent does. What goes wrong in it the stage is
/// told.
pub(super) fn child(stage: &Stage, f: impl FnOnce(&Stage) -> Result<()>) -> Result<Pid> {
    match sys::fork()? {
        Fork::Parent(pid) => Ok(pid),
        Fork::Child => {
            let _ = rustix::process::set_parent_process_death_signal(Some(Signal::KILL));
            let done = f(stage);
            if let Err(e) = &done {
                stage.wrong(&format!("{e:#}"));
            }
            sys::exit(i32::from(done.is_err()))
        }
    }
}

/// Kills a child and takes what is left.
pub(super) fn end(pid: Pid) -> Result<()> {
    rustix::process::kill_process(pid, Signal::KILL)?;
    wait(pid)?;
    Ok(())
}

/// Waits for the end of a child.
pub(super) fn wait(pid: Pid) -> Result<WaitStatus> {
    match rustix::process::waitpid(Some(pid), WaitOptions::empty())? {
        Some((_, status)) => Ok(status),
        None => bail!("no status of {pid:?}"),
    }
}
