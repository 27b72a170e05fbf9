// SPDX-License-Identifier: GPL-2.0-only

//! Parses the output of the kernel's selftests, in the Test Anything Protocol.

use std::collections::HashMap;

/// The name of a test, and its result: `ok`, `fail`, `skip`, `xfail`.
pub(crate) type Line = (String, &'static str);

/// Returns the results of the tests. Names are made unique; a test without a name is named by its
/// number.
pub(crate) fn parse(text: &str) -> Vec<Line> {
    let mut times = HashMap::new();
    text.lines()
        .filter_map(parse_line)
        .map(|(name, word)| {
            let time = times.entry(name.clone()).or_insert(0);
            *time += 1;
            match time {
                1 => (name, word),
                _ => (format!("{name} ({time})"), word),
            }
        })
        .collect()
}

fn parse_line(line: &str) -> Option<Line> {
    let (passed, rest) = match line.strip_prefix("ok ") {
        Some(rest) => (true, rest),
        None => (false, line.strip_prefix("not ok ")?),
    };
    let (number, rest) = rest.split_once(' ').unwrap_or((rest, ""));
    number.parse::<u32>().ok()?;
    let (name, directive) = rest.split_once('#').unwrap_or((rest, ""));
    let word = match directive.split_whitespace().next() {
        Some("SKIP") => "skip",
        Some("XFAIL") => "xfail",
        _ if passed => "ok",
        _ => "fail",
    };
    let name = stable(name);
    let name = if name.is_empty() {
        format!("({number})")
    } else {
        name
    };
    Some((name, word))
}

/// Replaces long numbers, which are measured and differ between runs, and normalises spaces.
fn stable(name: &str) -> String {
    const LONG: usize = 5;
    let measured = |word: &str| word.len() >= LONG && word.bytes().all(|b| b.is_ascii_digit());
    let words = name.split_whitespace();
    let words: Vec<_> = words
        .map(|word| if measured(word) { "N" } else { word })
        .collect();
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn lines_of_tests() {
        let text = "TAP version 13\n1..5\n# ok 9 no\nok 1 a.b\nnot ok 2 c\nok 3 # SKIP why\n\
                    ok 4 d # XFAIL why\nok 5 cycles:\t  123456\nok 6 a.b\nnot ok 7\nok x y\n";
        let expected = [
            ("a.b", "ok"),
            ("c", "fail"),
            ("(3)", "skip"),
            ("d", "xfail"),
            ("cycles: N", "ok"),
            ("a.b (2)", "ok"),
            ("(7)", "fail"),
        ];
        assert_eq!(
            parse(text),
            expected.map(|(name, word)| (name.to_owned(), word))
        );
    }
}
