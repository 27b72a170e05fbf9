// SPDX-License-Identifier: GPL-2.0-only

//! Records of the behaviour of kernels: `make record`, and `make test AGAINST=`.
//!
//! The guest sends the result of each case by the system call, and what the call changed. The records
//! of two kernels answer whether a change of the source is visible to programs. [`changes`] are the
//! intended differences.

pub(crate) mod changes;

use crate::{
    guest::Ran,
    report::Line,
    results::{Outcome, ktap::REPRODUCE},
};
use anyhow::{Result, ensure};
use changes::{Changes, Release};
use nsproxy_results::{Behaviour, Class, Record, Source};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::{self, Display, Formatter},
    mem,
    path::{Path, PathBuf},
};

/// The file of a kernel's record in the directory of its results.
pub(crate) const FILE: &str = "record.json";

/// The key of the result of a call in a [`Difference`].
const RESULT: &str = "result";

/// Writes the record of a run to `dir`. Returns the path, and the number of cases.
///
/// # Errors
///
/// No suite of the run has cases, or the file cannot be written.
pub(crate) fn write(
    dir: &Path,
    kernel: &str,
    source: &Source,
    lines: &[Line],
) -> Result<(PathBuf, usize)> {
    let suites: BTreeMap<_, _> = lines
        .iter()
        .map(|line| (line.suite.clone(), line.ran.verdict.cases.clone()))
        .filter(|(_, cases)| !cases.is_empty())
        .collect();
    let count = suites.values().map(BTreeMap::len).sum();
    ensure!(count > 0, "these suites have no cases to record");
    let record = Record {
        version: Record::VERSION,
        kernel: kernel.to_owned(),
        source: source.clone(),
        suites,
    };
    let path = dir.join(FILE);
    nsproxy_results::write(&path, &record)?;
    Ok((path, count))
}

/// Reads a record.
///
/// # Errors
///
/// The file does not exist, or is not a record of this version.
pub(crate) fn read(path: &Path) -> Result<Record> {
    let record: Record = nsproxy_results::read(path)?;
    ensure!(
        record.version == Record::VERSION,
        "{}: version {} of the format, expected {}; hint: make record",
        path.display(),
        record.version,
        Record::VERSION
    );
    Ok(record)
}

/// A difference in the behaviour of two kernels.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Difference {
    /// `result`, or the key of a value in a snapshot.
    pub(crate) key: String,
    pub(crate) was: String,
    pub(crate) now: String,
}

impl Display for Difference {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let value = |text: &str| match text {
            "" => "unchanged".to_owned(),
            text => text.to_owned(),
        };
        let [was, now] = [&self.was, &self.now].map(|text| value(text));
        write!(f, "{}: {was} -> {now}", self.key)
    }
}

/// Returns the differences between the behaviour of a kernel in a case and that of another one. The
/// changes of a call are not compared with those of a call that failed, nor are the values of a child
/// with those of one that could not be created.
pub(crate) fn differences(was: &Behaviour, now: &Behaviour) -> Vec<Difference> {
    let difference = |key: &str, was: &str, now: &str| Difference {
        key: key.to_owned(),
        was: was.to_owned(),
        now: now.to_owned(),
    };
    if was.result != now.result {
        return vec![difference(RESULT, &was.result, &now.result)];
    }
    let keys = was.changes.keys().chain(now.changes.keys());
    let keys: BTreeSet<_> = keys.collect();
    let value = |of: &Behaviour, key| of.changes.get(key).cloned().unwrap_or_default();
    let mut all: Vec<_> = keys
        .into_iter()
        .map(|key| difference(key, &value(was, key), &value(now, key)))
        .filter(|difference| difference.was != difference.now)
        .collect();
    let child = |of: &Difference| {
        of.key
            .strip_suffix("/error")
            .map(|child| format!("{child}/"))
    };
    let failed: Vec<_> = all.iter().filter_map(child).collect();
    all.retain(|of| {
        let is_value = child(of).is_none();
        !(is_value && failed.iter().any(|child| of.key.starts_with(child)))
    });
    all
}

/// The record that the suites of a run are compared with.
pub(crate) struct Against {
    record: Record,
    changes: Changes,
    /// The releases of the recorded kernel and of the one that runs.
    releases: [Option<Release>; 2],
}

