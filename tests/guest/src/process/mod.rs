// SPDX-License-Identifier: GPL-2.0-only

//! Actors: processes that a test sets up, and that make calls and take snapshots.
//!
//! An actor is a child of the test. [`child`] runs in the actor, [`Actor`] in the test.

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
pub(crate) use workers::{spawn_child, spawn_child_by};

use crate::{
    case::implementation::Device,
    errno::Outcome,
    sys::{self, Fork},
};
use anyhow::{Context as _, Result, anyhow, bail, ensure};
use channel::Channel;
use command::{Call, Called, Command, Opened, Repeated, Reply, Source};
use measure::{Measured, Work};
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, WaitOptions};
use setup::Setup;
use std::{
    os::fd::{AsFd, OwnedFd},
    time::Duration,
};

/// How long an actor may take to exit before it is killed.
const TIMEOUT: Duration = Duration::from_secs(5);

/// A process that runs commands of the test. Exits when dropped.
pub(crate) struct Actor {
    /// The child; [`None`] after it was reaped.
    child: Option<Pid>,
    /// `true` if the actor has forked and its parent, the child, was stopped before the actor was
    /// killed.
    parent_is_stopped: bool,
    /// [`None`] makes the actor exit.
    channel: Option<Channel>,
    /// The file that came with the last replies.
    file: Option<OwnedFd>,
}

impl Actor {
    /// Starts an actor in the state of the test, which must have one thread.
    pub(crate) fn spawn() -> Result<Self> {
        let (channel, theirs) = Channel::pair()?;
        match sys::fork().context("cannot start an actor")? {
            Fork::Child => child::run(theirs),
            Fork::Parent(child) => Ok(Self {
                child: Some(child),
                parent_is_stopped: false,
                channel: Some(channel),
                file: None,
            }),
        }
    }

    /// Runs a command, and returns its reply.
    pub(crate) fn run_command(&mut self, command: &Command) -> Result<Reply> {
        let mut replies = self.run_commands(std::slice::from_ref(command))?;
        replies.pop().context("no reply")
    }

    /// Runs several commands, and returns their replies. All replies come together, since each
    /// switch between two processes is slow in an emulator. The actor continues after a command
    /// that fails; its error is returned.
    pub(crate) fn run_commands(&mut self, commands: &[Command]) -> Result<Vec<Reply>> {
        if commands.is_empty() {
            // The actor does not reply to an empty list.
            return Ok(Vec::new());
        }
        let channel = self.channel.as_ref().context("the actor has exited")?;
        channel
            .send(&commands, None)
            .with_context(|| format!("the actor has exited before {commands:?}"))?;
        let received = channel.receive::<Vec<Reply>>()?;
        let (replies, file) =
            received.with_context(|| format!("the actor exited during {commands:?}"))?;
        self.file = file;
        let replies = replies.into_iter().zip(commands);
        replies
            .map(|(reply, command)| match reply {
                Reply::Failed(why) => bail!("{command:?}: {why}"),
                reply => Ok(reply),
            })
            .collect()
    }

    /// Applies a setup.
    pub(crate) fn set_up(&mut self, setup: &Setup) -> Result<Reply> {
        self.run_command(&Command::SetUp(setup.clone()))
    }

    /// Opens a file in the actor.
    pub(crate) fn open(&mut self, source: Source) -> Result<Opened> {
        self.open_by(&Command::Open(source))
    }

    /// Passes a file to the actor, which keeps it in a new slot.
    pub(crate) fn pass_file(&mut self, file: impl AsFd) -> Result<Opened> {
        self.send_file(file)?;
        self.open_by(&Command::Take)
    }

    /// Sends a file, which [`Command::Take`] or [`Command::TakeDevice`] takes.
    pub(crate) fn send_file(&self, file: impl AsFd) -> Result<()> {
        let channel = self.channel.as_ref().context("the actor has exited")?;
        let no_command: &[Command] = &[];
        channel.send(&no_command, Some(file.as_fd()))
    }

    /// Returns the file that [`Command::Give`] or [`Command::GiveDevice`] sends.
    pub(crate) fn fetch_file(&mut self, command: &Command) -> Result<OwnedFd> {
        self.run_command(command)?;
        self.file.take().context("the actor sent no file")
    }

