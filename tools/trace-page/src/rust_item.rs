// SPDX-License-Identifier: GPL-2.0-only

//! Finds items in Rust source.
//!
//! rustfmt formats the source, so lines and their indentation are enough.

use std::ops::Range;

/// Returns the lines of each function or struct of that name, without its documentation and its
/// attributes. The name is `function`, `Struct` or `Type::function`.
pub(crate) fn find(lines: &[&str], name: &str) -> Vec<Range<usize>> {
    let Some((of, function)) = name.split_once("::") else {
        let is_item = |line: &str| ["fn", "struct"].iter().any(|it| declares(line, it, name));
        return items(lines, 0..lines.len(), "", is_item);
    };
    let blocks = items(lines, 0..lines.len(), "", |line| implements(line, of));
    let functions = blocks
        .into_iter()
        .flat_map(|block| items(lines, block, "    ", |line| declares(line, "fn", function)));
    functions.collect()
}

/// Returns the items within `range` whose first line has this indentation and is `wanted`.
fn items(
    lines: &[&str],
    range: Range<usize>,
    indent: &str,
    wanted: impl Fn(&str) -> bool,
) -> Vec<Range<usize>> {
    let starts = range.clone().filter(|&start| {
        let line = lines[start].strip_prefix(indent);
        line.is_some_and(|line| !line.starts_with([' ', '/']) && wanted(line))
    });
    let whole = starts.map(|start| {
        let is_end = |line: &str| {
            let end = line.strip_prefix(indent).unwrap_or_default();
            end == "}" || end.ends_with(';') && !end.starts_with(' ')
        };
        let end = (start..range.end).find(|&end| is_end(lines[end]));
        start..end.map_or(range.end, |end| end + 1)
    });
    whole.collect()
}

/// Returns whether a line declares `keyword name`.
fn declares(line: &str, keyword: &str, name: &str) -> bool {
    let declaration = format!("{keyword} {name}");
    let mut ends = line.split(&declaration).skip(1);
    ends.any(|end| end.starts_with(['(', '<', ' ', ';']))
}

/// Returns whether a line begins an `impl` of the type.
fn implements(line: &str, of: &str) -> bool {
    let is_named = |word: &str| word.split('<').next() == Some(of);
    let mut words = line.trim_end_matches(" {").rsplit(' ');
    line.starts_with("impl") && words.next().is_some_and(is_named)
}

#[cfg(test)]
mod tests {
    use super::find;

    const SOURCE: &str = "\
/// fn set()
pub(crate) struct NsSet {
    a: u32,
}
struct Unit;
impl NsSet {
    pub(crate) fn install(&self) {
        if a {
        }
    }
    fn put(self) {
    }
}
impl<K: Kind> Install for NetNamespace<'_> {
    fn install(
        &self,
    ) {
    }
}
fn install(
) {
}
fn install_all() {
}";

    /// Returns the first line of each item, and the line behind it.
    fn found(name: &str) -> Vec<(usize, usize)> {
        let lines: Vec<_> = SOURCE.lines().collect();
        let ranges = find(&lines, name).into_iter();
        ranges.map(|range| (range.start, range.end)).collect()
    }

    #[test]
    fn an_item_has_all_its_lines() {
        for (name, lines) in [
            ("NsSet", (1, 4)),
            ("Unit", (4, 5)),
            ("NsSet::install", (6, 10)),
            ("NsSet::put", (10, 12)),
            ("NetNamespace::install", (14, 18)),
            ("install", (19, 22)),
        ] {
            assert_eq!(found(name), [lines], "{name}");
        }
        assert_eq!(found("NsSet::set"), []);
    }
}
