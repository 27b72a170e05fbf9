// SPDX-License-Identifier: GPL-2.0-only

//! A world: a process in namespaces that are thrown away with it, the parent of all the others.
//!
//! It is the init of its pid namespace: when it ends, the kernel ends all that is left, and the
//! next world starts from nothing.

use super::{
    channel::{Answer, Line, Observation, Order},
    observe,
    op::{BORN, Cgroup, DIRS, Dir, HANDLES, Op, PIDFDS, PINS, PROCS, Pin, Proc, Source},
    process::{MOUNT_POINT, Worker},
    record::Record,
};
use crate::{
    case::implementation::{Device, Entry, Kind, flags_of},
    errno::Code,
    process::setup::CGROUPS,
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
    process::{PidfdFlags, WaitOptions},
};
use std::{
    fs::{self, File},
    io::{Read as _, Write as _},
    os::fd::{AsFd as _, AsRawFd as _, BorrowedFd, OwnedFd},
};

/// How long a process may take to answer, in seconds; then it hangs.
const PATIENCE: i64 = 60;

/// What was not done, as it does not apply.
const SKIPPED: &str = "-";

/// What all processes of a world have from the start, by being forked from the first.
pub(super) struct Shared<'a> {
    pub(super) sequence: &'a [Op],
    pub(super) entry: Entry,
    pub(super) clocks: &'a ClockBase,
    pub(super) device: Device,
    /// The `/proc` of the world: stays at hand whatever root and mount namespace are.
    pub(super) proc: OwnedFd,
    /// The processes' ends of the lines, one for each place.
    pub(super) inner: Vec<Line>,
}

/// The place of a process.
struct Slot {
    pid: i32,
    pidfd: OwnedFd,
    alive: bool,
}

struct Root<'a> {
    shared: &'a Shared<'a>,
    /// Our ends of the lines.
    outer: &'a [Line],
    slots: [Option<Slot>; PROCS as usize],
    handles: [Option<OwnedFd>; HANDLES as usize],
    pidfds: [Option<OwnedFd>; PIDFDS as usize],
}

/// Runs a sequence in a world of its own, in which setns is called by that entry.
///
/// # Errors
///
/// When it could not be run; whatever comes of the operations is in the record.
pub(super) fn run(sequence: &[Op], entry: Entry, clocks: &ClockBase) -> Result<Record> {
    let (mut read, mut write) = std::io::pipe()?;
    let kinds = flags_of(&[Kind::Pid, Kind::Mnt, Kind::Uts, Kind::Ipc]);
    let root = match sys::fork_into(kinds).context("a new world")? {
        Fork::Child => {
            drop(read);
            let record = world(sequence, entry, clocks).map_err(|e| format!("{e:#}"));
            let json = serde_json::to_vec(&record).unwrap_or_default();
            let _ = write.write_all(&json);
            sys::exit(0)
        }
        Fork::Parent(root) => root,
    };
    drop(write);
    let mut json = Vec::new();
    read.read_to_end(&mut json)?;
    rustix::process::waitpid(Some(root), WaitOptions::empty())?;
    let record: Result<Record, String> =
        serde_json::from_slice(&json).context("the world ended without a word")?;
    record.map_err(|why| anyhow::anyhow!("the world of {entry}: {why}"))
}

/// Where a directory is.
pub(super) fn directory(dir: Dir) -> String {
    format!("/tmp/{dir}")
}

/// Where a cgroup is.
pub(super) fn cgroup(cgroup: Cgroup) -> String {
    format!("{CGROUPS}/nsproxy-sequences-{cgroup}")
}

fn pin_path(pin: Pin) -> String {
    format!("/tmp/{pin}")
}

/// The root's own side of it.
fn world(sequence: &[Op], entry: Entry, clocks: &ClockBase) -> Result<Record> {
    let proc = furnish().context("furnishing")?;
    sys::ignore_children(true);
    let (outer, inner): (Vec<_>, Vec<_>) = (0..PROCS)
        .map(|_| Line::new())
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
    for place in 0..BORN {
        if let Fork::Child = sys::fork_to_zombie()? {
            Worker::new(&shared, Proc(place)).live();
        }
        root.welcome(Proc(place))?;
    }
    root.run()
}

