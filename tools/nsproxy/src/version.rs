// SPDX-License-Identifier: GPL-2.0-only

//! `nsproxy version`.

use crate::{errno::show, json::Versioned, open, status::ExitCode};
use anyhow::{Result, anyhow};
use nsproxy_uapi::{Device, Kind, sys};
use serde::Serialize;

const AFTER_HELP: &str = "\
Example:
  nsproxy version

Exit status:
  0  success
  1  the module does not answer
  2  usage error";

#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Args {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// The document that `--json` prints.
#[derive(Serialize)]
struct Document {
    tool: Tool,
    module: Module,
}

#[derive(Serialize)]
struct Tool {
    release: &'static str,
    abi: u32,
}

#[derive(Serialize)]
struct Module {
    abi: u32,
    /// The kernel that it was built for.
    linux: String,
    kinds: Vec<&'static str>,
    /// The number of resolved symbols that are not exported to modules.
    symbols: u32,
}

const TOOL: Tool = Tool {
    release: env!("CARGO_PKG_VERSION"),
    abi: sys::NSPROXY_ABI_VERSION,
};

pub(crate) fn main(args: &Args) -> Result<ExitCode> {
    if !args.json {
        println!("nsproxy {} (ABI {})", TOOL.release, TOOL.abi);
    }
    let version = open::device()?.version().map_err(|errno| {
        anyhow!(
            "cannot get the version from {}: {}\n  hint: check that the device belongs to nsproxy_rs",
            Device::PATH,
            show(errno)
        )
    })?;
    let module = Module {
        abi: version.abi,
        linux: version.release.clone(),
        kinds: version.kinds().map(Kind::name).collect(),
        symbols: version.symbols,
    };
    if args.json {
        let document = Document { tool: TOOL, module };
        println!("{}", Versioned::new(document).pretty());
        return Ok(ExitCode::SUCCESS);
    }
    println!("module  ABI {}, for Linux {}", module.abi, module.linux);
    println!("kinds   {}", module.kinds.join(" "));
    println!(
        "symbols {} resolved that are not exported to modules",
        module.symbols
    );
    Ok(ExitCode::SUCCESS)
}
