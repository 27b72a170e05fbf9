// SPDX-License-Identifier: GPL-2.0-only

//! What the module says of the calls that it serves.

use anyhow::{Context as _, Result};
use std::fs;

const FILE: &str = "/sys/kernel/debug/nsproxy_rs/served";

/// How many calls of setns(2) it has served since it was loaded.
pub(crate) fn calls() -> Result<u64> {
    let text = fs::read_to_string(FILE).context(FILE)?;
    let calls = text.lines().find_map(|line| line.strip_prefix("calls "));
    Ok(calls.context("no line `calls`")?.parse()?)
}