/// Mounts of the world's own. Returns its `/proc`.
fn furnish() -> Result<OwnedFd> {
    let private = MountPropagationFlags::PRIVATE | MountPropagationFlags::REC;
    rustix::mount::mount_change("/", private)?;
    rustix::mount::mount("sequences", "/tmp", "tmpfs", MountFlags::empty(), None)?;
    rustix::mount::mount("proc", "/proc", "proc", MountFlags::empty(), None)?;
    for place in (0..DIRS)
        .map(|n| directory(Dir(n)))
        .chain([MOUNT_POINT.to_owned()])
    {
        fs::create_dir(place)?;
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
        for place in 0..PROCS {
            let proc = Proc(place);
            if self.alive(proc).is_some() {
                self.line(proc).say(&Order::Look, None)?;
                let seen = match self.hear(proc)? {
                    Ok(Answer::Seen(seen)) => seen,
                    Ok(answer) => bail!("an odd answer to look: {answer:?}"),
                    Err(word) => {
                        let mut nothing = Snapshot::default();
                        nothing.add("looking", word);
                        nothing
                    }
                };
                end.push((proc.to_string(), seen));
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

    fn line(&self, proc: Proc) -> &Line {
        &self.outer[usize::from(proc.0)]
    }

    /// A process that was just forked says its first word.
    fn welcome(&mut self, proc: Proc) -> Result<()> {
        self.slots[usize::from(proc.0)] = None;
        let pid = match self.hear(proc)? {
            Ok(Answer::Born(pid)) => pid,
            answer => bail!("{proc} was forked, and says {answer:?}"),
        };
        let raw = rustix::process::Pid::from_raw(pid).context("pid 0")?;
        let pidfd = rustix::process::pidfd_open(raw, PidfdFlags::empty())?;
        self.slots[usize::from(proc.0)] = Some(Slot {
            pid,
            pidfd,
            alive: true,
        });
        Ok(())
    }

    /// What a process says, or the word for why it says nothing.
    fn hear(&mut self, proc: Proc) -> Result<Result<Answer, &'static str>> {
        let line = self.line(proc);
        let mut fds = vec![PollFd::new(line, PollFlags::IN)];
        fds.extend(
            self.slot(proc)
                .map(|slot| PollFd::new(&slot.pidfd, PollFlags::IN)),
        );
        if rustix::event::poll(&mut fds, Some(&seconds(PATIENCE)))? == 0 {
            bail!("{proc} has not answered for {PATIENCE} s");
        }
        if fds[0].revents().contains(PollFlags::IN) {
            return Ok(Ok(self.line(proc).hear()?.0));
        }
        self.count_the_dead()?;
        Ok(Err("died"))
    }

    /// Finds out who is not alive any more.
    fn count_the_dead(&mut self) -> Result<()> {
        for slot in self.slots.iter_mut().flatten() {
            let mut fds = [PollFd::new(&slot.pidfd, PollFlags::IN)];
            slot.alive &= rustix::event::poll(&mut fds, Some(&seconds(0)))? == 0;
        }
        Ok(())
    }

    /// Performs an operation, or has it performed.
    fn perform(&mut self, index: usize) -> Result<Observation> {
        let op = self.shared.sequence[index];
        match op {
            Op::Do(proc, _) => self.order(proc, index, None),
            Op::Setns { proc, to, nstype } => self.setns(index, proc, to, nstype),
            Op::Fork { proc, child, .. } => {
                if self.alive(child).is_some() {
                    return Ok(observed(SKIPPED));
                }
                let observation = self.order(proc, index, None)?;
                if observation.outcome == "0" {
                    self.welcome(child)?;
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

    /// Tells a process to perform an operation, and waits for what comes of it.
    fn order(
        &mut self,
        proc: Proc,
        index: usize,
        fd: Option<BorrowedFd<'_>>,
    ) -> Result<Observation> {
        if self.alive(proc).is_none() {
            return Ok(observed(SKIPPED));
        }
        self.line(proc).say(&Order::Perform(index), fd)?;
        match self.hear(proc)? {
            Ok(Answer::Did(observation)) => Ok(observation),
            Ok(answer) => bail!("an odd answer to an order: {answer:?}"),
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
            observation.called = Some(of_file.unwrap_or(nstype));
        }
        Ok(observation)
    }

    /// A process ends, and with it all in its pid namespace if it was the init there.
    fn exit(&mut self, index: usize, proc: Proc) -> Result<Observation> {
        let Some(slot) = self.alive(proc) else {
            return Ok(observed(SKIPPED));
        };
        self.line(proc).say(&Order::Perform(index), None)?;
        let mut fds = [PollFd::new(&slot.pidfd, PollFlags::IN)];
        if rustix::event::poll(&mut fds, Some(&seconds(PATIENCE)))? == 0 {
            bail!("{proc} has not ended for {PATIENCE} s");
        }
        self.count_the_dead()?;
        Ok(observed("0"))
    }

    /// What the source refers to: nothing if that is not there.
    fn open(&self, source: Source) -> Result<Option<OwnedFd>, Errno> {
        let open = |path: &str| {
            let flags = OFlags::RDONLY | OFlags::CLOEXEC;
            rustix::fs::open(path, flags, Mode::empty()).map(Some)
        };
        let again = |fd: Option<&OwnedFd>| {
            fd.map(|fd| rustix::io::fcntl_dupfd_cloexec(fd, 0))
                .transpose()
        };
        let handle = |place: u8| self.handles[usize::from(place)].as_ref();
        let relative = |place: u8, which| {
            handle(place)
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

/// What came of something that no process of the world did.
fn observed(outcome: impl Into<String>) -> Observation {
    Observation {
        outcome: outcome.into(),
        called: None,
        seen: Snapshot::default(),
    }
}

fn done(result: Result<(), Errno>) -> Observation {
    observed(match result {
        Ok(()) => "0".to_owned(),
        Err(errno) => Code::from(errno).to_string(),
    })
}

/// The word for why nothing was opened.
fn nothing(opened: Result<Option<OwnedFd>, Errno>) -> String {
    match opened {
        Err(errno) => Code::from(errno).to_string(),
        Ok(_) => SKIPPED.to_owned(),
    }
}
