// SPDX-License-Identifier: GPL-2.0-only

use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// A mutant in `mutants.json` or `kernel-mutants.json`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Mutant {
    /// The name in the table of mutants, or of its patch.
    pub name: String,
    /// The fault that it introduces.
    pub wrong: String,
    /// The changed source file.
    pub file: PathBuf,
    /// The result of the suites.
    pub verdict: MutantVerdict,
    /// The test that failed, if one did.
    pub caught: Option<Notice>,
    /// The reason why no test can detect it, if none can.
    pub equivalent: Option<String>,
}

/// The result of a mutant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum MutantVerdict {
    /// A suite failed.
    Caught,
    /// Every suite passed, as the table of mutants predicts.
    Equivalent,
    /// Every suite passed.
    Survived,
    /// A suite failed, although the table of mutants calls the mutant equivalent.
    NotEquivalent,
    /// It does not build, or a guest did not run.
    Broken,
}

impl MutantVerdict {
    /// Returns the word in tables.
    pub fn word(self) -> &'static str {
        match self {
            Self::Caught => "caught",
            Self::Equivalent => "equivalent",
            Self::Survived => "SURVIVED",
            Self::NotEquivalent => "NOT EQUIVALENT",
            Self::Broken => "BROKEN",
        }
    }

    /// Returns whether the verdict is the expected one.
    pub fn is_good(self) -> bool {
        matches!(self, Self::Caught | Self::Equivalent)
    }
}

/// The failure that detected a mutant.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Notice {
    /// The kernel of the guest.
    pub kernel: String,
    /// The suite that failed.
    pub suite: String,
    /// The first test that failed, the gate, or the kernel's message.
    pub by: String,
    /// `by` is the name of a test.
    #[serde(default)]
    pub is_test: bool,
    /// The reason that the test reported, line by line.
    #[serde(default)]
    pub said: Vec<String>,
}
