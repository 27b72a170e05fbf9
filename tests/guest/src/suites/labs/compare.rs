// SPDX-License-Identifier: GPL-2.0-only

//! Compares the output of a command with the output that a lab shows.

use std::fmt::Write as _;

/// A line of the expected output that matches any number of lines.
pub(super) const ANY_LINES: &str = "...";
/// Matches any text within a line of the expected output.
pub(super) const ANY_TEXT: &str = "[..]";

/// Returns a diff by lines, or [`None`] if `actual` matches `expected`.
pub(super) fn diff(expected: &str, actual: &str) -> Option<String> {
    let [expected, actual] =
        [expected, actual].map(|text| text.trim_end_matches('\n').lines().collect::<Vec<_>>());
    let is_any = |e: usize| expected.get(e) == Some(&ANY_LINES);

    // The fewest edits from line e of expected and line a of actual on, and the first of them: how
    // many lines of expected and of actual it consumes.
    let mut best = vec![vec![(0, 0, 0); actual.len() + 1]; expected.len() + 1];
    for e in (0..=expected.len()).rev() {
        for a in (0..=actual.len()).rev() {
            let cost = usize::from(!is_any(e));
            let keeps = || !is_any(e) && matches(expected[e], actual[a]);
            let (more_e, more_a) = (e < expected.len(), a < actual.len());
            let steps = [
                (more_e && more_a && keeps()).then(|| (best[e + 1][a + 1].0, 1, 1)),
                more_e.then(|| (best[e + 1][a].0 + cost, 1, 0)),
                more_a.then(|| (best[e][a + 1].0 + cost, 0, 1)),
            ];
            let fewest = steps.into_iter().flatten().min_by_key(|step| step.0);
            best[e][a] = fewest.unwrap_or_default();
        }
    }
    if best[0][0].0 == 0 {
        return None;
    }

    let mut diff = "--- expected\n+++ actual\n".to_owned();
    let (mut e, mut a) = (0, 0);
    loop {
        let (_, of_expected, of_actual) = best[e][a];
        let (mark, line) = match (of_expected, of_actual, is_any(e)) {
            (0, 0, _) => return Some(diff),
            (1, 1, _) | (1, 0, true) => (' ', expected[e]),
            (1, 0, false) => ('-', expected[e]),
            (_, _, false) => ('+', actual[a]),
            (_, _, true) => (' ', actual[a]),
        };
        let _ = writeln!(diff, "{mark} {line}");
        (e, a) = (e + of_expected, a + of_actual);
    }
}

/// Returns whether a line of the actual output matches one of the expected output.
fn matches(expected: &str, actual: &str) -> bool {
    let Some((start, rest)) = expected.split_once(ANY_TEXT) else {
        return expected == actual;
    };
    let (between, end) = rest.rsplit_once(ANY_TEXT).unwrap_or(("", rest));
    let inner = actual.strip_prefix(start).and_then(|s| s.strip_suffix(end));
    let find = |text: &str, part: &str| Some(text.find(part)? + part.len());
    inner.is_some_and(|inner| {
        let mut parts = between.split(ANY_TEXT);
        parts
            .try_fold(inner, |text, part| text.get(find(text, part)?..))
            .is_some()
    })
}

#[cfg(test)]
mod tests {
    use super::diff;

    #[test]
    fn what_differs_from_boot_to_boot() {
        for (expected, actual) in [
            ("", ""),
            ("a\n", "a"),
            ("a\n\n", "a\n"),
            ("uts [..]   2  1\n", "uts 4026532123 9   2  1\n"),
            ("uts:[[..]]\n", "uts:[4026532123]\n"),
            ("a\n...\nz\n", "a\nb\nc\nz\n"),
            ("a\n...\nz\n", "a\nz\n"),
            ("...\n", "a\nb\n"),
            ("...\nz\n...\nz\n", "z\na\nz\n"),
            ("[..]a[..]b[..]\n", "a a b\n"),
        ] {
            assert_eq!(diff(expected, actual), None, "{expected:?} {actual:?}");
        }
    }

    #[test]
    fn what_matters() {
        for (expected, actual) in [
            ("", "a\n"),
            ("a\n", ""),
            ("a\n", "b\n"),
            ("a\n", "a\nb\n"),
            ("a\nb\n", "a\n"),
            ("uts [..]   2  1\n", "uts 4026532123 9   2  2\n"),
            ("uts [..]   2  1\n", "uts 1 9   2  1 initial\n"),
            ("a\n...\nz\n", "a\nb\n"),
            ("a [..]\n", "a\nb\n"),
            ("[..]b[..]a[..]\n", "a b\n"),
            ("ab[..]bc\n", "abc\n"),
            ("...\nz\n...\nz\n", "a\nz\nb\n"),
        ] {
            assert!(diff(expected, actual).is_some(), "{expected:?} {actual:?}");
        }
    }

    #[test]
    fn the_diff_shows_what_does_not_match() {
        let diff = diff("id [..]\ncount 1\n", "id 7\ncount 2\n").unwrap();
        let wanted = "--- expected\n+++ actual\n  id [..]\n- count 1\n+ count 2\n";
        assert_eq!(diff, wanted);
    }
}