impl Against {
    /// Reads a record, and a file of intended differences from it. `release` is that of the kernel
    /// that runs.
    ///
    /// # Errors
    ///
    /// A file cannot be read.
    pub(crate) fn read(
        record: &Path,
        changes: Option<&Path>,
        release: Option<&str>,
    ) -> Result<Self> {
        let record = read(record)?;
        let recorded = record.source.release.as_deref();
        Ok(Self {
            releases: [recorded, release].map(|text| text.and_then(changes::release)),
            changes: Changes::read(changes)?,
            record,
        })
    }

    /// Compares the cases of a suite with the record. A case that differs has failed, and so has a suite
    /// of cases none of which can be compared.
    pub(crate) fn compare(&self, suite: &str, ran: &mut Ran) {
        let kernel = &self.record.kernel;
        let none = BTreeMap::new();
        let recorded = self.record.suites.get(suite).unwrap_or(&none);
        if recorded.is_empty() && ran.verdict.cases.is_empty() {
            return;
        }
        let [mut compared, mut intended, mut missing, mut differ] = [0_u32; 4];
        let cases = mem::take(&mut ran.verdict.cases);
        for (name, now) in &cases {
            let Some(was) = recorded.get(name) else {
                missing += 1;
                continue;
            };
            compared += 1;
            let all = differences(was, now);
            let reason = |of| self.changes.reason(self.releases, suite, name, of);
            let (known, new): (Vec<_>, Vec<_>) = all.iter().partition(|of| reason(of).is_some());
            if !new.is_empty() {
                differ += 1;
                self.fail(suite, name, &new, ran);
            } else if !known.is_empty() {
                intended += 1;
            }
        }
        ran.verdict.cases = cases;
        let mut text = format!("against {kernel}: {compared} cases compared, {differ} differ");
        for (count, why) in [
            (intended, "differ as intended"),
            (missing, "are not recorded"),
        ] {
            if count > 0 {
                text += &format!(", {count} {why}");
            }
        }
        ran.verdict.add_summary(&text);
        if compared == 0 {
            self.fail_without_comparison(ran);
        }
    }

    /// Marks a suite as failed that passed without any comparison.
    fn fail_without_comparison(&self, ran: &mut Ran) {
        let outcome = &mut ran.outcome;
        if outcome.class == Class::Passed {
            outcome.class = Class::Failed;
            outcome.counts.failed += 1;
            outcome.why = Some(format!("no case was compared with {}", self.record.kernel));
        }
    }

