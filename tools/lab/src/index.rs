// SPDX-License-Identifier: GPL-2.0-only

//! The table of the labs in `docs/labs/README.md`.

use crate::lab::Lab;
use std::fmt::Write as _;

/// Returns the table, as Markdown.
pub fn table(labs: &[Lab]) -> String {
    let mut table =
        "| lab | goal | minutes | difficulty | after |\n| --- | --- | --- | --- | --- |\n"
            .to_owned();
    for lab in labs {
        let summary = &lab.summary;
        let _ = writeln!(
            table,
            "| [{:02}]({}.md) | {} | {} | {} | {} |",
            lab.number,
            lab.name,
            summary.goal,
            summary.minutes,
            summary.difficulty,
            summary.prerequisites.replace("[lab ", "["),
        );
    }
    table
}
