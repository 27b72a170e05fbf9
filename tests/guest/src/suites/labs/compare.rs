// SPDX-License-Identifier: GPL-2.0-only

//! What a command printed, beside what the lab says.

use snapbox::{
    Data,
    filter::NormalizeToExpected,
    report::{Palette, write_diff},
};

/// [`None`] if it is what was expected, in which `[..]` is anything within a line, and a line `...`
/// any number of lines.
pub(super) fn diff(expected: &str, actual: &str) -> Option<String> {
    let expected = Data::text(ended(expected));
    let plain = Data::text(ended(actual));
    // What matches is put in the words of the expected, so that only what does not is in the diff.
    let actual = NormalizeToExpected::new()
        .redact()
        .normalize(plain, &expected);
    if actual.render() == expected.render() {
        return None;
    }
    let mut diff = String::new();
    write_diff(
        &mut diff,
        &expected,
        &actual,
        Some(&"expected"),
        Some(&"actual"),
        Palette::plain(),
    )
    .expect("a string takes all");
    Some(diff)
}

/// With one line feed at its end, if it is anything.
fn ended(text: &str) -> String {
    match text.trim_end_matches('\n') {
        "" => String::new(),
        text => format!("{text}\n"),
    }
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
        ] {
            assert!(diff(expected, actual).is_some(), "{expected:?} {actual:?}");
        }
    }

    #[test]
    fn the_diff_shows_what_does_not_match() {
        let diff = diff("id [..]\ncount 1\n", "id 7\ncount 2\n").unwrap();
        assert!(
            diff.contains("- count 1") && diff.contains("+ count 2"),
            "{diff}"
        );
        assert!(!diff.contains("id 7"), "{diff}");
    }
}
