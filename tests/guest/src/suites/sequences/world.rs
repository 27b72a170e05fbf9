// SPDX-License-Identifier: GPL-2.0-only

//! A world: new namespaces in which a sequence runs. Its root is the parent of all processes.
//!
//! The root is the init of its pid namespace. When it exits, the kernel kills the other processes, so
//! that the next world starts from nothing.

use super::{
    messages::{Answer, Call, Observation, Order},
    observe,
    op::{Act, Cgroup, DIRS, Dir, FIRST, HANDLES, Op, PIDFDS, PINS, PROCS, Pin, Proc, Source},
    process::{MOUNT_POINT, Process},
    record::Record,
};
use crate::{
    case::implementation::{Device, Entry, Kind, flags_of},
    errno::Code,
    process::{channel::Channel, setup::CGROUPS, workers::wait},
    snapshot::{Children, ClockBase, Snapshot},
    sys::{
        self, Fork,
        nsfs::{self, Relative},
    },
};
use anyhow::{Context as _, Result, bail};
use rustix::{
    event::{PollFd, PollFlags, Timespec},
    fs::{Mode, OFlags},
    io::Errno,
    mount::{MountFlags, MountPropagationFlags, UnmountFlags},
    process::PidfdFlags,
};
use std::{
    fs::{self, File},
    os::fd::{AsFd as _, AsRawFd as _, BorrowedFd, OwnedFd},
};

/// How long a process may take to answer, in seconds.
const TIMEOUT: i64 = 60;

/// The outcome if an operation does not apply.
const SKIPPED: &str = "-";

/// The state that all processes of a world inherit from its root.
pub(super) struct Shared<'a> {
    pub(super) sequence: &'a [Op],
    pub(super) entry: Entry,
    pub(super) clocks: &'a ClockBase,
    pub(super) device: Device,
    /// The `/proc` of the world, which can be used from any root and mount namespace.
    pub(super) proc: OwnedFd,
    /// The processes' ends of the channels, one for each slot.
    pub(super) inner: Vec<Channel>,
}

/// A process in its slot.
struct Slot {
    pid: i32,
    pidfd: OwnedFd,
    alive: bool,
    /// Whether the kernel reaps the process when it exits. Otherwise it remains a zombie.
    is_reaped: bool,
}

struct Root<'a> {
    shared: &'a Shared<'a>,
    /// The root's ends of the channels.
    outer: &'a [Channel],
    slots: [Option<Slot>; PROCS as usize],
    handles: [Option<OwnedFd>; HANDLES as usize],
    pidfds: [Option<OwnedFd>; PIDFDS as usize],
}

/// Runs a sequence in a world of its own, in which setns is called by `entry`.
///
/// # Errors
///
/// The sequence cannot be run. An operation that fails is not an error, but in the record.
pub(super) fn run(sequence: &[Op], entry: Entry, clocks: &ClockBase) -> Result<Record> {
    let (ours, theirs) = Channel::pair()?;
    let kinds = flags_of(&[Kind::Pid, Kind::Mnt, Kind::Uts, Kind::Ipc]);
    let root = match sys::fork_into(kinds).context("a new world")? {
        Fork::Child => {
            drop(ours);
            let record = world(sequence, entry, clocks).map_err(|e| format!("{e:#}"));
            let _ = theirs.send(&record, None);
            sys::exit(0)
        }
        Fork::Parent(root) => root,
    };
    drop(theirs);
    let received = ours.receive::<Result<Record, String>>()?;
    wait(root)?;
    let (record, _) = received.context("the root exited without a record")?;
    record.map_err(|why| anyhow::anyhow!("the world of {entry}: {why}"))
}

/// Returns the path of a directory.
pub(super) fn directory(dir: Dir) -> String {
    format!("/tmp/{dir}")
}

/// Returns the path of a cgroup.
pub(super) fn cgroup(cgroup: Cgroup) -> String {
    format!("{CGROUPS}/nsproxy-sequences-{cgroup}")
}

fn pin_path(pin: Pin) -> String {
    format!("/tmp/{pin}")
}

