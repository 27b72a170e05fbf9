// SPDX-License-Identifier: GPL-2.0-only

//! What earlier runs found out, so that one that was stopped goes on where it was.

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::{
    fs,
    hash::{DefaultHasher, Hash, Hasher as _},
    path::Path,
};

/// Something that was found out, and what it came of.
#[derive(Deserialize, Serialize)]
struct Known<T> {
    /// Of all that it depends on: see [`Key`].
    key: u64,
    what: T,
}

/// Reads what was found out, if anything was and it is of that key.
pub(crate) fn read<T: DeserializeOwned>(path: &Path, key: &Key) -> Option<T> {
    let known: Known<T> = serde_json::from_str(&fs::read_to_string(path).ok()?).ok()?;
    (known.key == key.value()).then_some(known.what)
}

/// Keeps what was found out.
pub(crate) fn write<T: Serialize>(path: &Path, key: &Key, what: &T) -> Result<()> {
    let key = key.value();
    fs::write(path, serde_json::to_string(&Known { key, what })?)
        .with_context(|| format!("cannot write {}", path.display()))
}

/// All that it depends on what comes of a module, hashed: the kernel, the programs, the source of
/// the module. Not the time limits, which are of what this machine took.
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
