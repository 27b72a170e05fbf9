// SPDX-License-Identifier: GPL-2.0-only

//! The state that the workers of a scene share: namespaces to enter, published tasks, counters.

use super::{
    super::{error_sink::Complaints, shared_counters::SharedCounters},
    outcome::{Event, Situation},
};
use crate::{
    case::{
        implementation::{Device, Entry, Kind, flags_of},
        target::{Target, TargetProcess},
    },
    env::serve_status,
    errno::{Outcome, outcome_name},
    process::{spawn_child, spawn_child_by},
    sys::{self, Shared},
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

/// The kinds that one of several threads may enter.
pub(super) const KINDS: [Kind; 4] = [Kind::Uts, Kind::Ipc, Kind::Net, Kind::Cgroup];
/// The `CLONE_NEW*` of [`KINDS`].
pub(super) const FLAGS: u32 = flags_of_kinds();

const fn flags_of_kinds() -> u32 {
    KINDS[0].flag() | KINDS[1].flag() | KINDS[2].flag() | KINDS[3].flag()
}

/// Each implementation of the current call, once.
pub(super) const BOTH: &[Entry] = &[Entry::Syscall, Entry::Device];
/// The entries of the current call. Any thread may change whether its process is served: then a
/// system call goes to one implementation or the other.
pub(super) const TODAY: &[Entry] = &[Entry::Syscall, Entry::Device, Entry::Served];
/// The same with the call of 2011, for the kinds that it supports.
pub(super) const ALL: &[Entry] = &[
    Entry::Syscall,
    Entry::Device,
    Entry::Served,
    Entry::Device2011,
];
/// For a module that is unloaded. After serving, unloading patches the kernel's code, which an
/// emulator with a thread for each CPU does not survive (see the suite `serve`).
pub(super) const UNSERVED: &[Entry] = &[Entry::Syscall, Entry::Device, Entry::Device2011];
/// For a process that remains served.
pub(super) const LIFELONG: &[Entry] = &[Entry::Lifelong];
/// All entries whose calls are counted.
pub(super) const COUNTED: &[Entry] = &[
    Entry::Syscall,
    Entry::Device,
    Entry::Served,
    Entry::Device2011,
    Entry::Lifelong,
];

/// The number of processes that can be published at a time.
const SLOTS: usize = 16;

/// A process that lives as long as the scene, and its namespaces.
pub(super) struct Home {
    pub(super) pidfd: OwnedFd,
    /// In the order of [`Kind::ALL`]: an open file, and its inode number.
    files: Vec<(Kind, File, u64)>,
    /// [`None`] for the test itself.
    _process: Option<TargetProcess>,
}

impl Home {
    fn of(pid: u32, process: Option<TargetProcess>) -> Result<Self> {
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

    /// Returns an open file of its namespace of that kind.
    pub(super) fn file(&self, kind: Kind) -> &File {
        &self.entry(kind).1
    }

    /// Returns the inode number of its namespace of that kind.
    pub(super) fn inode(&self, kind: Kind) -> u64 {
        self.entry(kind).2
    }
}

/// The state of a scene. It is created before the workers, which inherit it.
pub(super) struct SharedState {
    /// The test itself, followed by the targets of the scene.
    pub(super) homes: Vec<Home>,
    pub(super) seed: u64,
    /// The `/proc` of the test, which can be used from any mount namespace.
    pub(super) proc: OwnedFd,
    device: Option<Device>,
    /// Whether the module can serve processes on this kernel.
    pub(super) serves: bool,
    numbers: Shared,
    calls: SharedCounters,
    pub(super) complaints: Complaints,
}

/// A shared number.
enum At {
    /// Not 0 once the scene is over.
    Stop,
    /// The slot that is reserved next.
    Next,
    /// A pid that is published.
    Slot(usize),
    Event(Event),
}

impl At {
    const SLOTS: usize = 2;
    const EVENTS: usize = Self::SLOTS + SLOTS;
    const LEN: usize = Self::EVENTS + Event::ALL.len();

    fn index(self) -> usize {
        match self {
            Self::Stop => 0,
            Self::Next => 1,
            Self::Slot(slot) => Self::SLOTS + slot % SLOTS,
            Self::Event(event) => Self::EVENTS + event as usize,
        }
    }
}

/// Returns the row of the counters for calls by an entry in a situation.
fn row(entry: Entry, situation: Situation) -> usize {
    let entry = COUNTED
        .iter()
        .position(|other| *other == entry)
        .unwrap_or(0);
    entry * Situation::ALL.len() + situation as usize
}

impl SharedState {
    /// Starts a process for each target, and opens the device if `device` is true.
    pub(super) fn new(targets: &[Target], device: bool, seed: u64) -> Result<Self> {
        let mut homes = vec![Home::of(std::process::id(), None)?];
        for target in targets {
            let process = TargetProcess::start(target)?;
            homes.push(Home::of(process.pid, Some(process))?);
        }
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let opened = Device::open()?;
        let serves = serve_status::is_supported(&opened)?;
        let device = device.then_some(opened);
        Ok(Self {
            homes,
            seed,
            proc: rustix::fs::open("/proc", flags, Mode::empty())?,
            serves,
            device,
            numbers: Shared::new(At::LEN)?,
            calls: SharedCounters::new(COUNTED.len() * Situation::ALL.len())?,
            complaints: Complaints::new()?,
        })
    }

    /// Has this process served from now on, or not any more. Returns the entries for its next calls.
    pub(super) fn serve(&self, on: bool) -> Result<&'static [Entry]> {
        let Some(device) = self.device.as_ref().filter(|_| self.serves) else {
            return Ok(TODAY);
        };
        device.serve(on).context("NSPROXY_SERVE")?;
        Ok(if on { LIFELONG } else { TODAY })
    }

    /// Starts a child, whose error is reported.
    pub(super) fn spawn(&self, work: impl FnOnce() -> Result<()>) -> Result<Pid> {
        spawn_child(work, |error| self.report(error))
    }

    /// The same in new namespaces (`CLONE_NEW*`).
    pub(super) fn spawn_into(&self, kinds: u32, work: impl FnOnce() -> Result<()>) -> Result<Pid> {
        let fork = || sys::fork_by_clone3(kinds.into());
        spawn_child_by(fork, work, |error| self.report(error))
    }

    fn number(&self, at: At) -> &AtomicU64 {
        &self.numbers[at.index()]
    }

    /// Returns whether the scene continues.
    pub(super) fn is_running(&self) -> bool {
        self.number(At::Stop).load(Relaxed) == 0
    }

    /// Ends the scene.
    pub(super) fn stop(&self) {
        self.number(At::Stop).store(1, Relaxed);
    }

    /// Reserves a slot to publish processes in.
    pub(super) fn slot(&self) -> usize {
        self.number(At::Next).fetch_add(1, Relaxed) as usize
    }

    /// Publishes a process as a target for all workers, or with [`None`] withdraws it.
    pub(super) fn publish(&self, slot: usize, pid: Option<Pid>) {
        let pid = pid.map_or(0, |pid| pid.as_raw_nonzero().get());
        self.number(At::Slot(slot)).store(pid as u64, Relaxed);
    }

    /// Returns a random process that is published, or was a moment ago.
    pub(super) fn random_published(&self, rng: &mut Rng) -> Option<Pid> {
        let begin = rng.usize(..SLOTS);
        // At::Slot wraps around.
        (begin..begin + SLOTS)
            .find_map(|slot| Pid::from_raw(self.number(At::Slot(slot)).load(Relaxed) as i32))
    }

    /// Counts an event.
    pub(super) fn record(&self, event: Event) {
        self.number(At::Event(event)).fetch_add(1, Relaxed);
    }

    /// Returns how often an event occurred.
    pub(super) fn count(&self, event: Event) -> u64 {
        self.number(At::Event(event)).load(Relaxed)
    }

    /// Returns how often calls in a situation had an outcome.
    pub(super) fn calls(&self, entry: Entry, situation: Situation, outcome: Outcome) -> u64 {
        self.calls.get(row(entry, situation), outcome)
    }

    /// Returns the outcomes that calls had in a situation, and how often.
    pub(super) fn outcomes(&self, entry: Entry, situation: Situation) -> Vec<(Outcome, u64)> {
        self.calls.outcomes(row(entry, situation))
    }

    /// Reports an error, which fails the test.
    pub(super) fn report(&self, error: &str) {
        self.complaints.say(error);
    }

    /// Makes the call by a random one of `entries`, and checks its outcome.
    pub(super) fn call(
        &self,
        rng: &mut Rng,
        situation: Situation,
        entries: &[Entry],
        fd: impl AsFd,
        nstype: u32,
    ) -> Result<Outcome> {
        self.call_with(self.device.as_ref(), rng, situation, entries, fd, nstype)
    }

    /// The same with another open file of the device.
    pub(super) fn call_with(
        &self,
        device: Option<&Device>,
        rng: &mut Rng,
        situation: Situation,
        entries: &[Entry],
        fd: impl AsFd,
        nstype: u32,
    ) -> Result<Outcome> {
        self.make(rng, situation, entries, |entry| {
            entry.setns(device, fd.as_fd().as_raw_fd(), nstype as i32)
        })
    }

    /// Creates namespaces (`CLONE_NEW*`) by a random one of `entries`, and checks the outcome.
    pub(super) fn unshare(
        &self,
        rng: &mut Rng,
        situation: Situation,
        entries: &[Entry],
        kinds: u32,
    ) -> Result<Outcome> {
        self.unshare_with(self.device.as_ref(), rng, situation, entries, kinds)
    }

    /// The same with another open file of the device.
    pub(super) fn unshare_with(
        &self,
        device: Option<&Device>,
        rng: &mut Rng,
        situation: Situation,
        entries: &[Entry],
        kinds: u32,
    ) -> Result<Outcome> {
        self.make(rng, situation, entries, |entry| {
            entry.unshare(device, kinds.into())
        })
    }

    fn make(
        &self,
        rng: &mut Rng,
        situation: Situation,
        entries: &[Entry],
        call: impl FnOnce(Entry) -> Result<Outcome>,
    ) -> Result<Outcome> {
        let entry = match entries[rng.usize(..entries.len())] {
            Entry::Served if !self.serves => Entry::Device,
            entry => entry,
        };
        let outcome = call(entry)?;
        self.calls.add(row(entry, situation), outcome);
        if !situation.allowed().contains(&outcome) {
            let entry = situation.by(entry);
            self.report(&format!("{entry}: {situation}: {}", outcome_name(outcome)));
        }
        Ok(outcome)
    }

    /// Returns the inode number of a namespace of the calling thread.
    pub(super) fn own(&self, link: &str) -> Result<u64> {
        self.link(&format!("thread-self/ns/{link}"))?
            .with_context(|| format!("/proc/thread-self/ns/{link}"))
    }

    /// Returns the inode number in a link below `/proc`; [`None`] if its task is gone.
    pub(super) fn link(&self, path: &str) -> Result<Option<u64>> {
        let read = rustix::fs::readlinkat(&self.proc, path, Vec::new());
        let Some(target) = none_if_gone(read).with_context(|| path.to_owned())? else {
            return Ok(None);
        };
        let inode = crate::case::target::inode(target.to_str()?);
        Ok(Some(inode.with_context(|| format!("{path}: {target:?}"))?))
    }

    /// Opens a file or directory below `/proc`; [`None`] if its task is gone.
    pub(super) fn open(&self, path: &str) -> Result<Option<OwnedFd>> {
        let flags = OFlags::RDONLY | OFlags::CLOEXEC;
        let opened = rustix::fs::openat(&self.proc, path, flags, Mode::empty());
        none_if_gone(opened).with_context(|| path.to_owned())
    }

    /// Checks that the calling thread is in this namespace.
    pub(super) fn expect_in(&self, link: &str, inode: u64, why: &str) -> Result<()> {
        let is = self.own(link)?;
        if is != inode {
            self.report(&format!("{link}:[{is}] {why}, expected {link}:[{inode}]"));
        }
        Ok(())
    }

    /// Checks that the calling thread is in four namespaces of the same home.
    pub(super) fn expect_one_home(&self, why: &str) -> Result<()> {
        let mut links = [0; KINDS.len()];
        for (link, kind) in links.iter_mut().zip(KINDS) {
            *link = self.own(kind.name())?;
        }
        let is = |home: &Home| KINDS.map(|kind| home.inode(kind)) == links;
        if !self.homes.iter().any(is) {
            self.report(&format!(
                "{why}: in {links:?}, which is not the set of one process"
            ));
        }
        Ok(())
    }

    /// Returns whether this is a namespace of one of the homes.
    pub(super) fn is_known(&self, kind: Kind, inode: u64) -> bool {
        self.homes.iter().any(|home| home.inode(kind) == inode)
    }

    /// Returns a random target of the scene.
    pub(super) fn random_home(&self, rng: &mut Rng) -> &Home {
        &self.homes[rng.usize(1..self.homes.len())]
    }
}

/// Converts a result for a file below `/proc/PID`: an error that means that the task is gone
/// becomes [`None`].
///
/// `ENOENT`: `proc_pid_lookup()`, `proc_ns_dir_lookup()` and `proc_task_readdir()` find no task, and
/// `ns_get_path_cb()` and `ns_get_name()` find one without namespaces. `ESRCH`:
/// `proc_pid_permission()`. `EACCES`: `proc_ns_get_link()` and `proc_ns_readlink()`.
pub(super) fn none_if_gone<T>(result: Result<T, Errno>) -> Result<Option<T>, Errno> {
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

/// Checks that files of a task that dies give every error that [`none_if_gone`] knows, and no other.
pub(super) fn files_of_a_task_that_is_gone() -> Result<()> {
    let process = TargetProcess::start(&Target::default())?;
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
        (read.as_ref().err().copied(), none_if_gone(read))
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

/// Returns a target in new namespaces of [`KINDS`].
pub(super) fn target_in_new_kinds() -> Target {
    Target::new([crate::process::setup::Setup::Unshare(flags_of(&KINDS))])
}
