// SPDX-License-Identifier: GPL-2.0-only

//! The editions of a lab: that of students has neither hints, answers nor solutions, that of teachers
//! has all of them.

use crate::{
    lab::Lab,
    puzzle::Puzzle,
    question::{self, Folded, Line},
};
use anyhow::Result;
use std::fmt::Write as _;

impl Lab {
    /// Returns the edition for students.
    ///
    /// # Errors
    ///
    /// The text is invalid.
    pub fn student_edition(&self) -> Result<String> {
        let mut text = String::new();
        let mut question = 0;
        for line in question::lines(&self.text)? {
            match line {
                Line::Text(line) => {
                    question += usize::from(line.starts_with(question::HEADING));
                    add(&mut text, line);
                }
                Line::Begin(Folded::Answer) => {
                    let hints = self.questions[question - 1].hints.len();
                    let number = self.number;
                    let _ = writeln!(
                        text,
                        "Hints ({hints}): lab hint {number} {question}. \
                         Answer: lab answer {number} {question}."
                    );
                }
                Line::Begin(Folded::Hint) | Line::Folded(..) | Line::End => {}
            }
        }
        self.add_puzzles(&mut text, |_, _| {});
        Ok(text)
    }

    /// Returns the edition for teachers.
    ///
    /// # Errors
    ///
    /// The text is invalid.
    pub fn teacher_edition(&self) -> Result<String> {
        let mut text = String::new();
        for line in question::lines(&self.text)? {
            match line {
                Line::Text(line) | Line::Folded(_, line) => add(&mut text, line),
                Line::Begin(Folded::Hint) => add(&mut text, "**Hint**"),
                Line::Begin(Folded::Answer) => add(&mut text, "**Answer**"),
                Line::End => {}
            }
        }
        self.add_puzzles(&mut text, |text, puzzle| {
            let conditions: Vec<_> = puzzle.condition_lines().collect();
            for (name, part) in [
                ("Conditions", conditions.join("\n").as_str()),
                ("Solution", &puzzle.solution),
                ("Near miss", &puzzle.near_miss),
                ("lab check then prints", &puzzle.near_miss_says),
                ("Clean up", &puzzle.clean_up),
            ] {
                if !part.is_empty() {
                    let _ = writeln!(text, "\n**{name}**\n\n```text\n{part}\n```");
                }
            }
        });
        Ok(text)
    }

    /// Adds the texts of the puzzles, and after each what `more` adds.
    fn add_puzzles(&self, text: &mut String, more: impl Fn(&mut String, &Puzzle)) {
        let _ = write!(
            text,
            "\n## Puzzles\n\nCreate the state, leave it, and run `lab check {}`.\n",
            self.number
        );
        for (number, puzzle) in (1..).zip(&self.puzzles) {
            let points = points(puzzle.points);
            let _ = write!(
                text,
                "\n### Puzzle {number} ({points})\n\n{}\n",
                puzzle.text
            );
            more(text, puzzle);
        }
    }
}

/// Adds a line, but no second empty line, such as those around folded parts.
fn add(text: &mut String, line: &str) {
    if !line.is_empty() || !text.ends_with("\n\n") {
        let _ = writeln!(text, "{line}");
    }
}

/// Returns a number of points in words.
pub(crate) fn points(points: u32) -> String {
    format!("{points} point{}", if points == 1 { "" } else { "s" })
}
