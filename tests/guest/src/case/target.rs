// SPDX-License-Identifier: GPL-2.0-only

//! What is there besides the caller: target processes, in namespaces of their own.

use crate::{
    case::{
        Handle, fd_source,
        implementation::{self, Kind},
        run::{Caller, State},
    },
    process::{Actor, setup::Step},
    snapshot::{self, ClockBase, LINKS},
};
use anyhow::{Context as _, Result};
use rustix::fs::CWD;
use std::{
    collections::HashMap,
    fmt, fs,
    os::fd::OwnedFd,
    rc::Rc,
    str::FromStr,
    sync::{Arc, Mutex, PoisonError},
    time::{SystemTime, UNIX_EPOCH},
};

/// How a target process is made.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub(crate) struct Target {
    /// The steps that it takes, as root from where the test is.
    pub(crate) steps: Vec<Step>,
    /// What has become of it when the call is made.
    pub(crate) fate: Fate,
    /// The kinds of namespace in which there is something to see: see [`Target::in_new`].
    pub(crate) sights: u32,
}

/// What has become of a target when the call is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub(crate) enum Fate {
    #[default]
    Alive,
    /// Dead, and nobody has asked for its exit status.
    Zombie,
    /// Dead and gone.
    Reaped,
}

/// The host name in the uts namespace of a target.
pub(crate) const HOSTNAME: &str = "target";
/// The network interface in the network namespace of a target.
pub(crate) const INTERFACE: &str = "target0";
/// The offsets in the time namespace of a target, in seconds.
pub(crate) const MONOTONIC: i64 = 1000;
pub(crate) const BOOTTIME: i64 = 5000;
/// Where a target has a tmpfs.
pub(crate) const MOUNT: &str = "/tmp/nsproxy-tests-mount";
/// The cgroup that a target is in.
pub(crate) const CGROUP: &str = "nsproxy-tests";
/// A user that has no rights, and what it makes belongs to.
pub(crate) const USER: u32 = 1000;

impl Target {
    /// One that takes these steps and lives on.
    pub(crate) fn new(steps: impl Into<Vec<Step>>) -> Self {
        Self {
            steps: steps.into(),
            fate: Fate::Alive,
            sights: 0,
        }
    }

    /// One in new namespaces of these kinds, with something to see in each of them.
    ///
    /// The namespaces belong to the new user namespace, if there is one among them.
    pub(crate) fn in_new(kinds: u32) -> Self {
        let mut steps = Vec::new();
        if kinds & Kind::Cgroup.flag() != 0 {
            // The namespace starts at the cgroup that its maker is in.
            steps.push(Step::Cgroup(CGROUP.into()));
        }
        steps.push(Step::Unshare(kinds));
        if kinds & Kind::User.flag() != 0 {
            steps.push(Step::MapRoot);
        }
        if kinds & Kind::Time.flag() != 0 {
            steps.push(Step::ClockOffsets {
                monotonic: MONOTONIC,
                boottime: BOOTTIME,
            });
        }
        if kinds & (Kind::Time.flag() | Kind::Pid.flag()) != 0 {
            steps.push(Step::Fork);
        }
        if kinds & Kind::Uts.flag() != 0 {
            steps.push(Step::Hostname(HOSTNAME.into()));
        }
        if kinds & Kind::Ipc.flag() != 0 {
            steps.push(Step::MessageQueue);
        }
        if kinds & Kind::Net.flag() != 0 {
            steps.push(Step::Interface(INTERFACE.into()));
        }
        if kinds & Kind::Mnt.flag() != 0 {
            steps.push(Step::Mount(MOUNT.into()));
        }
        Self {
            sights: kinds,
            ..Self::new(steps)
        }
    }

    /// One in new namespaces of all kinds: see [`in_new`](Self::in_new).
    pub(crate) fn in_all_new() -> Self {
        Self::in_new(implementation::all_kinds())
    }

    /// The same, made by [`USER`] instead of root.
    pub(crate) fn of_user(mut self) -> Self {
        // Root makes the cgroup.
        let at = self
            .steps
            .iter()
            .position(|step| !matches!(step, Step::Cgroup(_)))
            .unwrap_or(0);
        self.steps.insert(at, Step::SetIds(USER));
        self
    }

    /// The same, the child of nobody in this test.
    pub(crate) fn orphaned(mut self) -> Self {
        // First: the parent may not be the init of a pid namespace, which ends with it.
        self.steps.insert(0, Step::Orphan);
        self
    }

