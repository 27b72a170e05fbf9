// SPDX-License-Identifier: GPL-2.0-only

//! What earlier runs found out, so that one that was stopped goes on where it was.

use crate::report::Fate;
use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};
use std::{
    fs,
    hash::{DefaultHasher, Hash, Hasher as _},
    path::Path,
};

/// What came of a module on a kernel, and what it came of.
#[derive(Deserialize, Serialize)]
pub(crate) struct Known {
    /// Of all that it depends on: see [`Key`].
    key: u64,
    pub(crate) fate: Fate,
}

impl Known {
    /// Reads it, if there is any and it is of that key.
    pub(crate) fn read(path: &Path, key: &Key) -> Option<Self> {
        let known: Self = serde_json::from_str(&fs::read_to_string(path).ok()?).ok()?;
        (known.key == key.value()).then_some(known)
    }

    /// Keeps what was found out.
    pub(crate) fn write(path: &Path, key: &Key, fate: &Fate) -> Result<()> {
        let known = Self {
            key: key.value(),
            fate: fate.clone(),
        };
        fs::write(path, serde_json::to_string(&known)?)
            .with_context(|| format!("cannot write {}", path.display()))
    }
}

/// All that a fate depends on, hashed: the kernel, the programs, the source of the module.
#[derive(Clone, Default)]
pub(crate) struct Key(DefaultHasher);

impl Key {
    pub(crate) fn add(&mut self, what: impl Hash) {
        what.hash(&mut self.0);
    }

    /// Adds what is in a file.
    pub(crate) fn add_file(&mut self, path: &Path) -> Result<()> {
        self.add(fs::read(path).with_context(|| path.display().to_string())?);
        Ok(())
    }

    fn value(&self) -> u64 {
        self.0.finish()
    }
}
