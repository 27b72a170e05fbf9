// SPDX-License-Identifier: GPL-2.0-only

//! The Kernel Test Anything Protocol, version 1: `Documentation/dev-tools/ktap.rst`.

use super::{Outcome, Suite, Test, count};
use nsproxy_results::Counts;
use std::{fmt::Write as _, mem};

/// The prefix of the line with the command that reproduces a failed test. It precedes the reason;
/// the lines above it were printed while the test ran.
pub(crate) const REPRODUCE: &str = "reproduce: ";

/// The prefix of the line that announces the next test of a suite.
const BEGIN: &str = "begin ";

/// The output of a suite.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Printed {
    /// The tests that have a result, in order.
    pub(crate) tests: Vec<Test>,
    /// The last announced test, if it has no result.
    pub(crate) running: Option<String>,
}

impl Printed {
    /// Returns the number of tests with each result.
    pub(crate) fn counts(&self) -> Counts {
        count(&self.tests)
    }
}

/// Returns the tests in the output of a suite. Output without KTAP has none.
///
/// The lines of a test precede its result, and begin with `#`. Of a failed test, the lines of the
/// reason are kept, followed by the line with the command that reproduces it.
pub(crate) fn read(output: &str) -> Printed {
    let mut printed = Printed::default();
    let mut said: Vec<String> = Vec::new();
    for line in output.lines().map(str::trim) {
        if let Some(mut test) = result(line) {
            let said = mem::take(&mut said);
            if test.outcome == Outcome::Failed {
                test.said = why(said);
            }
            printed.tests.push(test);
            printed.running = None;
        } else if let Some(text) = line.strip_prefix('#') {
            let text = text.strip_prefix(' ').unwrap_or(text);
            if let Some(name) = text.strip_prefix(BEGIN) {
                printed.running = Some(name.to_owned());
                said.clear();
            } else {
                said.push(text.to_owned());
            }
        }
    }
    printed
}

/// Drops the lines that a test printed while it ran.
fn why(mut said: Vec<String>) -> Vec<String> {
    if let Some(at) = said.iter().position(|line| line.starts_with(REPRODUCE)) {
        said.drain(..at);
        said.rotate_left(1);
    }
    said
}

/// Returns whether a line is the result of a test.
pub(super) fn is_result(line: &str) -> bool {
    result(line.trim()).is_some()
}

/// Parses `ok 1 name`, `not ok 2 name` or `ok 3 name # SKIP why`.
fn result(line: &str) -> Option<Test> {
    let (rest, outcome) = match line.strip_prefix("not ok ") {
        Some(rest) => (rest, Outcome::Failed),
        None => (line.strip_prefix("ok ")?, Outcome::Passed),
    };
    let (number, name) = rest.split_once(' ')?;
    number.parse::<u32>().ok()?;
    let (name, outcome) = match name.split_once("# SKIP") {
        Some((name, why)) => (name, Outcome::Skipped(why.trim().to_owned())),
        None => (name, outcome),
    };
    Some(Test {
        name: name.trim().to_owned(),
        outcome,
        said: Vec::new(),
    })
}

/// Formats a run: each suite is a test, with its tests as subtests.
pub(super) fn write(suites: &[Suite]) -> String {
    let mut text = format!("KTAP version 1\n1..{}\n", suites.len());
    for (number, suite) in (1..).zip(suites) {
        let _ = writeln!(text, "  KTAP version 1\n  # Subtest: {}", suite.name);
        let _ = writeln!(text, "  1..{}", suite.tests.len());
        let mut is_good = true;
        for (number, test) in (1..).zip(&suite.tests) {
            for line in &test.said {
                let _ = writeln!(text, "  # {line}");
            }
            let name = &test.name;
            let _ = match &test.outcome {
                Outcome::Passed => writeln!(text, "  ok {number} {name}"),
                Outcome::Skipped(why) => writeln!(text, "  ok {number} {name} # SKIP {why}"),
                Outcome::Failed | Outcome::Error(_) => {
                    is_good = false;
                    writeln!(text, "  not ok {number} {name}")
                }
            };
        }
        let word = if is_good { "ok" } else { "not ok" };
        let _ = writeln!(text, "{word} {number} {}", suite.name);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{super::examples, *};

    #[test]
    fn the_output_of_suites_is_parsed() {
        let output = "KTAP version 1\n1..6\nok 1 a b\n# c\n#   d\nnot ok 2 e\n\
                      # f\n# reproduce: g\n# h\n#\nnot ok 3 i\n# j\nok 4 k # SKIP l\n\
                      ok then\nnot ok 5 m\n# n\nok 6 o\n# p\nnot ok 7 q\n\
                      # Totals: pass:1\n";
        let test = |name: &str, outcome, said: &[&str]| Test {
            name: name.to_owned(),
            outcome,
            said: said.iter().map(|line| (*line).to_owned()).collect(),
        };
        assert_eq!(
            read(output).tests,
            [
                test("a b", Outcome::Passed, &[]),
                test("e", Outcome::Failed, &["c", "  d"]),
                test("i", Outcome::Failed, &["h", "", "reproduce: g"]),
                test("k", Outcome::Skipped("l".to_owned()), &[]),
                test("m", Outcome::Failed, &[]),
                test("o", Outcome::Passed, &[]),
                test("q", Outcome::Failed, &["p"]),
            ]
        );
    }

    #[test]
    fn a_test_runs_from_its_beginning_to_its_result() {
        for (output, running) in [
            ("KTAP version 1\n1..2\n", None),
            ("# begin a b\n", Some("a b")),
            ("# begin a b\n# c\nok 1 a b\n# begin d\n# e\n", Some("d")),
            ("# begin a\nnot ok 1 a\n# Totals: fail:1\n", None),
        ] {
            assert_eq!(read(output).running.as_deref(), running, "{output}");
        }
        let failed = &read("# a\n# begin b\n# c\nnot ok 1 b\n").tests[0];
        assert_eq!(failed.said, ["c"]);
    }

    #[test]
    fn written_results_can_be_read() {
        let text = write(&examples());
        let tests = read(&text).tests;
        assert_eq!(tests[1].said, ["setns(2): 1", "device: \u{1b}[2m"]);
        let names: Vec<_> = tests.into_iter().map(|test| test.name).collect();
        let suites = ["net: a & b", "uts", "time", "kinds", "the guest", "errno@4"];
        assert_eq!(names, suites);
        assert!(text.contains("\nnot ok 1 kinds\n"), "{text}");
        assert!(text.contains("\nnot ok 2 errno@4\n"), "{text}");
    }
}
