// SPDX-License-Identifier: GPL-2.0-only

//! `docs/fidelity.md`: whether the mirror can be told from the original.

use super::{head, heading, results::Mutants, row, title, words};
use nsproxy_results::{Mutant, MutantVerdict, SuiteResult};
use std::fmt::Write as _;

pub(super) fn page(records: &[SuiteResult], mutants: &Mutants) -> String {
    let matrices: Vec<_> = records
        .iter()
        .filter(|record| record.facts.contains_key("matrix.cases"))
        .collect();
    let cases = matrices.iter().map(|m| m.number("matrix.cases")).max();
    let differ: u64 = matrices.iter().map(|m| m.number("matrix.differ")).sum();
    let cases = cases.unwrap_or(0);

    let mut page = title(&match (matrices.is_empty(), records.is_empty()) {
        (false, _) => format!("{cases} distinct cases, {differ} differ"),
        (true, false) => suites(records),
        (true, true) => mutants_only(mutants),
    });
    page += "\nWhat setns(2) and `/dev/nsproxy` did, as the guests told it. `make test`, with each\n\
             KERNEL=, `make mutants` and `make kernel-mutants` write this page; what was not run is\n\
             not on it.\n";
    runs(&mut page, records);
    failures(&mut page, records);
    if let Some(matrix) = matrices.first() {
        axes(&mut page, matrix);
    }
    known_bugs(&mut page, records);
    third_party(&mut page, records);
    mutants_of_module(&mut page, &mutants.of_module);
    mutants_of_kernel(&mut page, &mutants.of_kernel);
    page
}

fn runs(page: &mut String, records: &[SuiteResult]) {
    if records.is_empty() {
        return;
    }
    heading(page, "What was run");
    head(
        page,
        &["kernel", "suite", "", "passed", "failed", "skipped", ""],
    );
    for record in records {
        row(
            page,
            &[
                &record.kernel,
                &record.suite,
                record.class.name(),
                &record.counts.passed.to_string(),
                &record.counts.failed.to_string(),
                &record.counts.skipped.to_string(),
                record.summary.as_deref().unwrap_or_default(),
            ],
        );
    }
}

/// Returns how many suites passed, for a run without the matrix.
fn suites(records: &[SuiteResult]) -> String {
    let passed = records.iter().filter(|r| r.is_passed()).count();
    let failures = records.iter().map(|r| u64::from(r.counts.failed)).sum();
    let tests = match failures {
        1 => "1 test fails".to_owned(),
        n => format!("{n} tests fail"),
    };
    format!("{passed} of {} suites pass, {tests}", records.len())
}

fn mutants_only(mutants: &Mutants) -> String {
    let all = [&mutants.of_module, &mutants.of_kernel];
    let caught: Vec<_> = all
        .iter()
        .filter(|mutants| !mutants.is_empty())
        .map(|mutants| caught(mutants))
        .collect();
    format!("Mutants: {}", caught.join(", and of the kernel "))
}

/// Writes the failed tests, by name, each with the first line of its reason.
fn failures(page: &mut String, records: &[SuiteResult]) {
    /// The number of tests that are listed; the logs have all.
    const FEW: usize = 20;
    if records.iter().all(|record| record.failures.is_empty()) {
        return;
    }
    heading(page, "What failed");
    head(page, &["kernel", "suite", "test", ""]);
    for record in records {
        let SuiteResult { kernel, suite, .. } = record;
        for failure in record.failures.iter().take(FEW) {
            let first = failure.said.first().map_or("", String::as_str);
            row(page, &[kernel, suite, &failure.name, first]);
        }
        if record.failures.len() > FEW {
            let more = format!("{} more", record.failures.len() - FEW);
            row(page, &[kernel, suite, &more, ""]);
        }
    }
}

/// The axes of the matrix, what the calls came to, and what cannot be.
fn axes(page: &mut String, matrix: &SuiteResult) {
    heading(page, "The matrix");
    page.push_str("Each value of an axis, and in how many of the cases it is.\n\n");
    head(page, &["axis", "value", "cases"]);
    for axis in ["kind", "way-in", "target", "nstype", "fd", "caller"] {
        for (value, cases) in matrix.facts(&format!("matrix.{axis}.")) {
            row(page, &[axis, &words(value), cases]);
        }
    }
    page.push_str("\nWhat the calls through the device came to:\n\n");
    head(page, &["returned", "cases"]);
    for (value, cases) in matrix.facts("matrix.outcome.") {
        row(page, &[value, cases]);
    }
    page.push_str("\nCombinations that cannot be:\n\n");
    head(page, &["because", "combinations"]);
    for (why, count) in matrix.facts("matrix.cannot-be.") {
        row(page, &[&words(why), count]);
    }
}

fn known_bugs(page: &mut String, records: &[SuiteResult]) {
    let known: Vec<_> = records
        .iter()
        .flat_map(|record| {
            let facts = record.facts("faults.known.");
            facts.map(move |(name, value)| (record.kernel.as_str(), name, value))
        })
        .collect();
    if known.is_empty() {
        return;
    }
    heading(page, "Bugs of the kernel that the mirror does not have");
    page.push_str("See `tests/known-kernel-bugs/`.\n\n");
    head(page, &["kernel", "function", "measured"]);
    for (kernel, function, value) in known {
        row(page, &[kernel, &format!("`{function}()`"), value]);
    }
}

