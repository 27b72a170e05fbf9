// SPDX-License-Identifier: GPL-2.0-only

//! What the workers of a scene share: what they may do, where they may be, and what they count.

use super::{
    super::error_sink::Complaints,
    outcome::{Event, Situation},
};
use crate::{
    case::{
        implementation::{Device, Entry, Kind, flags_of},
        target::{Process, Target},
    },
    env::serve_status,
    errno::{Code, Outcome, word},
    sys::Shared,
};
use anyhow::{Context as _, Result, ensure};
use fastrand::Rng;
use rustix::{
    fs::{Mode, OFlags},
    io::Errno,
    process::{Pid, PidfdFlags},
};
use std::{
    fs::File,
    os::fd::{AsFd, AsRawFd as _, BorrowedFd, OwnedFd},
    sync::atomic::{AtomicU64, Ordering::Relaxed},
};

/// The kinds that a thread of several may switch between, whatever the others do.
pub(super) const KINDS: [Kind; 4] = [Kind::Uts, Kind::Ipc, Kind::Net, Kind::Cgroup];
/// `CLONE_NEW*` of them.
pub(super) const FLAGS: u32 = flags_of_kinds();

const fn flags_of_kinds() -> u32 {
    KINDS[0].flag() | KINDS[1].flag() | KINDS[2].flag() | KINDS[3].flag()
}

/// The two implementations of today's call.
pub(super) const BOTH: &[Entry] = &[Entry::Syscall, Entry::Device];
/// The ways to them. Whether a process is served any thread of it may change meanwhile: then the
/// system call is the one or the other implementation.
pub(super) const TODAY: &[Entry] = &[Entry::Syscall, Entry::Device, Entry::Served];
/// With the implementation of 2011, where it knows the kind.
pub(super) const ALL: &[Entry] = &[
    Entry::Syscall,
    Entry::Device,
    Entry::Served,
    Entry::Device2011,
];
/// For a module that is unloaded: what serving has changed in the kernel's code is then changed
/// back, which an emulator with a thread for each CPU does not survive (see the suite `serve`).
pub(super) const UNSERVED: &[Entry] = &[Entry::Syscall, Entry::Device, Entry::Device2011];

/// As many processes can be known to others at a time.
const SLOTS: usize = 16;
/// Error numbers are smaller.
const ERRNOS: usize = 134;

/// A process that stays, and its namespaces.
pub(super) struct Home {
    pub(super) pidfd: OwnedFd,
    /// By [`Kind::ALL`].
    files: Vec<(Kind, File, u64)>,
    /// None for where the test itself is.
    _process: Option<Process>,
}

impl Home {
    fn of(pid: u32, process: Option<Process>) -> Result<Self> {
        let mut files = Vec::new();
        for kind in Kind::ALL {
            let path = format!("/proc/{pid}/ns/{}", kind.name());
            let file = File::open(&path).context(path)?;
            let inode = rustix::fs::fstat(&file)?.st_ino;
            files.push((kind, file, inode));
        }
        let pid = Pid::from_raw(pid as i32).context("pid 0")?;
        Ok(Self {
            pidfd: rustix::process::pidfd_open(pid, PidfdFlags::empty())?,
            files,
            _process: process,
        })
    }

    fn entry(&self, kind: Kind) -> &(Kind, File, u64) {
        let at = Kind::ALL.iter().position(|other| *other == kind);
        &self.files[at.unwrap_or_default()]
    }

    /// Its namespace of that kind, open.
    pub(super) fn file(&self, kind: Kind) -> &File {
        &self.entry(kind).1
    }

    /// The inode number of that namespace.
    pub(super) fn inode(&self, kind: Kind) -> u64 {
        self.entry(kind).2
    }
}

/// What the workers of a scene share. Made before they are, so that all have it.
pub(super) struct Stage {
    /// Where one may be: first where the test is, then what the scene asked for.
    pub(super) homes: Vec<Home>,
    pub(super) seed: u64,
    /// The `/proc` of the test, whatever mount namespace one is in.
    pub(super) proc: OwnedFd,
    device: Option<Device>,
    /// Whether the kernel can have the module serve setns(2).
    serves: bool,
    counters: Shared,
    pub(super) complaints: Complaints,
}

/// Where a counter is among the counters.
enum At {
    Stop,
    Next,
    Slot(usize),
    Event(Event),
    Call(Entry, Situation, Outcome),
}

impl At {
    const SLOTS: usize = 2;
    const EVENTS: usize = Self::SLOTS + SLOTS;
    const CALLS: usize = Self::EVENTS + Event::ALL.len();
    const LEN: usize = Self::CALLS + ALL.len() * Situation::ALL.len() * ERRNOS;

    fn index(self) -> usize {
        match self {
            Self::Stop => 0,
            Self::Next => 1,
            Self::Slot(slot) => Self::SLOTS + slot % SLOTS,
            Self::Event(event) => Self::EVENTS + event as usize,
            Self::Call(entry, situation, outcome) => {
                let entry = ALL.iter().position(|other| *other == entry).unwrap_or(0);
                let errno = outcome.map_or_else(|code| code.0 as usize, |()| 0);
                let row = entry * Situation::ALL.len() + situation as usize;
                Self::CALLS + row * ERRNOS + errno.min(ERRNOS - 1)
            }
        }
    }
}

