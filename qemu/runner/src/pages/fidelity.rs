// SPDX-License-Identifier: GPL-2.0-only

//! `fidelity.md`: the differences between the module and the kernel.

use super::{head, heading, origin, results::Mutants, row, title, words};
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
    page += "\nThe results of setns(2) and of `/dev/nsproxy`, as reported by the guests. `make test`\n\
             on each kernel, `make mutants` and `make kernel-mutants` add to this page.\n\
             `make results` writes it to `docs/results/`.\n";
    origin(&mut page, records);
    runs(&mut page, records);
    failures(&mut page, records);
    if let Some(matrix) = matrices.first() {
        axes(&mut page, matrix);
    }
    user_space(&mut page, records);
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
    heading(page, "Suites");
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
    heading(page, "Failed tests");
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

/// Writes the axes of the matrix, the results of the calls, and the impossible combinations.
fn axes(page: &mut String, matrix: &SuiteResult) {
    heading(page, "The matrix");
    page.push_str("The number of cases with each value of an axis.\n\n");
    head(page, &["axis", "value", "cases"]);
    for axis in ["kind", "way-in", "target", "nstype", "fd", "caller"] {
        for (value, cases) in matrix.facts(&format!("matrix.{axis}.")) {
            row(page, &[axis, &words(value), cases]);
        }
    }
    page.push_str("\nThe results of the calls through the device:\n\n");
    head(page, &["returned", "cases"]);
    for (value, cases) in matrix.facts("matrix.outcome.") {
        row(page, &[value, cases]);
    }
    page.push_str("\nImpossible combinations:\n\n");
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
    heading(page, "Bugs of the kernel that the module does not have");
    page.push_str("See `tests/known-kernel-bugs/`.\n\n");
    head(page, &["kernel", "function", "measured"]);
    for (kernel, function, value) in known {
        row(page, &[kernel, &format!("`{function}()`"), value]);
    }
}

/// Writes how far the explanations of user space agree with those of the module.
fn user_space(page: &mut String, records: &[SuiteResult]) {
    let explained: Vec<_> = records
        .iter()
        .filter(|record| record.facts.contains_key("user-space.same"))
        .collect();
    if explained.is_empty() {
        return;
    }
    heading(page, "Explanations from user space");
    page.push_str(
        "Before a call, its caller is explained by `nsproxy-diagnose` and by the module. The results\n\
         must be equal, and the check of the module must be among those of user space. The refusals\n\
         for which user space names only that one:\n\n",
    );
    head(
        page,
        &["kernel", "suite", "successes", "refusals", "same check", ""],
    );
    let several = |record: &SuiteResult| -> u64 {
        let counts = record.facts("user-space.several.");
        counts.filter_map(|(_, n)| n.parse::<u64>().ok()).sum()
    };
    for record in &explained {
        let same = record.number("user-space.same");
        let refusals = same + several(record);
        let share = match refusals {
            0 => String::new(),
            _ => format!("{:.1} %", 100.0 * same as f64 / refusals as f64),
        };
        row(
            page,
            &[
                &record.kernel,
                &record.suite,
                &record.number("user-space.success").to_string(),
                &refusals.to_string(),
                &same.to_string(),
                &share,
            ],
        );
    }
    page.push_str("\nThe others, by the check of the module:\n\n");
    head(
        page,
        &["kernel", "suite", "check", "user space", "refusals"],
    );
    for record in &explained {
        for (name, count) in record.facts("user-space.several.") {
            let (check, causes) = name.split_once(':').unwrap_or((name, ""));
            row(
                page,
                &[&record.kernel, &record.suite, check, &words(causes), count],
            );
        }
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
    heading(page, "Third-party tests and programs");
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
    let _ = write!(
        page,
        "Each mutant is the module with one changed line: {caught}.\n\n"
    );
    head(page, &["mutant", "file", "fault", "caught by"]);
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

/// Writes the mutants of the kernel, with the results of both implementations as the failed test
/// reported them.
fn mutants_of_kernel(page: &mut String, mutants: &[Mutant]) {
    if mutants.is_empty() {
        return;
    }
    heading(page, "Mutants of the kernel");
    let caught = caught(mutants);
    let _ = write!(
        page,
        "Each mutant is the kernel with one changed line, and the unchanged module: {caught}. See\n\
         `tests/kernel-mutants/`.\n\n"
    );
    head(page, &["mutant", "file", "fault", "caught by", "report"]);
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

/// Formats the number of caught mutants, and of those that are not equivalent.
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
    fn the_title_is_the_main_result() {
        let matrix = record("matrix", &[("matrix.cases", "7"), ("matrix.differ", "2")]);
        assert!(page(&[matrix], &Mutants::default()).starts_with("7 distinct cases, 2 differ\n"));
    }

    #[test]
    fn absent_results_have_no_section() {
        let page = page(&[record("kinds", &[])], &Mutants::default());
        let origin = "| lab | 7.3.4 | emulation | 2026-07-01 | `1234` |\n";
        assert!(page.contains(origin), "{page}");
        assert!(
            page.starts_with("1 of 1 suites pass, 0 tests fail\n"),
            "{page}"
        );
        for absent in [
            "Mutants",
            "The matrix",
            "Third-party",
            "Bugs",
            "Failed tests",
        ] {
            assert!(!page.contains(absent), "{absent}");
        }
    }

    #[test]
    fn a_page_of_mutants_only() {
        let page = page(&[], &Mutants::default());
        assert!(page.starts_with("Mutants: "), "{page}");
        assert!(!page.contains("Suites"));
    }

    #[test]
    fn failed_tests_are_named() {
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
    fn explanations_from_user_space_are_counted() {
        let facts = [
            ("user-space.success", "5"),
            ("user-space.same", "39"),
            ("user-space.several.limit:nested_or_limit", "1"),
        ];
        let page = page(&[record("unshare", &facts)], &Mutants::default());
        assert!(
            page.contains("| lab | unshare | 5 | 40 | 39 | 97.5 % |\n"),
            "{page}"
        );
        assert!(
            page.contains("| lab | unshare | limit | nested or limit | 1 |\n"),
            "{page}"
        );
    }

    #[test]
    fn a_third_party_test_has_both_results() {
        let facts = [("third-party.x.a|b", "ok fail"), ("third-party.calls", "3")];
        let page = page(&[record("third-party", &facts)], &Mutants::default());
        assert!(page.contains("| lab | x.a\\|b | ok | fail |"), "{page}");
        assert!(!page.contains("calls"));
    }
}
