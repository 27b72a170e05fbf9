// SPDX-License-Identifier: GPL-2.0-only

//! The progress of a student, in a file of the exercise's directory.

use crate::caught::Failed;
use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};
use std::{fs, path::Path};

const FILE: &str = ".progress.json";

/// The progress. It contains nothing about the mistake that was not printed.
#[derive(Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default)]
pub(super) struct StudentProgress {
    /// The number of hints that were printed.
    pub(super) hints: usize,
    /// The lines of the hint that is a report.
    pub(super) report: Option<Vec<String>>,
    /// The last failure, which is tried first.
    pub(super) failed: Option<Failed>,
    /// The solution was printed.
    pub(super) ended: bool,
}

impl StudentProgress {
    /// Reads the progress in the directory of an exercise.
    pub(super) fn read(directory: &Path) -> Result<Self> {
        let path = directory.join(FILE);
        let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        serde_json::from_str(&text).with_context(|| path.display().to_string())
    }

    /// Writes the progress.
    pub(super) fn write(&self, directory: &Path) -> Result<()> {
        let path = directory.join(FILE);
        fs::write(&path, serde_json::to_string(self)?)
            .with_context(|| format!("cannot write {}", path.display()))
    }
}
