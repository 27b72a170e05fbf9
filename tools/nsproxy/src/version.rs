// SPDX-License-Identifier: GPL-2.0-only

//! `nsproxy version`.

use crate::open;
use anyhow::{Context as _, Result};
use nsproxy_uapi::{Kind, sys};
use std::process::ExitCode;

pub(crate) fn main() -> Result<ExitCode> {
    println!(
        "nsproxy {} (ABI {})",
        env!("CARGO_PKG_VERSION"),
        sys::NSPROXY_ABI_VERSION
    );
    let version = open::device()?
        .version()
        .context("the module does not answer NSPROXY_VERSION; is it of another age?")?;
    let kinds: Vec<_> = version.kinds().map(Kind::name).collect();
    println!("module  ABI {}, for Linux {}", version.abi, version.release);
    println!("kinds   {}", kinds.join(" "));
    println!(
        "symbols {} that modules cannot link to, resolved",
        version.symbols
    );
    Ok(ExitCode::SUCCESS)
}
