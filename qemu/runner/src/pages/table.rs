// SPDX-License-Identifier: GPL-2.0-only

//! The table of suites on several kernels.

use nsproxy_results::{Class, Counts, SuiteResult};

/// Formats the table: a line for each suite, a column for each kernel. A cell has the number of
/// tests that failed or passed, and the seconds. The last line is the sum, in which a suite that did
/// not run counts as a failure.
pub(crate) fn table(records: &[SuiteResult], kernels: &[String], suites: &[String]) -> String {
    let mut text = format!("{:<16}", "suite");
    let mut sum = Counts::default();
    for kernel in kernels {
        text += &format!(" {kernel:>20}");
    }
    text += "\n";
    for suite in suites {
        text += &format!("{suite:<16}");
        for kernel in kernels {
            let mut all = records.iter();
            let record = all.find(|record| record.kernel == *kernel && record.suite == *suite);
            text += &format!(" {:>20}", record.map_or("-".to_owned(), cell));
            sum += record.map_or(Counts::ONE_FAILURE, |record| record.counts);
        }
        text += "\n";
    }
    text += &format!("{:<16}", "");
    for kernel in kernels {
        let of_it = || {
            let is_of_it =
                |record: &&SuiteResult| record.kernel == *kernel && suites.contains(&record.suite);
            records.iter().filter(is_of_it)
        };
        let good = of_it().filter(|record| record.is_passed()).count();
        text += &format!(" {:>20}", format!("{good} of {} pass", suites.len()));
    }
    text + &format!("\n{sum}\n")
}

fn cell(record: &SuiteResult) -> String {
    let SuiteResult {
        class,
        counts,
        seconds,
        ..
    } = record;
    match class {
        Class::Passed => format!("{} {seconds:.0} s", counts.passed),
        Class::Failed if counts.failed > 0 => format!("{} FAILED {seconds:.0} s", counts.failed),
        class => format!("{} {seconds:.0} s", class.word()),
    }
}

#[cfg(test)]
mod tests {
    use super::{super::record, *};

    #[test]
    fn each_has_its_place() {
        let mut kinds = record("kinds", &[]);
        kinds.seconds = 7.4;
        let mut errno = record("errno", &[]);
        (errno.kernel, errno.class) = ("debug".into(), Class::Failed);
        errno.counts.failed = 2;
        let names = |names: &[&str]| {
            names
                .iter()
                .map(|name| (*name).to_owned())
                .collect::<Vec<_>>()
        };
        let table = table(
            &[kinds, errno],
            &names(&["lab", "debug"]),
            &names(&["kinds", "errno"]),
        );
        let lines: Vec<Vec<_>> = table
            .lines()
            .map(|line| line.split_whitespace().collect())
            .collect();
        assert_eq!(lines[0], ["suite", "lab", "debug"]);
        assert_eq!(lines[1], ["kinds", "1", "7", "s", "-"]);
        assert_eq!(lines[2], ["errno", "-", "2", "FAILED", "0", "s"]);
        assert_eq!(lines[3], ["1", "of", "2", "pass", "0", "of", "2", "pass"]);
        assert_eq!(lines[4].join(" "), "2 passed, 4 failed");
    }
}