impl Stage {
    /// A stage with a process for each of the targets. `device`: whether it is open from the
    /// beginning.
    pub(super) fn new(targets: &[Target], device: bool, seed: u64) -> Result<Self> {
        let mut homes = vec![Home::of(std::process::id(), None)?];
        for target in targets {
            let process = Process::start(target)?;
            homes.push(Home::of(process.pid, Some(process))?);
        }
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let device = device.then(Device::open).transpose()?;
        Ok(Self {
            homes,
            seed,
            proc: rustix::fs::open("/proc", flags, Mode::empty())?,
            serves: device.as_ref().map_or(Ok(false), serve_status::can)?,
            device,
            counters: Shared::new(At::LEN)?,
            complaints: Complaints::new()?,
        })
    }

    fn counter(&self, at: At) -> &AtomicU64 {
        &self.counters[at.index()]
    }

    /// Whether there is still something to do.
    pub(super) fn goes_on(&self) -> bool {
        self.counter(At::Stop).load(Relaxed) == 0
    }

    /// Tells all workers to come to an end.
    pub(super) fn stop(&self) {
        self.counter(At::Stop).store(1, Relaxed);
    }

    /// A place to make a process known at, for whoever asks.
    pub(super) fn slot(&self) -> usize {
        self.counter(At::Next).fetch_add(1, Relaxed) as usize
    }

    /// Makes a process known to the others, or with `None` unknown again.
    pub(super) fn publish(&self, slot: usize, pid: Option<Pid>) {
        let pid = pid.map_or(0, |pid| pid.as_raw_nonzero().get());
        self.counter(At::Slot(slot)).store(pid as u64, Relaxed);
    }

    /// A process that is known, or was a moment ago.
    pub(super) fn published(&self, rng: &mut Rng) -> Option<Pid> {
        let begin = rng.usize(..SLOTS);
        // Slots are used again when there are none left, so `slot()` may be beyond.
        (begin..begin + SLOTS)
            .find_map(|slot| Pid::from_raw(self.counter(At::Slot(slot)).load(Relaxed) as i32))
    }

    /// Counts something that happened.
    pub(super) fn happened(&self, event: Event) {
        self.counter(At::Event(event)).fetch_add(1, Relaxed);
    }

    /// How often it happened.
    pub(super) fn count(&self, event: Event) -> u64 {
        self.counter(At::Event(event)).load(Relaxed)
    }

    /// How often a call had this outcome in this situation.
    pub(super) fn calls(&self, entry: Entry, situation: Situation, outcome: Outcome) -> u64 {
        self.counter(At::Call(entry, situation, outcome))
            .load(Relaxed)
    }

    /// All outcomes that calls had in this situation, and how often.
    pub(super) fn outcomes(&self, entry: Entry, situation: Situation) -> Vec<(Outcome, u64)> {
        (0..ERRNOS as i32)
            .map(|errno| if errno == 0 { Ok(()) } else { Err(Code(errno)) })
            .map(|outcome| (outcome, self.calls(entry, situation, outcome)))
            .filter(|(_, n)| *n > 0)
            .collect()
    }

    /// Something is not as it must be.
    pub(super) fn wrong(&self, what: &str) {
        self.complaints.say(what);
    }

    /// Makes the call by one of these ways, and checks that it returns what it may.
    pub(super) fn call(
        &self,
        rng: &mut Rng,
        situation: Situation,
        ways: &[Entry],
        fd: impl AsFd,
        nstype: u32,
    ) -> Result<Outcome> {
        self.call_with(self.device.as_ref(), rng, situation, ways, fd, nstype)
    }

    /// The same, by a device that the caller opened.
    pub(super) fn call_with(
        &self,
        device: Option<&Device>,
        rng: &mut Rng,
        situation: Situation,
        ways: &[Entry],
        fd: impl AsFd,
        nstype: u32,
    ) -> Result<Outcome> {
        let entry = match ways[rng.usize(..ways.len())] {
            Entry::Served if !self.serves => Entry::Device,
            entry => entry,
        };
        let outcome = entry.setns(device, fd.as_fd().as_raw_fd(), nstype as i32)?;
        self.counter(At::Call(entry, situation, outcome))
            .fetch_add(1, Relaxed);
        if !situation.may().contains(&outcome) {
            self.wrong(&format!("{entry}: {situation}: {}", word(outcome)));
        }
        Ok(outcome)
    }

    /// The inode number of a namespace that the calling thread is in.
    pub(super) fn own(&self, link: &str) -> Result<u64> {
        self.link(&format!("thread-self/ns/{link}"))?
            .with_context(|| format!("/proc/thread-self/ns/{link}"))
    }