/// Runs the sequence, in the root.
fn world(sequence: &[Op], entry: Entry, clocks: &ClockBase) -> Result<Record> {
    let proc = mount_all().context("mounts of the world")?;
    sys::ignore_children(true);
    let (outer, inner): (Vec<_>, Vec<_>) = (0..PROCS)
        .map(|_| Channel::pair())
        .collect::<Result<Vec<_>>>()?
        .into_iter()
        .unzip();
    let shared = Shared {
        sequence,
        entry,
        clocks,
        device: Device::open().context(Device::PATH)?,
        proc,
        inner,
    };
    let mut root = Root {
        shared: &shared,
        outer: &outer,
        slots: Default::default(),
        handles: Default::default(),
        pidfds: Default::default(),
    };
    for slot in 0..FIRST {
        if let Fork::Child = sys::fork_to_zombie()? {
            Process::new(&shared, Proc(slot)).run(None);
        }
        root.register(Proc(slot), false)?;
    }
    root.run()
}

/// Mounts the file systems of the world. Returns its `/proc`.
fn mount_all() -> Result<OwnedFd> {
    let private = MountPropagationFlags::PRIVATE | MountPropagationFlags::REC;
    rustix::mount::mount_change("/", private)?;
    rustix::mount::mount("sequences", "/tmp", "tmpfs", MountFlags::empty(), None)?;
    rustix::mount::mount("proc", "/proc", "proc", MountFlags::empty(), None)?;
    let directories = (0..DIRS).map(|n| directory(Dir(n)));
    for path in directories.chain([MOUNT_POINT.to_owned()]) {
        fs::create_dir(path)?;
    }
    for pin in 0..PINS {
        File::create(pin_path(Pin(pin)))?;
    }
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    Ok(rustix::fs::open("/proc", flags, Mode::empty())?)
}