    /// The same, dead.
    pub(crate) fn with_fate(mut self, fate: Fate) -> Self {
        self.fate = fate;
        self
    }
}

/// A target process, and where it is.
pub(crate) struct Process {
    pub(crate) pid: u32,
    /// The inode number of each of [`LINKS`]; [`None`] if it cannot be read.
    links: HashMap<&'static str, u64>,
    files: Files,
    actor: Actor,
}

impl Process {
    /// Makes one, and lets it meet its fate.
    pub(crate) fn start(target: &Target) -> Result<Self> {
        let mut actor = Actor::spawn()?;
        for step in &target.steps {
            actor.step(step).context("the target")?;
        }
        let pid = actor.pid()?;
        let mut process = Self {
            pid,
            links: links_of(&pid.to_string()),
            files: Files::default(),
            actor,
        };
        if target.fate != Fate::Alive {
            // What can be opened of one that is dead is what was opened before.
            process.pidfd()?;
            for link in LINKS {
                process.ns(link)?;
            }
            process.actor.kill()?;
            if target.fate == Fate::Reaped {
                process.actor.reap()?;
            }
        }
        Ok(process)
    }

    /// The inode number of a namespace that it is in.
    pub(crate) fn link(&self, link: &str) -> Option<u64> {
        self.links.get(link).copied()
    }

    /// A namespace that it is in, or was when it lived.
    pub(crate) fn ns(&self, link: &'static str) -> Result<OwnedFd> {
        let file = self.file(Handle::Target(link), |process| {
            fd_source::ns_of(&process.pid.to_string(), link)
        })?;
        Ok(file.try_clone()?)
    }

    /// A pidfd of it.
    pub(crate) fn pidfd(&self) -> Result<OwnedFd> {
        let file = self.file(Handle::Pidfd, |process| fd_source::pidfd(process.pid))?;
        Ok(file.try_clone()?)
    }

    /// What a handle of it refers to: opened the first time, kept for as long as it is.
    pub(crate) fn file(
        &self,
        handle: Handle,
        open: impl FnOnce(&Self) -> Result<OwnedFd>,
    ) -> Result<Arc<OwnedFd>> {
        self.files.get_or_open(handle, || open(self))
    }
}

/// Files that stay open.
#[derive(Default)]
struct Files(Mutex<HashMap<Handle, Arc<OwnedFd>>>);

impl Files {
    fn get_or_open(
        &self,
        handle: Handle,
        open: impl FnOnce() -> Result<OwnedFd>,
    ) -> Result<Arc<OwnedFd>> {
        let files = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(file) = files().get(&handle) {
            return Ok(file.clone());
        }
        let file = Arc::new(open()?);
        files().insert(handle, file.clone());
        Ok(file)
    }
}

/// Where the process with that name in `/proc` is: inode numbers by link.
pub(crate) fn links_of(process: &str) -> HashMap<&'static str, u64> {
    snapshot::read_links(CWD, &format!("/proc/{process}/ns"))
        .filter_map(|(link, target)| Some((link, inode(target.ok()?.to_str().ok()?)?)))
        .collect()
}

/// The number in `uts:[4026531838]`.
pub(crate) fn inode(link: &str) -> Option<u64> {
    let (_, rest) = link.split_once('[')?;
    rest.strip_suffix(']')?.parse().ok()
}

/// How much is tried where there is no end to it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Effort {
    /// `make test-long`, as opposed to `make test`.
    pub(crate) long: bool,
    /// Where what is random begins.
    pub(crate) seed: u64,
    /// Nothing more once a test has failed.
    pub(crate) fail_fast: bool,
    /// Which part of what is divided.
    pub(crate) shard: Shard,
}

/// One of several parts, of about the same size, that are all of it together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shard {
    /// From 1.
    number: usize,
    of: usize,
}

impl Default for Shard {
    fn default() -> Self {
        Self { number: 1, of: 1 }
    }
}

impl Shard {
    /// Whether what has this index, from 0, is in it.
    pub(crate) fn has(self, index: usize) -> bool {
        index % self.of == self.number - 1
    }

    pub(crate) fn is_all(self) -> bool {
        self.of == 1
    }
}

impl FromStr for Shard {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parse = || -> Option<Self> {
            let (number, of) = text.split_once('/')?;
            let (number, of) = (number.parse().ok()?, of.parse().ok()?);
            (1..=of).contains(&number).then_some(Self { number, of })
        };
        parse().ok_or("a shard is 1/N to N/N")
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.number, self.of)
    }
}

