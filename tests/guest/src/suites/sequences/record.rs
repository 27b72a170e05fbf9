// SPDX-License-Identifier: GPL-2.0-only

//! The record of a sequence in a world, with names that are comparable between worlds.

use super::messages::Observation;
use crate::snapshot::Snapshot;
use serde::{Deserialize, Serialize};
use std::{collections::HashMap, fmt};

/// All observations in a world.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Record {
    /// The observation after each operation.
    pub(super) operations: Vec<Observation>,
    /// The snapshots of the processes that are alive at the end, by name.
    pub(super) end: Vec<(String, Snapshot)>,
}

/// A difference between two worlds.
#[derive(Debug)]
pub(super) struct Difference {
    /// Index of the operation; [`None`] at the end.
    pub(super) operation: Option<usize>,
    /// The value that differs: `outcome`, `p1: ns/uts`.
    pub(super) what: String,
    pub(super) left: String,
    pub(super) right: String,
}

impl Difference {
    fn new(operation: Option<usize>, what: &str, left: &str, right: &str) -> Self {
        Self {
            operation,
            what: what.to_owned(),
            left: left.to_owned(),
            right: right.to_owned(),
        }
    }
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
    /// Replaces names that differ between worlds by numbers, in the order of their first occurrence.
    pub(super) fn numbered(mut self) -> Self {
        let mut names = Names::default();
        for observation in &mut self.operations {
            names.replace_in(&mut observation.snapshot);
        }
        // Brief snapshots contain ids, these inode numbers.
        let mut names = Names::default();
        for (_, snapshot) in &mut self.end {
            names.replace_in(snapshot);
        }
        self
    }

    /// Returns the differences after the first operation that has any, or else at the end. Both
    /// records must be [numbered](Self::numbered).
    pub(super) fn differences(&self, other: &Self) -> Vec<Difference> {
        let mut found = Vec::new();
        for (index, (left, right)) in self.operations.iter().zip(&other.operations).enumerate() {
            let mut differs = |what: &str, left: &str, right: &str| {
                found.push(Difference::new(Some(index), what, left, right));
            };
            if left.outcome != right.outcome {
                differs("outcome", &left.outcome, &right.outcome);
            }
            for difference in left.snapshot.differences(&right.snapshot) {
                differs(&difference.key, &difference.left, &difference.right);
            }
            if !found.is_empty() {
                return found;
            }
        }
        let alive = |record: &Self| {
            let names: Vec<_> = record.end.iter().map(|(name, _)| name.as_str()).collect();
            names.join(" ")
        };
        if alive(self) != alive(other) {
            let (left, right) = (alive(self), alive(other));
            return vec![Difference::new(None, "processes alive", &left, &right)];
        }
        for ((name, left), (_, right)) in self.end.iter().zip(&other.end) {
            for difference in left.differences(right) {
                let what = format!("{name}: {}", difference.key);
                let (left, right) = (&difference.left, &difference.right);
                found.push(Difference::new(None, &what, left, right));
            }
        }
        found
    }
}

/// Names that differ between worlds, and the numbers that replace them.
#[derive(Default)]
struct Names {
    /// The number of each name, by sort and name.
    numbers: HashMap<(String, String), usize>,
    /// The number of names of each sort.
    counts: HashMap<String, usize>,
}

impl Names {
    fn replace_in(&mut self, snapshot: &mut Snapshot) {
        *snapshot = snapshot.renamed(|key, value| {
            // `uts:[4026531838]` of any process, or the place of a directory.
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

/// Returns the text in the brackets.
fn inner(value: &str) -> String {
    let (_, name) = value.split_once(":[").unwrap_or(("", value));
    name.to_owned()
}
