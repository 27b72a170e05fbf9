// SPDX-License-Identifier: GPL-2.0-only

//! Actors: processes that a test puts into a state, has make a call, and asks what they see.
//!
//! An actor is a child of the test. [`child`] is its side, [`Actor`] the test's.

pub(crate) mod caps;
pub(crate) mod channel;
mod child;
pub(crate) mod command;
pub(crate) mod creds;
pub(crate) mod measure;
mod profile;
pub(crate) mod setup;
pub(crate) mod tracer;
pub(crate) mod workers;

pub(crate) use child::read_proc;
pub(crate) use workers::spawn_child;

use crate::{
    errno::Outcome,
    sys::{self, Fork},
};
use anyhow::{Context as _, Result, bail, ensure};
use channel::Channel;
use command::{Call, Called, Command, Opened, Repeated, Reply, Source};
use measure::{Measured, Work};
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, WaitOptions};
use setup::Step;
use std::{
    os::fd::{AsFd, OwnedFd},
    time::Duration,
};

/// How long an actor may take to end when it is told to; then it is killed.
const PATIENCE: Duration = Duration::from_secs(5);

/// A process that does as it is told. Ends when dropped.
pub(crate) struct Actor {
    /// The child; [`None`] once nothing is left of it.
    child: Option<Pid>,
    /// It forked, its parent is the child, and may not know yet that it is dead.
    parent_is_stopped: bool,
    /// [`None`] when the actor is to end.
    channel: Option<Channel>,
    /// The file that came with the last replies.
    file: Option<OwnedFd>,
}

impl Actor {
    /// A new process, in the state that the test is in. To be called by a test with one thread.
    pub(crate) fn spawn() -> Result<Self> {
        let (channel, theirs) = Channel::pair()?;
        match sys::fork().context("cannot start an actor")? {
            Fork::Child => child::live(theirs),
            Fork::Parent(child) => Ok(Self {
                child: Some(child),
                parent_is_stopped: false,
                channel: Some(channel),
                file: None,
            }),
        }
    }

    /// Tells it something and waits for the answer.
    pub(crate) fn tell(&mut self, command: &Command) -> Result<Reply> {
        let mut replies = self.tell_all(std::slice::from_ref(command))?;
        replies.pop().context("no answer")
    }

    /// Tells it several things at once and waits for all answers, which come together: between two
    /// processes that wait for each other each time, an emulator does little else. The actor goes
    /// on after one that it could not do, which is the error here.
    pub(crate) fn tell_all(&mut self, commands: &[Command]) -> Result<Vec<Reply>> {
        let channel = self.channel.as_ref().context("the actor has ended")?;
        channel.send(&commands, None)?;
        let received = channel.receive::<Vec<Reply>>()?;
        let (replies, file) =
            received.with_context(|| format!("the actor died of one of {commands:?}"))?;
        self.file = file;
        let replies = replies.into_iter().zip(commands);
        replies
            .map(|(reply, command)| match reply {
                Reply::Failed(why) => bail!("{command:?}: {why}"),
                reply => Ok(reply),
            })
            .collect()
    }

    /// Takes a step.
    pub(crate) fn step(&mut self, step: &Step) -> Result<Reply> {
        self.tell(&Command::Do(step.clone()))
    }

    /// Has it open a file.
    pub(crate) fn open(&mut self, source: Source) -> Result<Opened> {
        self.opened(&Command::Open(source))
    }

    /// Hands it a file.
    pub(crate) fn take(&mut self, file: impl AsFd) -> Result<Opened> {
        self.send(file)?;
        self.opened(&Command::Take)
    }

    /// Sends a file, which [`Command::Take`] or [`Command::TakeDevice`] takes.
    pub(crate) fn send(&self, file: impl AsFd) -> Result<()> {
        let channel = self.channel.as_ref().context("the actor has ended")?;
        let no_command: &[Command] = &[];
        channel.send(&no_command, Some(file.as_fd()))
    }

    /// Returns the file that [`Command::Give`] or [`Command::GiveDevice`] sends.
    pub(crate) fn give(&mut self, command: &Command) -> Result<OwnedFd> {
        self.tell(command)?;
        self.file.take().context("the actor sent no file")
    }

    fn opened(&mut self, command: &Command) -> Result<Opened> {
        match self.tell(command)? {
            Reply::Opened(opened) => Ok(opened),
            reply => bail!("an odd answer to {command:?}: {reply:?}"),
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

    /// Returns the instructions of each measured call.
    pub(crate) fn measure(&mut self, work: Work, measured: &[Measured]) -> Result<Vec<f64>> {
        let measured = measured.to_vec();
        match self.tell(&Command::Measure { work, measured })? {
            Reply::Measured(instructions) => Ok(instructions),
            reply => bail!("an odd answer to {work:?}: {reply:?}"),
        }
    }

    /// Makes each measured call while the host records it.
    pub(crate) fn profile(&mut self, name: &str, work: Work, measured: &[Measured]) -> Result<()> {
        self.tell(&Command::Profile {
            name: name.to_owned(),
            work,
            measured: measured.to_vec(),
        })?;
        Ok(())
    }

    /// What a command that ends in a system call returned.
    pub(crate) fn returned(&mut self, command: &Command) -> Result<Outcome> {
        match self.tell(command)? {
            Reply::Returned(outcome) => Ok(outcome),
            reply => bail!("an odd answer to {command:?}: {reply:?}"),
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
    /// For an actor that forked once at most.
    pub(crate) fn kill(&mut self) -> Result<()> {
        let Some(child) = self.child else {
            return Ok(());
        };
        let itself = Pid::from_raw(self.pid()?.try_into()?).context("pid 0")?;
        if itself != child {
            // Its parent would reap it, and does once it goes on.
            rustix::process::kill_process(child, Signal::STOP)?;
            rustix::process::waitid(WaitId::Pid(child), WaitIdOptions::STOPPED)?;
            self.parent_is_stopped = true;
        }
        rustix::process::kill_process(itself, Signal::KILL)?;
        ensure!(
            sys::has_ended_within(itself, PATIENCE)?,
            "an actor does not die of SIGKILL"
        );
        Ok(())
    }

    /// Takes what is left of it after [`kill`](Self::kill).
    pub(crate) fn reap(&mut self) -> Result<()> {
        if let Some(child) = self.child.take() {
            if self.parent_is_stopped {
                rustix::process::kill_process(child, Signal::CONT)?;
            }
            rustix::process::waitpid(Some(child), WaitOptions::empty())?;
        }
        Ok(())
    }
}

impl Drop for Actor {
    fn drop(&mut self) {
        // It ends when the channel is closed.
        self.channel = None;
        if let Some(child) = self.child
            && !self.parent_is_stopped
            && !sys::has_ended_within(child, PATIENCE).unwrap_or(false)
        {
            let _ = rustix::process::kill_process(child, Signal::KILL);
        }
        let _ = self.reap();
    }
}
