// SPDX-License-Identifier: GPL-2.0-only

//! Results of earlier runs, so that a run that was stopped resumes where it was.

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::{
    fmt::{self, Display, Formatter},
    fs,
    hash::{DefaultHasher, Hash, Hasher as _},
    path::Path,
};

/// A cached result and the hash of its inputs.
#[derive(Deserialize, Serialize)]
struct Known<T> {
    /// The hash of the inputs: see [`Key`].
    key: u64,
    what: T,
}

/// Reads a cached result, if there is one and it has that key.
pub(crate) fn read<T: DeserializeOwned>(path: &Path, key: &Key) -> Option<T> {
    let known: Known<T> = serde_json::from_str(&fs::read_to_string(path).ok()?).ok()?;
    (known.key == key.value()).then_some(known.what)
}

/// Caches a result.
pub(crate) fn write<T: Serialize>(path: &Path, key: &Key, what: &T) -> Result<()> {
    let key = key.value();
    fs::write(path, serde_json::to_string(&Known { key, what })?)
        .with_context(|| format!("cannot write {}", path.display()))
}

/// A hash of the inputs of a result: the kernel, the programs, the source of the module. Time
/// limits are not among them, because they depend on the speed of this machine.
#[derive(Clone, Default)]
pub(crate) struct Key(DefaultHasher);

impl Key {
    /// Adds a value.
    pub(crate) fn add(&mut self, value: impl Hash) {
        value.hash(&mut self.0);
    }

    /// Adds the content of a file.
    pub(crate) fn add_file(&mut self, path: &Path) -> Result<()> {
        self.add(fs::read(path).with_context(|| path.display().to_string())?);
        Ok(())
    }

    fn value(&self) -> u64 {
        self.0.finish()
    }
}

impl Display for Key {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.value())
    }
}
