// SPDX-License-Identifier: GPL-2.0-only

//! Targets: the processes whose namespaces a case enters.

use crate::{
    case::{
        FdSource, fd_source,
        fixtures::Files,
        implementation::{self, Kind},
    },
    process::{Actor, setup::Setup},
    snapshot::{self, LINKS},
};
use anyhow::{Context as _, Result};
use rustix::fs::CWD;
use std::{collections::HashMap, os::fd::OwnedFd, sync::Arc};

/// The description of a target process.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub(crate) struct Target {
    /// The setups of the process, which starts as root in the namespaces of the test.
    pub(crate) setups: Vec<Setup>,
    pub(crate) liveness: Liveness,
    /// The kinds (`CLONE_NEW*`) of namespace that were made recognizable: see [`Target::in_new`].
    pub(crate) marked: u32,
}

/// The state of a target when the call is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub(crate) enum Liveness {
    #[default]
    Alive,
    Zombie,
    Reaped,
}

/// The host name in the uts namespace of a target.
pub(crate) const HOSTNAME: &str = "target";
/// The network interface in the network namespace of a target.
pub(crate) const INTERFACE: &str = "target0";
/// The clock offsets in the time namespace of a target, in seconds.
pub(crate) const MONOTONIC: i64 = 1000;
pub(crate) const BOOTTIME: i64 = 5000;
/// The mount point of a tmpfs in the mount namespace of a target.
pub(crate) const MOUNT: &str = "/tmp/nsproxy-tests-mount";
/// The cgroup of a target.
pub(crate) const CGROUP: &str = "nsproxy-tests";
/// An unprivileged user.
pub(crate) const USER: u32 = 1000;

impl Target {
    /// Describes a target with these setups.
    pub(crate) fn new(setups: impl Into<Vec<Setup>>) -> Self {
        Self {
            setups: setups.into(),
            ..Self::default()
        }
    }

    /// Describes a target in new namespaces of these kinds, each of which is made recognizable.
    ///
    /// If there is a new user namespace, it owns the other ones.
    pub(crate) fn in_new(kinds: u32) -> Self {
        let has = |kind: Kind| kinds & kind.flag() != 0;
        let has_children = has(Kind::Time) || has(Kind::Pid);
        let clock_offsets = Setup::ClockOffsets {
            monotonic: MONOTONIC,
            boottime: BOOTTIME,
        };
        let setups = [
            // First: the root of the cgroup namespace is the cgroup of its creator.
            (has(Kind::Cgroup), Setup::Cgroup(CGROUP.into())),
            (true, Setup::Unshare(kinds)),
            (has(Kind::User), Setup::MapRoot),
            (has(Kind::Time), clock_offsets),
            (has_children, Setup::Fork),
            (has(Kind::Uts), Setup::Hostname(HOSTNAME.into())),
            (has(Kind::Ipc), Setup::MessageQueue),
            (has(Kind::Net), Setup::Interface(INTERFACE.into())),
            (has(Kind::Mnt), Setup::Mount(MOUNT.into())),
        ];
        let setups = setups.into_iter().filter(|(is_needed, _)| *is_needed);
        Self {
            marked: kinds,
            ..Self::new(setups.map(|(_, setup)| setup).collect::<Vec<_>>())
        }
    }

    /// Describes a target in new namespaces of all kinds: see [`in_new`](Self::in_new).
    pub(crate) fn in_all_new() -> Self {
        Self::in_new(implementation::all_kinds())
    }

    /// Makes [`USER`] instead of root the creator of the namespaces.
    pub(crate) fn of_user(mut self) -> Self {
        // Only root can create the cgroup.
        let is_cgroup = |setup: &Setup| matches!(setup, Setup::Cgroup(_));
        let at = usize::from(self.setups.first().is_some_and(is_cgroup));
        self.setups.insert(at, Setup::SetIds(USER));
        self
    }

    /// Makes init the parent of the target.
    pub(crate) fn orphaned(mut self) -> Self {
        // First: the parent must not be the init of a pid namespace, whose exit kills the target.
        self.setups.insert(0, Setup::Orphan);
        self
    }

    pub(crate) fn with_liveness(mut self, liveness: Liveness) -> Self {
        self.liveness = liveness;
        self
    }
}

/// A running target process, or one that has exited.
pub(crate) struct TargetProcess {
    pub(crate) pid: u32,
    is_alive: bool,
    /// The inode number of each of [`LINKS`] that can be read.
    links: HashMap<&'static str, u64>,
    files: Files,
    actor: Actor,
}

impl TargetProcess {
    /// Starts a target, and ends it if its [`Liveness`] demands that.
    pub(crate) fn start(target: &Target) -> Result<Self> {
        let mut actor = Actor::spawn()?;
        for setup in &target.setups {
            actor.set_up(setup).context("the target")?;
        }
        let pid = actor.pid()?;
        let mut process = Self {
            pid,
            is_alive: target.liveness == Liveness::Alive,
            links: links_of(&pid.to_string()),
            files: Files::default(),
            actor,
        };
        if !process.is_alive {
            // The files of a process that has exited cannot be opened any more.
            process.pidfd()?;
            for link in LINKS {
                process.ns(link)?;
            }
            process.actor.kill()?;
            if target.liveness == Liveness::Reaped {
                process.actor.reap()?;
            }
        }
        Ok(process)
    }

    /// Returns whether the target has not exited.
    pub(crate) fn is_alive(&self) -> bool {
        self.is_alive
    }

    /// Returns the inode number of a namespace of the target.
    pub(crate) fn link(&self, link: &str) -> Option<u64> {
        self.links.get(link).copied()
    }

    /// Opens a namespace of the target.
    pub(crate) fn ns(&self, link: &'static str) -> Result<OwnedFd> {
        let file = self.file(FdSource::Target(link), |process| {
            fd_source::open_ns(&process.pid.to_string(), link)
        })?;
        Ok(file.try_clone()?)
    }

    /// Opens a pidfd of the target.
    pub(crate) fn pidfd(&self) -> Result<OwnedFd> {
        let file = self.file(FdSource::Pidfd, |process| {
            fd_source::open_pidfd(process.pid)
        })?;
        Ok(file.try_clone()?)
    }

    /// Opens a file of the target, or returns the one that is already open.
    pub(crate) fn file(
        &self,
        source: FdSource,
        open: impl FnOnce(&Self) -> Result<OwnedFd>,
    ) -> Result<Arc<OwnedFd>> {
        self.files.get_or_open(source, || open(self))
    }
}

/// Returns the inode numbers of the namespaces of a process, given its name in `/proc`.
pub(crate) fn links_of(process: &str) -> HashMap<&'static str, u64> {
    snapshot::read_links(CWD, &format!("/proc/{process}/ns"))
        .filter_map(|(link, target)| Some((link, inode(target.ok()?.to_str().ok()?)?)))
        .collect()
}

/// Returns the number in `uts:[4026531838]`.
pub(crate) fn inode(link: &str) -> Option<u64> {
    let (_, rest) = link.split_once('[')?;
    rest.strip_suffix(']')?.parse().ok()
}
