// SPDX-License-Identifier: GPL-2.0-only

//! What a person sees of the mutants, and what is kept for `docs/fidelity.md`.

use crate::{suites::Notice, table::Mutant};
use anyhow::{Context as _, Result};
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

/// What is to be thought of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Verdict {
    Caught,
    /// It survived, as the table says.
    Equivalent,
    Survived,
    /// The table says that nobody can tell it from the module, and somebody did.
    NotEquivalent,
    Broken,
}

impl Verdict {
    fn of(mutant: &Mutant, fate: &Fate) -> Self {
        match (fate, &mutant.equivalent) {
            (Fate::Caught(_), None) => Self::Caught,
            (Fate::Caught(_), Some(_)) => Self::NotEquivalent,
            (Fate::Survived(_), None) => Self::Survived,
            (Fate::Survived(_), Some(_)) => Self::Equivalent,
            (Fate::Broken(_), _) => Self::Broken,
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Caught => "caught",
            Self::Equivalent => "equivalent",
            Self::Survived => "SURVIVED",
            Self::NotEquivalent => "NOT EQUIVALENT",
            Self::Broken => "BROKEN",
        }
    }

    fn is_good(self) -> bool {
        matches!(self, Self::Caught | Self::Equivalent)
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
            Verdict::of(mutant, fate).word(),
            mutant.name,
            width = self.width,
        );
    }
}

#[derive(Serialize)]
struct Record<'a> {
    name: &'a str,
    wrong: &'a str,
    file: &'a Path,
    verdict: Verdict,
    caught: Option<&'a Notice>,
    equivalent: Option<&'a str>,
}

/// Writes what came of all of them, in the order of the table.
pub(crate) fn keep(path: &Path, fates: &[(&Mutant, Fate)]) -> Result<()> {
    let records: Vec<_> = fates
        .iter()
        .map(|(mutant, fate)| Record {
            name: &mutant.name,
            wrong: &mutant.wrong,
            file: &mutant.file,
            verdict: Verdict::of(mutant, fate),
            caught: match fate {
                Fate::Caught(notice) => Some(notice),
                _ => None,
            },
            equivalent: mutant.equivalent.as_deref(),
        })
        .collect();
    let text = serde_json::to_string_pretty(&records)? + "\n";
    path.parent().map_or(Ok(()), fs::create_dir_all)?;
    fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}

/// Says what is not as it should be, and the sum. Returns whether all is well.
pub(crate) fn sum(fates: &[(&Mutant, Fate)], logs: &Path) -> bool {
    let verdicts = || fates.iter().map(|(mutant, fate)| Verdict::of(mutant, fate));
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
    let count = |wanted: Verdict| verdicts().filter(|verdict| *verdict == wanted).count();
    let equivalent = count(Verdict::Equivalent);
    let mistakes = count(Verdict::NotEquivalent) + count(Verdict::Broken);
    let real = fates.iter().filter(|(m, _)| m.equivalent.is_none()).count();
    let mut text = format!("{} of {real} caught", count(Verdict::Caught));
    if equivalent > 0 {
        text += &format!("; {equivalent} equivalent");
    }
    if mistakes > 0 {
        text += &format!("; {mistakes} wrong in the table");
    }
    println!("{text}");
    verdicts().all(Verdict::is_good)
}
