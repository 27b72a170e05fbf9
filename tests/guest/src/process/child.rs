// SPDX-License-Identifier: GPL-2.0-only

//! Runs in an actor: reads commands, carries them out, and replies.

use super::{
    channel::Channel,
    command::{Args, Call, Called, Command, DryRun, Opened, Program, Repeated, Reply, Source},
    measure, profile,
};
use crate::{
    case::implementation::{self, Device, Entry},
    checks::{diagnosis::Diagnosis, fault_injection::Armed},
    errno::{Code, Outcome, outcome_name},
    snapshot::{CLONED, Children, ClockBase, Snapshot},
    suites::Query,
    sys::{self, Fork, PAGE},
};
use anyhow::{Context as _, Result, anyhow, bail, ensure};
use nsproxy_diagnose::Task;
use nsproxy_uapi::Explain;
use rustix::{
    buffer::spare_capacity,
    event::{PollFd, PollFlags},
    fs::{Mode, OFlags},
    io::Errno,
    process::{PidfdFlags, Signal, WaitOptions},
    thread::{SecureComputingMode, secure_computing_mode},
};
use std::{
    collections::VecDeque,
    io::{Read as _, Write as _},
    os::{
        fd::{AsFd, AsRawFd as _, BorrowedFd, OwnedFd, RawFd},
        unix::process::CommandExt as _,
    },
    process::{self, Stdio},
};

/// The state of an actor.
pub(crate) struct Process {
    channel: Channel,
    /// Commands that were received and not yet carried out. They are kept here, since a forked child
    /// continues with them.
    commands: VecDeque<Command>,
    /// Replies that are sent when no command is left, and the file that goes with them.
    replies: Vec<Reply>,
    given: Option<OwnedFd>,
    /// Files that were received and not yet taken.
    received: VecDeque<OwnedFd>,
    /// The `/proc` of the test, independent of root and mount namespace.
    pub(crate) proc: OwnedFd,
    device: Option<Device>,
    slots: Vec<Slot>,
    /// The user and group in the actor's user namespace.
    pub(crate) id: u32,
}

enum Slot {
    File(OwnedFd),
    Number(i32),
}

/// Runs the actor in a child of the test. Commands arrive on the channel.
pub(super) fn run(channel: Channel) -> ! {
    let run = || -> Result<i32> {
        // Inherited files of the test would keep other actors alive.
        let [channel] = sys::keep_only([channel.into()])?;
        let mut process = Process {
            channel: channel.into(),
            commands: VecDeque::new(),
            replies: Vec::new(),
            given: None,
            received: VecDeque::new(),
            proc: open_proc()?,
            device: None,
            slots: Vec::new(),
            id: 0,
        };
        Process::die_with_parent();
        Ok(process.run_commands())
    };
    // Not by returning: the values on the stack belong to the parent.
    sys::exit(run().unwrap_or(1))
}

/// Opens the `/proc` of the test.
///
/// Not with `O_PATH`: it becomes the standard input of a program, which Rust replaces if poll(2)
/// does not accept it.
fn open_proc() -> Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    rustix::fs::open("/proc", flags, Mode::empty()).context("/proc")
}

impl Process {
    /// Kills the process when its parent dies, in case it does not read commands.
    pub(crate) fn die_with_parent() {
        let _ = rustix::process::set_parent_process_death_signal(Some(Signal::KILL));
    }

    /// Carries out commands until the channel is closed. Returns the exit status.
    pub(crate) fn run_commands(&mut self) -> i32 {
        loop {
            while let Some(command) = self.commands.pop_front() {
                let reply = self.run_command(command);
                self.add_reply(reply.unwrap_or_else(|e| Reply::Failed(format!("{e:#}"))));
            }
            if !self.replies.is_empty() {
                let file = self.given.take();
                let file = file.as_ref().map(OwnedFd::as_fd);
                if self.channel.send(&self.replies, file).is_err() {
                    return 1;
                }
                self.replies.clear();
            }
            match self.channel.receive::<Vec<Command>>() {
                Ok(Some((commands, file))) => {
                    self.commands.extend(commands);
                    self.received.extend(file);
                }
                Ok(None) => return 0,
                Err(_) => return 1,
            }
        }
    }