    fn open_by(&mut self, command: &Command) -> Result<Opened> {
        match self.run_command(command)? {
            Reply::Opened(opened) => Ok(opened),
            reply => bail!("unexpected reply to {command:?}: {reply:?}"),
        }
    }

    /// Makes the call.
    pub(crate) fn call(&mut self, call: Call) -> Result<Outcome> {
        Ok(self.try_call(call)?.outcome)
    }

    /// Makes a call in which an allocation may fail.
    pub(crate) fn try_call(&mut self, call: Call) -> Result<Called> {
        match self.run_command(&Command::Call(call))? {
            Reply::Called(called) => Ok(called),
            reply => bail!("unexpected reply to {call:?}: {reply:?}"),
        }
    }

    /// Makes the call many times.
    pub(crate) fn repeat(&mut self, call: Call, times: u32, in_children: bool) -> Result<Repeated> {
        let command = Command::Repeat {
            call,
            times,
            in_children,
        };
        match self.run_command(&command)? {
            Reply::Repeated(repeated) => Ok(repeated),
            reply => bail!("unexpected reply to {call:?}: {reply:?}"),
        }
    }

    /// Returns the instructions of each measured call.
    pub(crate) fn measure(&mut self, work: Work, measured: &[Measured]) -> Result<Vec<f64>> {
        let measured = measured.to_vec();
        match self.run_command(&Command::Measure { work, measured })? {
            Reply::Measured(instructions) => Ok(instructions),
            reply => bail!("unexpected reply to {work:?}: {reply:?}"),
        }
    }

    /// Makes each measured call while the host records it.
    pub(crate) fn profile(&mut self, name: &str, work: Work, measured: &[Measured]) -> Result<()> {
        self.run_command(&Command::Profile {
            name: name.to_owned(),
            work,
            measured: measured.to_vec(),
        })?;
        Ok(())
    }

    /// Runs a command that replies with the result of a system call.
    pub(crate) fn run_syscall(&mut self, command: &Command) -> Result<Outcome> {
        match self.run_command(command)? {
            Reply::Returned(outcome) => Ok(outcome),
            reply => bail!("unexpected reply to {command:?}: {reply:?}"),
        }
    }

    /// Opens `/dev/nsproxy` in the actor.
    pub(crate) fn open_device(&mut self) -> Result<()> {
        let opened = self.run_syscall(&Command::OpenDevice)?;
        opened.map_err(|code| anyhow!("{}: {code}", Device::PATH))
    }

    /// Returns the pid of the actor in the pid namespace of the test.
    pub(crate) fn pid(&mut self) -> Result<u32> {
        match self.run_command(&Command::Pid)? {
            Reply::Pid(pid) => Ok(pid),
            reply => bail!("unexpected reply to pid: {reply:?}"),
        }
    }

    /// Kills the actor, which stays a zombie until [`reap`](Self::reap).
    ///
    /// The actor must not have forked more than once.
    pub(crate) fn kill(&mut self) -> Result<()> {
        let Some(child) = self.child else {
            return Ok(());
        };
        let itself = Pid::from_raw(self.pid()?.try_into()?).context("pid 0")?;
        if itself != child {
            // Its parent must not reap it until it is continued.
            rustix::process::kill_process(child, Signal::STOP)?;
            rustix::process::waitid(WaitId::Pid(child), WaitIdOptions::STOPPED)?;
            self.parent_is_stopped = true;
        }
        rustix::process::kill_process(itself, Signal::KILL)?;
        ensure!(
            sys::has_ended_within(itself, TIMEOUT)?,
            "an actor is alive after SIGKILL"
        );
        Ok(())
    }

    /// Reaps the actor after [`kill`](Self::kill).
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
        // The actor exits when the channel is closed.
        self.channel = None;
        if let Some(child) = self.child
            && !self.parent_is_stopped
            && !sys::has_ended_within(child, TIMEOUT).unwrap_or(false)
        {
            let _ = rustix::process::kill_process(child, Signal::KILL);
        }
        let _ = self.reap();
    }
}
