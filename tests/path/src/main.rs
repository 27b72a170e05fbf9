// SPDX-License-Identifier: GPL-2.0-only

//! Sees whether `docs/path.md` accounts for every function of the kernel's path.
//!
//! The document is the only table there is. What it says is held against the kernel's source, which
//! [`c`] reads, and against the module's, which [`module`] reads; [`compare`] has the rules.

mod c;
mod compare;
mod document;
mod module;
mod places;

use anyhow::{Context as _, Result};
use clap::Parser;
use std::{path::PathBuf, process::ExitCode};

/// Sees whether docs/path.md accounts for every function of the kernel's path.
#[derive(Parser)]
#[command(version)]
struct Args {
    /// Where the project is
    #[arg(long, value_name = "DIR", default_value = ".")]
    root: PathBuf,
    /// The source of the kernel
    #[arg(long, value_name = "DIR")]
    kernel: PathBuf,
}

fn main() -> ExitCode {
    obey(&Args::parse()).unwrap_or_else(|error| {
        eprintln!("nsproxy-path: {error:#}");
        ExitCode::FAILURE
    })
}

fn obey(args: &Args) -> Result<ExitCode> {
    let document = document::read(&args.root).context(document::PATH)?;
    let module = module::read(&args.root)?;
    let mut kernel = c::Tree::new(&args.kernel);
    let complaints = compare::compare(&document, &module, &mut kernel)?;
    let missing = places::missing(&args.kernel)?;
    for place in &missing {
        println!("tools/nsproxy-uapi/src/place.rs: {place}");
    }
    if complaints.is_empty() && missing.is_empty() {
        println!("{}", document.summary());
        return Ok(ExitCode::SUCCESS);
    }
    for complaint in &complaints {
        println!("{complaint}");
    }
    if complaints.is_empty() {
        return Ok(ExitCode::FAILURE);
    }
    println!(
        "{} does not fit the kernel in {}, or the module; complaints: {}",
        document::PATH,
        args.kernel.display(),
        complaints.len()
    );
    Ok(ExitCode::FAILURE)
}
