// SPDX-License-Identifier: GPL-2.0-only

//! The suites on a kernel, in the order in which they run on a mutant.

use crate::{
    cache,
    caught::Failed,
    report::Outcome,
    suite_runner::{Kernel, Module},
    table::Mutant,
};
use anyhow::{Result, ensure};
use nsproxy_results::{Class, Notice, SuiteResult};
use std::{
    cmp::Reverse,
    sync::{Mutex, PoisonError},
};

/// The limit of a single test, in seconds.
const TEST_LIMIT: u64 = 120;

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
    /// Returns the suites on the first kernel: those that caught the most of `mutants` first, then as
    /// `nsproxy-tests` lists them. Each is measured with the original module when it is needed.
    pub(crate) fn of(kernel: Kernel, unchanged: Module, mutants: &[Mutant]) -> Result<Self> {
        let mut names = kernel.suites()?;
        names.sort_by_cached_key(|name| {
            let suites = mutants
                .iter()
                .filter_map(|it| Some(&it.caught_by.as_ref()?.suite));
            Reverse(suites.filter(|suite| *suite == name).count())
        });
        Ok(Self::new(kernel, unchanged, names))
    }

    /// Returns the suites on another kernel, for survivors, in the same order.
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

    /// Runs tests on a mutant until one fails: `first`, then the suites, beginning with those that
    /// failed in an earlier run. `kernel` is the kernel of the suites, or its mutant.
    ///
    /// # Errors
    ///
    /// There is no suite `first`, or a suite fails with the original module.
    pub(crate) fn outcome(
        &self,
        kernel: &Kernel,
        mutant: &Module,
        first: Option<&Failed>,
    ) -> Result<Outcome> {
        if let Some((suite, test)) = first.and_then(Failed::test)
            && let Some(notice) = self.caught_by(kernel, mutant, suite, test)?
        {
            return Ok(Outcome::Caught(notice));
        }
        let first = first.map(|failed| &failed.suite);
        let mut suites: Vec<_> = self.all.iter().collect();
        if let Some(first) = first {
            ensure!(
                suites.iter().any(|suite| suite.name == *first),
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
                let output = kernel.output(&suite.name, mutant);
                return Ok(Outcome::Caught(notice(&record, &output)));
            }
        }
        Ok(Outcome::Survived(vec![kernel.name.clone()]))
    }

    /// Returns how a test fails on a mutant; [`None`] if it passes or does not exist any more, or
    /// fails with the original as well.
    fn caught_by(
        &self,
        kernel: &Kernel,
        mutant: &Module,
        suite: &str,
        test: &str,
    ) -> Result<Option<Notice>> {
        let fails = |kernel: &Kernel, module: &Module| {
            let kernel = kernel.with_test(test);
            let record = kernel.run(suite, module, Some(TEST_LIMIT)).ok()?;
            let output = kernel.output(suite, module);
            (!record.is_passed()).then(|| notice(&record, &output))
        };
        let Some(notice) = fails(kernel, mutant) else {
            return Ok(None);
        };
        let mut key = self.unchanged.key.clone();
        key.add((suite, test));
        let path = self.unchanged.logs.join(format!("test-{key}.json"));
        let passes_otherwise = match cache::read(&path, &key) {
            Some(passes) => passes,
            None => {
                // The other mutants' workers do not wait for this directory.
                let unchanged = self.unchanged.with_logs(mutant.logs.join("original"))?;
                let passes = fails(&self.kernel, &unchanged).is_none();
                kernel.tidy_logs(&unchanged);
                cache::write(&path, &key, &passes)?;
                passes
            }
        };
        Ok(passes_otherwise.then_some(notice))
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
                // Only one run at a time can write to a directory.
                let unchanged = unchanged.with_logs(unchanged.logs.join(name))?;
                let record = kernel.run(name, &unchanged, None)?;
                ensure!(
                    record.is_passed(),
                    "{name} fails on {} with the original module and cannot catch a mutant; see {}",
                    kernel.name,
                    kernel.logs(name, &unchanged).display()
                );
                println!(
                    "{name} passes on {} with the original module  ({:.0} s)",
                    kernel.name, record.seconds
                );
                kernel.tidy_logs(&unchanged);
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

/// Returns the failure of a suite: its first failed test, or the line that the demo marks, or else
/// the reason of the suite.
fn notice(record: &SuiteResult, output: &str) -> Notice {
    let failure = record.failures.first();
    let test = failure.map(|failure| failure.name.as_str());
    let marked = || {
        output
            .lines()
            .find_map(|line| line.trim_start().strip_prefix("!! "))
    };
    let is_failed = record.class == Class::Failed;
    let by = match test.or_else(marked) {
        Some(name) if is_failed => name,
        _ => {
            // Without the time stamp of the kernel
            let why = record.why.as_deref().unwrap_or_default().trim_start();
            let time = why.strip_prefix('[').and_then(|why| why.split_once(']'));
            time.map_or(why, |(_, why)| why).trim()
        }
    };
    Notice {
        kernel: record.kernel.clone(),
        suite: record.suite.clone(),
        by: by.to_owned(),
        is_test: is_failed && test.is_some(),
        said: failure.map_or_else(Vec::new, |failure| failure.said.clone()),
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
        for (class, why, failures, output, word, is_test) in [
            (
                Class::Failed,
                "2 tests failed",
                &["d: e", "f"][..],
                "",
                "d: e",
                true,
            ),
            (
                Class::Failed,
                "after the suite: taint: 1",
                &[],
                "",
                "after the suite: taint: 1",
                false,
            ),
            (Class::Failed, "1 test failed", &[], demo, "b", false),
            (
                Class::Alarm,
                "[    2.5] BUG: [x] y",
                &["d"],
                "",
                "BUG: [x] y",
                false,
            ),
            (Class::TimedOut, "hung", &["d"], "", "hung", false),
        ] {
            let failures = failures.iter().map(|name| Failure {
                name: (*name).to_owned(),
                said: Vec::new(),
            });
            let record = SuiteResult {
                failures: failures.collect(),
                ..example(class, why)
            };
            let notice = notice(&record, output);
            assert_eq!((&*notice.by, notice.is_test), (word, is_test));
        }
    }
}
