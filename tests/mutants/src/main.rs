// SPDX-License-Identifier: GPL-2.0-only

//! Do the tests notice? Breaks the module, one line at a time, as `mutants.toml` says, or the
//! kernel, as the patches in `tests/kernel-mutants` do, and runs the suites until one fails.

mod cache;
mod patches;
mod report;
mod run;
mod source;
mod suite_runner;
mod suites;
mod table;

use anyhow::{Context as _, Result, ensure};
use clap::{Parser, Subcommand, ValueEnum};
use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};
use table::Mutant;

/// Breaks the module or the kernel, one line at a time, and sees whether the tests notice.
#[derive(Parser)]
#[command(version, arg_required_else_help = true)]
struct Args {
    /// Where the project is
    #[arg(long, value_name = "DIR", default_value = ".", global = true)]
    root: PathBuf,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// See whether every entry of the table fits the source, and every patch says what it is
    Check,
    /// Build and run them
    Run {
        /// What is broken
        #[arg(value_enum)]
        of: Of,
        /// The kernel, as `make` names it; what survives there is tried on `debug` as well
        #[arg(long, value_name = "KERNEL", default_value = "lab")]
        kernel: String,
        /// Only those with one of these words in their names
        #[arg(value_name = "WORD")]
        words: Vec<String>,
    },
}

/// What mutants there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Of {
    /// Those of the module
    Module,
    /// Those of the lab kernel, with the module as it is
    Kernel,
}

impl Of {
    fn read(self, root: &Path) -> Result<Vec<Mutant>> {
        match self {
            Self::Module => table::read(root),
            Self::Kernel => patches::read(root),
        }
    }

    /// Where they are, for who looks for a name.
    fn place(self) -> &'static str {
        match self {
            Self::Module => "tests/mutants/mutants.toml",
            Self::Kernel => "tests/kernel-mutants",
        }
    }
}

fn main() -> ExitCode {
    obey(Args::parse()).unwrap_or_else(|error| {
        eprintln!("nsproxy-mutants: {error:#}");
        ExitCode::FAILURE
    })
}

fn obey(Args { root, command }: Args) -> Result<ExitCode> {
    let root = root.canonicalize().context("--root")?;
    match command {
        Command::Check => {
            let [module, kernel] = [Of::Module, Of::Kernel].map(|of| of.read(&root));
            println!("{} mutants fit the source", module?.len());
            println!("{} patches for the kernel", kernel?.len());
            Ok(ExitCode::SUCCESS)
        }
        Command::Run { of, kernel, words } => {
            let mutants = of.read(&root)?;
            let is_chosen = |mutant: &&Mutant| {
                words.is_empty() || words.iter().any(|word| mutant.name.contains(word))
            };
            let chosen: Vec<_> = mutants.iter().filter(is_chosen).collect();
            ensure!(
                !chosen.is_empty(),
                "no mutant has {} in its name; {} has them",
                words.join(" or "),
                of.place()
            );
            let is_all = chosen.len() == mutants.len();
            run::all(root, of, &kernel, &chosen, is_all)
        }
    }
}
