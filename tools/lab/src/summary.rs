// SPDX-License-Identifier: GPL-2.0-only

//! The block at the start of each lab: its goal, prerequisites, minutes, difficulty, puzzles, and the
//! wrong beliefs that it corrects.

use anyhow::{Context as _, Result, ensure};

/// The block of a lab. The values are Markdown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Summary {
    pub(crate) title: String,
    pub(crate) goal: String,
    pub(crate) prerequisites: String,
    pub(crate) minutes: u32,
    /// From 1 to 3.
    pub(crate) difficulty: u32,
    pub(crate) wrong_beliefs: Vec<String>,
}

const RULE: &str = "| --- | --- |";

impl Summary {
    /// Parses the block of a lab with this number and this number of puzzles.
    ///
    /// # Errors
    ///
    /// A row is missing, unknown or out of order, or a number is wrong.
    pub(crate) fn parse(text: &str, number: u32, puzzles: usize) -> Result<Self> {
        let mut lines = text.lines();
        let title = lines.next().unwrap_or_default();
        let title = title
            .strip_prefix(&format!("# {number:02} "))
            .with_context(|| format!("the first line is not \"# {number:02} TITLE\""))?;
        ensure!(lines.next() == Some(""), "no empty line after the title");
        let rows: Vec<_> = lines
            .take_while(|line| line.starts_with('|'))
            .filter(|line| *line != RULE)
            .collect();
        let rows: Vec<_> = rows
            .into_iter()
            .map(|row| {
                let row = row.strip_prefix("| ")?.strip_suffix(" |")?;
                row.split_once(" | ")
            })
            .collect::<Option<_>>()
            .context("a row is not \"| NAME | VALUE |\"")?;
        let mut rows = rows.into_iter().peekable();
        let mut value = |name| {
            let row = rows.next_if(|row| row.0 == name);
            row.map(|row| row.1.to_owned())
                .with_context(|| format!("the row {name:?} is missing or out of order"))
        };
        let number = |name, text: String| {
            text.parse()
                .with_context(|| format!("{name}: {text:?} is not a number"))
        };
        let summary = Self {
            title: title.to_owned(),
            goal: value("goal")?,
            prerequisites: value("prerequisites")?,
            minutes: number("minutes", value("minutes")?)?,
            difficulty: {
                let text = value("difficulty")?;
                let level = text.strip_suffix(" of 3").unwrap_or_default();
                number("difficulty", level.to_owned())?
            },
            wrong_beliefs: {
                let text = value("puzzles")?;
                ensure!(
                    text.starts_with(&format!("[{puzzles}](")),
                    "puzzles: {text:?} is not a link to {puzzles} puzzles"
                );
                let mut beliefs = vec![value("wrong belief")?];
                while let Ok(belief) = value("wrong belief") {
                    beliefs.push(belief);
                }
                beliefs
            },
        };
        ensure!(rows.next().is_none(), "unknown row");
        ensure!(
            (1..=3).contains(&summary.difficulty),
            "difficulty: not from 1 to 3"
        );
        Ok(summary)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# 07 The title

| goal | explain it |
| --- | --- |
| prerequisites | [lab 01](01-counts.md) |
| minutes | 15 |
| difficulty | 2 of 3 |
| puzzles | [2](07-title.toml) |
| wrong belief | one |
| wrong belief | two |

text
";

    #[test]
    fn rows_of_the_block() {
        let expected = Summary {
            title: "The title".to_owned(),
            goal: "explain it".to_owned(),
            prerequisites: "[lab 01](01-counts.md)".to_owned(),
            minutes: 15,
            difficulty: 2,
            wrong_beliefs: vec!["one".to_owned(), "two".to_owned()],
        };
        assert_eq!(Summary::parse(TEXT, 7, 2).unwrap(), expected);
    }

    #[test]
    fn mistakes_are_named() {
        for (from, to, why) in [
            ("# 07", "# 7", "the first line is not \"# 07 TITLE\""),
            ("| goal", "| aim", "the row \"goal\" is missing"),
            ("| 15", "| long", "minutes: \"long\" is not a number"),
            ("2 of 3", "4 of 3", "difficulty: not from 1 to 3"),
            ("2 of 3", "2", "difficulty: \"\" is not a number"),
            ("[2](", "[3](", "is not a link to 2 puzzles"),
            (
                "wrong belief",
                "belief",
                "the row \"wrong belief\" is missing",
            ),
            ("| two |", "| two |\n| more | x |", "unknown row"),
            ("| two |", "| two", "a row is not"),
        ] {
            let error = Summary::parse(&TEXT.replace(from, to), 7, 2).unwrap_err();
            assert!(error.to_string().contains(why), "{error}");
        }
    }
}
