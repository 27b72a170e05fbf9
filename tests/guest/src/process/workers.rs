// SPDX-License-Identifier: GPL-2.0-only

//! Children that run a function of the test, alone and in groups.

use super::channel::Channel;
use crate::sys::{self, Fork};
use anyhow::{Context as _, Result, ensure};
use rustix::{
    event::{PollFd, PollFlags, Timespec},
    io::Errno,
    process::{Pid, Signal, WaitOptions, WaitStatus},
};

/// Starts a child that runs `work` and exits. It is killed when its parent dies.
///
/// `report` receives the error of `work`, in the child.
pub(crate) fn spawn_child(
    work: impl FnOnce() -> Result<()>,
    report: impl FnOnce(&str),
) -> Result<Pid> {
    spawn_child_by(sys::fork, work, report)
}

/// The same with another kind of fork.
pub(crate) fn spawn_child_by(
    fork: impl FnOnce() -> Result<Fork, Errno>,
    work: impl FnOnce() -> Result<()>,
    report: impl FnOnce(&str),
) -> Result<Pid> {
    match fork()? {
        Fork::Parent(pid) => Ok(pid),
        Fork::Child => {
            let _ = rustix::process::set_parent_process_death_signal(Some(Signal::KILL));
            let result = work();
            if let Err(error) = &result {
                report(&format!("{error:#}"));
            }
            // Not by returning: the values on the stack belong to the parent.
            sys::exit(i32::from(result.is_err()))
        }
    }
}

/// Waits for the end of a child, and reaps it.
pub(crate) fn wait(pid: Pid) -> Result<WaitStatus> {
    let ended = rustix::process::waitpid(Some(pid), WaitOptions::empty())?;
    let (_, status) = ended.with_context(|| format!("{pid:?} has no status"))?;
    Ok(status)
}

/// Kills a child, and reaps it.
pub(crate) fn kill(pid: Pid) -> Result<()> {
    rustix::process::kill_process(pid, Signal::KILL)?;
    wait(pid).map(drop)
}

/// A child whose error is returned to its parent.
pub(crate) struct Child {
    pub(crate) pid: Pid,
    errors: Channel,
}

impl Child {
    /// Starts a child that runs `work`.
    pub(crate) fn start(work: impl FnOnce() -> Result<()>) -> Result<Self> {
        let (errors, theirs) = Channel::pair()?;
        let report = |error: &str| {
            let _ = theirs.send(&error, None);
        };
        let pid = spawn_child(work, report)?;
        Ok(Self { pid, errors })
    }

    /// Waits for the end of the child, and returns its status and its error.
    pub(crate) fn wait(self) -> Result<(WaitStatus, String)> {
        let status = wait(self.pid)?;
        // The error, if there is one, was sent before. A child of the child may keep its end open.
        let mut fds = [PollFd::new(&self.errors, PollFlags::IN)];
        let is_there = rustix::event::poll(&mut fds, Some(&Timespec::default()))? > 0;
        let error = is_there.then(|| self.errors.receive::<String>());
        let error = error.transpose()?.flatten();
        Ok((status, error.map(|(error, _)| error).unwrap_or_default()))
    }

    /// Waits for the end of the child, which must exit with status 0.
    pub(crate) fn end(self) -> Result<()> {
        let (status, error) = self.wait()?;
        ensure!(error.is_empty(), error);
        ensure!(
            status.exit_status() == Some(0),
            "a child ended with {status:?}"
        );
        Ok(())
    }

    /// Kills the child, which must not have ended.
    pub(crate) fn kill(self) -> Result<()> {
        rustix::process::kill_process(self.pid, Signal::KILL)?;
        let (status, error) = self.wait()?;
        ensure!(error.is_empty(), error);
        ensure!(
            status.terminating_signal() == Some(Signal::KILL.as_raw()),
            "a child ended before it was killed: {status:?}"
        );
        Ok(())
    }
}

/// Runs `work` in a child, and returns its error.
pub(crate) fn run_in_child(work: impl FnOnce() -> Result<()>) -> Result<()> {
    Child::start(work)?.end()
}

/// Children that work at the same time. Dropping it kills those that have not ended.
#[derive(Default)]
pub(crate) struct Workers(Vec<Pid>);

impl Workers {
    /// Adds a child.
    pub(crate) fn add(&mut self, pid: Pid) {
        self.0.push(pid);
    }

    /// Returns the number of children that have not been reaped.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Reaps the children that have ended, and returns their statuses.
    pub(crate) fn reap(&mut self) -> Result<Vec<WaitStatus>> {
        let mut statuses = Vec::new();
        let mut running = Vec::new();
        for pid in self.0.drain(..) {
            match rustix::process::waitpid(Some(pid), WaitOptions::NOHANG)? {
                None => running.push(pid),
                Some((_, status)) => statuses.push(status),
            }
        }
        self.0 = running;
        Ok(statuses)
    }

    /// Waits until every child has ended, and returns their statuses.
    pub(crate) fn join(&mut self) -> Result<Vec<WaitStatus>> {
        self.0.drain(..).map(wait).collect()
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        for pid in self.0.drain(..) {
            let _ = kill(pid);
        }
    }
}