    /// Adds a reply to those that are sent when no command is left.
    pub(crate) fn add_reply(&mut self, reply: Reply) {
        self.replies.push(reply);
    }

    fn run_command(&mut self, command: Command) -> Result<Reply> {
        Ok(match command {
            Command::OpenDevice => Reply::Returned(match Device::open() {
                Ok(device) => {
                    self.device = Some(device);
                    Ok(())
                }
                Err(errno) => Err(errno.into()),
            }),
            Command::Serve => {
                self.device()?.serve(true).context("NSPROXY_SERVE")?;
                Reply::Done
            }
            Command::GiveDevice => {
                self.given = Some(self.device()?.as_fd().try_clone_to_owned()?);
                Reply::Done
            }
            Command::TakeDevice => {
                self.device = Some(Device::from(self.take_file()?));
                Reply::Done
            }
            Command::Open(source) => Reply::Opened(self.open(source)?),
            Command::Take => Reply::Opened(self.take()?),
            Command::Give { slot } => {
                self.given = Some(self.file(slot)?.try_clone_to_owned()?);
                Reply::Done
            }
            Command::Close => {
                self.slots.clear();
                Reply::Done
            }
            Command::SetUp(setup) => setup.apply(self)?,
            Command::Call(call) => Reply::Called(self.call(call)?),
            Command::Attempt {
                source,
                call,
                clocks,
                children,
            } => {
                let opened = match source {
                    Some(source) => self.open(source)?,
                    None => self.take()?,
                };
                let mut cloned = None;
                let called = match call.args {
                    Args::Clone { flags } => {
                        let dry_run = self.dry_run(call)?;
                        let diagnosis = self.diagnose(call, dry_run)?;
                        let (outcome, seen) = self.clone_task(flags, &clocks)?;
                        cloned = seen;
                        Called {
                            dry_run,
                            diagnosis,
                            ..Called::of(outcome)
                        }
                    }
                    _ => self.call(call)?,
                };
                let children = if called.outcome.is_ok() && call.entry.has_effect() {
                    children
                } else {
                    Children::None
                };
                let mut snapshot = Snapshot::take(&self.proc, &clocks, children)?;
                // After a child: a pid namespace for children has no file before.
                if matches!(call.args, Args::Unshare { .. }) && children != Children::None {
                    snapshot.add_owners(&self.proc);
                }
                if let Some(cloned) = cloned {
                    snapshot.add_below(CLONED, &cloned);
                }
                self.slots.clear();
                Reply::Attempted(opened, called, snapshot)
            }
            Command::Repeat {
                call,
                times,
                in_children,
            } => Reply::Repeated(self.repeat(call, times, in_children)?),
            Command::Measure { work, measured } => {
                let fds = [self.fd(work.slots[0])?, self.fd(work.slots[1])?];
                Reply::Measured(measure::measure(work, fds, self.device()?, &measured)?)
            }
            Command::Profile {
                name,
                work,
                measured,
            } => {
                let fds = [self.fd(work.slots[0])?, self.fd(work.slots[1])?];
                profile::profile(&name, work, fds, self.device()?, &measured)?;
                Reply::Done
            }
            Command::Shares(task) => {
                let (files, fs) = self.shares(&task)?;
                Reply::Shared { files, fs }
            }
            Command::Show { slot } => {
                let shown = self.device()?.show_raw(self.fd(slot)?);
                Reply::Returned(shown.map(drop).map_err(Code::from))
            }
            Command::Query {
                pidfd,
                files,
                other,
            } => {
                let files = files.into_iter().map(|slot| self.file(slot));
                let files = files.collect::<Result<Vec<_>>>()?;
                let query = Query {
                    pidfd: self.file(pidfd)?,
                    files,
                    other,
                    proc: self.proc.as_fd(),
                };
                Reply::Knowledge(query.run(self.device()?)?)
            }
            Command::Snapshot { clocks, children } => {
                Reply::Snapshot(Snapshot::take(&self.proc, &clocks, children)?)
            }
            Command::Pid => Reply::Pid(self.pid()?),
            Command::Programs {
                lines,
                input,
                share_fs,
            } => {
                let run = |words: &Vec<String>| self.run_program(words, input, share_fs);
                Reply::Programs(lines.iter().map(run).collect::<Result<_>>()?)
            }
        })
    }

