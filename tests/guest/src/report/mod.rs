// SPDX-License-Identifier: GPL-2.0-only

//! Reports of results: KTAP on standard output, and counts to the runner.

pub(crate) mod ktap;
pub(crate) mod progress;
pub(crate) mod verdict_port;
