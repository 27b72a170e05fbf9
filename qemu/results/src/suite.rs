// SPDX-License-Identifier: GPL-2.0-only

use crate::{Class, Counts};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// `result.json` of a suite.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub struct SuiteResult {
    /// The suite, with `@N` if its guest had another number of CPUs than usual.
    pub suite: String,
    /// The kernel that the results are filed under.
    pub kernel: String,
    /// The accelerator, and why it was chosen.
    pub accel: String,
    /// The kernel, the date and the commit. The results of an older runner do not contain them.
    #[serde(flatten, default)]
    pub source: Source,
    /// The result in a word.
    pub class: Class,
    /// The number of tests.
    #[serde(flatten)]
    pub counts: Counts,
    /// The duration of the guest.
    pub seconds: f64,
    /// Why the suite did not pass.
    pub why: Option<String>,
    /// The data races that are not the module's.
    #[serde(default)]
    pub races_of_kernel: usize,
    /// The summary that the suite reported, one line.
    pub summary: Option<String>,
    /// The facts that the suite reported, by name.
    pub facts: BTreeMap<String, String>,
    /// The failed tests, in order. The results of an older runner do not contain them.
    #[serde(default)]
    pub failures: Vec<Failure>,
}

/// The origin of a result.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default)]
pub struct Source {
    /// The release of the kernel, without its local version.
    pub release: Option<String>,
    /// The commit of this project, with `-dirty` if it was changed.
    pub commit: Option<String>,
    /// The day of the run in UTC, as `YYYY-MM-DD`.
    pub date: String,
}

/// A test that failed.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Failure {
    /// The name of the test.
    pub name: String,
    /// The lines of the reason.
    pub said: Vec<String>,
}

impl SuiteResult {
    /// Returns whether every test and every gate passed.
    pub fn is_passed(&self) -> bool {
        self.class == Class::Passed
    }

    /// Returns the facts whose names begin with `prefix`, each with the rest of its name.
    pub fn facts<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.facts
            .iter()
            .filter_map(move |(name, value)| Some((name.strip_prefix(prefix)?, value.as_str())))
    }

    /// Returns the fact `name` as a number, or 0.
    pub fn number(&self, name: &str) -> u64 {
        let value = self.facts.get(name).and_then(|value| value.parse().ok());
        value.unwrap_or(0)
    }
}
