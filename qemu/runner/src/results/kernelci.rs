// SPDX-License-Identifier: GPL-2.0-only

//! A report for KernelCI's database (KCIDB), in version 5.3 of its schema.
//!
//! The tested kernel is the checkout and the build. The environment of each test contains the
//! commit of the project itself.

use super::{Outcome, Run, Suite, Test};
use crate::arch::Arch;
use anyhow::Result;
use serde::Serialize;
use std::{
    collections::{BTreeMap, HashSet},
    time::{Duration, SystemTime},
};

/// The CI system that reports. It is the prefix of all ids.
const ORIGIN: &str = "nsproxy_rs";
/// The longest excerpt of a log that the schema allows, in characters.
const EXCERPT: usize = 16384;

#[derive(Serialize)]
struct Report<'a> {
    version: Version,
    checkouts: [Checkout<'a>; 1],
    builds: [Build<'a>; 1],
    tests: Vec<Case<'a>>,
}

#[derive(Serialize)]
struct Version {
    major: u32,
    minor: u32,
}

#[derive(Serialize)]
struct Checkout<'a> {
    id: &'a str,
    origin: &'a str,
    comment: String,
    valid: bool,
}

#[derive(Serialize)]
struct Build<'a> {
    id: &'a str,
    checkout_id: &'a str,
    origin: &'a str,
    architecture: &'a str,
    config_name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    compiler: Option<&'a str>,
    status: &'a str,
}

#[derive(Serialize)]
struct Case<'a> {
    id: String,
    build_id: &'a str,
    origin: &'a str,
    path: String,
    /// The original name of the test: a path allows fewer characters.
    comment: String,
    status: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    duration: Option<f64>,
    environment: Environment<'a>,
    #[serde(skip_serializing_if = "String::is_empty")]
    log_excerpt: String,
}

#[derive(Serialize)]
struct Environment<'a> {
    misc: BTreeMap<&'a str, &'a str>,
}

/// The kernel and the start time of a run.
pub(super) struct About<'a> {
    kernel: &'a str,
    release: &'a str,
    arch: Arch,
    compiler: Option<&'a str>,
    began: Duration,
}

impl<'a> From<&'a Run<'_>> for About<'a> {
    fn from(run: &'a Run<'_>) -> Self {
        Self {
            kernel: &run.kernel.name,
            release: run.kernel.release().unwrap_or("of an unknown release"),
            arch: run.kernel.arch(),
            compiler: run.kernel.compiler(),
            began: run
                .began
                .duration_since(SystemTime::UNIX_EPOCH)
                .unwrap_or_default(),
        }
    }
}

pub(super) fn write(about: &About<'_>, suites: &[Suite]) -> Result<String> {
    let About {
        kernel,
        release,
        arch,
        compiler,
        began,
    } = about;
    // Ids contain the run, since another run reports other tests.
    let run = format!("{ORIGIN}:{kernel}-{}", began.as_secs());
    let checkout = format!("{run}/source");
    let build = format!("{run}/build");
    let mut paths = HashSet::new();
    let mut tests = Vec::new();
    for suite in suites {
        let misc: BTreeMap<_, _> = suite
            .properties
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        for (test, took) in suite.tests.iter().zip(&suite.times) {
            let path = path(&suite.name, &test.name, &mut paths);
            tests.push(Case {
                id: format!("{run}/{path}"),
                build_id: &build,
                origin: ORIGIN,
                comment: without_nul(&format!("{}: {}", suite.name, test.name)),
                path,
                status: status(test),
                duration: took.map(|took| took.as_secs_f64()),
                environment: Environment { misc: misc.clone() },
                log_excerpt: without_nul(&test.said.join("\n"))
                    .chars()
                    .take(EXCERPT)
                    .collect(),
            });
        }
    }
    let report = Report {
        version: Version { major: 5, minor: 3 },
        checkouts: [Checkout {
            id: &checkout,
            origin: ORIGIN,
            comment: format!("Linux {release}"),
            valid: true,
        }],
        builds: [Build {
            id: &build,
            checkout_id: &checkout,
            origin: ORIGIN,
            architecture: arch.kernelci_name(),
            config_name: kernel,
            compiler: *compiler,
            status: "PASS",
        }],
        tests,
    };
    Ok(serde_json::to_string_pretty(&report)? + "\n")
}

fn status(test: &Test) -> &'static str {
    match test.outcome {
        Outcome::Passed => "PASS",
        Outcome::Failed => "FAIL",
        Outcome::Skipped(_) => "SKIP",
        Outcome::Error(_) => "ERROR",
    }
}

/// Returns the path of a test, unique in the run: `nsproxy_rs.kinds.net_to_a`.
fn path(suite: &str, test: &str, paths: &mut HashSet<String>) -> String {
    let path = format!("{ORIGIN}.{}.{}", word(suite), word(test));
    let mut unique = path.clone();
    let mut number = 1;
    while !paths.insert(unique.clone()) {
        number += 1;
        unique = format!("{path}-{number}");
    }
    unique
}