impl Root<'_> {
    fn run(mut self) -> Result<Record> {
        let mut operations = Vec::new();
        for index in 0..self.shared.sequence.len() {
            operations.push(self.perform(index)?);
        }
        let mut end = vec![(
            "the root".to_owned(),
            observe::everything(&self.shared.proc, self.shared.clocks, Children::None)?,
        )];
        for slot in 0..PROCS {
            let proc = Proc(slot);
            if self.alive(proc).is_some() {
                self.channel(proc).send(&Order::Observe, None)?;
                let snapshot = match self.receive(proc)? {
                    Ok(Answer::Observed(snapshot)) => snapshot,
                    Ok(answer) => bail!("unexpected reply to {:?}: {answer:?}", Order::Observe),
                    Err(word) => {
                        let mut nothing = Snapshot::default();
                        nothing.add("snapshot", word);
                        nothing
                    }
                };
                end.push((proc.to_string(), snapshot));
            }
        }
        Ok(Record { operations, end })
    }

    fn slot(&self, proc: Proc) -> Option<&Slot> {
        self.slots[usize::from(proc.0)].as_ref()
    }

    fn alive(&self, proc: Proc) -> Option<&Slot> {
        self.slot(proc).filter(|slot| slot.alive)
    }

    fn channel(&self, proc: Proc) -> &Channel {
        &self.outer[usize::from(proc.0)]
    }

    /// Receives the pid of a process that was just forked, and opens its pidfd.
    fn register(&mut self, proc: Proc, is_reaped: bool) -> Result<()> {
        self.slots[usize::from(proc.0)] = None;
        let pid = match self.receive(proc)? {
            Ok(Answer::Started(pid)) => pid,
            answer => bail!("unexpected first message of {proc}: {answer:?}"),
        };
        let raw = rustix::process::Pid::from_raw(pid).context("pid 0")?;
        let pidfd = rustix::process::pidfd_open(raw, PidfdFlags::empty())?;
        self.slots[usize::from(proc.0)] = Some(Slot {
            pid,
            pidfd,
            alive: true,
            is_reaped,
        });
        Ok(())
    }

    /// Receives an answer, or returns the word for why there is none.
    fn receive(&mut self, proc: Proc) -> Result<Result<Answer, &'static str>> {
        let channel = self.channel(proc);
        let mut fds = vec![PollFd::new(channel, PollFlags::IN)];
        fds.extend(
            self.slot(proc)
                .map(|slot| PollFd::new(&slot.pidfd, PollFlags::IN)),
        );
        if rustix::event::poll(&mut fds, Some(&seconds(TIMEOUT)))? == 0 {
            bail!("{proc} did not answer within {TIMEOUT} s");
        }
        if fds[0].revents().contains(PollFlags::IN) {
            let received = self.channel(proc).receive()?;
            return Ok(Ok(received.context("the channel is closed")?.0));
        }
        self.update_alive()?;
        Ok(Err("died"))
    }

    /// Updates which processes are alive.
    fn update_alive(&mut self) -> Result<()> {
        for slot in self.slots.iter_mut().flatten().filter(|slot| slot.alive) {
            let mut fds = [PollFd::new(&slot.pidfd, PollFlags::IN)];
            slot.alive = rustix::event::poll(&mut fds, Some(&seconds(0)))? == 0;
            if !slot.alive && slot.is_reaped {
                // The kernel notifies of the exit before it reaps, and of that by POLLHUP.
                let mut fds = [PollFd::new(&slot.pidfd, PollFlags::empty())];
                if rustix::event::poll(&mut fds, Some(&seconds(TIMEOUT)))? == 0 {
                    bail!("a process was not reaped within {TIMEOUT} s");
                }
            }
        }
        Ok(())
    }

    /// Performs an operation, or orders its process to perform it.
    fn perform(&mut self, index: usize) -> Result<Observation> {
        let op = self.shared.sequence[index];
        match op {
            Op::Do(proc, act) => {
                let observation = self.order(proc, index, None)?;
                if act == Act::Execute && observation.outcome == "0" {
                    // de_thread() makes SIGCHLD the exit signal, which the parent ignores.
                    if let Some(slot) = &mut self.slots[usize::from(proc.0)] {
                        slot.is_reaped = true;
                    }
                }
                Ok(observation)
            }
            Op::Setns { proc, to, nstype } => self.setns(index, proc, to, nstype),
            Op::Fork { proc, child, .. } => {
                if self.alive(child).is_some() {
                    return Ok(observed(SKIPPED));
                }
                let observation = self.order(proc, index, None)?;
                if observation.outcome == "0" {
                    self.register(child, true)?;
                }
                Ok(observation)
            }
            Op::Exit(proc) => self.exit(index, proc),
            Op::Open(handle, source) => match self.open(source) {
                Ok(Some(fd)) => {
                    self.handles[usize::from(handle.0)] = Some(fd);
                    Ok(observed("0"))
                }
                other => Ok(observed(nothing(other))),
            },
            Op::OpenPidfd(pidfd, proc) => match self.open(Source::Process(proc)) {
                Ok(Some(fd)) => {
                    self.pidfds[usize::from(pidfd.0)] = Some(fd);
                    Ok(observed("0"))
                }
                other => Ok(observed(nothing(other))),
            },
            Op::Close(handle) => {
                let was = self.handles[usize::from(handle.0)].take();
                Ok(observed(was.map_or(SKIPPED, |_| "0")))
            }
            Op::Pin(handle, pin) => Ok(match &self.handles[usize::from(handle.0)] {
                Some(fd) => {
                    let file = format!("/proc/self/fd/{}", fd.as_raw_fd());
                    done(rustix::mount::mount_bind(file, pin_path(pin)))
                }
                None => observed(SKIPPED),
            }),
            Op::Unpin(pin) => Ok(done(rustix::mount::unmount(
                pin_path(pin),
                UnmountFlags::empty(),
            ))),
            Op::Move(proc, to) => Ok(match self.alive(proc) {
                Some(slot) => {
                    let file = format!("{}/cgroup.procs", cgroup(to));
                    let moved = fs::write(file, slot.pid.to_string());
                    done(moved.map_err(|e| Errno::from_io_error(&e).unwrap_or(Errno::IO)))
                }
                None => observed(SKIPPED),
            }),
        }
    }

    /// Orders a process to perform an operation, and waits for the result.
    fn order(
        &mut self,
        proc: Proc,
        index: usize,
        fd: Option<BorrowedFd<'_>>,
    ) -> Result<Observation> {
        if self.alive(proc).is_none() {
            return Ok(observed(SKIPPED));
        }
        self.channel(proc).send(&Order::Perform(index), fd)?;
        match self.receive(proc)? {
            Ok(Answer::Performed(observation)) => Ok(observation),
            Ok(answer) => bail!("unexpected reply to an order: {answer:?}"),
            Err(word) => Ok(observed(word)),
        }
    }

    fn setns(&mut self, index: usize, proc: Proc, to: Source, nstype: u32) -> Result<Observation> {
        let fd = match self.open(to) {
            Ok(fd) => fd,
            Err(errno) => return Ok(observed(format!("open: {}", Code::from(errno)))),
        };
        if fd.is_none() && to != Source::Closed {
            return Ok(observed(SKIPPED));
        }
        let fd = fd.as_ref().map(|fd| fd.as_fd());
        let mut observation = self.order(proc, index, fd)?;
        if observation.outcome != SKIPPED {
            let of_file = fd.and_then(|fd| nsfs::namespace_type(fd).ok());
            observation.called = Some((Call::Setns, of_file.unwrap_or(nstype)));
        }
        Ok(observation)
    }

    /// Ends a process, and with it its pid namespace if it is the init there.
    fn exit(&mut self, index: usize, proc: Proc) -> Result<Observation> {
        let Some(slot) = self.alive(proc) else {
            return Ok(observed(SKIPPED));
        };
        self.channel(proc).send(&Order::Perform(index), None)?;
        let mut fds = [PollFd::new(&slot.pidfd, PollFlags::IN)];
        if rustix::event::poll(&mut fds, Some(&seconds(TIMEOUT)))? == 0 {
            bail!("{proc} did not exit within {TIMEOUT} s");
        }
        self.update_alive()?;
        Ok(observed("0"))
    }

    /// Opens a source. Returns [`None`] if it does not exist.
    fn open(&self, source: Source) -> Result<Option<OwnedFd>, Errno> {
        let open = |path: &str| {
            let flags = OFlags::RDONLY | OFlags::CLOEXEC;
            rustix::fs::open(path, flags, Mode::empty()).map(Some)
        };
        let again = |fd: Option<&OwnedFd>| {
            fd.map(|fd| rustix::io::fcntl_dupfd_cloexec(fd, 0))
                .transpose()
        };
        let handle = |slot: u8| self.handles[usize::from(slot)].as_ref();
        let relative = |slot: u8, which| {
            handle(slot)
                .map(|fd| nsfs::relative(fd.as_fd(), which))
                .transpose()
        };
        match source {
            Source::Link(proc, link) => match self.slot(proc) {
                Some(slot) => open(&format!("/proc/{}/ns/{}", slot.pid, link.name())),
                None => Ok(None),
            },
            Source::Directory(proc) => match self.slot(proc) {
                Some(slot) => open(&format!("/proc/{}", slot.pid)),
                None => Ok(None),
            },
            Source::Process(proc) => again(self.slot(proc).map(|slot| &slot.pidfd)),
            Source::Handle(place) => again(handle(place.0)),
            Source::Pidfd(place) => again(self.pidfds[usize::from(place.0)].as_ref()),
            Source::Owner(place) => relative(place.0, Relative::Owner),
            Source::Parent(place) => relative(place.0, Relative::Parent),
            Source::Pin(pin) => open(&pin_path(pin)),
            Source::Closed => Ok(None),
        }
    }
}

fn seconds(seconds: i64) -> Timespec {
    Timespec {
        tv_sec: seconds,
        tv_nsec: 0,
    }
}

/// Returns the observation of an operation by the root.
fn observed(outcome: impl Into<String>) -> Observation {
    Observation {
        outcome: outcome.into(),
        called: None,
        snapshot: Snapshot::default(),
    }
}

fn done(result: Result<(), Errno>) -> Observation {
    observed(match result {
        Ok(()) => "0".to_owned(),
        Err(errno) => Code::from(errno).to_string(),
    })
}

/// Returns the word for why nothing was opened.
fn nothing(opened: Result<Option<OwnedFd>, Errno>) -> String {
    match opened {
        Err(errno) => Code::from(errno).to_string(),
        Ok(_) => SKIPPED.to_owned(),
    }
}
