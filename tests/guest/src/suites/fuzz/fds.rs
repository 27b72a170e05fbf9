// SPDX-License-Identifier: GPL-2.0-only

//! File descriptors of every kind. Opened once; the callers inherit them.

use crate::case::{
    implementation::{Device, Kind},
    target::{Fate, Process, Target},
};
use anyhow::{Context as _, Result};
use rustix::{
    event::EventfdFlags,
    fs::{MemfdFlags, Mode, OFlags},
    process::{Pid, PidfdFlags},
    time::{TimerfdClockId, TimerfdFlags},
};
use std::{
    os::fd::{AsRawFd as _, OwnedFd},
    os::unix::net::UnixDatagram,
};

/// What a file descriptor is, as far as setns cares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    /// None, or one that was opened with `O_PATH`.
    NotOpen,
    /// A file, but neither nsfs nor pidfd.
    Other,
    /// A namespace of where the callers come from, or of a target.
    Namespace(Kind, Of),
    /// A process that lives.
    Alive,
    /// One that is dead and has not been waited for.
    Zombie,
    /// One that is gone.
    Reaped,
}

/// Whose namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Of {
    Home,
    Target,
}

/// A number to pass as a file descriptor.
pub(super) struct Entry {
    pub(super) number: i32,
    pub(super) what: What,
    /// For people.
    pub(super) name: String,
}

/// All of them, and what keeps them.
pub(super) struct Pool {
    pub(super) entries: Vec<Entry>,
    /// The device, open in each way.
    pub(super) devices: Vec<OwnedFd>,
    /// Those that can be called only in vain: the device opened with `O_PATH`.
    pub(super) path_device: OwnedFd,
    _files: Vec<OwnedFd>,
    _processes: Vec<Process>,
}

fn open(path: &str, flags: OFlags) -> Result<OwnedFd> {
    rustix::fs::open(path, flags | OFlags::CLOEXEC, Mode::empty()).with_context(|| path.to_owned())
}

fn pidfd(pid: u32) -> Result<OwnedFd> {
    let pid = Pid::from_raw(pid as i32).context("pid 0")?;
    Ok(rustix::process::pidfd_open(pid, PidfdFlags::empty())?)
}

impl Pool {
    /// Opens one of each, and starts the processes that some of them are about.
    pub(super) fn new() -> Result<Self> {
        let target = Process::start(&Target::in_all_new())?;
        let zombie = Process::start(&Target::default().with_fate(Fate::Zombie))?;
        let reaped = Process::start(&Target::default().with_fate(Fate::Reaped))?;

        let mut files: Vec<(What, String, OwnedFd)> = Vec::new();
        let mut add = |what, name: &str, fd| files.push((what, name.to_owned(), fd));
        let myself = std::process::id();
        for (pid, of) in [(myself, Of::Home), (target.pid, Of::Target)] {
            for kind in Kind::ALL {
                let path = format!("/proc/{pid}/ns/{}", kind.name());
                add(
                    What::Namespace(kind, of),
                    &format!("{} namespace of {of:?}", kind.name()),
                    open(&path, OFlags::RDONLY)?,
                );
            }
        }
        add(What::Alive, "pidfd of the target", target.pidfd()?);
        add(What::Alive, "pidfd of the parent", pidfd(myself)?);
        add(What::Zombie, "pidfd of a zombie", zombie.pidfd()?);
        add(What::Reaped, "pidfd of one gone", reaped.pidfd()?);

        let proc = open(&format!("/proc/{}", target.pid), OFlags::RDONLY)?;
        add(What::Other, "a directory of /proc", proc);
        add(What::Other, "a directory", open("/", OFlags::RDONLY)?);
        add(
            What::Other,
            "a file",
            open("/proc/self/exe", OFlags::RDONLY)?,
        );
        add(What::Other, "a device", open("/dev/null", OFlags::RDWR)?);
        add(
            What::Other,
            "this device",
            open(Device::PATH, OFlags::RDWR)?,
        );
        add(What::Other, "a socket", UnixDatagram::unbound()?.into());
        let (read, write) = std::io::pipe()?;
        add(What::Other, "a pipe", read.into());
        add(What::Other, "the other end of a pipe", write.into());
        let epoll = rustix::event::epoll::create(rustix::event::epoll::CreateFlags::CLOEXEC)?;
        add(What::Other, "an epoll", epoll);
        let eventfd = rustix::event::eventfd(0, EventfdFlags::CLOEXEC)?;
        add(What::Other, "an eventfd", eventfd);
        let timerfd =
            rustix::time::timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::CLOEXEC)?;
        add(What::Other, "a timerfd", timerfd);
        add(What::Other, "a signalfd", crate::sys::signalfd()?);
        let memfd = rustix::fs::memfd_create("fuzz", MemfdFlags::CLOEXEC)?;
        add(What::Other, "a memfd", memfd);
        let path = open("/proc/self/ns/uts", OFlags::PATH)?;
        add(What::NotOpen, "a namespace, O_PATH", path);
        add(
            What::NotOpen,
            "a directory, O_PATH",
            open("/", OFlags::PATH)?,
        );

        let mut entries: Vec<_> = files
            .iter()
            .map(|(what, name, fd)| Entry {
                number: fd.as_raw_fd(),
                what: *what,
                name: name.clone(),
            })
            .collect();
        for number in [-1, -100, i32::MIN, i32::MAX, 1 << 20, 0x3ff] {
            entries.push(Entry {
                number,
                what: What::NotOpen,
                name: "not open".to_owned(),
            });
        }
        Ok(Self {
            entries,
            devices: [OFlags::RDWR, OFlags::RDONLY, OFlags::WRONLY]
                .into_iter()
                .map(|flags| open(Device::PATH, flags))
                .collect::<Result<_>>()?,
            path_device: open(Device::PATH, OFlags::PATH)?,
            _files: files.into_iter().map(|(_, _, fd)| fd).collect(),
            _processes: vec![target, zombie],
        })
    }

    /// The number of the target's namespace of that kind.
    pub(super) fn namespace(&self, kind: Kind) -> Option<i32> {
        let wanted = What::Namespace(kind, Of::Target);
        let entry = self.entries.iter().find(|entry| entry.what == wanted)?;
        Some(entry.number)
    }
}
