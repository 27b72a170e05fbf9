// SPDX-License-Identifier: GPL-2.0-only

//! The JSON of KernelCI's test groups, as `kunit.py` of the kernel writes it.

use super::{Outcome, Suite};
use anyhow::Result;
use serde::Serialize;

#[derive(Serialize)]
struct Group<'a> {
    name: &'a str,
    arch: &'a str,
    defconfig: &'a str,
    sub_groups: Vec<Group<'a>>,
    test_cases: Vec<Case<'a>>,
    misc: Counts,
}

#[derive(Serialize)]
struct Case<'a> {
    name: &'a str,
    status: &'a str,
}

#[derive(Clone, Copy, Default, Serialize)]
struct Counts {
    tests: u32,
    passed: u32,
    failed: u32,
    skipped: u32,
    errors: u32,
}

pub(super) fn write(kernel: &str, suites: &[Suite]) -> Result<String> {
    let sub_groups: Vec<_> = suites.iter().map(|suite| group(kernel, suite)).collect();
    let mut misc = Counts::default();
    for Group { misc: counts, .. } in &sub_groups {
        misc.tests += counts.tests;
        misc.passed += counts.passed;
        misc.failed += counts.failed;
        misc.skipped += counts.skipped;
        misc.errors += counts.errors;
    }
    let all = Group {
        name: "nsproxy_rs",
        arch: "x86_64",
        defconfig: kernel,
        sub_groups,
        test_cases: Vec::new(),
        misc,
    };
    Ok(serde_json::to_string_pretty(&all)? + "\n")
}

fn group<'a>(kernel: &'a str, suite: &'a Suite) -> Group<'a> {
    let mut misc = Counts::default();
    let mut test_cases = Vec::new();
    for test in &suite.tests {
        let (status, count) = match test.outcome {
            Outcome::Passed => ("PASS", &mut misc.passed),
            Outcome::Failed => ("FAIL", &mut misc.failed),
            Outcome::Skipped(_) => ("SKIP", &mut misc.skipped),
            Outcome::Error(_) => ("ERROR", &mut misc.errors),
        };
        *count += 1;
        misc.tests += 1;
        test_cases.push(Case {
            name: &test.name,
            status,
        });
    }
    Group {
        name: &suite.name,
        arch: "x86_64",
        defconfig: kernel,
        sub_groups: Vec::new(),
        test_cases,
        misc,
    }
}

#[cfg(test)]
mod tests {
    use super::{super::examples, *};

    #[test]
    fn all_are_counted() {
        let json = write("lab", &examples()).unwrap();
        let json: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(json["misc"]["tests"], 5);
        assert_eq!(json["misc"]["failed"], 2);
        assert_eq!(json["misc"]["errors"], 1);
        assert_eq!(json["sub_groups"][1]["test_cases"][0]["status"], "ERROR");
    }
}
