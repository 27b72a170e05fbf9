// SPDX-License-Identifier: GPL-2.0-only

//! `history.md`: the differences between releases of the kernel that programs can see, from the
//! records of `make record`.

use super::{Page, head, heading, row, title};
use crate::record::{
    self, Difference,
    changes::{self, Changes, Release},
};
use anyhow::Result;
use nsproxy_results::Record;
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    path::Path,
};

/// The number of rows of a table; more differences are counted.
const ROWS: usize = 40;

/// Returns the page, if at least two kernels are recorded.
pub(super) fn pages(results: &Path) -> Result<Vec<Page>> {
    let mut records = Vec::new();
    for dir in super::results::entries(results)? {
        let path = dir.join(record::FILE);
        if path.exists() {
            records.push(record::read(&path)?);
        }
    }
    records.sort_by_key(|record| (release(record), record.kernel.clone()));
    if records.len() < 2 {
        return Ok(Vec::new());
    }
    let content = page(&records, &Changes::read(None)?);
    Ok(vec![Page::new("history.md", content)])
}

fn release(record: &Record) -> Option<Release> {
    record.source.release.as_deref().and_then(changes::release)
}

fn page(records: &[Record], known: &Changes) -> String {
    let pairs: Vec<_> = records
        .windows(2)
        .map(|pair| Pair::new(pair, known))
        .collect();
    let differ: usize = pairs.iter().map(|pair| pair.differ).sum();
    let mut page = title(&format!(
        "{} kernels, {differ} changes of a case from one to the next",
        records.len()
    ));
    page += "\nThe same cases of setns(2), unshare(2) and clone(2) on several kernels: the result of the call, and\n\
             what it changed. `make record KERNEL=...` runs them, and `make results` writes this page from\n\
             all records. A table compares the cases that both kernels ran. lab and the kernels stock-... are\n\
             explained in [kernels.md](../kernels.md), and the reasons are in\n\
             [known.toml](../../qemu/runner/src/record/known.toml).\n\n";
    head(&mut page, &["kernel", "Linux", "cases", "date", "commit"]);
    for record in records {
        let cases: usize = record.suites.values().map(BTreeMap::len).sum();
        let source = &record.source;
        let [release, commit] =
            [&source.release, &source.commit].map(|value| value.as_deref().unwrap_or("unknown"));
        row(
            &mut page,
            &[
                &record.kernel,
                release,
                &cases.to_string(),
                &source.date,
                &format!("`{commit}`"),
            ],
        );
    }
    write_changes(&mut page, &pairs);
    for pair in &pairs {
        pair.write(&mut page);
    }
    page
}

/// Writes each reason of a difference, with the kernels between which it is one.
fn write_changes(page: &mut String, pairs: &[Pair<'_>]) {
    const UNKNOWN: &str = "not in the list of known changes";
    let mut changes: BTreeMap<&str, (usize, Vec<String>)> = BTreeMap::new();
    for pair in pairs {
        let [was, now] = pair.kernels.map(|record| &record.kernel);
        for group in pair.groups.values() {
            let reason = group.reasons.first().copied().unwrap_or(UNKNOWN);
            let (cases, between) = changes.entry(reason).or_default();
            *cases += group.cases.len();
            let these = format!("{was} and {now}");
            if !between.contains(&these) {
                between.push(these);
            }
        }
    }
    heading(page, "Changes");
    head(page, &["change", "between", "cases"]);
    for (reason, (cases, between)) in changes {
        row(page, &[reason, &between.join("; "), &cases.to_string()]);
    }
}

/// Two kernels, compared.
struct Pair<'a> {
    kernels: [&'a Record; 2],
    /// The cases of both, by suite, and how many of them differ.
    suites: BTreeMap<&'a str, [usize; 2]>,
    differ: usize,
    /// The differences of a case, and the cases with exactly these.
    groups: BTreeMap<Vec<Difference>, Group<'a>>,
}

#[derive(Default)]
struct Group<'a> {
    /// Suites and tests.
    cases: Vec<(&'a str, &'a str)>,
    reasons: BTreeSet<&'a str>,
}

