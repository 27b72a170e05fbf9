// SPDX-License-Identifier: GPL-2.0-only

//! Sends lines to the host, through the verdict port that `NSPROXY_VERDICT` names. Sends nothing if
//! the variable is not set, as in a shell.

use anyhow::{Context as _, Result};
use std::{env, fmt::Display, fs::OpenOptions, io::Write as _};

/// Sends the summary of a suite, a line that the host prints below the suite's counts.
pub(crate) fn summary(text: impl Display) -> Result<()> {
    send_line(&format!("summary {text}"))
}

/// Sends a fact that the host stores with the counts, for its pages. `name` has no spaces.
pub(crate) fn fact(name: impl Display, value: impl Display) -> Result<()> {
    send_line(&format!("fact {name} {value}"))
}

/// Sends a line to the host.
pub(crate) fn send_line(line: &str) -> Result<()> {
    let Some(port) = env::var_os("NSPROXY_VERDICT") else {
        return Ok(());
    };
    // In one write, which the port forwards as it is.
    OpenOptions::new()
        .append(true)
        .open(&port)
        .and_then(|mut port| port.write_all(format!("{line}\n").as_bytes()))
        .with_context(|| format!("NSPROXY_VERDICT={}", port.display()))
}
