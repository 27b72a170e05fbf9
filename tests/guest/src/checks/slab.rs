// SPDX-License-Identifier: GPL-2.0-only

//! How many objects the kernel has of what a call allocates: `/proc/slabinfo`.
//!
//! A witness of its own beside kmemleak: it works in every kernel, and sees objects that something
//! still points at.

use crate::report::ktap::Skip;
use anyhow::{Context as _, Result, ensure};
use std::{
    collections::BTreeMap,
    fmt,
    fs::{self, OpenOptions},
    io::Write as _,
    path::Path,
    thread,
    time::{Duration, Instant},
};

/// A directory for each cache.
pub(crate) const SYSFS: &str = "/sys/kernel/slab";
const SLABINFO: &str = "/proc/slabinfo";
const DROP_CACHES: &str = "/proc/sys/vm/drop_caches";

/// The credentials' cache.
pub(crate) const CRED: &str = "cred";

/// What a call makes, or has another reference to. No two of them share a cache: the guest is
/// booted with `slab_nomerge`.
const CACHES: &[&str] = &[
    "nsproxy",
    CRED,
    "fs_cache",
    "user_namespace",
    "uts_namespace",
    "pid_namespace",
    "net_namespace",
    "mnt_cache",
    "pid",
    // Root and working directory refer to dentries; filp is open files.
    "dentry",
    "filp",
    // What is allocated by its size, as the other namespaces are; and whatever a module allocates.
    "kmalloc-8",
    "kmalloc-16",
    "kmalloc-32",
    "kmalloc-64",
    "kmalloc-96",
    "kmalloc-128",
    "kmalloc-192",
    "kmalloc-256",
    "kmalloc-512",
    "kmalloc-1k",
    "kmalloc-2k",
    "kmalloc-4k",
];

/// Those whose number depends on nothing that goes on in the background: one object too many is
/// one too many.
const EXACT: &[&str] = &[
    "nsproxy",
    "user_namespace",
    "uts_namespace",
    "pid_namespace",
    "net_namespace",
    "mnt_cache",
];

/// How long the kernel may take to free what is freed in the background: `kfree_rcu()` may wait
/// five seconds before it begins.
const PATIENCE: Duration = Duration::from_secs(12);

/// The number of objects by cache.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Objects(BTreeMap<&'static str, u64>);

/// The caches that have more objects than before, and how many more.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Growth(Vec<(&'static str, u64)>);

impl Objects {
    /// Counts those of all [`CACHES`].
    ///
    /// # Errors
    ///
    /// [`Skip`] in a kernel that does not count.
    pub(crate) fn count() -> Result<Self> {
        if !Path::new(SLABINFO).exists() || !Path::new(SYSFS).join("nsproxy/shrink").exists() {
            return Err(Skip::because(
                "needs CONFIG_SLUB_DEBUG, and slab_nomerge on the kernel's command line",
            ));
        }
        Self::count_of(CACHES)
    }

    /// The same when nothing changes any more that must not: for [`EXACT`] numbers.
    pub(crate) fn count_at_rest() -> Result<Self> {
        let deadline = Instant::now() + PATIENCE;
        let mut before = Self::count()?;
        loop {
            thread::sleep(Duration::from_millis(150));
            let now = Self::count()?;
            let same = EXACT
                .iter()
                .all(|cache| now.0.get(cache) == before.0.get(cache));
            if same || Instant::now() > deadline {
                return Ok(now);
            }
            before = now;
        }
    }

    fn count_of(caches: &'static [&'static str]) -> Result<Self> {
        // The kernel keeps unused dentries until memory is short. 2 frees them. 4, written before
        // that, keeps the kernel from logging it.
        for what in ["4", "2"] {
            fs::write(DROP_CACHES, what).context(DROP_CACHES)?;
        }
        // What is freed and kept at hand counts as in use: by a CPU, or by KASAN, which watches
        // it for a while.
        for cache in caches {
            let path = format!("{SYSFS}/{cache}/shrink");
            OpenOptions::new()
                .write(true)
                .open(&path)
                .and_then(|mut file| file.write_all(b"1"))
                .context(path)?;
        }
        let text = fs::read_to_string(SLABINFO).context(SLABINFO)?;
        let mut objects = BTreeMap::new();
        for line in text.lines() {
            let mut words = line.split_whitespace();
            let name = words.next().unwrap_or_default();
            let Some(cache) = caches.iter().find(|cache| **cache == name) else {
                continue;
            };
            let active = words.next().context(SLABINFO)?;
            objects.insert(*cache, active.parse().context(SLABINFO)?);
        }
        ensure!(objects.len() == caches.len(), "{SLABINFO} lacks caches");
        Ok(Self(objects))
    }

    /// What has grown since `self` was counted: what is [`EXACT`] by one or more, the others by
    /// `many` or more.
    ///
    /// Waits for the kernel while something has.
    pub(crate) fn growth(&self, many: u64) -> Result<Growth> {
        self.patiently(|cache| if EXACT.contains(&cache) { 1 } else { many })
    }

    /// The same, `many` for all of them.
    pub(crate) fn growth_by(&self, many: u64) -> Result<Growth> {
        self.patiently(|_| many)
    }

    fn patiently(&self, many: impl Fn(&str) -> u64) -> Result<Growth> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let now = Self::count()?;
            let grown = now.0.iter().filter_map(|(cache, n)| {
                let more = n.saturating_sub(self.0.get(cache).copied().unwrap_or(0));
                (more >= many(cache)).then_some((*cache, more))
            });
            let growth = Growth(grown.collect());
            if growth.is_none() || Instant::now() > deadline {
                return Ok(growth);
            }
            thread::sleep(Duration::from_millis(100));
        }
    }
}

impl Growth {
    /// Nothing has grown.
    pub(crate) fn is_none(&self) -> bool {
        self.0.is_empty()
    }

    /// By how much that cache has.
    pub(crate) fn of(&self, cache: &str) -> u64 {
        let found = self.0.iter().find(|(grown, _)| *grown == cache);
        found.map_or(0, |(_, more)| *more)
    }
}

impl fmt::Display for Growth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words: Vec<_> = self
            .0
            .iter()
            .map(|(cache, more)| format!("{cache} has {more} more objects"))
            .collect();
        f.write_str(&words.join(", "))
    }
}