impl<'a> Pair<'a> {
    fn new(pair: &'a [Record], known: &'a Changes) -> Self {
        let [was, now] = [&pair[0], &pair[1]];
        let mut suites: BTreeMap<_, [usize; 2]> = BTreeMap::new();
        let mut groups: BTreeMap<_, Group<'_>> = BTreeMap::new();
        for (suite, cases) in &was.suites {
            for (test, was_here) in cases {
                let Some(now_here) = now.suites.get(suite).and_then(|cases| cases.get(test)) else {
                    continue;
                };
                let [compared, differ] = suites.entry(suite.as_str()).or_default();
                *compared += 1;
                let differences = record::differences(was_here, now_here);
                if differences.is_empty() {
                    continue;
                }
                *differ += 1;
                let releases = [was, now].map(release);
                let reason = |of| known.reason(releases, suite, test, of);
                let reasons: BTreeSet<_> = differences.iter().filter_map(reason).collect();
                let group = groups.entry(differences).or_default();
                group.cases.push((suite, test));
                group.reasons.extend(reasons);
            }
        }
        Self {
            kernels: [was, now],
            differ: suites.values().map(|[_, differ]| differ).sum(),
            suites,
            groups,
        }
    }

    fn write(&self, page: &mut String) {
        let names = self.kernels.map(|record| {
            let release = record.source.release.as_deref().unwrap_or("unknown");
            format!("{} ({release})", record.kernel)
        });
        heading(page, &format!("From {} to {}", names[0], names[1]));
        head(page, &["suite", "cases of both", "differ"]);
        for (suite, [compared, differ]) in &self.suites {
            row(page, &[suite, &compared.to_string(), &differ.to_string()]);
        }
        if self.groups.is_empty() {
            return;
        }
        let _ = writeln!(page);
        head(page, &["difference", "cases", "for example", "reason"]);
        let mut groups: Vec<_> = self.groups.iter().collect();
        groups.sort_by_key(|(_, group)| std::cmp::Reverse(group.cases.len()));
        for (differences, group) in groups.iter().take(ROWS) {
            let texts: Vec<_> = differences.iter().map(ToString::to_string).collect();
            let (suite, test) = group.cases[0];
            let reasons: Vec<_> = group.reasons.iter().copied().collect();
            row(
                page,
                &[
                    &texts.join("; "),
                    &group.cases.len().to_string(),
                    &format!("{suite}: {test}"),
                    &reasons.join("; "),
                ],
            );
        }
        if groups.len() > ROWS {
            let more = groups.iter().skip(ROWS).map(|(_, group)| group.cases.len());
            let text = format!("{} others", groups.len() - ROWS);
            row(page, &[&text, &more.sum::<usize>().to_string(), "", ""]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nsproxy_results::{Behaviour, Source};

    fn record(kernel: &str, release: &str, results: &[(&str, &str)]) -> Record {
        let behaviour = |result: &str| Behaviour {
            result: result.to_owned(),
            changes: BTreeMap::new(),
        };
        let cases = results.iter();
        let cases = cases.map(|(test, result)| ((*test).to_owned(), behaviour(result)));
        Record {
            version: Record::VERSION,
            kernel: kernel.to_owned(),
            source: Source {
                release: Some(release.to_owned()),
                ..Source::default()
            },
            suites: BTreeMap::from([("errno".to_owned(), cases.collect())]),
        }
    }

    #[test]
    fn equal_differences_share_a_row() {
        let [old, new] = [
            record(
                "a",
                "6.1.9",
                &[("x", "EPERM"), ("y", "EPERM"), ("z", "EPERM")],
            ),
            record(
                "b",
                "7.3.4",
                &[("x", "EINVAL"), ("y", "EINVAL"), ("w", "EPERM")],
            ),
        ];
        let page = page(&[old, new], &Changes::read(None).unwrap());
        for line in [
            "2 kernels, 2 changes of a case from one to the next",
            "| a | 6.1.9 | 3 |",
            "## From a (6.1.9) to b (7.3.4)",
            "| errno | 2 | 2 |",
            "| not in the list of known changes | a and b | 2 |",
            "| result: EPERM -> EINVAL | 2 | errno: x |",
        ] {
            assert!(page.contains(line), "{line} in {page}");
        }
    }
}
