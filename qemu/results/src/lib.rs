// SPDX-License-Identifier: GPL-2.0-only

//! The result files of suites and mutants, shared by the programs that write and read them.

mod class;
mod counts;
mod mutants;
mod record;
mod shard;
mod suite;

pub use class::Class;
pub use counts::Counts;
pub use mutants::{Mutant, MutantVerdict, Notice};
pub use record::{Behaviour, Record, RecordedCase};
pub use shard::Shard;
pub use suite::{Failure, Source, SuiteResult};

use anyhow::{Context as _, Result};
use serde::{Serialize, de::DeserializeOwned};
use std::{fs, path::Path};

/// Reads a result file.
///
/// # Errors
///
/// The file cannot be read, or contains another structure.
pub fn read<T: DeserializeOwned>(path: &Path) -> Result<T> {
    let text =
        fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    serde_json::from_str(&text).with_context(|| path.display().to_string())
}

/// Writes a result file.
///
/// # Errors
///
/// The file cannot be written.
pub fn write<T: Serialize>(path: &Path, result: &T) -> Result<()> {
    let text = serde_json::to_string_pretty(result)? + "\n";
    fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}
