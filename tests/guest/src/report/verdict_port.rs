// SPDX-License-Identifier: GPL-2.0-only

//! What goes to the host, line by line, through the verdict port that `NSPROXY_VERDICT` names.
//! Without one, as in a shell, nothing is told.

use anyhow::{Context as _, Result};
use std::{env, fmt::Display, fs::OpenOptions, io::Write as _};

/// The one line that says what a suite came to; the host shows it below the suite's counts.
pub(crate) fn summary(text: impl Display) -> Result<()> {
    tell(&format!("summary {text}"))
}

/// Something to keep beside the counts, for `docs/results/fidelity.md`. `name` has no spaces.
pub(crate) fn fact(name: impl Display, value: impl Display) -> Result<()> {
    tell(&format!("fact {name} {value}"))
}

/// Tells the host a line.
pub(crate) fn tell(line: &str) -> Result<()> {
    let Some(port) = env::var_os("NSPROXY_VERDICT") else {
        return Ok(());
    };
    // One write: a port hands each on as it comes.
    OpenOptions::new()
        .append(true)
        .open(&port)
        .and_then(|mut port| port.write_all(format!("{line}\n").as_bytes()))
        .with_context(|| format!("NSPROXY_VERDICT={}", port.display()))
}
