// SPDX-License-Identifier: GPL-2.0-only

//! `nsproxy version`.

use crate::{errno::show, open, status::ExitCode};
use anyhow::{Result, anyhow};
use nsproxy_uapi::{Device, Kind, sys};

pub(crate) const AFTER_HELP: &str = "\
Example:
  nsproxy version

Exit status:
  0  success
  1  the module does not answer
  2  usage error";

pub(crate) fn main() -> Result<ExitCode> {
    println!(
        "nsproxy {} (ABI {})",
        env!("CARGO_PKG_VERSION"),
        sys::NSPROXY_ABI_VERSION
    );
    let version = open::device()?.version().map_err(|errno| {
        anyhow!(
            "cannot get the version from {}: {}\n  hint: check that the device belongs to nsproxy_rs",
            Device::PATH,
            show(errno)
        )
    })?;
    let kinds: Vec<_> = version.kinds().map(Kind::name).collect();
    println!("module  ABI {}, for Linux {}", version.abi, version.release);
    println!("kinds   {}", kinds.join(" "));
    println!(
        "symbols {} resolved that are not exported to modules",
        version.symbols
    );
    Ok(ExitCode::SUCCESS)
}
