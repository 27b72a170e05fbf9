// SPDX-License-Identifier: GPL-2.0-only

//! The JSON output of all commands. `docs/cli.md` has the schemas.

use serde::Serialize;

/// The version of the schemas. It rises when a field is removed or changes its meaning.
const VERSION: u32 = 1;

/// An object with the version of its schema.
#[derive(Serialize)]
pub(crate) struct Versioned<T> {
    version: u32,
    #[serde(flatten)]
    object: T,
}

impl<T: Serialize> Versioned<T> {
    pub(crate) fn new(object: T) -> Self {
        Self {
            version: VERSION,
            object,
        }
    }

    /// Formats it as one line.
    pub(crate) fn line(&self) -> String {
        serde_json::to_string(self).expect("plain data")
    }

    /// Formats it as indented lines.
    pub(crate) fn pretty(&self) -> String {
        serde_json::to_string_pretty(self).expect("plain data")
    }
}
