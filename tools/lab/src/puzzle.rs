// SPDX-License-Identifier: GPL-2.0-only

//! The puzzles of a lab: states to create, with conditions, a solution and a near miss.
//! `docs/labs/puzzles.md` describes the file.

use crate::condition::{Condition, Variables};
use anyhow::{Context as _, Result, ensure};
use serde::Deserialize;

/// A puzzle.
#[derive(Clone, Debug)]
pub struct Puzzle {
    /// The description for students.
    pub text: String,
    /// The points for a solution.
    pub points: u32,
    /// Commands that solve it.
    pub solution: String,
    /// Commands that almost solve it.
    pub near_miss: String,
    /// The lines that the grader prints about the near miss, in which `[..]` stands for any text.
    pub near_miss_says: String,
    /// Commands that remove the mounts and files of both. Processes are killed without it.
    pub clean_up: String,
    variables: Variables,
    conditions: Vec<Condition>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    puzzle: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Entry {
    text: String,
    points: u32,
    #[serde(default)]
    processes: Vec<String>,
    #[serde(default)]
    namespaces: Vec<String>,
    conditions: Vec<String>,
    solution: String,
    near_miss: String,
    near_miss_says: String,
    #[serde(default)]
    clean_up: String,
}

impl Puzzle {
    /// Parses a file of puzzles.
    ///
    /// # Errors
    ///
    /// A syntax error, or a puzzle that any state would solve or that has no points.
    pub fn parse(text: &str) -> Result<Vec<Self>> {
        let file: File = toml::from_str(text)?;
        let puzzles = (1..)
            .zip(file.puzzle)
            .map(|(number, entry)| Self::new(entry).with_context(|| format!("puzzle {number}")));
        puzzles.collect()
    }

    fn new(entry: Entry) -> Result<Self> {
        let variables = Variables::new(&entry.processes, &entry.namespaces)?;
        let lines = entry.conditions.iter();
        let conditions: Vec<_> = lines
            .map(|line| Condition::parse(line, &variables))
            .collect::<Result<_>>()?;
        for variable in 0..variables.types().count() {
            let is_used = |condition: &Condition| {
                let mut paths = condition.paths();
                paths.any(|path| path.variable == variable)
            };
            ensure!(
                conditions.iter().any(is_used),
                "a variable has no condition"
            );
        }
        ensure!(entry.points > 0, "it has no points");
        let text = |name: &str, text: String| {
            let text = text.trim().to_owned();
            ensure!(!text.is_empty(), "{name} is empty");
            Ok(text)
        };
        Ok(Self {
            text: text("text", entry.text)?,
            points: entry.points,
            solution: text("solution", entry.solution)?,
            near_miss: text("near-miss", entry.near_miss)?,
            near_miss_says: text("near-miss-says", entry.near_miss_says)?,
            clean_up: entry.clean_up.trim().to_owned(),
            variables,
            conditions,
        })
    }

    pub(crate) fn variables(&self) -> &Variables {
        &self.variables
    }

    pub(crate) fn conditions(&self) -> &[Condition] {
        &self.conditions
    }

    /// Returns the conditions, one per line.
    pub fn condition_lines(&self) -> impl Iterator<Item = &str> {
        self.conditions
            .iter()
            .map(|condition| condition.text.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PUZZLE: &str = r#"
[[puzzle]]
text = "Leave a process."
points = 2
processes = ["a"]
conditions = ["a.uts != initial"]
solution = "one"
near-miss = "two"
near-miss-says = "three"
"#;

    #[test]
    fn a_file_of_puzzles() {
        let puzzles = Puzzle::parse(&PUZZLE.repeat(2)).unwrap();
        assert_eq!(puzzles.len(), 2);
        assert_eq!(puzzles[1].points, 2);
        assert!(puzzles[1].condition_lines().eq(["a.uts != initial"]));
    }

    #[test]
    fn mistakes_are_named() {
        for (from, to, why) in [
            ("points = 2", "points = 0", "puzzle 1: it has no points"),
            ("points = 2", "point = 2", "unknown field `point`"),
            (
                "[\"a\"]",
                "[\"a\", \"b\"]",
                "puzzle 1: a variable has no condition",
            ),
            ("!=", "is", "unknown comparison \"is\""),
            ("\"two\"", "\" \"", "puzzle 1: near-miss is empty"),
        ] {
            let error = Puzzle::parse(&PUZZLE.replace(from, to)).unwrap_err();
            let error = format!("{error:#}");
            assert!(error.contains(why), "{error}");
        }
    }
}