/// Where what is random begins in the short form.
const SEED: u64 = 1;

impl Effort {
    /// With the seed that the user says; else it is always the same in the short form, and a new
    /// one in the long form.
    pub(crate) fn new(
        long: bool,
        seed: Option<u64>,
        fail_fast: bool,
        shard: Option<Shard>,
    ) -> Self {
        let new = || {
            SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .map_or(SEED, |since| since.as_nanos() as u64)
        };
        Self {
            long,
            seed: seed.unwrap_or_else(|| if long { new() } else { SEED }),
            fail_fast,
            shard: shard.unwrap_or_default(),
        }
    }

    /// One or the other.
    pub(crate) fn pick<T>(self, short: T, long: T) -> T {
        if self.long { long } else { short }
    }

    /// What is to be typed besides suite and test to have it again, with a space before each word.
    pub(crate) fn options(self) -> String {
        let mut options = String::new();
        if self.long {
            options += " --long";
        }
        if self.seed != SEED {
            options += &format!(" --seed {}", self.seed);
        }
        options
    }
}

/// How many idle callers are kept: the files of each are copied to every new actor, to be closed.
const IDLE: usize = 36;

/// What tests share: the targets that live, and what never changes.
pub(crate) struct World {
    pub(crate) effort: Effort,
    targets: HashMap<Target, Rc<Process>>,
    files: Files,
    /// Callers that can be used again: all their calls have failed, and changed nothing. The one
    /// that was used last comes last.
    idle: Vec<(State, Caller)>,
    /// The clocks where the test is.
    pub(crate) clocks: ClockBase,
    /// The namespaces that the test is in.
    pub(crate) home: HashMap<&'static str, u64>,
}

impl World {
    /// Nothing but the test.
    pub(crate) fn new(effort: Effort) -> Self {
        Self {
            effort,
            targets: HashMap::new(),
            files: Files::default(),
            idle: Vec::new(),
            clocks: ClockBase::measure(),
            home: links_of("self"),
        }
    }

    /// A caller in that state, if one is idle.
    pub(crate) fn wake(&mut self, state: &State) -> Option<Caller> {
        let at = self.idle.iter().position(|(idle, _)| idle == state)?;
        Some(self.idle.remove(at).1)
    }

    /// Keeps a caller for whoever wants one in its state.
    pub(crate) fn rest(&mut self, state: State, caller: Caller) {
        self.idle.push((state, caller));
        if self.idle.len() > IDLE {
            self.idle.remove(0);
        }
    }

    /// Ends all callers that are idle: they have the device open.
    pub(crate) fn end_idle(&mut self) {
        self.idle.clear();
    }

    /// What a handle of nobody's refers to: opened the first time, kept for as long as the world.
    pub(crate) fn file(
        &self,
        handle: Handle,
        open: impl FnOnce() -> Result<OwnedFd>,
    ) -> Result<Arc<OwnedFd>> {
        self.files.get_or_open(handle, open)
    }

    /// A target, which is used again by whoever wants one like it.
    pub(crate) fn target(&mut self, target: &Target) -> Result<Rc<Process>> {
        if let Some(process) = self.targets.get(target) {
            return Ok(process.clone());
        }
        let process = Rc::new(Process::start(target)?);
        self.targets.insert(target.clone(), process.clone());
        Ok(process)
    }

    /// Ends all of them.
    pub(crate) fn clear(&mut self) {
        self.end_idle();
        self.targets.clear();
        self.files = Files::default();
        let _ = fs::remove_dir(format!("{}/{CGROUP}", crate::process::setup::CGROUPS));
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_are_all_of_it_and_nothing_twice() {
        for of in 1..10 {
            let shards: Vec<Shard> = (1..=of)
                .map(|number| format!("{number}/{of}").parse().unwrap())
                .collect();
            for index in 0..100 {
                let has = shards.iter().filter(|shard| shard.has(index));
                assert_eq!(has.count(), 1, "{index} of {of}");
            }
        }
    }

    #[test]
    fn no_shard_is_outside() {
        for text in ["", "1", "0/1", "2/1", "1/0", "0/0", "a/2", "1/2/3", "-1/2"] {
            assert!(text.parse::<Shard>().is_err(), "{text}");
        }
    }
}
