// SPDX-License-Identifier: GPL-2.0-only

//! Counts the references to the namespaces of a target, before and after calls. A call that takes
//! or drops one too many changes the counts, even if nothing afterwards uses the namespace.

use crate::case::{implementation::Device, target::TargetProcess};
use anyhow::{Context as _, Result};
use nsproxy_uapi::Namespace;
use std::{
    fmt,
    os::fd::AsFd as _,
    thread,
    time::{Duration, Instant},
};

/// How long to wait for references that the kernel drops in the background.
const TIMEOUT: Duration = Duration::from_secs(15);
/// How long counts must be unchanged. RCU drops the references of old credentials.
const REST: Duration = Duration::from_millis(40);

/// Both counts of each namespace that a target has for itself: not those of the test, in which idle
/// callers are as well.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct References(Vec<Counts>);

/// A member of an nsproxy, and `__ns_ref` and `__ns_ref_active` of its namespace.
type Counts = (&'static str, u32, u32);

impl References {
    /// Reads the counts.
    pub(crate) fn of(target: &TargetProcess) -> Result<Self> {
        let device = Device::open()?;
        let pidfd = target.pidfd()?;
        let [ours, theirs] =
            [None, Some(pidfd.as_fd())].map(|process| device.show(process).context("NSPROXY_SHOW"));
        let (ours, theirs) = (ours?.namespaces, theirs?.namespaces);
        let is_own = |ns: &&Namespace| ours.iter().all(|our| our.id != ns.id);
        let counts = |ns: &Namespace| (ns.member.name(), ns.ns_ref, ns.active);
        Ok(Self(theirs.iter().filter(is_own).map(counts).collect()))
    }

    /// Reads the counts when they have stopped changing.
    pub(crate) fn at_rest(target: &TargetProcess) -> Result<Self> {
        let deadline = Instant::now() + TIMEOUT;
        let mut before = Self::of(target)?;
        loop {
            thread::sleep(REST);
            let now = Self::of(target)?;
            if now == before || Instant::now() > deadline {
                return Ok(now);
            }
            before = now;
        }
    }

    /// Waits until the counts are the same again. Returns the differences that remain.
    pub(crate) fn changes(&self, target: &TargetProcess) -> Result<Changes> {
        let deadline = Instant::now() + TIMEOUT;
        let mut pause = Duration::from_millis(1);
        loop {
            let now = Self::of(target)?;
            if now == *self || Instant::now() > deadline {
                let pairs = self.0.iter().copied().zip(now.0);
                return Ok(Changes(
                    pairs.filter(|(before, now)| before != now).collect(),
                ));
            }
            thread::sleep(pause);
            pause = (2 * pause).min(REST);
        }
    }
}

/// The counts of namespaces that changed: before and after.
#[derive(Default)]
pub(crate) struct Changes(Vec<(Counts, Counts)>);

impl Changes {
    /// Returns whether all counts are the same.
    pub(crate) fn is_none(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns whether counts changed, and none of them rose.
    pub(crate) fn are_losses(&self) -> bool {
        let mut pairs = self.0.iter();
        !self.is_none() && pairs.all(|(before, now)| now.1 <= before.1 && now.2 <= before.2)
    }
}

impl fmt::Display for Changes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = self.0.iter().map(|(before, now)| {
            let (member, ns_ref, active) = before;
            format!(
                "{member}: ns_ref {ns_ref} -> {}, active {active} -> {}",
                now.1, now.2
            )
        });
        f.write_str(&words.collect::<Vec<_>>().join("; "))
    }
}
