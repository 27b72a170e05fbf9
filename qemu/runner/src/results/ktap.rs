// SPDX-License-Identifier: GPL-2.0-only

//! The Kernel Test Anything Protocol, version 1: `Documentation/dev-tools/ktap.rst`.

use super::{Outcome, Suite, Test};
use std::fmt::Write as _;

/// The tests in what a suite printed. One that printed no KTAP has none.
pub(super) fn read(output: &str) -> Vec<Test> {
    let mut tests: Vec<Test> = Vec::new();
    for line in output.lines().map(str::trim) {
        if let Some(test) = result(line) {
            tests.push(test);
        } else if let Some(said) = line.strip_prefix('#').map(str::trim)
            && let Some(test) = tests.last_mut()
            && test.outcome == Outcome::Failed
            && !said.starts_with("Totals:")
        {
            test.said.push(said.to_owned());
        }
    }
    tests
}

/// Returns whether a line is the result of a test.
pub(super) fn is_result(line: &str) -> bool {
    result(line.trim()).is_some()
}

/// `ok 1 name`, `not ok 2 name`, `ok 3 name # SKIP why`
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

/// All of it: a test for each suite, of the tests that are in it.
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
    fn what_suites_print_is_read() {
        let output = "KTAP version 1\n1..3\nok 1 a b\n# c\nnot ok 2 d\n# e\n#   f\n\
                      ok 3 g # SKIP h\n# i\nok then\nnot ok 4 j\n# Totals: pass:1\n";
        let test = |name: &str, outcome, said: &[&str]| Test {
            name: name.to_owned(),
            outcome,
            said: said.iter().map(|line| (*line).to_owned()).collect(),
        };
        assert_eq!(
            read(output),
            [
                test("a b", Outcome::Passed, &[]),
                test("d", Outcome::Failed, &["e", "f"]),
                test("g", Outcome::Skipped("h".to_owned()), &[]),
                test("j", Outcome::Failed, &[]),
            ]
        );
    }

    #[test]
    fn it_reads_what_it_writes() {
        let text = write(&examples());
        let names: Vec<_> = read(&text).into_iter().map(|test| test.name).collect();
        let suites = ["net: a & b", "uts", "time", "kinds", "the guest", "errno@4"];
        assert_eq!(names, suites);
        assert!(text.contains("\nnot ok 1 kinds\n"), "{text}");
        assert!(text.contains("\nnot ok 2 errno@4\n"), "{text}");
    }
}