    fn device(&self) -> Result<&Device> {
        self.device
            .as_ref()
            .ok_or_else(|| anyhow!("the actor has not opened /dev/nsproxy"))
    }

    fn open(&mut self, source: Source) -> Result<Opened> {
        let file = match source {
            Source::Number(n) => {
                self.slots.push(Slot::Number(n));
                return Ok(Opened {
                    slot: self.slots.len() - 1,
                    inode: None,
                });
            }
            Source::Own { link } => {
                let path = format!("self/ns/{link}");
                let flags = OFlags::RDONLY | OFlags::CLOEXEC;
                rustix::fs::openat(&self.proc, &path, flags, Mode::empty())
                    .with_context(|| format!("/proc/{path}"))?
            }
            Source::OwnPidfd => {
                rustix::process::pidfd_open(rustix::process::getpid(), PidfdFlags::empty())
                    .context("pidfd_open")?
            }
            Source::Socket => std::os::unix::net::UnixDatagram::unbound()?.into(),
            Source::Nothing => {
                return Ok(Opened {
                    slot: self.slots.len(),
                    inode: None,
                });
            }
        };
        self.keep(file)
    }

    fn take(&mut self) -> Result<Opened> {
        let file = self.take_file()?;
        self.keep(file)
    }

    /// Returns the next file that the test has sent.
    fn take_file(&mut self) -> Result<OwnedFd> {
        self.received.pop_front().context("the test sent no file")
    }

    fn keep(&mut self, file: OwnedFd) -> Result<Opened> {
        let inode = rustix::fs::fstat(&file)?.st_ino;
        self.slots.push(Slot::File(file));
        Ok(Opened {
            slot: self.slots.len() - 1,
            inode: Some(inode),
        })
    }

    fn fd(&self, slot: usize) -> Result<RawFd> {
        Ok(match self.slots.get(slot).context("no such slot")? {
            Slot::File(file) => file.as_raw_fd(),
            Slot::Number(n) => *n,
        })
    }