fn third_party(page: &mut String, records: &[SuiteResult]) {
    let tables: Vec<_> = records
        .iter()
        .filter(|record| record.suite == "third-party")
        .collect();
    if tables.is_empty() {
        return;
    }
    heading(page, "Other people's tests and programs");
    head(page, &["kernel", "test", "by setns(2)", "served"]);
    for record in tables {
        for (name, value) in record.facts("third-party.") {
            if let Some((syscall, served)) = value.split_once(' ') {
                row(page, &[&record.kernel, &words(name), syscall, served]);
            }
        }
    }
}

fn mutants_of_module(page: &mut String, mutants: &[Mutant]) {
    if mutants.is_empty() {
        return;
    }
    heading(page, "Mutants");
    let caught = caught(mutants);
    let _ = write!(page, "The module with one wrong line, each: {caught}.\n\n");
    head(page, &["mutant", "file", "what is wrong", "caught by"]);
    for mutant in mutants {
        let by = match (&mutant.caught, &mutant.equivalent) {
            (Some(caught), _) => format!("{} ({}): {}", caught.suite, caught.kernel, caught.by),
            (None, Some(reason)) => format!("equivalent: {reason}"),
            (None, None) => mutant.verdict.word().to_owned(),
        };
        row(
            page,
            &[
                &mutant.name,
                &format!("`{}`", mutant.file.display()),
                &mutant.wrong,
                &by,
            ],
        );
    }
}

/// With what the two sides did, as the test that noticed says it.
fn mutants_of_kernel(page: &mut String, mutants: &[Mutant]) {
    if mutants.is_empty() {
        return;
    }
    heading(page, "Mutants of the kernel");
    let caught = caught(mutants);
    let _ = write!(
        page,
        "The kernel with one wrong line, each, and the module as it is: {caught}. See\n\
         `tests/kernel-mutants/`.\n\n"
    );
    head(
        page,
        &["mutant", "file", "what is wrong", "caught by", "which said"],
    );
    for mutant in mutants {
        let (by, said) = match &mutant.caught {
            Some(caught) => (
                format!("{}: {}", caught.suite, caught.by),
                caught.said.join("; "),
            ),
            None => (mutant.verdict.word().to_owned(), String::new()),
        };
        let file = format!("`{}`", mutant.file.display());
        row(page, &[&mutant.name, &file, &mutant.wrong, &by, &said]);
    }
}

/// How many were caught, of how many that can be.
fn caught(mutants: &[Mutant]) -> String {
    let real = mutants.iter().filter(|m| m.equivalent.is_none()).count();
    let caught = mutants
        .iter()
        .filter(|m| m.verdict == MutantVerdict::Caught)
        .count();
    format!("{caught} of {real} caught")
}

#[cfg(test)]
mod tests {
    use super::{super::record, *};
    use nsproxy_results::{Class, Failure};

    #[test]
    fn it_begins_with_the_counts() {
        let matrix = record("matrix", &[("matrix.cases", "7"), ("matrix.differ", "2")]);
        assert!(page(&[matrix], &Mutants::default()).starts_with("7 distinct cases, 2 differ\n"));
    }

    #[test]
    fn what_was_not_run_is_not_there() {
        let page = page(&[record("kinds", &[])], &Mutants::default());
        assert!(
            page.starts_with("1 of 1 suites pass, 0 tests fail\n"),
            "{page}"
        );
        for absent in [
            "Mutants",
            "The matrix",
            "Other people",
            "Bugs",
            "What failed",
        ] {
            assert!(!page.contains(absent), "{absent}");
        }
    }

    #[test]
    fn only_mutants_were_tried() {
        let page = page(&[], &Mutants::default());
        assert!(page.starts_with("Mutants: "), "{page}");
        assert!(!page.contains("What was run"));
    }

    #[test]
    fn tests_that_failed_have_names() {
        let mut kinds = record("kinds", &[]);
        kinds.class = Class::Failed;
        kinds.counts.failed = 22;
        kinds.failures = (1..=22)
            .map(|n| Failure {
                name: format!("net: {n}"),
                said: vec![format!("why {n}"), "more".to_owned()],
            })
            .collect();
        let page = page(&[kinds, record("uts", &[])], &Mutants::default());
        assert!(
            page.starts_with("1 of 2 suites pass, 22 tests fail\n"),
            "{page}"
        );
        assert!(
            page.contains("| lab | kinds | net: 20 | why 20 |\n"),
            "{page}"
        );
        assert!(page.contains("| lab | kinds | 2 more |  |\n"), "{page}");
        assert!(!page.contains("net: 21"), "{page}");
    }

    #[test]
    fn both_results_of_a_test_and_nothing_ends_a_cell() {
        let facts = [("third-party.x.a|b", "ok fail"), ("third-party.calls", "3")];
        let page = page(&[record("third-party", &facts)], &Mutants::default());
        assert!(page.contains("| lab | x.a\\|b | ok | fail |"), "{page}");
        assert!(!page.contains("calls"));
    }
}
