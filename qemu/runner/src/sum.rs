// SPDX-License-Identifier: GPL-2.0-only

//! `nsproxy-vm sum`.

use crate::{cli::SumArgs, guest};
use anyhow::Result;
use nsproxy_results::Counts;
use std::process::ExitCode;

/// Adds up the counts of all outputs. A file that cannot be read counts as a failure.
pub(crate) fn main(args: &SumArgs) -> Result<ExitCode> {
    let outputs = args.files.iter().map(|path| guest::read(path));
    let sum: Counts = outputs.map(|output| Counts::of_output(&output)).sum();
    println!("{sum}");
    Ok(ExitCode::from(u8::from(sum.failed > 0)))
}
