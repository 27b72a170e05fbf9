// SPDX-License-Identifier: GPL-2.0-only

//! Mounts, files and namespaces that a lab leaves behind. Its processes are killed.

use crate::{case::target, checks::leaked_namespaces};
use anyhow::{Context as _, Result};
use rustix::mount::{UnmountFlags, unmount};
use std::{collections::BTreeSet, fs};

/// The directories that a lab may write to.
const PLACES: [&str; 4] = ["/home/student", "/root", "/run", "/tmp"];

/// The state before a lab.
pub(super) struct Before {
    mounts: Vec<String>,
    files: BTreeSet<String>,
    namespaces: usize,
}

impl Before {
    pub(super) fn record() -> Result<Self> {
        Ok(Self {
            mounts: mounts()?,
            files: files()?,
            namespaces: leaked_namespaces::active_count()?,
        })
    }

    /// Returns the leftovers. Mounts are removed, since they would disturb the next lab.
    pub(super) fn leftovers(self) -> Result<Vec<String>> {
        let mut left = Vec::new();
        for mount in mounts()?.into_iter().skip(self.mounts.len()).rev() {
            unmount(&mount, UnmountFlags::DETACH).with_context(|| mount.clone())?;
            left.push(format!("a mount at {mount}"));
        }
        for file in files()?.difference(&self.files) {
            left.push(file.clone());
        }
        let now = leaked_namespaces::wait_for_active_count(self.namespaces)?;
        if now > self.namespaces {
            left.push(format!("{} namespaces in use", now - self.namespaces));
        }
        Ok(left)
    }
}

/// Returns the mount points, in the order of mounting.
fn mounts() -> Result<Vec<String>> {
    let text = fs::read_to_string("/proc/self/mounts")?;
    let place = |line: &str| line.split(' ').nth(1).map(str::to_owned);
    Ok(text.lines().filter_map(place).collect())
}

fn files() -> Result<BTreeSet<String>> {
    let mut files = BTreeSet::new();
    for place in PLACES {
        for entry in fs::read_dir(place).context(place)? {
            let path = entry?.path().display().to_string();
            // A lab may run a test, and tests leave this directory behind.
            if path != target::MOUNT {
                files.insert(path);
            }
        }
    }
    Ok(files)
}
