// SPDX-License-Identifier: GPL-2.0-only

//! What a lab leaves behind, besides processes: those are killed.

use crate::{
    case::{implementation, target},
    checks::leaked_namespaces,
    sys,
};
use anyhow::{Context as _, Result};
use rustix::mount::{UnmountFlags, unmount};
use std::{collections::BTreeSet, fs};

/// Where a lab may write.
const PLACES: [&str; 3] = ["/root", "/run", "/tmp"];

/// What was there before it.
pub(super) struct Before {
    mounts: Vec<String>,
    files: BTreeSet<String>,
    namespaces: usize,
}

impl Before {
    pub(super) fn look() -> Result<Self> {
        Ok(Self {
            mounts: mounts()?,
            files: files()?,
            namespaces: namespaces()?,
        })
    }

    /// What is there now that was not. Mounts are removed: they would disturb the next lab.
    pub(super) fn left(self) -> Result<Vec<String>> {
        let mut left = Vec::new();
        for mount in mounts()?.into_iter().skip(self.mounts.len()).rev() {
            unmount(&mount, UnmountFlags::DETACH).with_context(|| mount.clone())?;
            left.push(format!("a mount at {mount}"));
        }
        for file in files()?.difference(&self.files) {
            left.push(file.clone());
        }
        // The kernel is not done at once with those of who is gone.
        let now = leaked_namespaces::patiently(namespaces, |now| *now <= self.namespaces)?;
        if now > self.namespaces {
            left.push(format!("{} namespaces in use", now - self.namespaces));
        }
        Ok(left)
    }
}

/// Where something is mounted, in the order in which it was.
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
            // A lab may run a test, and those leave this directory.
            if path != target::MOUNT {
                files.insert(path);
            }
        }
    }
    Ok(files)
}

fn namespaces() -> Result<usize> {
    Ok(sys::listns(implementation::all_kinds())
        .context("listns(2)")?
        .len())
}
