// SPDX-License-Identifier: GPL-2.0-only

//! The messages between the root of a world and its processes.
//!
//! Each process is forked from the root and has the sequence: an order is the index of an operation.

use super::super::named_enum::named_enum;
use crate::snapshot::Snapshot;
use serde::{Deserialize, Serialize};

/// An order to a process.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) enum Order {
    /// Perform the operation with this index. A file descriptor may come with it.
    Perform(usize),
    /// Take a snapshot of everything.
    Observe,
}

/// The answer of a process.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Answer {
    /// The process has started, with this pid in the world.
    Started(i32),
    /// The result of an operation.
    Performed(Observation),
    /// A snapshot of everything.
    Observed(Snapshot),
}

/// An operation's outcome, and the snapshot of the process after it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Observation {
    /// `0`, the name of an error, or a word for why nothing was done.
    pub(super) outcome: String,
    /// For a call, the kinds that were requested, as `CLONE_NEW*`.
    pub(super) called: Option<(Call, u32)>,
    pub(super) snapshot: Snapshot,
}

named_enum! {
    /// A system call whose outcomes are counted.
    #[derive(Serialize, Deserialize)]
    enum Call {
        Setns = "setns",
        Unshare = "unshare",
        Clone = "clone",
        Execute = "exec",
    }
}
