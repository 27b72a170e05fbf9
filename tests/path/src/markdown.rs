// SPDX-License-Identifier: GPL-2.0-only

//! Markdown with tables: read by column, changed, and written back.

use anyhow::{Context as _, Result};
use std::mem;

/// A document.
#[derive(Debug)]
pub(crate) struct Document {
    /// The tables, each with the lines before it.
    pub(crate) tables: Vec<Table>,
    /// The lines after the last table.
    rest: Vec<String>,
}

/// A table.
#[derive(Debug)]
pub(crate) struct Table {
    /// The lines between the table and the one before.
    before: Vec<String>,
    /// The names of the columns.
    pub(crate) header: Vec<String>,
    /// The cells of each row.
    pub(crate) rows: Vec<Vec<String>>,
}

impl Document {
    /// Parses markdown. A table is a run of lines that begin with `|`.
    pub(crate) fn parse(text: &str) -> Self {
        let (mut tables, mut rest) = (Vec::new(), Vec::new());
        let mut lines = text.lines().peekable();
        while let Some(line) = lines.next() {
            if !line.starts_with('|') {
                rest.push(line.to_owned());
                continue;
            }
            let rows = std::iter::from_fn(|| lines.next_if(|line| line.starts_with('|')));
            tables.push(Table {
                before: mem::take(&mut rest),
                header: cells(line),
                // The first one separates the header.
                rows: rows.skip(1).map(cells).collect(),
            });
        }
        Self { tables, rest }
    }

    /// Returns the text of every line and cell.
    pub(crate) fn texts(&mut self) -> impl Iterator<Item = &mut String> {
        let of_tables = self.tables.iter_mut().flat_map(|table| {
            let Table { before, rows, .. } = table;
            before.iter_mut().chain(rows.iter_mut().flatten())
        });
        of_tables.chain(&mut self.rest)
    }

    /// Returns the document as markdown.
    pub(crate) fn render(&self) -> String {
        let mut lines = Vec::new();
        for table in &self.tables {
            lines.extend_from_slice(&table.before);
            lines.extend([
                row(&table.header),
                row(&vec!["---".to_owned(); table.header.len()]),
            ]);
            lines.extend(table.rows.iter().map(|cells| row(cells)));
        }
        lines.extend_from_slice(&self.rest);
        lines.join("\n") + "\n"
    }
}

fn row(cells: &[String]) -> String {
    let cells: String = cells.iter().map(|cell| format!(" {cell} |")).collect();
    // An empty cell is one space wide.
    format!("|{}", cells.replace("  |", " |"))
}

impl Table {
    /// Returns the index of a column.
    ///
    /// # Errors
    ///
    /// No column has this name.
    pub(crate) fn column(&self, name: &str) -> Result<usize> {
        let column = self.header.iter().position(|column| column == name);
        column.with_context(|| format!("no column \"{name}\" in: {}", self.header.join(" | ")))
    }
}

/// Returns the cells of a row. A `|` in backticks does not end a cell.
fn cells(line: &str) -> Vec<String> {
    let line = line.trim().trim_start_matches('|');
    let line = line.strip_suffix('|').unwrap_or(line);
    let mut in_code = false;
    let cells = line.split(|c| {
        in_code ^= c == '`';
        c == '|' && !in_code
    });
    cells.map(|cell| cell.trim().to_owned()).collect()
}

/// Returns the texts in backticks, functions without their `()`.
pub(crate) fn codes(cell: &str) -> Vec<String> {
    let codes = cell.split('`').skip(1).step_by(2);
    codes
        .map(|code| code.trim_end_matches("()").to_owned())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{Document, codes};

    #[test]
    fn a_document_is_written_back_as_it_was() {
        let text = "# A\n\n| C | in |\n| --- | --- |\n| `a()`, `b()` | |\n| `a | b` | |\n\nb\n";
        let document = Document::parse(text);
        assert_eq!(document.render(), text);
        let table = &document.tables[0];
        assert_eq!(table.column("in").unwrap(), 1);
        assert_eq!(codes(&table.rows[0][0]), ["a", "b"]);
        assert_eq!(table.rows[1], ["`a | b`", ""]);
    }
}
