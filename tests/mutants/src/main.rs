// SPDX-License-Identifier: GPL-2.0-only

//! Mutation tests. A mutant of the module is an entry of `mutants.toml`, a mutant of the kernel a
//! patch in `tests/kernel-mutants`. The suites run on each until one fails.

mod cache;
mod caught;
mod exercise;
mod patches;
mod report;
mod run;
mod source;
mod suite_runner;
mod suites;
mod switched;
mod table;

use anyhow::{Context as _, Result, ensure};
use clap::{Parser, Subcommand, ValueEnum};
use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};
use table::Mutant;

/// Mutate the module or the kernel, and run the suites on each mutant
#[derive(Parser)]
#[command(version, arg_required_else_help = true)]
struct Args {
    /// Directory of the project
    #[arg(long, value_name = "DIR", default_value = ".", global = true)]
    root: PathBuf,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Check that every entry of the table applies, and every patch has a subject
    Check,
    /// Make an exercise of a mutant
    #[command(subcommand)]
    Exercise(exercise::Command),
    /// Build the mutants and run the suites on them
    Run {
        /// Component to mutate
        #[arg(value_enum)]
        component: Component,
        /// Kernel flavour; survivors are tried on `debug` as well
        #[arg(long, value_name = "KERNEL", default_value = "lab")]
        kernel: String,
        /// Select mutants with one of these words in their names
        #[arg(value_name = "WORD")]
        words: Vec<String>,
    },
}

/// The component that is mutated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Component {
    /// The module
    Module,
    /// The lab kernel, with the original module
    Kernel,
}

impl Component {
    /// Reads its mutants.
    fn read(self, root: &Path) -> Result<Vec<Mutant>> {
        match self {
            Self::Module => table::read(root),
            Self::Kernel => patches::read(root),
        }
    }

    /// Returns the place of its mutants in the project, for messages.
    fn place(self) -> &'static str {
        match self {
            Self::Module => "tests/mutants/mutants.toml",
            Self::Kernel => "tests/kernel-mutants",
        }
    }
}

fn main() -> ExitCode {
    run(Args::parse()).unwrap_or_else(|error| {
        eprintln!("nsproxy-mutants: {error:#}");
        ExitCode::FAILURE
    })
}

fn run(Args { root, command }: Args) -> Result<ExitCode> {
    let root = root.canonicalize().context("--root")?;
    match command {
        Command::Check => {
            let [module, kernel] = [Component::Module, Component::Kernel].map(|it| it.read(&root));
            println!("{} mutants apply to the source", module?.len());
            println!("{} patches for the kernel", kernel?.len());
            println!("{}", exercise::check(&root)?);
            Ok(ExitCode::SUCCESS)
        }
        Command::Exercise(command) => exercise::execute(&root, &command),
        Command::Run {
            component,
            kernel,
            words,
        } => {
            let mutants = component.read(&root)?;
            let is_chosen = |mutant: &&Mutant| {
                words.is_empty() || words.iter().any(|word| mutant.name.contains(word))
            };
            let mut chosen: Vec<_> = mutants.iter().filter(is_chosen).collect();
            // Equivalent mutants last: every suite runs on them.
            chosen.sort_by_key(|mutant| mutant.equivalent.is_some());
            ensure!(
                !chosen.is_empty(),
                "no mutant has {} in its name\nhint: see {}",
                words.join(" or "),
                component.place()
            );
            run::run(root, component, &kernel, &mutants, &chosen)
        }
    }
}
