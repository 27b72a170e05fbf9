// SPDX-License-Identifier: GPL-2.0-only

//! Actors: processes that a test puts into a state, has make a call, and asks what they see.
//!
//! An actor is this program executed again. [`process`] is its side, [`Actor`] the test's.

pub(crate) mod command;
mod process;
pub(crate) mod state;

pub(crate) use process::{main, read_proc};

use crate::{
    errno::Outcome,
    snapshot::{ClockBase, Snapshot},
};
use anyhow::{Context as _, Result, bail};
use command::{Call, Called, Command, Repeated, Reply, Source};
use rustix::process::{WaitId, WaitIdOptions};
use state::Step;
use std::{
    io::{BufRead as _, BufReader, Write as _},
    process::{Child, ChildStdin, ChildStdout, Stdio},
    thread,
    time::{Duration, Instant},
};

/// How long an actor may take to end when it is told to; then it is killed.
const PATIENCE: Duration = Duration::from_secs(5);

/// A process that does as it is told. Ends when dropped.
pub(crate) struct Actor {
    child: Child,
    to: Option<ChildStdin>,
    from: BufReader<ChildStdout>,
}

/// A file that an actor holds open.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Opened {
    pub(crate) slot: usize,
    /// Inode number, which for an nsfs file is the namespace's.
    pub(crate) inode: Option<u64>,
}

impl Actor {
    /// A new process, in the state that the test is in.
    pub(crate) fn spawn() -> Result<Self> {
        let mut child = std::process::Command::new("/proc/self/exe")
            .arg("actor")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("cannot start an actor")?;
        let to = child.stdin.take();
        let from = BufReader::new(child.stdout.take().context("no pipe from the actor")?);
        Ok(Self { child, to, from })
    }

    /// Tells it something and waits for the answer.
    pub(crate) fn tell(&mut self, command: &Command) -> Result<Reply> {
        self.send(command)?;
        self.answer(command)
    }

    /// Tells it something whose answer may take its time: see [`answer`](Self::answer).
    pub(crate) fn send(&mut self, command: &Command) -> Result<()> {
        let mut line = serde_json::to_vec(command)?;
        line.push(b'\n');
        let to = self.to.as_mut().context("the actor was told to end")?;
        to.write_all(&line)
            .with_context(|| format!("the actor is gone, and was to obey {command:?}"))
    }

    /// Waits for the answer to `command`, which was sent.
    pub(crate) fn answer(&mut self, command: &Command) -> Result<Reply> {
        let mut line = String::new();
        self.from.read_line(&mut line)?;
        if line.is_empty() {
            bail!("the actor died of {command:?}");
        }
        match serde_json::from_str(&line)? {
            Reply::Failed(why) => bail!("{command:?}: {why}"),
            reply => Ok(reply),
        }
    }

    /// Takes a step.
    pub(crate) fn step(&mut self, step: &Step) -> Result<Reply> {
        self.tell(&Command::Do(step.clone()))
    }

    /// Opens a file.
    pub(crate) fn open(&mut self, source: Source) -> Result<Opened> {
        match self.tell(&Command::Open(source))? {
            Reply::Opened { slot, inode } => Ok(Opened { slot, inode }),
            reply => bail!("an odd answer to open: {reply:?}"),
        }
    }

    /// Makes the call.
    pub(crate) fn call(&mut self, call: Call) -> Result<Outcome> {
        Ok(self.try_call(call)?.outcome)
    }

    /// The same where an allocation may have been to fail.
    pub(crate) fn try_call(&mut self, call: Call) -> Result<Called> {
        match self.tell(&Command::Call(call))? {
            Reply::Called(called) => Ok(called),
            reply => bail!("an odd answer to {call:?}: {reply:?}"),
        }
    }

    /// Makes the call many times.
    pub(crate) fn repeat(&mut self, call: Call, times: u32, in_children: bool) -> Result<Repeated> {
        let command = Command::Repeat {
            call,
            times,
            in_children,
        };
        match self.tell(&command)? {
            Reply::Repeated(repeated) => Ok(repeated),
            reply => bail!("an odd answer to {call:?}: {reply:?}"),
        }
    }

    /// What a command that ends in a system call returned.
    pub(crate) fn returned(&mut self, command: &Command) -> Result<Outcome> {
        match self.tell(command)? {
            Reply::Returned(outcome) => Ok(outcome),
            reply => bail!("an odd answer to {command:?}: {reply:?}"),
        }
    }

    /// What it sees of itself, and of a child if that is wanted.
    pub(crate) fn look(&mut self, clocks: &ClockBase, child: bool) -> Result<Snapshot> {
        let clocks = clocks.clone();
        match self.tell(&Command::Look { clocks, child })? {
            Reply::Seen(snapshot) => Ok(snapshot),
            reply => bail!("an odd answer to look: {reply:?}"),
        }
    }

    /// Its pid here.
    pub(crate) fn pid(&mut self) -> Result<u32> {
        match self.tell(&Command::Pid)? {
            Reply::Pid(pid) => Ok(pid),
            reply => bail!("an odd answer to pid: {reply:?}"),
        }
    }

    /// Kills it, and leaves a zombie until [`reap`](Self::reap).
    ///
    /// For an actor that is the process it was started as: it took no `Step::Fork`.
    pub(crate) fn kill(&mut self) -> Result<()> {
        self.child.kill()?;
        let child = rustix::process::Pid::from_child(&self.child);
        rustix::process::waitid(
            WaitId::Pid(child),
            WaitIdOptions::EXITED | WaitIdOptions::NOWAIT,
        )?;
        Ok(())
    }

    /// Takes what is left of it after [`kill`](Self::kill).
    pub(crate) fn reap(&mut self) -> Result<()> {
        self.child.wait()?;
        Ok(())
    }
}

impl Drop for Actor {
    fn drop(&mut self) {
        // No more commands: it ends by itself.
        self.to = None;
        let deadline = Instant::now() + PATIENCE;
        while let Ok(None) = self.child.try_wait() {
            if Instant::now() > deadline {
                let _ = self.child.kill();
                let _ = self.child.wait();
                return;
            }
            thread::sleep(Duration::from_millis(1));
        }
    }
}
