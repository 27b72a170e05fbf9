// SPDX-License-Identifier: GPL-2.0-only

//! Formats rows of cells in aligned columns.

use std::fmt::Write as _;

/// The name of a column, and whether its cells are numbers, which are aligned right.
pub(super) type Column = (&'static str, bool);

/// Formats rows below the names of their columns.
pub(super) fn align<const N: usize>(columns: [Column; N], rows: &[[String; N]]) -> String {
    let head = columns.map(|(name, _)| name.to_owned());
    let lines = || [&head].into_iter().chain(rows);
    let mut widths = [0; N];
    for line in lines() {
        for (width, cell) in widths.iter_mut().zip(line) {
            *width = cell.chars().count().max(*width);
        }
    }
    let mut text = String::new();
    for line in lines() {
        let mut formatted = String::new();
        for ((cell, width), (_, is_number)) in line.iter().zip(widths).zip(columns) {
            let _ = match is_number {
                true => write!(formatted, "{cell:>width$} "),
                false => write!(formatted, "{cell:<width$} "),
            };
        }
        text += formatted.trim_end();
        text.push('\n');
    }
    text
}
