// SPDX-License-Identifier: GPL-2.0-only

//! JUnit's XML, which most services show.

use super::{Outcome, Suite, Test};
use anyhow::Result;
use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

pub(super) fn write(kernel: &str, suites: &[Suite]) -> Result<String> {
    let mut report = Report::new(format!("nsproxy_rs on {kernel}"));
    report.add_test_suites(suites.iter().map(|suite| {
        let mut written = TestSuite::new(suite.name.clone());
        written.set_time(suite.took);
        written.add_test_cases(suite.tests.iter().map(|test| case(&suite.name, test)));
        written
    }));
    Ok(report.to_string()?)
}

fn case(suite: &str, test: &Test) -> TestCase {
    let non_success = |kind, message: &str| {
        let mut status = TestCaseStatus::non_success(kind);
        status.set_message(message);
        status.set_description(test.said.join("\n"));
        status
    };
    let status = match &test.outcome {
        Outcome::Passed => TestCaseStatus::success(),
        Outcome::Failed => {
            let message = test.said.first().map_or("failed", String::as_str);
            non_success(NonSuccessKind::Failure, message)
        }
        Outcome::Error(why) => non_success(NonSuccessKind::Error, why),
        Outcome::Skipped(why) => {
            let mut status = TestCaseStatus::skipped();
            status.set_message(why.as_str());
            status
        }
    };
    let mut case = TestCase::new(test.name.clone(), status);
    case.set_classname(suite);
    case
}

#[cfg(test)]
mod tests {
    use super::{super::examples, *};

    #[test]
    fn counts_and_words_are_there() {
        let xml = write("lab", &examples()).unwrap();
        for part in [
            r#"<testsuites name="nsproxy_rs on lab" tests="5" failures="2" errors="1""#,
            r#"name="net: a &amp; b" classname="kinds""#,
            "setns(2): 1\ndevice: 2",
            "no &lt;time&gt;",
            r#"<error message="Kernel panic""#,
        ] {
            assert!(xml.contains(part), "{part} in {xml}");
        }
    }
}
