// SPDX-License-Identifier: GPL-2.0-only

//! What came of a sequence in a world, in words that are the same in both worlds.

use super::channel::Observation;
use crate::snapshot::Snapshot;
use serde::{Deserialize, Serialize};
use std::{collections::HashMap, fmt};

/// All that was seen in a world.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Record {
    /// One for each operation.
    pub(super) operations: Vec<Observation>,
    /// Who was there at the end, and what each saw.
    pub(super) end: Vec<(String, Snapshot)>,
}

/// Where two worlds are not the same.
#[derive(Debug)]
pub(super) struct Difference {
    /// Index of the operation; none if it only showed at the end.
    pub(super) operation: Option<usize>,
    /// Who saw it and what: `outcome`, `p1: ns/uts`.
    pub(super) what: String,
    pub(super) left: String,
    pub(super) right: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.operation {
            Some(index) => write!(f, "operation {}: ", index + 1)?,
            None => f.write_str("at the end: ")?,
        }
        write!(f, "{}: {} / {}", self.what, self.left, self.right)
    }
}

impl Record {
    /// The same, with what has another name in each world called by when it came up first.
    pub(super) fn in_order(mut self) -> Self {
        let mut names = Names::default();
        for observation in &mut self.operations {
            names.replace_in(&mut observation.seen);
        }
        // Other names: ids before, inode numbers here.
        let mut names = Names::default();
        for (_, seen) in &mut self.end {
            names.replace_in(seen);
        }
        self
    }

    /// All that is not the same at the first operation after which something is not, or else at
    /// the end. Both are to be [in order](Self::in_order).
    pub(super) fn differences(&self, other: &Self) -> Vec<Difference> {
        let mut found = Vec::new();
        for (index, (left, right)) in self.operations.iter().zip(&other.operations).enumerate() {
            if left.outcome != right.outcome {
                found.push(Difference {
                    operation: Some(index),
                    what: "outcome".to_owned(),
                    left: left.outcome.clone(),
                    right: right.outcome.clone(),
                });
            }
            for difference in left.seen.differences(&right.seen) {
                found.push(Difference {
                    operation: Some(index),
                    what: difference.key,
                    left: difference.left,
                    right: difference.right,
                });
            }
            if !found.is_empty() {
                return found;
            }
        }
        let who = |record: &Self| {
            let names: Vec<_> = record.end.iter().map(|(who, _)| who.as_str()).collect();
            names.join(" ")
        };
        if who(self) != who(other) {
            found.push(Difference {
                operation: None,
                what: "who is alive".to_owned(),
                left: who(self),
                right: who(other),
            });
            return found;
        }
        for ((who, left), (_, right)) in self.end.iter().zip(&other.end) {
            for difference in left.differences(right) {
                found.push(Difference {
                    operation: None,
                    what: format!("{who}: {}", difference.key),
                    left: difference.left,
                    right: difference.right,
                });
            }
        }
        found
    }
}

/// Names that are different in each world, and what they are called instead.
#[derive(Default)]
struct Names {
    /// From the sort of thing and its name to the number by which it is called.
    numbers: HashMap<(String, String), usize>,
    /// How many there are of a sort.
    counts: HashMap<String, usize>,
}

impl Names {
    fn replace_in(&mut self, seen: &mut Snapshot) {
        *seen = seen.renamed(|key, value| {
            // `uts:[4026531838]`, whoever's it is and whatever for; or where a directory is.
            let sort = match value.split_once(":[") {
                Some((sort, _)) => sort.trim_end_matches("_for_children"),
                None => match key {
                    "root/mount" | "cwd/mount" => "mount",
                    "root/dev" | "cwd/dev" => "device",
                    "root/inode" | "cwd/inode" => "inode",
                    _ => return None,
                },
            }
            .to_owned();
            let next = self.counts.entry(sort.clone()).or_insert(0);
            let number = self
                .numbers
                .entry((sort.clone(), inner(value)))
                .or_insert_with(|| {
                    *next += 1;
                    *next
                });
            Some(format!("{sort} #{number}"))
        });
    }
}

/// What is in the brackets.
fn inner(value: &str) -> String {
    let (_, name) = value.split_once(":[").unwrap_or(("", value));
    name.to_owned()
}
