// SPDX-License-Identifier: GPL-2.0-only

//! `nsproxy-tests look`: prints a snapshot of the process itself. Suites run it by programs that
//! enter namespaces.

use crate::snapshot::{Children, ClockBase, Snapshot};
use anyhow::{Context as _, Result};
use rustix::fs::{Mode, OFlags};
use std::{env, process::ExitCode};

/// The environment variable with the [`ClockBase`], as JSON.
pub(crate) const CLOCKS: &str = "NSPROXY_CLOCKS";

/// Prints a line for each value.
pub(crate) fn main() -> Result<ExitCode> {
    let clocks = match env::var(CLOCKS) {
        Ok(json) => serde_json::from_str(&json).context(CLOCKS)?,
        Err(_) => ClockBase::measure(),
    };
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let proc = rustix::fs::open("/proc", flags, Mode::empty()).context("/proc")?;
    print!("{}", Snapshot::take(&proc, &clocks, Children::Forked)?);
    Ok(ExitCode::SUCCESS)
}
