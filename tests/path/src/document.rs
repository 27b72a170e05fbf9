// SPDX-License-Identifier: GPL-2.0-only

//! `docs/path.md`: its tables, and where in the file each row is.

use anyhow::{Context as _, Result, bail, ensure};
use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};
use std::{collections::BTreeMap, fmt, fs, ops::Range, path::Path};

/// Where it is in the project.
pub(crate) const PATH: &str = "docs/path.md";

/// How the module accounts for a function: the third column.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum State {
    /// An item of the module does the same.
    Mirrored,
    /// An item of the module does what it does when setns(2) is what calls it.
    InPart,
    /// The module calls it.
    Called,
    /// The module calls it, and can ask again what it asked.
    AskedAgain,
    /// It is called by what the module calls.
    Inside,
    /// The language has something else for it.
    Idiom,
    /// The module has nothing for it.
    LeftOut,
}

impl State {
    const ALL: [Self; 7] = [
        Self::Mirrored,
        Self::InPart,
        Self::Called,
        Self::AskedAgain,
        Self::Inside,
        Self::Idiom,
        Self::LeftOut,
    ];

    fn word(self) -> &'static str {
        match self {
            Self::Mirrored => "mirrored",
            Self::InPart => "in part",
            Self::Called => "called",
            Self::AskedAgain => "asked again",
            Self::Inside => "inside",
            Self::Idiom => "idiom",
            Self::LeftOut => "left out",
        }
    }

    fn of(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.word() == word)
    }

    /// The words, for a person.
    fn words() -> String {
        Self::ALL.map(Self::word).join(", ")
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// A link to an item of the module.
#[derive(Clone, Debug)]
pub(crate) struct Link {
    /// Where it is.
    pub(crate) line: usize,
    /// As it is written: `Type::function`.
    pub(crate) item: String,
    /// The file, in the root of the project.
    pub(crate) file: String,
}

/// A row of a table of functions.
#[derive(Debug)]
pub(crate) struct Row {
    /// Where it is.
    pub(crate) line: usize,
    /// The functions, without `()`; an operation is `.name`.
    pub(crate) names: Vec<String>,
    /// The kernel's files that define them.
    pub(crate) files: Vec<String>,
    /// What is said of them.
    pub(crate) state: State,
    /// What stands for them in the module.
    pub(crate) links: Vec<Link>,
    /// Whether there are words as well.
    pub(crate) has_words: bool,
}

/// A row of the table of operations: a `struct proc_ns_operations`.
#[derive(Debug)]
pub(crate) struct Kind {
    /// Where it is.
    pub(crate) line: usize,
    /// The variable.
    pub(crate) table: String,
    /// The kernel's file that defines it.
    pub(crate) file: String,
    /// The function for each operation that it has.
    pub(crate) operations: BTreeMap<String, String>,
}

/// What the document says.
#[derive(Debug, Default)]
pub(crate) struct Document {
    /// The tables of functions, in order.
    pub(crate) rows: Vec<Row>,
    /// The table of operations.
    pub(crate) kinds: Vec<Kind>,
    /// All links, wherever they are.
    pub(crate) links: Vec<Link>,
}

impl Document {
    /// How many functions there are of which state.
    pub(crate) fn summary(&self) -> String {
        let mut counts: BTreeMap<State, usize> = BTreeMap::new();
        for row in &self.rows {
            let functions = row.names.iter().filter(|name| !name.starts_with('.'));
            *counts.entry(row.state).or_default() += functions.count();
        }
        let operations: usize = self.kinds.iter().map(|kind| kind.operations.len()).sum();
        let all: usize = counts.values().sum();
        let counts: Vec<_> = counts
            .iter()
            .map(|(state, count)| format!("{count} {state}"))
            .collect();
        format!(
            "{all} functions are accounted for: {}; and {operations} of the kinds' operations",
            counts.join(", ")
        )
    }
}

/// Reads the document of the project in `root`.
///
/// # Errors
///
/// It cannot be read, has no row, or a row is not as the others.
pub(crate) fn read(root: &Path) -> Result<Document> {
    let document = parse(&fs::read_to_string(root.join(PATH))?)?;
    ensure!(!document.rows.is_empty(), "no table of functions");
    Ok(document)
}

/// A cell of a table.
#[derive(Default)]
struct Cell {
    text: String,
    codes: Vec<String>,
    links: Vec<Link>,
    has_words: bool,
}

/// Takes the tables out of markdown.
///
/// # Errors
///
/// As [`read`] says.
pub(crate) fn parse(markdown: &str) -> Result<Document> {
    let mut document = Document::default();
    let mut heading = Cell::default();
    let mut header: Vec<Cell> = Vec::new();
    let mut cells: Vec<Cell> = Vec::new();
    let mut link: Option<Link> = None;
    // What text goes to: a heading, a cell, or nothing.
    let mut open: Option<Cell> = None;

    for (event, range) in Parser::new_ext(markdown, Options::ENABLE_TABLES).into_offset_iter() {
        match event {
            Event::Start(Tag::Heading { .. } | Tag::TableCell) => open = Some(Cell::default()),
            Event::End(TagEnd::Heading(_)) => heading = open.take().unwrap_or_default(),
            Event::End(TagEnd::TableCell) => cells.extend(open.take()),
            Event::End(TagEnd::TableHead) => header = std::mem::take(&mut cells),
            Event::End(TagEnd::TableRow) => {
                let line = line_of(markdown, &range);
                document
                    .add(line, &header, &heading, std::mem::take(&mut cells))
                    .with_context(|| format!("line {line}"))?;
            }
            Event::Start(Tag::Link { dest_url, .. }) => {
                link = Some(Link {
                    line: line_of(markdown, &range),
                    item: String::new(),
                    file: in_root(&dest_url),
                });
            }
            Event::End(TagEnd::Link) => {
                let Some(link) = link.take() else { continue };
                document.links.push(link.clone());
                if let Some(cell) = &mut open {
                    cell.links.push(link);
                }
            }
            Event::Code(code) => {
                if let Some(link) = &mut link {
                    link.item.push_str(&code);
                } else if let Some(cell) = &mut open {
                    cell.text.push_str(&code);
                    cell.codes.push(code.into_string());
                }
            }
            Event::Text(text) => {
                if let Some(cell) = &mut open {
                    cell.text.push_str(&text);
                    cell.has_words |= text.contains(char::is_alphabetic);
                }
            }
            _ => (),
        }
    }
    Ok(document)
}

/// Links are relative to the document, in `docs/`.
fn in_root(link: &str) -> String {
    link.strip_prefix("../").unwrap_or(link).to_owned()
}

fn line_of(markdown: &str, range: &Range<usize>) -> usize {
    markdown[..range.start].matches('\n').count() + 1
}

impl Document {
    fn add(
        &mut self,
        line: usize,
        header: &[Cell],
        heading: &Cell,
        cells: Vec<Cell>,
    ) -> Result<()> {
        let columns: Vec<&str> = header.iter().map(|cell| cell.text.as_str()).collect();
        match *columns {
            ["C", "in", "here", _] => {
                let [names, files, state, rust] = of_length(cells)?;
                self.add_row(line, names, files.codes, &state, rust)
            }
            ["C", "here", _] => {
                let [names, state, rust] = of_length(cells)?;
                self.add_row(line, names, heading.codes.clone(), &state, rust)
            }
            ["operations", "in", ..] => self.add_kind(line, &columns, cells),
            _ => Ok(()),
        }
    }

    fn add_row(
        &mut self,
        line: usize,
        names: Cell,
        files: Vec<String>,
        state: &Cell,
        rust: Cell,
    ) -> Result<()> {
        let names: Vec<_> = names.codes.iter().map(|name| bare(name)).collect();
        ensure!(!names.is_empty(), "no function: `name()` goes first");
        ensure!(
            !files.is_empty(),
            "no file: it is in the column \"in\", or in the heading"
        );
        let Some(known) = State::of(state.text.trim()) else {
            bail!("\"{}\" is none of: {}", state.text.trim(), State::words());
        };
        self.rows.push(Row {
            line,
            names,
            files,
            state: known,
            links: rust.links,
            has_words: rust.has_words,
        });
        Ok(())
    }

    fn add_kind(&mut self, line: usize, columns: &[&str], cells: Vec<Cell>) -> Result<()> {
        ensure!(cells.len() == columns.len(), "a cell for each column");
        let code = |cell: &Cell| cell.codes.first().map(|code| bare(code));
        let mut cells = cells.iter();
        let (table, file) = (cells.next().and_then(code), cells.next().and_then(code));
        let operations = columns[2..]
            .iter()
            .zip(cells)
            .filter_map(|(operation, cell)| {
                Some((operation.trim_start_matches('.').to_owned(), code(cell)?))
            });
        self.kinds.push(Kind {
            line,
            table: table.context("no `..._operations`")?,
            file: file.context("no file")?,
            operations: operations.collect(),
        });
        Ok(())
    }
}

fn of_length<const N: usize>(cells: Vec<Cell>) -> Result<[Cell; N]> {
    let count = cells.len();
    cells
        .try_into()
        .map_err(|_| anyhow::anyhow!("{count} cells instead of {N}"))
}

fn bare(name: &str) -> String {
    name.trim_end_matches("()").to_owned()
}

#[cfg(test)]
mod tests {
    use super::{State, parse};

    #[test]
    fn rows_are_read() {
        let document = parse(
            "## `kernel/nsproxy.c`\n\
             \n\
             | C | here | Rust |\n\
             | --- | --- | --- |\n\
             | `setns()` | mirrored | [`setns`](../src/setns.rs) |\n\
             | `a()`, `b()` | left out | fork(2) only |\n\
             \n\
             ## others\n\
             \n\
             | C | in | here | Rust |\n\
             | --- | --- | --- | --- |\n\
             | `.put` | `include/linux/proc_ns.h` | called | [`Ns::dec_ref`](../src/sys/namespace.rs) |\n\
             \n\
             | operations | in | `.get` | `.put` |\n\
             | --- | --- | --- | --- |\n\
             | `x_operations` | `x.c` | | `x_put()` |\n",
        )
        .unwrap();
        let [setns, both, put] = &document.rows[..] else {
            panic!("{document:?}")
        };
        assert_eq!(setns.line, 5);
        assert_eq!(setns.names, ["setns"]);
        assert_eq!(setns.files, ["kernel/nsproxy.c"]);
        assert_eq!(setns.state, State::Mirrored);
        assert_eq!(setns.links[0].item, "setns");
        assert_eq!(setns.links[0].file, "src/setns.rs");
        assert!(!setns.has_words);
        assert_eq!(both.names, ["a", "b"]);
        assert!(both.has_words);
        assert_eq!(put.names, [".put"]);
        assert_eq!(put.files, ["include/linux/proc_ns.h"]);
        let [kind] = &document.kinds[..] else {
            panic!("{document:?}")
        };
        assert_eq!(
            (kind.table.as_str(), kind.file.as_str()),
            ("x_operations", "x.c")
        );
        assert_eq!(kind.operations.len(), 1);
        assert_eq!(kind.operations["put"], "x_put");
    }

    #[test]
    fn unknown_words_are_refused() {
        let error = parse("| C | in | here | Rust |\n|-|-|-|-|\n| `f()` | `f.c` | copied | |\n");
        let error = format!("{:#}", error.unwrap_err());
        assert!(
            error.contains("line 3: \"copied\" is none of: mirrored,"),
            "{error}"
        );
    }
}
