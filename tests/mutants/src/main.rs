// SPDX-License-Identifier: GPL-2.0-only

//! Do the tests notice? Breaks the module, one line at a time, as `mutants.toml` says, and runs
//! the suites until one fails.

mod guests;
mod known;
mod parallel;
mod report;
mod run;
mod source;
mod suites;
mod table;

use anyhow::{Context as _, Result, ensure};
use clap::{Parser, Subcommand};
use std::{path::PathBuf, process::ExitCode};
use table::Mutant;

/// Breaks the module, one line at a time, and sees whether the tests notice.
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
    /// See whether every entry of the table fits the source
    Check,
    /// Build and run them
    Run {
        /// The kernel, as `make` names it; what survives there is tried on `debug` as well
        #[arg(long, value_name = "KERNEL", default_value = "lab")]
        kernel: String,
        /// Only those with one of these words in their names
        #[arg(value_name = "WORD")]
        words: Vec<String>,
    },
}

fn main() -> ExitCode {
    obey(Args::parse()).unwrap_or_else(|error| {
        eprintln!("nsproxy-mutants: {error:#}");
        ExitCode::FAILURE
    })
}

fn obey(Args { root, command }: Args) -> Result<ExitCode> {
    let root = root.canonicalize().context("--root")?;
    let mutants = table::read(&root)?;
    match command {
        Command::Check => {
            println!("{} mutants fit the source", mutants.len());
            Ok(ExitCode::SUCCESS)
        }
        Command::Run { kernel, words } => {
            let is_chosen = |mutant: &&Mutant| {
                words.is_empty() || words.iter().any(|word| mutant.name.contains(word))
            };
            let chosen: Vec<_> = mutants.iter().filter(is_chosen).collect();
            ensure!(
                !chosen.is_empty(),
                "no mutant has {} in its name; tests/mutants/mutants.toml names them",
                words.join(" or ")
            );
            let is_all = chosen.len() == mutants.len();
            run::all(root, &kernel, &chosen, is_all)
        }
    }
}
