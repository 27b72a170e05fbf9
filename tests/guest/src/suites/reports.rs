// SPDX-License-Identifier: GPL-2.0-only

//! Public reports of calls that failed: the tool names the reason, by the module and from user space,
//! and the remedy works. `tests/reports/reports.toml` has the reports and describes their columns.

use super::hints::{Failing, follow, shell, text};
use crate::{
    errno::Code,
    report::ktap::{Skip, Test},
};
use anyhow::{Context as _, Result, ensure};
use serde::Deserialize;
use std::{fs, io, path::Path, rc::Rc};

const REPORTS: &str = include_str!("../../../reports/reports.toml");

/// The file from which scripts read the prelude.
const PRELUDE: &str = "/tmp/nsproxy-tests-prelude";

/// The reason of a call that a filter refuses. Under it, the module does not answer.
const SECCOMP: &str = "seccomp";

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Reports {
    prelude: String,
    report: Vec<Report>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Report {
    name: String,
    #[cfg_attr(not(test), expect(dead_code, reason = "for readers"))]
    source: String,
    #[cfg_attr(not(test), expect(dead_code, reason = "for readers"))]
    situation: String,
    steps: String,
    call: String,
    ask: String,
    errno: String,
    reason: String,
    #[serde(default)]
    user_space: Vec<String>,
    says: String,
    hint: Option<String>,
    remedy: String,
    needs: Option<String>,
    #[serde(default)]
    threads: bool,
}

/// A report, and the prelude of its scripts.
struct Situation {
    report: Report,
    prelude: String,
}

/// The source of an explanation.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Via {
    KernelModule,
    UserSpace,
}

pub(super) fn tests() -> Vec<Test> {
    let all: Reports = toml::from_str(REPORTS).expect("tests/reports/reports.toml");
    let mut tests = Vec::new();
    for report in all.report {
        let name = report.name.clone();
        let situation = Rc::new(Situation {
            report,
            prelude: all.prelude.clone(),
        });
        let test = |what, check: fn(&Situation) -> Result<()>| {
            let situation = situation.clone();
            Test::new(format!("{name}: {what}"), move |_| {
                situation.skip_if_missing()?;
                check(&situation)
            })
        };
        let by_module = test("by the module", |situation| {
            situation.explain(Via::KernelModule)
        });
        tests.push(by_module.of_module());
        tests.push(test("from user space", |situation| {
            situation.explain(Via::UserSpace)
        }));
        tests.push(test("the remedy", Situation::try_remedy));
    }
    tests
}

impl Via {
    fn name(self) -> &'static str {
        match self {
            Self::KernelModule => "kernel-module",
            Self::UserSpace => "user-space",
        }
    }
}

impl Report {
    /// Returns whether a line that `nsproxy check` prints is the right answer: the errno and the
    /// reason, and in user space possibly others.
    fn is_answer(&self, line: &str, via: Via) -> bool {
        let Some((errno, reasons)) = line.split_once(' ') else {
            return false;
        };
        let others = match via {
            Via::KernelModule => &[][..],
            Via::UserSpace => &self.user_space,
        };
        let reasons: Vec<_> = reasons.split('|').map(str::to_owned).collect();
        errno == self.errno
            && reasons.contains(&self.reason)
            && reasons
                .iter()
                .all(|reason| *reason == self.reason || others.contains(reason))
    }
}

impl Situation {
    fn skip_if_missing(&self) -> Result<()> {
        match &self.report.needs {
            Some(file) if !Path::new(file).exists() => {
                Err(Skip::because(format!("the kernel has no {file}")))
            }
            _ => Ok(()),
        }
    }

    /// Writes the prelude, and returns a script that runs a command in a state.
    fn script(&self, state: &str, command: &str) -> Result<String> {
        fs::write(PRELUDE, &self.prelude).context(PRELUDE)?;
        Ok(format!(". {PRELUDE}\n{}", state.replace("CALL", command)))
    }

    /// Checks the errno and the reason, and what the tool prints.
    fn explain(&self, via: Via) -> Result<()> {
        let report = &self.report;
        let name = via.name();
        let explain = format!("nsproxy explain --via {name} {}", report.ask);
        let script = self.script(&report.steps, &explain)?;
        let is_filtered = report.reason == SECCOMP && via == Via::KernelModule;
        let failing = Failing {
            command: &script,
            errno: &report.errno,
            is_first: true,
            status: 1,
            prints: &report.says,
        };
        if is_filtered {
            let no_answer = Failing {
                prints: "a seccomp filter is active",
                ..failing
            };
            return no_answer.hints(0).map(drop);
        }

        let check = match report.threads {
            true => format!("nsproxy-tests with-thread check {name}"),
            false => format!("nsproxy check --via {name} {}", report.ask),
        };
        let output = text(&shell(&self.script(&report.steps, &check)?, 0, "")?);
        ensure!(
            output.lines().any(|line| report.is_answer(line, via)),
            "`{check}` printed\n{output}expected \"{} {}\"",
            report.errno,
            report.reason
        );
        if report.threads {
            return Ok(());
        }
        let printed = failing.hints(0)?;
        let is_printed = |hint: &String| printed.iter().any(|printed| printed.starts_with(hint));
        ensure!(
            report.hint.as_ref().is_none_or(is_printed),
            "`{explain}` printed other hints: {printed:?}"
        );
        Ok(())
    }

    /// Checks that the call fails, and succeeds with the remedy.
    fn try_remedy(&self) -> Result<()> {
        let report = &self.report;
        let errno = Code::of_name(&report.errno).context("unknown errno")?;
        let message = io::Error::from_raw_os_error(errno.0).to_string();
        let message = message.split(" (os error").next().unwrap_or_default();
        let output = shell(&self.script(&report.steps, &report.call)?, 0, "")?;
        let output_text = text(&output);
        ensure!(
            !output.status.success() && output_text.contains(message),
            "`{}` ended with {} and printed\n{output_text}expected \"{message}\"",
            report.call,
            output.status
        );
        let hint = report.hint.as_deref().unwrap_or_default();
        follow(hint, &self.script(&report.remedy, &report.call)?, 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nsproxy_uapi::Reason;
    use std::collections::HashSet;

    #[test]
    fn reports_are_cited_once_and_have_known_reasons() {
        let all: Reports = toml::from_str(REPORTS).unwrap();
        assert!(all.report.len() >= 25, "{} reports", all.report.len());
        let mut sources = HashSet::new();
        for report in &all.report {
            let (name, source) = (&report.name, &report.source);
            assert!(source.starts_with("https://"), "{name}: {source}");
            assert!(sources.insert(source), "{name}: {source} is cited twice");
            assert!(!report.situation.is_empty(), "{name}");
            assert!(report.steps.contains("CALL"), "{name}: no CALL in steps");
            let is_known = |name: &str| Reason::ALL.iter().any(|reason| reason.name() == name);
            for reason in report.user_space.iter().chain([&report.reason]) {
                assert!(reason == SECCOMP || is_known(reason), "{name}: {reason}");
            }
        }
    }
}
