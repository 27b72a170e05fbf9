// SPDX-License-Identifier: GPL-2.0-only

//! The suites on a kernel, in the order in which they run on a mutant.

use crate::{
    cache,
    report::Outcome,
    run::in_parallel,
    suite_runner::{Kernel, Module},
};
use anyhow::{Result, ensure};
use nsproxy_results::{Class, Notice, SuiteResult};
use std::{
    mem,
    sync::{Mutex, PoisonError},
};

/// All suites on a kernel.
pub(crate) struct Suites {
    pub(crate) kernel: Kernel,
    /// The original module. A suite that fails with it cannot catch a mutant.
    pub(crate) unchanged: Module,
    /// In the order in which they run.
    all: Vec<Suite>,
}

struct Suite {
    name: String,
    /// Its duration with the original module, if that was measured.
    seconds: Mutex<Option<f64>>,
}

impl Suites {
    /// Returns the suites on the first kernel, shortest first. Their durations with the original
    /// module are measured unless they are cached.
    pub(crate) fn cheapest_first(kernel: Kernel, unchanged: Module) -> Result<Self> {
        let names = kernel.suites()?;
        let mut suites = Self::new(kernel, unchanged, names);
        let seconds = in_parallel(&suites.all, |suite| suites.seconds(suite))?;
        let mut all: Vec<_> = seconds
            .into_iter()
            .zip(mem::take(&mut suites.all))
            .collect();
        all.sort_by(|(one, _), (other, _)| one.total_cmp(other));
        suites.all = all.into_iter().map(|(_, suite)| suite).collect();
        Ok(suites)
    }

    /// Returns the suites on the first kernel, as `nsproxy-tests` lists them, for a few mutants. Each
    /// is measured when it is needed, since few mutants need all.
    pub(crate) fn as_listed(kernel: Kernel, unchanged: Module) -> Result<Self> {
        let names = kernel.suites()?;
        Ok(Self::new(kernel, unchanged, names))
    }

    /// Returns the suites on another kernel, for survivors, in the same order. Few of them run, so
    /// that each is measured when it is needed.
    pub(crate) fn in_order_of(other: &Self, kernel: Kernel, unchanged: Module) -> Self {
        let names = other.all.iter().map(|suite| suite.name.clone()).collect();
        Self::new(kernel, unchanged, names)
    }

    fn new(kernel: Kernel, unchanged: Module, names: Vec<String>) -> Self {
        let suite = |name| Suite {
            name,
            seconds: Mutex::default(),
        };
        Self {
            kernel,
            unchanged,
            all: names.into_iter().map(suite).collect(),
        }
    }

    /// Runs the suites on a mutant until one fails: `first`, then one that failed in an earlier
    /// run, then the others. `kernel` is the kernel of the suites, or its mutant.
    ///
    /// # Errors
    ///
    /// There is no suite `first`, or a suite fails with the original module.
    pub(crate) fn outcome(
        &self,
        kernel: &Kernel,
        mutant: &Module,
        first: Option<&str>,
    ) -> Result<Outcome> {
        let mut suites: Vec<_> = self.all.iter().collect();
        if let Some(first) = first {
            ensure!(
                suites.iter().any(|suite| suite.name == first),
                "no suite {first:?}, which a mutant names"
            );
        }
        suites.sort_by_key(|suite| {
            let last = kernel.record(&suite.name, mutant);
            let passed = last.map_or(true, |last| last.is_passed());
            (first != Some(&suite.name), passed)
        });
        for suite in suites {
            // Some mutants make a process spin as it ends.
            let limit = 60 + 5 * self.seconds(suite)? as u64;
            let record = match kernel.run(&suite.name, mutant, Some(limit)) {
                Ok(record) => record,
                Err(why) => return Ok(Outcome::Broken(format!("{why:#}"))),
            };
            if !record.is_passed() {
                let said = record.failures.first().map(|failure| failure.said.clone());
                return Ok(Outcome::Caught(Notice {
                    kernel: kernel.name.clone(),
                    suite: suite.name.clone(),
                    by: first_failure(&record, &kernel.output(&suite.name, mutant)),
                    said: said.unwrap_or_default(),
                }));
            }
        }
        Ok(Outcome::Survived(vec![kernel.name.clone()]))
    }

    /// Returns the duration of a suite with the original module.
    fn seconds(&self, suite: &Suite) -> Result<f64> {
        // Locked during the measurement, so that there is one.
        let mut seconds = suite.seconds.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(seconds) = *seconds {
            return Ok(seconds);
        }
        let Suite { name, .. } = suite;
        let Self {
            kernel, unchanged, ..
        } = self;
        let path = unchanged.logs.join(format!("{}-{name}.json", kernel.name));
        let took = match cache::read(&path, &unchanged.key) {
            Some(took) => took,
            None => {
                let record = kernel.run(name, unchanged, None)?;
                ensure!(
                    record.is_passed(),
                    "{name} fails on {} with the original module and cannot catch a mutant; see {}",
                    kernel.name,
                    kernel.logs(name, unchanged).display()
                );
                println!(
                    "{name} passes on {} with the original module  ({:.0} s)",
                    kernel.name, record.seconds
                );
                cache::write(&path, &unchanged.key, &record.seconds)?;
                record.seconds
            }
        };
        Ok(*seconds.insert(took))
    }
}

impl Drop for Suites {
    fn drop(&mut self) {
        self.kernel.tidy(&self.unchanged);
    }
}

/// Returns one line about a failure: the first failed test, or the line that the demo marks, or
/// else the reason of the suite.
fn first_failure(record: &SuiteResult, output: &str) -> String {
    let test = record.failures.first().map(|failure| failure.name.as_str());
    let marked = || {
        output
            .lines()
            .find_map(|line| line.trim_start().strip_prefix("!! "))
    };
    match test.or_else(marked) {
        Some(name) if record.class == Class::Failed => name.to_owned(),
        _ => {
            // Without the time stamp of the kernel
            let why = record.why.as_deref().unwrap_or_default().trim_start();
            let time = why.strip_prefix('[').and_then(|why| why.split_once(']'));
            time.map_or(why, |(_, why)| why).trim().to_owned()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::suite_runner::example;
    use nsproxy_results::Failure;

    #[test]
    fn a_failure_has_one_line() {
        let demo = "a\n  !! b\n  !! c\n";
        for (class, why, failures, output, word) in [
            (
                Class::Failed,
                "2 tests failed",
                &["d: e", "f"][..],
                "",
                "d: e",
            ),
            (
                Class::Failed,
                "after the suite: taint: 1",
                &[],
                "",
                "after the suite: taint: 1",
            ),
            (Class::Failed, "1 test failed", &[], demo, "b"),
            (
                Class::Alarm,
                "[    2.5] BUG: [x] y",
                &["d"],
                "",
                "BUG: [x] y",
            ),
            (Class::TimedOut, "hung", &["d"], "", "hung"),
        ] {
            let failures = failures.iter().map(|name| Failure {
                name: (*name).to_owned(),
                said: Vec::new(),
            });
            let record = SuiteResult {
                failures: failures.collect(),
                ..example(class, why)
            };
            assert_eq!(first_failure(&record, output), word);
        }
    }
}
