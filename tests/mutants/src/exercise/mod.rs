// SPDX-License-Identifier: GPL-2.0-only

//! Exercises for a class: a copy of the module with one mistake to find, or without the body of
//! one function to write. The suites grade them.

mod bug_hunt;
mod catalog;
mod excerpt;
mod function;
mod hints;
mod run;
mod skeleton;
mod student_progress;
mod tree;

use crate::{caught::Failed, table::Mutant};
use anyhow::Result;
use clap::Subcommand;
use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

/// The subcommands. `make exercise`, `make hint` and `make solution` run them.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Create the tree of an exercise
    Begin {
        /// Number of a bug hunt, or name of a skeleton
        id: String,
    },
    /// Build the module of the tree, and run suites until one fails
    Test {
        /// Kernel flavour
        #[arg(long, value_name = "KERNEL", default_value = "lab")]
        kernel: String,
        /// Number of a bug hunt, or name of a skeleton
        id: String,
        /// Suites [default: all that the exercise has]
        #[arg(value_name = "SUITE")]
        suites: Vec<String>,
    },
    /// Print one hint more than before
    Hint {
        /// Kernel flavour
        #[arg(long, value_name = "KERNEL", default_value = "lab")]
        kernel: String,
        /// Number of a bug hunt, or name of a skeleton
        id: String,
    },
    /// Print the change that was made, and end the exercise
    Solution {
        /// Number of a bug hunt, or name of a skeleton
        id: String,
    },
}

/// An exercise, before a student changes it.
#[derive(Debug)]
pub(crate) struct Exercise {
    /// Its number or its name, which is also the name of its directory.
    id: String,
    /// The task, in a sentence without a full stop.
    task: String,
    /// The file that differs from the original.
    file: PathBuf,
    /// The content of that file in the module.
    original: String,
    /// Its content in the exercise.
    given: String,
    /// The suites that grade it, in the order in which they run.
    suites: Vec<String>,
    hints: Vec<Hint>,
    /// The solution, in a sentence without a full stop.
    solution: String,
}

/// A hint.
#[derive(Clone, Debug)]
enum Hint {
    /// A sentence.
    Text(String),
    /// The report about the mutant.
    Report { failed: Failed, mutant: Box<Mutant> },
}

/// Runs a subcommand in the project in `root`.
pub(crate) fn execute(root: &Path, command: &Command) -> Result<ExitCode> {
    match command {
        Command::Begin { id } => tree::begin(root, &catalog::find(root, id)?),
        Command::Test { kernel, id, suites } => {
            run::test(root, &catalog::find(root, id)?, kernel, suites)
        }
        Command::Hint { kernel, id } => hints::next(root, &catalog::find(root, id)?, kernel),
        Command::Solution { id } => hints::solution(root, &catalog::find(root, id)?),
    }
}

/// Checks the files that describe the exercises. Returns a line about them.
///
/// # Errors
///
/// A file is wrong: the error has each mistake.
pub(crate) fn check(root: &Path) -> Result<String> {
    let catalog = catalog::Catalog::read(root)?;
    catalog.check()?;
    Ok(catalog.summary())
}
