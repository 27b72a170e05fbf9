// SPDX-License-Identifier: GPL-2.0-only

//! Progress and summary for the terminal, and the results for the fidelity page.

use crate::table::Mutant;
use anyhow::Result;
use nsproxy_results::{MutantVerdict, Notice};
use serde::{Deserialize, Serialize};
use std::{
    fs,
    path::Path,
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

/// A mutant's outcome.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) enum Outcome {
    /// A suite failed.
    Caught(Notice),
    /// Every suite passed, on these kernels.
    Survived(Vec<String>),
    /// The build failed, or a guest did not run: the error.
    Broken(String),
}

impl Outcome {
    /// Combines the outcome with that on the next kernel.
    pub(crate) fn then(self, next: Self) -> Self {
        match (self, next) {
            (Self::Survived(kernels), Self::Survived(more)) => {
                Self::Survived([kernels, more].concat())
            }
            (_, next) => next,
        }
    }
}

/// The durations of a mutant.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Durations {
    pub(crate) build: Duration,
    pub(crate) suites: Duration,
}

/// Returns the verdict on a mutant.
fn verdict(mutant: &Mutant, outcome: &Outcome) -> MutantVerdict {
    match (outcome, &mutant.equivalent) {
        (Outcome::Caught(_), None) => MutantVerdict::Caught,
        (Outcome::Caught(_), Some(_)) => MutantVerdict::NotEquivalent,
        (Outcome::Survived(_), None) => MutantVerdict::Survived,
        (Outcome::Survived(_), Some(_)) => MutantVerdict::Equivalent,
        (Outcome::Broken(_), _) => MutantVerdict::Broken,
    }
}

/// Prints a line for each finished mutant.
pub(crate) struct Progress {
    all: usize,
    done: AtomicUsize,
    width: usize,
}

impl Progress {
    pub(crate) fn new(mutants: &[&Mutant]) -> Self {
        Self {
            all: mutants.len(),
            done: AtomicUsize::new(0),
            width: mutants.iter().map(|m| m.name.len()).max().unwrap_or(0),
        }
    }

    /// Reports a finished mutant and its durations; [`None`] for a cached outcome.
    pub(crate) fn done(&self, mutant: &Mutant, outcome: &Outcome, took: Option<Durations>) {
        let n = self.done.fetch_add(1, Ordering::Relaxed) + 1;
        let text = match outcome {
            Outcome::Caught(Notice { suite, by, .. }) => format!("{suite}: {by}"),
            Outcome::Survived(kernels) => format!("no suite failed on {}", kernels.join(", ")),
            Outcome::Broken(why) => why.lines().last().unwrap_or_default().to_owned(),
        };
        let took = took.map_or("cached".to_owned(), |Durations { build, suites }| {
            let [build, suites] = [build, suites].map(|it| it.as_secs_f64());
            format!("build {build:.0} s, suites {suites:.0} s")
        });
        println!(
            "[{n:>2}/{}] {:<10} {:width$}  {text}  ({took})",
            self.all,
            verdict(mutant, outcome).word(),
            mutant.name,
            width = self.width,
        );
    }
}

/// Writes all outcomes, in the order of the table.
pub(crate) fn write_results(path: &Path, outcomes: &[(&Mutant, Outcome)]) -> Result<()> {
    let records: Vec<_> = outcomes
        .iter()
        .map(|(mutant, outcome)| nsproxy_results::Mutant {
            name: mutant.name.clone(),
            wrong: mutant.wrong.clone(),
            file: mutant.file.clone(),
            verdict: verdict(mutant, outcome),
            caught: match outcome {
                Outcome::Caught(notice) => Some(notice.clone()),
                _ => None,
            },
            equivalent: mutant.equivalent.clone(),
        })
        .collect();
    path.parent().map_or(Ok(()), fs::create_dir_all)?;
    nsproxy_results::write(path, &records)
}

/// Prints each unexpected outcome, and the sums. Returns whether there was none.
pub(crate) fn print_summary(outcomes: &[(&Mutant, Outcome)], logs: &Path) -> bool {
    let verdicts = || {
        outcomes
            .iter()
            .map(|(mutant, outcome)| verdict(mutant, outcome))
    };
    for ((mutant, outcome), verdict) in outcomes.iter().zip(verdicts()) {
        if verdict.is_good() {
            continue;
        }
        println!("\n{}: {}", verdict.word(), mutant.name);
        println!("    {}: {}", mutant.file.display(), mutant.wrong);
        match outcome {
            Outcome::Caught(Notice {
                kernel, suite, by, ..
            }) => {
                println!("    suite {suite} on {kernel} caught it: {by}");
                let reason = mutant.equivalent.as_deref().unwrap_or_default();
                println!("    but the table marks it as equivalent: {reason}");
            }
            Outcome::Survived(kernels) => println!(
                "    no suite failed on {}: a test is missing, or the mutant is equivalent",
                kernels.join(" and ")
            ),
            Outcome::Broken(why) => {
                for line in why.lines() {
                    println!("    | {line}");
                }
            }
        }
        println!("    logs: {}", logs.join(&mutant.name).display());
    }
    let count = |wanted: MutantVerdict| verdicts().filter(|verdict| *verdict == wanted).count();
    let equivalent = count(MutantVerdict::Equivalent);
    let mistakes = count(MutantVerdict::NotEquivalent) + count(MutantVerdict::Broken);
    let real = outcomes
        .iter()
        .filter(|(m, _)| m.equivalent.is_none())
        .count();
    let mut text = format!("{} of {real} caught", count(MutantVerdict::Caught));
    if equivalent > 0 {
        text += &format!("; {equivalent} equivalent");
    }
    if mistakes > 0 {
        text += &format!("; {mistakes} invalid entries");
    }
    println!("{text}");
    verdicts().all(MutantVerdict::is_good)
}
