// SPDX-License-Identifier: GPL-2.0-only

//! The suites on a kernel, and what they notice of a mutant.

use crate::{
    cache,
    report::Fate,
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
    /// The module as it is, built: a suite that it does not pass cannot notice a mutant.
    pub(crate) unchanged: Module,
    /// In the order in which they are tried.
    all: Vec<Suite>,
}

struct Suite {
    name: String,
    /// How many seconds it takes on the module as it is, if that was tried.
    seconds: Mutex<Option<f64>>,
}

impl Suites {
    /// On the first kernel: the cheapest comes first. What each costs is tried on the module as it
    /// is, unless it is known.
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

    /// On a kernel for what survived on another: in the order there. Few suites are run, so that
    /// each is tried on the module as it is when it is needed.
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

    /// Runs one suite after the other on a mutant until one catches it. `kernel` is that of the
    /// suites, or a mutant of it. The suite `first` comes first, then one that caught the mutant
    /// in an earlier run.
    ///
    /// # Errors
    ///
    /// There is no suite `first`, or a suite does not pass on the module as it is.
    pub(crate) fn fate(
        &self,
        kernel: &Kernel,
        mutant: &Module,
        first: Option<&str>,
    ) -> Result<Fate> {
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
                Err(why) => return Ok(Fate::Broken(format!("{why:#}"))),
            };
            if !record.is_passed() {
                let said = record.failures.first().map(|failure| failure.said.clone());
                return Ok(Fate::Caught(Notice {
                    kernel: kernel.name.clone(),
                    suite: suite.name.clone(),
                    by: noticed_by(&record, &kernel.output(&suite.name, mutant)),
                    said: said.unwrap_or_default(),
                }));
            }
        }
        Ok(Fate::Survived(vec![kernel.name.clone()]))
    }

    /// What a suite takes on the module as it is.
    fn seconds(&self, suite: &Suite) -> Result<f64> {
        // Held while it is tried, so that this is done once.
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
                    "{name} does not pass on {} with the module as it is, so that it cannot \
                     notice a mutant; see {}",
                    kernel.name,
                    kernel.logs(name, unchanged).display()
                );
                println!(
                    "the module as it is passes {name} on {}  ({:.0} s)",
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

/// What is worth a line of what went wrong: the first test that failed, or what a story says of
/// it, or else why the suite did.
fn noticed_by(record: &SuiteResult, output: &str) -> String {
    let test = record.failures.first().map(|failure| failure.name.as_str());
    let story = || {
        output
            .lines()
            .find_map(|line| line.trim_start().strip_prefix("!! "))
    };
    match test.or_else(story) {
        Some(name) if record.class == Class::Failed => name.to_owned(),
        _ => {
            // When the kernel said it says nothing.
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
    fn what_is_said_of_a_failure() {
        let story = "a\n  !! b\n  !! c\n";
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
            (Class::Failed, "1 test failed", &[], story, "b"),
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
            assert_eq!(noticed_by(&record, output), word);
        }
    }
}
