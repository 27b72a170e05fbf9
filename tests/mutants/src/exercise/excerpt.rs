// SPDX-License-Identifier: GPL-2.0-only

//! The lines in which two versions of a file differ.

use std::fmt::Write as _;

/// The number of equal lines around the differing ones.
const AROUND: usize = 3;

/// Returns the first line that differs, which counts from 0.
pub(super) fn first_difference(one: &str, other: &str) -> usize {
    equal(one.lines(), other.lines())
}

/// Formats the lines that replace those of `old` in `new`, with a few lines around them.
pub(super) fn difference(old: &str, new: &str) -> String {
    let [old, new] = [old, new].map(|text| text.lines().collect::<Vec<_>>());
    let first = equal(old.iter(), new.iter());
    let last = equal(old[first..].iter().rev(), new[first..].iter().rev());
    let (end_of_old, end_of_new) = (old.len() - last, new.len() - last);
    let mut text = format!("line {}:\n", first + 1);
    let mut add = |sign: char, lines: &[&str]| {
        for line in lines {
            let _ = writeln!(text, "{}", format!("{sign} {line}").trim_end());
        }
    };
    add(' ', &old[first.saturating_sub(AROUND)..first]);
    add('-', &old[first..end_of_old]);
    add('+', &new[first..end_of_new]);
    add(' ', &old[end_of_old..(end_of_old + AROUND).min(old.len())]);
    text
}

/// Returns the number of equal items at the beginning.
fn equal<T: PartialEq>(one: impl Iterator<Item = T>, other: impl Iterator<Item = T>) -> usize {
    one.zip(other)
        .take_while(|(one, other)| one == other)
        .count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differing_lines_have_lines_around_them() {
        let old = "1\n2\n3\n4\n5\n6\n7\n8\n9\n";
        let new = "1\n2\n3\n4\nfive\nfive\n6\n7\n8\n9\n";
        let expected = "line 5:\n  2\n  3\n  4\n- 5\n+ five\n+ five\n  6\n  7\n  8\n";
        assert_eq!(difference(old, new), expected);
        assert_eq!(first_difference(old, new), 4);
    }

    #[test]
    fn lines_may_be_only_in_one_of_them() {
        assert_eq!(
            difference("a\nb\n", "a\nb\nb\n"),
            "line 3:\n  a\n  b\n+ b\n"
        );
        assert_eq!(difference("a\nb\n", "b\n"), "line 1:\n- a\n  b\n");
    }
}
