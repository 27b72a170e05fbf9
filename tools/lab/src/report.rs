// SPDX-License-Identifier: GPL-2.0-only

//! The report of `lab check`: as text, and as JSON for the results of a class.

use crate::{
    edition::points,
    facts::Facts,
    grade::{Missing, grade},
    lab::Lab,
};
use serde::Serialize;
use std::fmt::{self, Write as _};

/// The version of the JSON schema. It rises when a field is removed or changes its meaning.
const VERSION: u32 = 1;

/// The grades of labs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    version: u32,
    points: u32,
    max_points: u32,
    labs: Vec<LabReport>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct LabReport {
    lab: u32,
    name: String,
    points: u32,
    max_points: u32,
    puzzles: Vec<PuzzleReport>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct PuzzleReport {
    puzzle: usize,
    solved: bool,
    points: u32,
    max_points: u32,
    conditions: usize,
    met: usize,
    missing: Vec<Missing>,
}

impl Report {
    /// Grades labs, or one puzzle of each. Puzzles are counted from 1.
    pub fn new(labs: &[Lab], only: Option<usize>, facts: &Facts) -> Self {
        let labs: Vec<_> = labs
            .iter()
            .map(|lab| LabReport::new(lab, only, facts))
            .collect();
        Self {
            version: VERSION,
            points: labs.iter().map(|lab| lab.points).sum(),
            max_points: labs.iter().map(|lab| lab.max_points).sum(),
            labs,
        }
    }

    /// Returns whether all puzzles are solved.
    pub fn is_solved(&self) -> bool {
        self.points == self.max_points
    }

    /// Formats it as JSON.
    pub fn json(&self) -> String {
        serde_json::to_string_pretty(self).expect("plain data")
    }
}

impl LabReport {
    fn new(lab: &Lab, only: Option<usize>, facts: &Facts) -> Self {
        let numbered = (1..).zip(&lab.puzzles);
        let chosen = numbered.filter(|(number, _)| only.is_none_or(|only| only == *number));
        let puzzles: Vec<_> = chosen
            .map(|(number, puzzle)| {
                let grade = grade(puzzle, facts);
                let solved = grade.is_solved();
                PuzzleReport {
                    puzzle: number,
                    solved,
                    points: if solved { puzzle.points } else { 0 },
                    max_points: puzzle.points,
                    conditions: puzzle.conditions().len(),
                    met: grade.met,
                    missing: grade.missing,
                }
            })
            .collect();
        Self {
            lab: lab.number,
            name: lab.name.clone(),
            points: puzzles.iter().map(|puzzle| puzzle.points).sum(),
            max_points: puzzles.iter().map(|puzzle| puzzle.max_points).sum(),
            puzzles,
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::new();
        for lab in &self.labs {
            let of = points(lab.max_points);
            let _ = writeln!(text, "lab {:02}: {} of {of}", lab.lab, lab.points);
            for puzzle in &lab.puzzles {
                let number = puzzle.puzzle;
                if puzzle.solved {
                    let _ = writeln!(text, "puzzle {number}: solved");
                    continue;
                }
                let _ = writeln!(
                    text,
                    "puzzle {number}: not solved, {} of {} conditions met",
                    puzzle.met, puzzle.conditions
                );
                for missing in &puzzle.missing {
                    let _ = writeln!(text, "  {}", missing.says);
                }
            }
        }
        if self.labs.len() > 1 {
            let _ = writeln!(
                text,
                "all labs: {} of {}",
                self.points,
                points(self.max_points)
            );
        }
        f.write_str(&text)
    }
}