    /// Marks a test as failed because of differences.
    fn fail(&self, suite: &str, name: &str, differences: &[&Difference], ran: &mut Ran) {
        let tests = &mut ran.printed.tests;
        let Some(test) = tests.iter_mut().find(|test| test.name == name) else {
            return;
        };
        let Record { kernel, source, .. } = &self.record;
        let release = source.release.as_deref().unwrap_or("of unknown release");
        let mut said = vec![format!("different from {kernel} (Linux {release}):")];
        said.extend(differences.iter().map(|of| format!("  {of}")));
        let outcome = &mut ran.outcome;
        if test.outcome == Outcome::Failed {
            // The command that reproduces it is the last line.
            let at = test.said.len().saturating_sub(1);
            test.said.splice(at..at, said);
            return;
        }
        said.push(format!("{REPRODUCE}nsproxy-tests {suite} '{name}'"));
        test.said = said;
        test.outcome = Outcome::Failed;
        outcome.counts.passed -= 1;
        outcome.counts.failed += 1;
        outcome.class = outcome.class.max(Class::Failed);
        if outcome.class == Class::Failed {
            outcome.why = Some(format!("{} tests failed", outcome.counts.failed));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        classify::{End, classify},
        results::{Test, ktap},
        verdict::Verdict,
    };
    use std::time::Duration;

    fn behaviour(result: &str, changes: &[(&str, &str)]) -> Behaviour {
        let changes = changes.iter();
        Behaviour {
            result: result.to_owned(),
            changes: changes
                .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
                .collect(),
        }
    }

    fn texts(was: &Behaviour, now: &Behaviour) -> Vec<String> {
        differences(was, now)
            .iter()
            .map(ToString::to_string)
            .collect()
    }

    #[test]
    fn results_and_changes_are_compared() {
        let uts = behaviour("0", &[("ns/uts", "new"), ("hostname", "a")]);
        assert_eq!(texts(&uts, &uts), [""; 0]);
        let refused = behaviour("EPERM", &[]);
        assert_eq!(texts(&uts, &refused), ["result: 0 -> EPERM"]);
        let other = behaviour("0", &[("ns/uts", "new"), ("securebits", "0xf00")]);
        let expected = ["hostname: a -> unchanged", "securebits: unchanged -> 0xf00"];
        assert_eq!(texts(&uts, &other), expected);
        let [with, without] = [("program/ns/uts", "new"), ("program/error", "EINVAL")]
            .map(|value| behaviour("0", &[("ns/uts", "new"), value]));
        let expected = ["program/error: unchanged -> EINVAL"];
        assert_eq!(texts(&with, &without), expected);
    }

    /// Compares two tests, `a` and `b`, of which `a` is recorded as refused with EPERM. Returns the
    /// run, in which `a` printed `line`, and was refused with `now`.
    fn compared(line: &str, now: &str, suite: &str) -> Ran {
        let refused = |result| behaviour(result, &[]);
        let cases = BTreeMap::from([("a".to_owned(), refused("EPERM"))]);
        let against = Against {
            record: Record {
                kernel: "old".to_owned(),
                suites: BTreeMap::from([("errno".to_owned(), cases)]),
                ..Record::default()
            },
            changes: Changes::read(None).unwrap(),
            releases: [None, None],
        };
        let failed = u32::from(line.starts_with('#'));
        let told = format!(
            "fact clocksource tsc\ncase {{\"name\":\"a\",\"result\":\"{now}\"}}\n\
             case {{\"name\":\"b\",\"result\":\"EPERM\"}}\n\
             result passed={} failed={failed} skipped=0\nverdict {}\n",
            2 - failed,
            if failed == 0 { "pass" } else { "fail" },
        );
        let (verdict, printed) = (
            Verdict::parse(&told),
            ktap::read(&format!("{line}ok 2 b\n")),
        );
        let mut ran = Ran {
            outcome: classify(&End::Off, "", &verdict, &printed),
            verdict,
            took: Duration::ZERO,
            printed,
            dir: PathBuf::new(),
        };
        against.compare(suite, &mut ran);
        ran
    }

    #[test]
    fn a_case_that_differs_has_failed() {
        let ran = compared("ok 1 a\n", "EPERM", "errno");
        assert_eq!(ran.outcome.class, Class::Passed);
        let summary = "against old: 1 cases compared, 0 differ, 1 are not recorded";
        assert_eq!(ran.verdict.summary.as_deref(), Some(summary));

        let ran = compared("ok 1 a\n", "EINVAL", "errno");
        let [Test { outcome, said, .. }, other] = &ran.printed.tests[..] else {
            panic!("{:?}", ran.printed);
        };
        let expected = [
            "different from old (Linux of unknown release):",
            "  result: EPERM -> EINVAL",
            "reproduce: nsproxy-tests errno 'a'",
        ];
        assert_eq!(
            (outcome, &said[..]),
            (&Outcome::Failed, &expected.map(str::to_owned)[..])
        );
        assert_eq!(other.outcome, Outcome::Passed);
        assert_eq!(ran.outcome.class, Class::Failed);
        assert_eq!(ran.outcome.counts, ran.printed.counts());
        assert_eq!(ran.outcome.why.as_deref(), Some("1 tests failed"));
    }

    #[test]
    fn a_failed_case_that_differs_is_counted_once() {
        let ran = compared("# reproduce: r\n# why\nnot ok 1 a\n", "EINVAL", "errno");
        let said = &ran.printed.tests[0].said;
        assert_eq!(said[0], "why");
        assert_eq!(said[2], "  result: EPERM -> EINVAL");
        assert_eq!(said[3], "reproduce: r");
        assert_eq!(ran.outcome.counts.failed, 1);
    }

    #[test]
    fn a_suite_that_is_not_recorded_does_not_pass_as_compared() {
        let ran = compared("ok 1 a\n", "EPERM", "kinds");
        let summary = "against old: 0 cases compared, 0 differ, 2 are not recorded";
        assert_eq!(ran.verdict.summary.as_deref(), Some(summary));
        assert_eq!(ran.outcome.class, Class::Failed);
        assert_eq!(ran.outcome.counts.failed, 1);
    }
}
