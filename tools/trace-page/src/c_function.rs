// SPDX-License-Identifier: GPL-2.0-only

//! Finds functions in C source.
//!
//! The kernel's style puts the name of a function and its last brace at the beginning of a line, so
//! no parser is needed.

use std::ops::Range;

/// Returns the lines of each definition of a function, or of a system call. A name has two if it
/// is defined for two configurations.
pub(crate) fn find(lines: &[&str], name: &str) -> Vec<Range<usize>> {
    let starts = (0..lines.len()).filter(|&start| names(lines[start], name));
    starts.filter_map(|start| body(lines, start)).collect()
}

/// Returns whether a line begins with a declaration of `name()`.
fn names(line: &str, name: &str) -> bool {
    if !line.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_') {
        return false;
    }
    let is_of_word = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(name).any(|(at, _)| {
        let (before, after) = (&line[..at], &line[at + name.len()..]);
        let is_function = after.starts_with('(') && !before.ends_with(is_of_word);
        let is_system_call = before.starts_with("SYSCALL_DEFINE") && before.ends_with('(');
        is_function && !before.contains('(') || is_system_call && after.starts_with([',', ')'])
    })
}

/// Returns the lines of the definition that begins at `start`; [`None`] for a mere declaration.
fn body(lines: &[&str], start: usize) -> Option<Range<usize>> {
    let mut rest = lines.iter().enumerate().skip(start);
    rest.by_ref()
        .find(|(_, line)| line.ends_with(';') || line.ends_with('}') || **line == "{")
        .filter(|(_, line)| **line == "{")?;
    let (end, _) = rest.find(|(_, line)| **line == "}")?;
    Some(start..end + 1)
}

#[cfg(test)]
mod tests {
    use super::find;

    const SOURCE: &str = "\
int set(int a);
static int set_both(int a)
{
\tset(a);
}
static int set(int a,
\t       int b)
{
\tif (a) {
\t}
}
SYSCALL_DEFINE2(setns, int, fd, int, flags)
{
}
static int other(int (*set)(int a))
{
}
#ifdef ONE
int twice(void)
{
}
#else
int twice(void) { return 0; }
#endif";

    /// Returns the first line of each definition, and the line behind it.
    fn found(name: &str) -> Vec<(usize, usize)> {
        let lines: Vec<_> = SOURCE.lines().collect();
        let ranges = find(&lines, name).into_iter();
        ranges.map(|range| (range.start, range.end)).collect()
    }

    #[test]
    fn a_function_has_all_lines_of_its_definition() {
        assert_eq!(found("set"), [(5, 11)]);
        assert_eq!(found("set_both"), [(1, 5)]);
        assert_eq!(found("setns"), [(11, 14)]);
        assert_eq!(found("twice"), [(18, 21)]);
        assert_eq!(found("both"), []);
    }
}
