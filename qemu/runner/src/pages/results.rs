// SPDX-License-Identifier: GPL-2.0-only

//! What all runs came to, as they left it in files: for the pages that say it to people.

use crate::verdict::Counts;
use anyhow::{Context as _, Result};
use serde::{Deserialize, de::DeserializeOwned};
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

/// `result.json` of a suite, see [`crate::report`].
#[derive(Deserialize)]
pub(super) struct Record {
    pub(super) suite: String,
    pub(super) kernel: String,
    pub(super) class: String,
    #[serde(flatten)]
    pub(super) counts: Counts,
    pub(super) seconds: f64,
    pub(super) summary: Option<String>,
    pub(super) facts: BTreeMap<String, String>,
    /// The failed tests. The results of an older runner do not contain them.
    #[serde(default)]
    pub(super) failures: Vec<Failure>,
}

/// A test that failed.
#[derive(Deserialize)]
pub(super) struct Failure {
    pub(super) name: String,
    /// The lines of the reason.
    pub(super) said: Vec<String>,
}

impl Record {
    /// The facts whose names begin like that, with the rest of their names.
    pub(super) fn facts<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.facts
            .iter()
            .filter_map(move |(name, value)| Some((name.strip_prefix(prefix)?, value.as_str())))
    }

    pub(super) fn number(&self, name: &str) -> u64 {
        self.facts
            .get(name)
            .and_then(|value| value.parse().ok())
            .unwrap_or(0)
    }
}

/// What came of the mutants.
#[derive(Default)]
pub(super) struct Mutants {
    pub(super) of_module: Vec<Mutant>,
    pub(super) of_kernel: Vec<Mutant>,
}

impl Mutants {
    /// Whether none was tried.
    pub(super) fn is_empty(&self) -> bool {
        self.of_module.is_empty() && self.of_kernel.is_empty()
    }
}

/// A mutant in `mutants.json` or `kernel-mutants.json`.
#[derive(Deserialize)]
pub(super) struct Mutant {
    pub(super) name: String,
    pub(super) wrong: String,
    pub(super) file: String,
    pub(super) verdict: String,
    pub(super) caught: Option<Caught>,
    pub(super) equivalent: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct Caught {
    pub(super) kernel: String,
    pub(super) suite: String,
    pub(super) by: String,
    /// What the test said, line by line.
    #[serde(default)]
    pub(super) said: Vec<String>,
}

/// The results of every kernel, those of the runner's own tests left out.
pub(super) fn read_all(results: &Path) -> Result<(Vec<Record>, Mutants)> {
    let mut records: Vec<Record> = Vec::new();
    let mut mutants = Mutants::default();
    for kernel in entries(results)? {
        for (name, all) in [
            ("mutants.json", &mut mutants.of_module),
            ("kernel-mutants.json", &mut mutants.of_kernel),
        ] {
            all.extend(read::<Vec<Mutant>>(&kernel.join(name))?.unwrap_or_default());
        }
        for suite in entries(&kernel)? {
            records.extend(read(&suite.join("result.json"))?);
        }
    }
    records.retain(|record| !record.suite.starts_with("runner-"));
    // The kernel that everybody runs first.
    records.sort_by_key(|record| {
        let kernel = record.kernel.clone();
        (kernel != "lab", kernel, record.suite.clone())
    });
    Ok((records, mutants))
}

fn entries(dir: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(dir).with_context(|| format!("cannot read {}", dir.display()))?;
    let mut paths = Vec::new();
    for entry in entries {
        let path = entry?.path();
        if path.is_dir() {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

fn read<T: DeserializeOwned>(path: &Path) -> Result<Option<T>> {
    if !path.exists() {
        return Ok(None);
    }
    let text = fs::read_to_string(path)?;
    let value = serde_json::from_str(&text).with_context(|| path.display().to_string())?;
    Ok(Some(value))
}
