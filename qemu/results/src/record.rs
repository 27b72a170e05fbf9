// SPDX-License-Identifier: GPL-2.0-only

use crate::Source;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The behaviour of a kernel: `record.json`, which `make record` writes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub struct Record {
    /// The version of this format.
    pub version: u32,
    /// The kernel that the results are filed under.
    pub kernel: String,
    /// The kernel, the date and the commit.
    #[serde(flatten)]
    pub source: Source,
    /// The cases of each suite, by name.
    pub suites: BTreeMap<String, BTreeMap<String, Behaviour>>,
}

impl Record {
    /// The version of the format that this program writes.
    pub const VERSION: u32 = 1;
}

/// The result of a case by the system call, and the change that it made.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Behaviour {
    /// `0`, or the name of the error.
    pub result: String,
    /// The values of the snapshot that differ from those before the call. A failed call changes none.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub changes: BTreeMap<String, String>,
}

/// A case as the guest sends it: a line on the verdict port.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct RecordedCase {
    /// The name of the test.
    pub name: String,
    /// Its result, and the change that it made.
    #[serde(flatten)]
    pub behaviour: Behaviour,
}