    fn file(&self, slot: usize) -> Result<BorrowedFd<'_>> {
        match self.slots.get(slot) {
            Some(Slot::File(file)) => Ok(file.as_fd()),
            _ => bail!("no such slot"),
        }
    }

    fn call(&self, call: Call) -> Result<Called> {
        let dry_run = self.dry_run(call)?;
        let diagnosis = self.diagnose(call, dry_run)?;
        let armed = call.fail_nth.map(Armed::new).transpose()?;
        let outcome = self.call_once(call)?;
        let to_go = armed.map(|armed| armed.to_go()).transpose()?;
        Ok(Called {
            outcome,
            to_go,
            dry_run,
            diagnosis,
        })
    }

    fn call_once(&self, call: Call) -> Result<Outcome> {
        let device = self.device.as_ref();
        match call.args {
            Args::Setns { slot, nstype } => call.entry.setns(device, self.fd(slot)?, nstype),
            Args::Unshare { flags } => call.entry.unshare(device, flags),
            Args::Clone { .. } => bail!("clone(2) is only for Attempt"),
        }
    }

    /// Creates a task by clone(2). Returns the snapshot that it takes, before it exits.
    fn clone_task(&self, flags: u64, clocks: &ClockBase) -> Result<(Outcome, Option<Snapshot>)> {
        let (read, mut write) = std::io::pipe()?;
        let mut take = || {
            let seen = Snapshot::take(&self.proc, clocks, Children::None).and_then(|mut seen| {
                seen.add_owners(&self.proc);
                Ok(serde_json::to_string(&seen)?)
            });
            let _ = write.write_all(seen.unwrap_or_default().as_bytes());
            0
        };
        let child = match sys::clone_task(flags, &mut take) {
            Ok(child) => child,
            Err(errno) => return Ok((Err(errno.into()), None)),
        };
        drop(write);
        let seen = serde_json::from_reader(read).context("the snapshot of the new task")?;
        if flags & libc::CLONE_PARENT as u64 != 0 {
            // It is a sibling, which this process cannot reap.
            let pidfd = rustix::process::pidfd_open(child, PidfdFlags::empty())?;
            rustix::event::poll(&mut [PollFd::new(&pidfd, PollFlags::IN)], None)?;
            return Ok((Ok(()), Some(seen)));
        }
        // A child that sends no signal, or one in another thread group, is waited for as well.
        rustix::process::waitpid(
            Some(child),
            WaitOptions::from_bits_retain(libc::__WALL as u32),
        )?;
        Ok((Ok(()), Some(seen)))
    }

    /// Makes a dry run of a call by the device, unless an allocation is to fail.
    fn dry_run(&self, call: Call) -> Result<Option<DryRun>> {
        let as_of_2011 = call.entry == Entry::Device2011;
        let is_by_device = as_of_2011 || call.entry == Entry::Device;
        let is_explained = is_by_device || matches!(call.args, Args::Clone { .. });
        let (Some(device), None, true) = (&self.device, call.fail_nth, is_explained) else {
            return Ok(None);
        };
        let explained = match call.args {
            Args::Setns { slot, nstype } => {
                let how = Explain::dry_run(as_of_2011);
                implementation::explain_with_journal(device, self.fd(slot)?, nstype, how)
            }
            Args::Unshare { flags } => implementation::explain_unshare(device, flags, true),
            Args::Clone { flags } => implementation::explain_clone(device, flags),
        };
        match explained {
            Ok((outcome, refusal)) => Ok(Some(DryRun::new(outcome, refusal))),
            // The module refuses to explain under a seccomp filter only.
            Err(error)
                if error.downcast_ref() == Some(&Errno::PERM)
                    && secure_computing_mode()? == SecureComputingMode::Filter =>
            {
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// Explains a call from user space, if it is a system call, or if a dry run has explained it. The
    /// path of 2011 is only in the module.
    fn diagnose(&self, call: Call, dry_run: Option<DryRun>) -> Result<Option<Diagnosis>> {
        let is_explained = match call.entry {
            Entry::Syscall => call.fail_nth.is_none(),
            Entry::Device2011 => false,
            _ => dry_run.is_some(),
        };
        if !call.diagnose || !is_explained {
            return Ok(None);
        }
        let task = Task::current_in(Some(self.proc.try_clone()?));
        let call = match call.args {
            Args::Setns { slot, nstype } => nsproxy_diagnose::Call::Setns {
                fd: self.fd(slot)?,
                nstype,
            },
            Args::Unshare { flags } => nsproxy_diagnose::Call::Unshare { flags },
            Args::Clone { flags } => nsproxy_diagnose::Call::Clone { flags },
        };
        Ok(Some(nsproxy_diagnose::explain(&task, call).into()))
    }

    fn repeat(&self, call: Call, times: u32, in_children: bool) -> Result<Repeated> {
        let once = || self.call_once(call);
        let armed = call.fail_nth.map(Armed::new).transpose()?;
        let mut repeated = Repeated {
            // Without any call.
            outcome: Ok(()),
            times: 0,
            one_more: false,
        };
        if let Some(armed) = &armed {
            // Before the series: the allocator allocates memory for itself.
            armed.rearm(0)?;
            let _ = in_child(once)?;
        }
        while repeated.times < times {
            if let (Some(armed), Some(allocation)) = (&armed, call.fail_nth) {
                armed.rearm(allocation)?;
            }
            let outcome = if in_children {
                in_child(once)?
            } else {
                once()?
            };
            if armed.is_some() && outcome.is_ok() {
                // The next call may start in another namespace.
                repeated.one_more = true;
                break;
            }
            ensure!(
                repeated.times == 0 || outcome == repeated.outcome,
                "call {} returned {}, those before it {}",
                repeated.times + 1,
                outcome_name(outcome),
                outcome_name(repeated.outcome)
            );
            repeated.outcome = outcome;
            repeated.times += 1;
        }
        Ok(repeated)
    }

    /// Runs a program in a child.
    fn run_program(
        &self,
        words: &[String],
        input: Option<usize>,
        share_fs: bool,
    ) -> Result<Program> {
        let (program, arguments) = words.split_first().context("no program")?;
        let input = match input.map(|slot| self.slots.get(slot)) {
            Some(Some(Slot::File(file))) => Stdio::from(file.try_clone()?),
            Some(_) => bail!("no such file"),
            None => Stdio::null(),
        };
        let (mut from, to) = std::io::pipe()?;
        let mut command = process::Command::new(program);
        command
            .args(arguments)
            .stdin(input)
            .stdout(to.try_clone()?)
            .stderr(to);
        let forked = if share_fs {
            sys::fork_sharing_fs()?
        } else {
            sys::fork()?
        };
        let child = match forked {
            Fork::Child => {
                let error = command.exec();
                eprintln!("{program}: {error}");
                sys::exit(127)
            }
            Fork::Parent(child) => child,
        };
        // Closes its write ends of the pipe.
        drop(command);
        let mut text = Vec::new();
        from.read_to_end(&mut text)?;
        let ended = rustix::process::waitpid(Some(child), WaitOptions::empty())?;
        Ok(Program {
            status: ended.and_then(|(_, status)| status.exit_status()),
            text: String::from_utf8_lossy(&text).into_owned(),
        })
    }

    /// Returns whether this process shares its table of file descriptors, and its root and working
    /// directory, with another task: whether a change of its own is seen in the other one.
    fn shares(&self, task: &str) -> Result<(bool, bool)> {
        let file = rustix::io::dup(&self.proc)?;
        let path = format!("{task}/fd/{}", file.as_raw_fd());
        let files = rustix::fs::readlinkat(&self.proc, path, Vec::new()).is_ok();
        // The umask is part of the `fs_struct`.
        let mask = rustix::process::umask(Mode::RWXU);
        let status = read_proc(&self.proc, &format!("{task}/status"));
        rustix::process::umask(mask);
        Ok((files, status?.contains("Umask:\t0700")))
    }

    /// Returns the pid in the `/proc` of the test.
    pub(crate) fn pid(&self) -> Result<u32> {
        let name = rustix::fs::readlinkat(&self.proc, "self", Vec::new())?;
        Ok(name.to_str()?.parse()?)
    }
}

/// Makes a call in a child.
fn in_child(call: impl FnOnce() -> Result<Outcome>) -> Result<Outcome> {
    /// The exit status of a child that could not make the call. No error has that number.
    const NOT_MADE: i32 = 255;
    let child = match sys::fork()? {
        Fork::Child => sys::exit(match call() {
            Ok(Ok(())) => 0,
            Ok(Err(Code(errno))) => errno,
            Err(_) => NOT_MADE,
        }),
        Fork::Parent(child) => child,
    };
    let ended = rustix::process::waitpid(Some(child), WaitOptions::empty())?;
    let status = ended.and_then(|(_, status)| status.exit_status());
    match status.context("the child was killed")? {
        0 => Ok(Ok(())),
        NOT_MADE => bail!("the child could not make the call"),
        errno => Ok(Err(Code(errno))),
    }
}

/// Reads a file below `/proc`.
pub(crate) fn read_proc(proc: impl AsFd, path: &str) -> Result<String, Errno> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC;
    let file = rustix::fs::openat(proc, path, flags, Mode::empty())?;
    // The size of such a file is unknown.
    let mut text = Vec::with_capacity(PAGE);
    while rustix::io::read(&file, spare_capacity(&mut text))? > 0 {
        text.reserve(PAGE);
    }
    String::from_utf8(text).map_err(|_| Errno::ILSEQ)
}
