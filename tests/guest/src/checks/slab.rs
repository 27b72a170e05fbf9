// SPDX-License-Identifier: GPL-2.0-only

//! Counts the kernel objects that a call may leak, in `/proc/slabinfo`.
//!
//! Complements kmemleak: it works on every kernel, and finds leaked objects that are referenced.

use crate::report::ktap::Skip;
use anyhow::{Context as _, Result, ensure};
use std::{
    collections::BTreeMap,
    fmt,
    fs::{self, OpenOptions},
    io::Write as _,
    path::Path,
    process::ExitCode,
    thread,
    time::{Duration, Instant},
};

/// The directory with a subdirectory for each cache.
pub(crate) const SYSFS: &str = "/sys/kernel/slab";
const SLABINFO: &str = "/proc/slabinfo";
const DROP_CACHES: &str = "/proc/sys/vm/drop_caches";

/// The counts from before the suite.
const BEFORE: &str = "/run/objects";

/// The cache of credentials.
pub(crate) const CRED: &str = "cred";

/// Its name before it became that of the struct.
const CRED_BEFORE: &str = "cred_jar";

/// The caches of objects that a call allocates or references. `slab_nomerge` keeps them separate.
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
    "key_jar",
    // Root and working directory refer to dentries; filp is open files.
    "dentry",
    "filp",
    // The other namespaces, and all allocations of a module.
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

/// The caches that no background activity changes: a single additional object is a leak.
const EXACT: &[&str] = &[
    "nsproxy",
    "user_namespace",
    "uts_namespace",
    "pid_namespace",
    "net_namespace",
    "mnt_cache",
];

/// The caches of which a suite must leave no additional object, and the growth that is allowed:
/// background activity mounts, and starts kernel threads. Network namespaces are not among them:
/// the kernel frees the last ones with the next one that is released.
const GATED: &[(&str, u64)] = &[
    ("nsproxy", 0),
    ("fs_cache", 0),
    ("user_namespace", 0),
    ("uts_namespace", 0),
    ("pid_namespace", 0),
    ("key_jar", 2),
    ("mnt_cache", 4),
    (CRED, 16),
];

/// How long to wait for deferred frees: `kfree_rcu()` may wait five seconds before it begins.
const TIMEOUT: Duration = Duration::from_secs(12);

/// Returns the name of a cache in this kernel.
fn name_here(cache: &'static str) -> &'static str {
    match cache {
        CRED if !Path::new(SYSFS).join(CRED).exists() => CRED_BEFORE,
        _ => cache,
    }
}

/// The number of objects by cache.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Objects(BTreeMap<&'static str, u64>);

/// The caches that have more objects than before, and how many more.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Growth(Vec<(&'static str, u64)>);

impl Objects {
    /// Counts the objects in all [`CACHES`].
    ///
    /// # Errors
    ///
    /// [`Skip`] on a kernel without these counts.
    pub(crate) fn count() -> Result<Self> {
        if !Path::new(SLABINFO).exists() || !Path::new(SYSFS).join("nsproxy/shrink").exists() {
            return Err(Skip::because(
                "needs CONFIG_SLUB_DEBUG, and slab_nomerge on the kernel's command line",
            ));
        }
        Self::count_of(CACHES)
    }

    /// Counts when the numbers of [`EXACT`] caches have stopped changing.
    pub(crate) fn count_at_rest() -> Result<Self> {
        let deadline = Instant::now() + TIMEOUT;
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
        // Freed objects count as active while a CPU or KASAN caches them.
        for cache in caches {
            let path = format!("{SYSFS}/{}/shrink", name_here(cache));
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
            let Some(cache) = caches.iter().find(|cache| name_here(cache) == name) else {
                continue;
            };
            let active = words.next().context(SLABINFO)?;
            objects.insert(*cache, active.parse().context(SLABINFO)?);
        }
        ensure!(objects.len() == caches.len(), "{SLABINFO}: missing caches");
        Ok(Self(objects))
    }

    /// Returns the growth since `self`: of [`EXACT`] caches by one or more objects, of others by
    /// `many` or more.
    ///
    /// Waits for the kernel to free objects.
    pub(crate) fn growth(&self, many: u64) -> Result<Growth> {
        self.wait_for_growth(|cache| if EXACT.contains(&cache) { 1 } else { many })
    }

    /// Returns the growth by `many` or more objects since `self`.
    pub(crate) fn growth_by(&self, many: u64) -> Result<Growth> {
        self.wait_for_growth(|_| many)
    }

    /// Returns the caches that have grown more than [`GATED`] allows.
    fn growth_at_gate(&self) -> Result<Growth> {
        self.wait_for_growth(|cache| {
            let gated = GATED.iter().find(|(gated, _)| *gated == cache);
            gated.map_or(u64::MAX, |(_, allowed)| allowed + 1)
        })
    }

    fn write(&self) -> Result<()> {
        let lines = self.0.iter().map(|(cache, n)| format!("{cache} {n}\n"));
        fs::write(BEFORE, lines.collect::<String>()).context(BEFORE)
    }

    /// Reads the counts from before the suite; [`None`] if there are none.
    fn read() -> Result<Option<Self>> {
        let Ok(text) = fs::read_to_string(BEFORE) else {
            return Ok(None);
        };
        let mut objects = BTreeMap::new();
        for (cache, n) in text.lines().filter_map(|line| line.split_once(' ')) {
            let cache = CACHES.iter().find(|known| **known == cache);
            objects.insert(*cache.context(BEFORE)?, n.parse().context(BEFORE)?);
        }
        Ok(Some(Self(objects)))
    }

    fn wait_for_growth(&self, many: impl Fn(&str) -> u64) -> Result<Growth> {
        let deadline = Instant::now() + TIMEOUT;
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

/// `nsproxy-tests objects`: counts the objects before a suite, for `gate-objects`. Does nothing on a
/// kernel without these counts.
pub(crate) fn begin() -> Result<ExitCode> {
    match Objects::count_at_rest() {
        Err(error) if error.is::<Skip>() => Ok(ExitCode::SUCCESS),
        objects => objects?.write().map(|()| ExitCode::SUCCESS),
    }
}

/// `nsproxy-tests gate-objects`: prints the caches that have grown since `objects`.
pub(crate) fn gate() -> Result<ExitCode> {
    let Some(before) = Objects::read()? else {
        println!("the kernel does not count objects");
        return Ok(ExitCode::SUCCESS);
    };
    let growth = before.growth_at_gate()?;
    if growth.is_none() {
        println!("no object is left behind");
        return Ok(ExitCode::SUCCESS);
    }
    println!("objects are left behind: {growth}");
    Ok(ExitCode::FAILURE)
}

/// Lets the suite leave additional objects behind: those that the kernel leaks by a known bug.
pub(crate) fn permit(cache: &'static str, more: u64) -> Result<()> {
    let Some(mut objects) = Objects::read()? else {
        return Ok(());
    };
    *objects.0.entry(cache).or_default() += more;
    objects.write()
}

impl Growth {
    /// Returns whether no cache has grown.
    pub(crate) fn is_none(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the number of additional objects in a cache.
    pub(crate) fn objects(&self, cache: &str) -> u64 {
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
