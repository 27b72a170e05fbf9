// SPDX-License-Identifier: GPL-2.0-only

//! What a person sees of the mutants, and what is kept for `docs/fidelity.md`.

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

/// What came of a mutant.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) enum Fate {
    Caught(Notice),
    /// Every suite passed, on the kernels of these names.
    Survived(Vec<String>),
    /// It does not build, or a guest did not run, in words.
    Broken(String),
}

impl Fate {
    /// What comes of it in all, if the next kernel makes `next` of what survived here.
    pub(crate) fn then(self, next: Self) -> Self {
        match (self, next) {
            (Self::Survived(kernels), Self::Survived(more)) => {
                Self::Survived([kernels, more].concat())
            }
            (_, next) => next,
        }
    }
}

/// Returns the verdict on a mutant.
fn verdict(mutant: &Mutant, fate: &Fate) -> MutantVerdict {
    match (fate, &mutant.equivalent) {
        (Fate::Caught(_), None) => MutantVerdict::Caught,
        (Fate::Caught(_), Some(_)) => MutantVerdict::NotEquivalent,
        (Fate::Survived(_), None) => MutantVerdict::Survived,
        (Fate::Survived(_), Some(_)) => MutantVerdict::Equivalent,
        (Fate::Broken(_), _) => MutantVerdict::Broken,
    }
}

/// A line for each mutant as it comes.
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

    /// One more is done, and took so long; [`None`] if it was known from an earlier run.
    pub(crate) fn done(&self, mutant: &Mutant, fate: &Fate, took: Option<Duration>) {
        let n = self.done.fetch_add(1, Ordering::Relaxed) + 1;
        let said = match fate {
            Fate::Caught(Notice {
                kernel: _,
                suite,
                by,
                said: _,
            }) => format!("{suite}: {by}"),
            Fate::Survived(kernels) => format!("no suite failed on {}", kernels.join(", ")),
            Fate::Broken(why) => why.lines().last().unwrap_or_default().to_owned(),
        };
        let took = took.map_or("known".to_owned(), |took| {
            format!("{:.0} s", took.as_secs_f64())
        });
        println!(
            "[{n:>2}/{}] {:<10} {:width$}  {said}  ({took})",
            self.all,
            verdict(mutant, fate).word(),
            mutant.name,
            width = self.width,
        );
    }
}

/// Writes what came of all of them, in the order of the table.
pub(crate) fn keep(path: &Path, fates: &[(&Mutant, Fate)]) -> Result<()> {
    let records: Vec<_> = fates
        .iter()
        .map(|(mutant, fate)| nsproxy_results::Mutant {
            name: mutant.name.clone(),
            wrong: mutant.wrong.clone(),
            file: mutant.file.clone(),
            verdict: verdict(mutant, fate),
            caught: match fate {
                Fate::Caught(notice) => Some(notice.clone()),
                _ => None,
            },
            equivalent: mutant.equivalent.clone(),
        })
        .collect();
    path.parent().map_or(Ok(()), fs::create_dir_all)?;
    nsproxy_results::write(path, &records)
}

/// Says what is not as it should be, and the sum. Returns whether all is well.
pub(crate) fn sum(fates: &[(&Mutant, Fate)], logs: &Path) -> bool {
    let verdicts = || fates.iter().map(|(mutant, fate)| verdict(mutant, fate));
    for ((mutant, fate), verdict) in fates.iter().zip(verdicts()) {
        if verdict.is_good() {
            continue;
        }
        println!("\n{}: {}", verdict.word(), mutant.name);
        println!("    {}: {}", mutant.file.display(), mutant.wrong);
        match fate {
            Fate::Caught(Notice {
                kernel, suite, by, ..
            }) => {
                println!("    suite {suite} on {kernel} can tell: {by}");
                let reason = mutant.equivalent.as_deref().unwrap_or_default();
                println!("    and yet the table says: {reason}");
            }
            Fate::Survived(kernels) => println!(
                "    no suite notices on {}: a test is missing, or nobody can tell",
                kernels.join(" and ")
            ),
            Fate::Broken(why) => {
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
    let real = fates.iter().filter(|(m, _)| m.equivalent.is_none()).count();
    let mut text = format!("{} of {real} caught", count(MutantVerdict::Caught));
    if equivalent > 0 {
        text += &format!("; {equivalent} equivalent");
    }
    if mistakes > 0 {
        text += &format!("; {mistakes} wrong in the table");
    }
    println!("{text}");
    verdicts().all(MutantVerdict::is_good)
}