/// Replaces the characters that a part of a path may not contain.
fn word(name: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    let words: Vec<_> = name
        .split(|c| !is_plain(c))
        .filter(|word| !word.is_empty())
        .collect();
    match words.join("_") {
        word if word.is_empty() => "unnamed".to_owned(),
        word => word,
    }
}

fn without_nul(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}

#[cfg(test)]
pub(super) mod tests {
    use super::{super::examples, *};
    use nsproxy_results::Counts;
    use serde_json::Value;
    use std::{
        io::Write as _,
        process::{Command, Stdio},
    };

    const ABOUT: About<'_> = About {
        kernel: "lab",
        release: "7.3.4",
        arch: Arch::X86,
        compiler: Some("clang version 19"),
        began: Duration::from_secs(1_700_000_000),
    };

    /// Reads a file, checks it against the rules of the schema that it could break, and returns its
    /// counts.
    pub(in super::super) fn counts(json: &str) -> Counts {
        let json: Value = serde_json::from_str(json).unwrap();
        assert_eq!(json["version"], serde_json::json!({"major": 5, "minor": 3}));
        let mut ids = HashSet::new();
        let mut check = |object: &Value| {
            let id = object["id"].as_str().unwrap();
            let origin = object["origin"].as_str().unwrap();
            assert!(id.starts_with(&format!("{origin}:")), "{id}");
            assert!(ids.insert(id.to_owned()), "{id} is used twice");
        };
        check(&json["checkouts"][0]);
        check(&json["builds"][0]);
        assert_eq!(json["builds"][0]["checkout_id"], json["checkouts"][0]["id"]);
        let mut counts = Counts::default();
        for test in json["tests"].as_array().unwrap() {
            check(test);
            assert_eq!(test["build_id"], json["builds"][0]["id"]);
            let path = test["path"].as_str().unwrap();
            let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
            let mut parts = path.split('.');
            assert!(
                parts.all(|part| !part.is_empty() && part.chars().all(is_plain)),
                "{path}"
            );
            assert!(test["duration"].is_number() || test["duration"].is_null());
            let excerpt = test["log_excerpt"].as_str().unwrap_or_default();
            assert!(excerpt.chars().count() <= EXCERPT && !excerpt.contains('\0'));
            *match test["status"].as_str().unwrap() {
                "PASS" => &mut counts.passed,
                "FAIL" | "ERROR" => &mut counts.failed,
                "SKIP" => &mut counts.skipped,
                other => panic!("no status is called {other}"),
            } += 1;
        }
        counts
    }

    #[test]
    fn all_are_counted() {
        let json = write(&ABOUT, &examples()).unwrap();
        let expected = Counts {
            passed: 1,
            failed: 2,
            skipped: 1,
        };
        assert_eq!(counts(&json), expected);
        assert!(
            json.contains(r#""path": "nsproxy_rs.errno_4.the_guest""#),
            "{json}"
        );
        assert!(json.contains(r#""comment": "kinds: net: a & b""#), "{json}");
        assert!(json.contains(r#""commit": "1234-dirty""#), "{json}");
    }

    #[test]
    fn names_become_paths_of_their_own() {
        let mut paths = HashSet::new();
        for (name, expected) in [
            ("net: a & b", "nsproxy_rs.kinds.net_a_b"),
            ("net: a | b", "nsproxy_rs.kinds.net_a_b-2"),
            ("-1, ext4.ko", "nsproxy_rs.kinds.-1_ext4_ko"),
            ("&", "nsproxy_rs.kinds.unnamed"),
        ] {
            assert_eq!(path("kinds", name, &mut paths), expected);
        }
    }

    /// Runs KernelCI's own check, if `pip install kcidb-io` has installed it.
    #[test]
    fn kcidb_accepts_it() {
        let mut long = examples();
        long[0].tests[1].said = vec!["a\0b".to_owned(), "c".repeat(2 * EXCERPT)];
        let json = write(&ABOUT, &long).unwrap();
        counts(&json);

        let check = "import json, sys, kcidb_io\n\
                     kcidb_io.schema.V5_3.validate(json.load(sys.stdin))";
        let has_it = Command::new("python3")
            .args(["-c", "import kcidb_io"])
            .stderr(Stdio::null())
            .status();
        if !has_it.is_ok_and(|status| status.success()) {
            println!("skipped: python3 has no kcidb_io; pip install kcidb-io");
            return;
        }
        let mut python = Command::new("python3")
            .args(["-c", check])
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        python
            .stdin
            .take()
            .unwrap()
            .write_all(json.as_bytes())
            .unwrap();
        assert!(python.wait().unwrap().success());
    }
}
