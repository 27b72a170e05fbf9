// SPDX-License-Identifier: GPL-2.0-only

//! Finds functions in source code by its layout: that of rustfmt, and that of the kernel for C.

use anyhow::{Context as _, Result, ensure};
use std::ops::Range;

/// A function in a source.
struct Function<'a> {
    name: &'a str,
    /// Its lines, from the one with the name to the closing brace.
    lines: Range<usize>,
}

/// Names the innermost function that contains a line, which counts from 0, and the block that it is in.
pub(super) fn around(source: &str, line: usize) -> Option<String> {
    let functions = functions(source).filter(|function| function.lines.contains(&line));
    let function = functions.min_by_key(|function| function.lines.len())?;
    let name = format!("{}()", function.name);
    let before: Vec<_> = source.lines().take(function.lines.start + 1).collect();
    let block = before
        .iter()
        .rev()
        .find(|line| !line.starts_with([' ', '}']) && !line.is_empty());
    Some(match block {
        Some(block) if block.starts_with("impl") => {
            format!("{name} of `{}`", block.trim_end_matches([' ', '{']))
        }
        _ => name,
    })
}

/// Returns the place of the body of the first function of that name, in bytes: its lines between the
/// braces.
///
/// # Errors
///
/// There is no such function; or more than one, if it must be unique.
pub(super) fn body(source: &str, name: &str, is_unique: bool) -> Result<Range<usize>> {
    let found: Vec<_> = functions(source)
        .filter(|function| function.name == name)
        .collect();
    let function = found
        .first()
        .with_context(|| format!("no function {name}()"))?;
    ensure!(
        !is_unique || found.len() == 1,
        "{} functions {name}()",
        found.len()
    );
    let lines: Vec<_> = source.lines().collect();
    let Range { start, end } = function.lines;
    let closing = end - 1;
    // The arguments have lines of their own, and more indentation.
    let is_opening =
        |line: &usize| lines[*line].ends_with('{') && indent(lines[*line]) == indent(lines[start]);
    let opening = (start..closing).find(is_opening);
    let opening = opening.with_context(|| format!("{name}() has no body of its own lines"))?;
    let offset = |line: usize| -> usize {
        let before = source.split_inclusive('\n').take(line);
        before.map(str::len).sum()
    };
    Ok(offset(opening + 1)..offset(closing))
}

fn functions(source: &str) -> impl Iterator<Item = Function<'_>> {
    let lines: Vec<_> = source.lines().collect();
    let starts = lines.clone().into_iter().enumerate();
    starts.filter_map(move |(start, line)| {
        let name = name(line)?;
        let end = end(&lines, start)?;
        Some(Function {
            name,
            lines: start..end + 1,
        })
    })
}

/// Returns the name of the function whose definition begins in a line.
fn name(line: &str) -> Option<&str> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let mut words = line.split_whitespace();
    // In Rust, only qualifiers precede `fn`.
    let is_qualifier = |word: &&str| {
        word.starts_with("pub") || matches!(*word, "const" | "unsafe" | "extern" | "\"C\"")
    };
    if words.find(|word| !is_qualifier(word)) == Some("fn") {
        return words.next()?.split(|c| !is_part(c)).next();
    }
    // In C, a definition begins in the first column.
    if !line.starts_with(is_part) || line.ends_with(';') || line.contains(" = ") {
        return None;
    }
    let (before, _) = line.split_once('(')?;
    let name = before.rsplit(|c| !is_part(c)).next()?;
    (before.len() > name.len() && !name.is_empty()).then_some(name)
}

/// Returns the line of the closing brace of a function, which is indented like its first line.
fn end(lines: &[&str], start: usize) -> Option<usize> {
    let indent = indent(lines[start]);
    let at = |text: &str, line: &str| line.trim() == text && self::indent(line) == indent;
    let rest = lines.iter().enumerate().skip(start);
    for (number, line) in rest {
        if at("}", line) {
            return Some(number);
        }
        // A declaration without a body
        if line.ends_with(';') && self::indent(line) == indent {
            return None;
        }
    }
    None
}

fn indent(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

#[cfg(test)]
mod tests {
    use super::*;

    const RUST: &str = "\
const A: u32 = 1;

impl T for U {
    /// fn in_a_comment
    fn declared(&self);

    #[inline(always)]
    pub(crate) fn outer<'a>(
        &self,
        a: &'a u32,
    ) -> Result {
        fn inner() {
            one();
        }
        two()
    }
}

fn last() {
    three()
}
";

    fn of(source: &str, text: &str) -> Option<String> {
        let line = source.lines().position(|line| line.contains(text));
        around(source, line.unwrap())
    }

    #[test]
    fn functions_of_rust() {
        for (text, name) in [
            ("const A", None),
            ("fn declared", None),
            ("a: &'a u32", Some("outer() of `impl T for U`")),
            ("one()", Some("inner() of `impl T for U`")),
            ("two()", Some("outer() of `impl T for U`")),
            ("three()", Some("last()")),
        ] {
            assert_eq!(of(RUST, text).as_deref(), name, "{text}");
        }
    }

    #[test]
    fn the_body_is_between_the_braces() {
        let of = |name| RUST[body(RUST, name, true).unwrap()].to_owned();
        assert_eq!(of("last"), "    three()\n");
        assert_eq!(of("inner"), "            one();\n");
        assert!(of("outer").starts_with("        fn inner() {\n"));
        assert!(of("outer").ends_with("        two()\n"));
    }

    const C: &str = "\
static int declared(int a);

static const struct a table = {
\t.call = one,
};

/* two() */
static noinline int one(struct a *a,
\t\t\tint b)
{
\tif (a) {
\t\treturn 1;
\t}
\treturn 2;
}
";

    #[test]
    fn functions_of_c() {
        for (text, name) in [
            (".call", None),
            ("declared", None),
            ("return 1", Some("one()")),
            ("int b)", Some("one()")),
            ("return 2", Some("one()")),
        ] {
            assert_eq!(of(C, text).as_deref(), name, "{text}");
        }
    }
}
