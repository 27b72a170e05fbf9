// SPDX-License-Identifier: GPL-2.0-only

//! File descriptors of many kinds. They are opened once and inherited by the callers.

use crate::case::{
    implementation::{Device, Kind},
    target::{Liveness, Target, TargetProcess},
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

/// The kinds of file descriptors that setns distinguishes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FdKind {
    /// Not open, or opened with `O_PATH`.
    NotOpen,
    /// A file that is neither nsfs nor a pidfd.
    Other,
    /// An nsfs file.
    Namespace(Kind, Owner),
    /// A pidfd of a process that is alive.
    Alive(Owner),
    /// A pidfd of a zombie.
    Zombie,
    /// A pidfd of a process that was reaped.
    Reaped,
}

/// The process that namespaces belong to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Owner {
    /// The test, from which the callers are forked.
    Test,
    Target,
}

impl FdKind {
    /// Returns whose namespaces the file refers to.
    pub(super) fn owner(self) -> Option<Owner> {
        match self {
            Self::Namespace(_, owner) | Self::Alive(owner) => Some(owner),
            _ => None,
        }
    }
}

/// A number to pass as a file descriptor.
pub(super) struct FdEntry {
    pub(super) number: i32,
    pub(super) kind: FdKind,
    /// For messages.
    pub(super) name: String,
}

/// All file descriptors, and the files and processes behind them.
pub(super) struct FdPool {
    pub(super) entries: Vec<FdEntry>,
    /// The device, opened for each access mode.
    pub(super) devices: Vec<OwnedFd>,
    /// The device opened with `O_PATH`, by which no call can succeed.
    pub(super) path_device: OwnedFd,
    _files: Vec<OwnedFd>,
    _processes: Vec<TargetProcess>,
}

fn open(path: &str, flags: OFlags) -> Result<OwnedFd> {
    rustix::fs::open(path, flags | OFlags::CLOEXEC, Mode::empty()).with_context(|| path.to_owned())
}

fn pidfd(pid: u32) -> Result<OwnedFd> {
    let pid = Pid::from_raw(pid as i32).context("pid 0")?;
    Ok(rustix::process::pidfd_open(pid, PidfdFlags::empty())?)
}

impl FdPool {
    /// Opens a file of each kind, and starts the processes that some of them refer to.
    pub(super) fn new() -> Result<Self> {
        let target = TargetProcess::start(&Target::in_all_new())?;
        let zombie = TargetProcess::start(&Target::default().with_liveness(Liveness::Zombie))?;
        let reaped = TargetProcess::start(&Target::default().with_liveness(Liveness::Reaped))?;

        let mut files: Vec<(FdKind, String, OwnedFd)> = Vec::new();
        let mut add = |kind, name: &str, fd| files.push((kind, name.to_owned(), fd));
        let myself = std::process::id();
        for (pid, owner) in [(myself, Owner::Test), (target.pid, Owner::Target)] {
            for kind in Kind::ALL {
                let path = format!("/proc/{pid}/ns/{}", kind.name());
                add(
                    FdKind::Namespace(kind, owner),
                    &format!("{} namespace of {owner:?}", kind.name()),
                    open(&path, OFlags::RDONLY)?,
                );
            }
        }
        add(
            FdKind::Alive(Owner::Target),
            "pidfd of the target",
            target.pidfd()?,
        );
        add(
            FdKind::Alive(Owner::Test),
            "pidfd of the parent",
            pidfd(myself)?,
        );
        add(FdKind::Zombie, "pidfd of a zombie", zombie.pidfd()?);
        add(FdKind::Reaped, "pidfd of a reaped process", reaped.pidfd()?);

        let proc = open(&format!("/proc/{}", target.pid), OFlags::RDONLY)?;
        add(FdKind::Other, "a directory of /proc", proc);
        add(FdKind::Other, "a directory", open("/", OFlags::RDONLY)?);
        add(
            FdKind::Other,
            "a file",
            open("/proc/self/exe", OFlags::RDONLY)?,
        );
        add(FdKind::Other, "a device", open("/dev/null", OFlags::RDWR)?);
        add(
            FdKind::Other,
            "this device",
            open(Device::PATH, OFlags::RDWR)?,
        );
        add(FdKind::Other, "a socket", UnixDatagram::unbound()?.into());
        let (read, write) = std::io::pipe()?;
        add(FdKind::Other, "a pipe", read.into());
        add(FdKind::Other, "the other end of a pipe", write.into());
        let epoll = rustix::event::epoll::create(rustix::event::epoll::CreateFlags::CLOEXEC)?;
        add(FdKind::Other, "an epoll", epoll);
        let eventfd = rustix::event::eventfd(0, EventfdFlags::CLOEXEC)?;
        add(FdKind::Other, "an eventfd", eventfd);
        let timerfd =
            rustix::time::timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::CLOEXEC)?;
        add(FdKind::Other, "a timerfd", timerfd);
        add(FdKind::Other, "a signalfd", crate::sys::signalfd()?);
        let memfd = rustix::fs::memfd_create("fuzz", MemfdFlags::CLOEXEC)?;
        add(FdKind::Other, "a memfd", memfd);
        let path = open("/proc/self/ns/uts", OFlags::PATH)?;
        add(FdKind::NotOpen, "a namespace, O_PATH", path);
        add(
            FdKind::NotOpen,
            "a directory, O_PATH",
            open("/", OFlags::PATH)?,
        );

        let mut entries: Vec<_> = files
            .iter()
            .map(|(kind, name, fd)| FdEntry {
                number: fd.as_raw_fd(),
                kind: *kind,
                name: name.clone(),
            })
            .collect();
        for number in [-1, -100, i32::MIN, i32::MAX, 1 << 20, 0x3ff] {
            entries.push(FdEntry {
                number,
                kind: FdKind::NotOpen,
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

    /// Returns the file descriptor of the target's namespace of that kind.
    pub(super) fn namespace(&self, kind: Kind) -> Option<i32> {
        let wanted = FdKind::Namespace(kind, Owner::Target);
        let entry = self.entries.iter().find(|entry| entry.kind == wanted)?;
        Some(entry.number)
    }
}
