// SPDX-License-Identifier: GPL-2.0-only

//! The result files of all runs, for the pages.

use anyhow::{Context as _, Result};
use nsproxy_results::{Mutant, SuiteResult};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// The results of the mutants.
#[derive(Default)]
pub(crate) struct Mutants {
    pub(super) of_module: Vec<Mutant>,
    pub(super) of_kernel: Vec<Mutant>,
}

impl Mutants {
    /// Returns whether no mutant was run.
    pub(super) fn is_empty(&self) -> bool {
        self.of_module.is_empty() && self.of_kernel.is_empty()
    }
}

/// Reads the results of every kernel, except those of the runner's own tests.
pub(crate) fn read_all(results: &Path) -> Result<(Vec<SuiteResult>, Mutants)> {
    let mut records: Vec<SuiteResult> = Vec::new();
    let mut mutants = Mutants::default();
    for kernel in entries(results)? {
        for (name, all) in [
            ("mutants.json", &mut mutants.of_module),
            ("kernel-mutants.json", &mut mutants.of_kernel),
        ] {
            let path = kernel.join(name);
            if path.exists() {
                all.extend(nsproxy_results::read::<Vec<Mutant>>(&path)?);
            }
        }
        for suite in entries(&kernel)? {
            let path = suite.join("result.json");
            if path.exists() {
                records.push(nsproxy_results::read(&path)?);
            }
        }
    }
    records.retain(|record| !record.suite.starts_with("runner-"));
    // The lab kernel first: most results are of it.
    records.sort_by_key(|record| {
        let kernel = record.kernel.clone();
        (kernel != "lab", kernel, record.suite.clone())
    });
    Ok((records, mutants))
}

pub(super) fn entries(dir: &Path) -> Result<Vec<PathBuf>> {
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
