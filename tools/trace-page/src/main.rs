// SPDX-License-Identifier: GPL-2.0-only

//! Adds source lines to the page of a trace: at each step those of the kernel and those of the
//! module, from the sources that were run.
//!
//! `nsproxy trace --html` runs in a guest, which has no sources. So this program runs on the host,
//! with the page that left the guest. The table [`excerpts.toml`](table) says where the lines are.

mod c_function;
mod excerpt;
mod fill;
mod rust_item;
mod sources;
mod table;

use anyhow::{Context as _, Result};
use clap::{Parser, Subcommand};
use sources::Sources;
use std::{
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
};
use table::Table;

/// Add source lines to the pages of nsproxy trace
#[derive(Parser)]
#[command(version, arg_required_else_help = true)]
struct Args {
    /// Directory of the project
    #[arg(long, value_name = "DIR", default_value = ".", global = true)]
    root: PathBuf,
    /// Source of the traced kernel
    #[arg(long, value_name = "DIR", global = true)]
    kernel: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Check that the lines of each step are found
    ///
    /// Without --kernel, only those of the module.
    Check,
    /// Add the lines to pages
    #[command(arg_required_else_help = true)]
    Fill {
        /// Pages of nsproxy trace --html
        #[arg(value_name = "PAGE")]
        pages: Vec<PathBuf>,
    },
}

fn main() -> ExitCode {
    match run(&Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("nsproxy-trace-page: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &Args) -> Result<()> {
    let table = Table::read()?;
    let mut sources = Sources::new(&args.root, args.kernel.as_deref());
    match &args.command {
        Command::Check => println!("{} steps have their lines", table.check(&mut sources)?),
        Command::Fill { pages } => {
            let kernel = args.kernel.as_deref().context("fill: missing --kernel")?;
            let version = sources::version(kernel)?;
            for page in pages {
                fill(page, &table, &mut sources, &version)
                    .with_context(|| page.display().to_string())?;
            }
        }
    }
    Ok(())
}

fn fill(page: &Path, table: &Table, sources: &mut Sources, version: &str) -> Result<()> {
    let html = fs::read_to_string(page)?;
    fs::write(page, fill::page(&html, table, sources, version)?)?;
    Ok(())
}
