// SPDX-License-Identifier: GPL-2.0-only

//! A few lines of a source file, and the anchor that finds them.

use anyhow::{Result, bail, ensure};
use serde::{Deserialize, Serialize};
use std::{fmt, ops::Range};

/// More lines than that are no excerpt any more.
const MOST_LINES: usize = 45;

/// The place of an excerpt: a whole item of a file, or lines of the item by their beginnings.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Anchor {
    /// The file, from the root of its source.
    pub(crate) file: String,
    /// The function or struct: in Rust also `Type::function`.
    item: String,
    /// The beginning of the first line. Only one line of the item begins like that. Without it, the
    /// excerpt is the whole item.
    from: Option<String>,
    /// The beginning of the last line: the next one that begins like that. Without it, the excerpt
    /// is one line.
    to: Option<String>,
}

impl fmt::Display for Anchor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.file, self.item)
    }
}

/// Lines of a source file, as the document of a trace has them.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Excerpt {
    file: String,
    item: String,
    /// The number of the first line.
    first: usize,
    /// The lines, without the indentation that all of them have.
    text: String,
}

impl Excerpt {
    /// Cuts the lines of an anchor out of a file, with a function that finds an item.
    ///
    /// # Errors
    ///
    /// The item or a line is missing, is not unique, or is too long.
    pub(crate) fn cut(
        lines: &[&str],
        anchor: &Anchor,
        find: fn(&[&str], &str) -> Vec<Range<usize>>,
    ) -> Result<Self> {
        let items = find(lines, &anchor.item);
        ensure!(!items.is_empty(), "the item is not in the file");
        let range = match &anchor.from {
            None => one(&items, "the item")?,
            Some(from) => {
                let inside = items.iter().cloned().flatten();
                let first = inside.filter(|&at| lines[at].trim_start().starts_with(from.as_str()));
                let first = one(&first.collect::<Vec<_>>(), &format!("the line {from:?}"))?;
                let item = items.iter().find(|item| item.contains(&first));
                let end = item.map_or(first, |item| item.end);
                first..last(lines, first..end, anchor.to.as_deref())? + 1
            }
        };
        let length = range.len();
        ensure!(
            length <= MOST_LINES,
            "{length} lines, and not {MOST_LINES} or less"
        );
        Ok(Self {
            file: anchor.file.clone(),
            item: anchor.item.clone(),
            first: range.start + 1,
            text: dedent(&lines[range]),
        })
    }
}

/// Returns the only element.
fn one<T: Clone>(found: &[T], name: &str) -> Result<T> {
    match found {
        [one] => Ok(one.clone()),
        [] => bail!("{name} is missing"),
        _ => bail!("{name} occurs {} times", found.len()),
    }
}

/// Returns the last line of an excerpt that begins with `range`.
fn last(lines: &[&str], range: Range<usize>, to: Option<&str>) -> Result<usize> {
    let Some(to) = to else {
        return Ok(range.start);
    };
    let mut rest = range.start + 1..range.end;
    match rest.find(|&at| lines[at].trim_start().starts_with(to)) {
        Some(last) => Ok(last),
        None => bail!("the line {to:?} is missing behind line {}", range.start + 1),
    }
}

/// Joins lines without their common indentation.
fn dedent(lines: &[&str]) -> String {
    let filled = lines.iter().filter(|line| !line.trim().is_empty());
    let indent = filled
        .map(|line| line.len() - line.trim_start().len())
        .min();
    let without = lines
        .iter()
        .map(|line| line.get(indent.unwrap_or(0)..).unwrap_or_default());
    without.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::c_function::find;

    const SOURCE: &str = "\
int other(void)
{
\tif (a)
\t\tgoto out;
}
int set(void)
{
\tif (a)
\t\tgoto out;

\tif (b)
\t\tgoto out;
\tput();
\tput();
}";

    fn cut(from: Option<&str>, to: Option<&str>) -> Result<Excerpt> {
        let lines: Vec<_> = SOURCE.lines().collect();
        let anchor = Anchor {
            file: "a.c".into(),
            item: "set".into(),
            from: from.map(str::to_owned),
            to: to.map(str::to_owned),
        };
        Excerpt::cut(&lines, &anchor, find)
    }

    fn error(from: &str, to: Option<&str>) -> String {
        cut(Some(from), to).unwrap_err().to_string()
    }

    #[test]
    fn lines_are_found_in_their_item() {
        let excerpt = cut(Some("if (a)"), Some("if (b)")).unwrap();
        assert_eq!((excerpt.first, excerpt.file.as_str()), (8, "a.c"));
        assert_eq!(excerpt.text, "if (a)\n\tgoto out;\n\nif (b)");
        assert_eq!(cut(Some("if (b)"), None).unwrap().text, "if (b)");
        assert_eq!(cut(None, None).unwrap().text.lines().count(), 10);
    }

    #[test]
    fn a_line_that_is_gone_is_an_error() {
        assert!(error("if (c)", None).contains("is missing"));
        assert!(error("put();", None).contains("occurs 2 times"));
        assert!(error("if (b)", Some("if (a)")).contains("is missing behind line 11"));
    }
}