    /// Returns the inode number in a link below `/proc`; [`None`] if its task is gone.
    pub(super) fn link(&self, path: &str) -> Result<Option<u64>> {
        let read = rustix::fs::readlinkat(&self.proc, path, Vec::new());
        let Some(target) = unless_gone(read).with_context(|| path.to_owned())? else {
            return Ok(None);
        };
        let inode = crate::case::target::inode(target.to_str()?);
        Ok(Some(inode.with_context(|| format!("{path}: {target:?}"))?))
    }

    /// Opens a file or directory below `/proc`; [`None`] if its task is gone.
    pub(super) fn open(&self, path: &str) -> Result<Option<OwnedFd>> {
        let flags = OFlags::RDONLY | OFlags::CLOEXEC;
        let opened = rustix::fs::openat(&self.proc, path, flags, Mode::empty());
        unless_gone(opened).with_context(|| path.to_owned())
    }

    /// Checks that the calling thread is in this namespace.
    pub(super) fn expect_in(&self, link: &str, inode: u64, why: &str) -> Result<()> {
        let is = self.own(link)?;
        if is != inode {
            self.wrong(&format!("{link}:[{is}] {why}, expected {link}:[{inode}]"));
        }
        Ok(())
    }

    /// Checks that the calling thread is in the four namespaces of one home, not of several.
    pub(super) fn expect_one_home(&self, why: &str) -> Result<()> {
        let mut links = [0; KINDS.len()];
        for (link, kind) in links.iter_mut().zip(KINDS) {
            *link = self.own(kind.name())?;
        }
        let is = |home: &Home| KINDS.map(|kind| home.inode(kind)) == links;
        if !self.homes.iter().any(is) {
            self.wrong(&format!("{why}: in {links:?}, which is no one's set"));
        }
        Ok(())
    }

    /// Whether this is a namespace of one of the homes.
    pub(super) fn is_known(&self, kind: Kind, inode: u64) -> bool {
        self.homes.iter().any(|home| home.inode(kind) == inode)
    }

    /// One of the homes that the scene asked for.
    pub(super) fn any_home(&self, rng: &mut Rng) -> &Home {
        &self.homes[rng.usize(1..self.homes.len())]
    }
}

/// Converts a result for a file below `/proc/PID`: an error that means that the task is gone
/// becomes [`None`].
///
/// `ENOENT`: `proc_pid_lookup()`, `proc_ns_dir_lookup()` and `proc_task_readdir()` find no task, and
/// `ns_get_path_cb()` and `ns_get_name()` find one without namespaces. `ESRCH`:
/// `proc_pid_permission()`. `EACCES`: `proc_ns_get_link()` and `proc_ns_readlink()`.
pub(super) fn unless_gone<T>(result: Result<T, Errno>) -> Result<Option<T>, Errno> {
    match result {
        Ok(of_task) => Ok(Some(of_task)),
        Err(Errno::NOENT | Errno::SRCH | Errno::ACCESS) => Ok(None),
        Err(errno) => Err(errno),
    }
}

/// Opens a pidfd of a task; [`None`] if the task is gone.
///
/// `ESRCH`: `pidfd_open(2)` finds no pid, or `pidfd_prepare()` one without a task. `ENOENT`:
/// `pidfd_prepare()` again, for a number that a thread of another process has reused.
pub(super) fn pidfd(pid: Pid, flags: PidfdFlags) -> Result<Option<OwnedFd>> {
    match rustix::process::pidfd_open(pid, flags) {
        Ok(pidfd) => Ok(Some(pidfd)),
        Err(Errno::SRCH | Errno::NOENT) => Ok(None),
        Err(errno) => Err(errno).context("pidfd_open(2)"),
    }
}

/// Checks that files of a task that dies give every error that [`unless_gone`] knows, and no other.
pub(super) fn files_of_one_that_is_gone() -> Result<()> {
    let process = Process::start(&Target::default())?;
    let directory = format!("/proc/{}", process.pid);
    let hold = |path: &str, flags| {
        let flags = flags | OFlags::PATH | OFlags::CLOEXEC;
        rustix::fs::open(path, flags, Mode::empty()).with_context(|| path.to_owned())
    };
    let link = hold(&format!("{directory}/ns/uts"), OFlags::NOFOLLOW)?;
    let held = hold(&directory, OFlags::DIRECTORY)?;
    drop(process);
    let read = |of: BorrowedFd<'_>, path: &str| {
        let read = rustix::fs::readlinkat(of, path, Vec::new());
        (read.as_ref().err().copied(), unless_gone(read))
    };
    for (of, path, errno) in [
        (held.as_fd(), &*format!("{directory}/ns/uts"), Errno::NOENT),
        (held.as_fd(), "ns/uts", Errno::SRCH),
        (link.as_fd(), "", Errno::ACCESS),
    ] {
        let (returned, taken) = read(of, path);
        ensure!(
            returned == Some(errno) && taken == Ok(None),
            "{path:?}: {returned:?}, expected {errno:?}; interpreted as {taken:?}"
        );
    }
    Ok(())
}

/// A target in new namespaces of the kinds that threads may switch between.
pub(super) fn bundle() -> Target {
    Target::new([crate::process::setup::Step::Unshare(flags_of(&KINDS))])
}
