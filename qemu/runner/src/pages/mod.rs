// SPDX-License-Identifier: GPL-2.0-only

//! `nsproxy-vm pages`: writes pages about the results of all runs. All figures come from the result
//! files of the runner and of the mutation tests.

mod fidelity;
mod history;
mod performance;
pub(crate) mod results;
pub(crate) mod table;

use crate::cli::PagesArgs;
use anyhow::{Context as _, Result, ensure};
use nsproxy_results::{Source, SuiteResult};
use std::{fmt::Write as _, fs, path::Path, process::ExitCode};

pub(crate) fn main(args: &PagesArgs) -> Result<ExitCode> {
    println!("{}", write(&args.results, &args.out)?.join("\n"));
    Ok(ExitCode::SUCCESS)
}

/// Writes the pages to `out`, and returns a line about each.
pub(crate) fn write(results: &Path, out: &Path) -> Result<Vec<String>> {
    let (records, mutants) = results::read_all(results)?;
    ensure!(
        !(records.is_empty() && mutants.is_empty()),
        "no results in {}; hint: make test",
        results.display()
    );
    fs::create_dir_all(out).with_context(|| format!("cannot create {}", out.display()))?;
    let mut lines = Vec::new();
    let mut pages = vec![Page::new("fidelity.md", fidelity::page(&records, &mutants))];
    pages.extend(performance::pages(&records)?);
    pages.extend(history::pages(results)?);
    for Page { name, content } in pages {
        let path = out.join(&name);
        fs::write(&path, &content).with_context(|| format!("cannot write {}", path.display()))?;
        if name.ends_with(".md") {
            let first = content.lines().next().unwrap_or_default();
            lines.push(format!("{}: {first}", path.display()));
        }
    }
    Ok(lines)
}

/// A file to be written: a page, or a picture on a page.
struct Page {
    name: String,
    content: String,
}

impl Page {
    fn new(name: impl Into<String>, content: String) -> Self {
        Self {
            name: name.into(),
            content,
        }
    }
}

/// Formats the title of a page, which is its main result.
fn title(text: &str) -> String {
    format!("{text}\n{}\n", "=".repeat(text.len()))
}

/// Writes the origin of the results on a page: a row for each kernel, as of its latest result.
fn origin(page: &mut String, records: &[SuiteResult]) {
    if records.is_empty() {
        return;
    }
    page.push('\n');
    head(page, &["kernel", "Linux", "guests", "date", "commit"]);
    let mut kernels: Vec<_> = records.iter().map(|record| &record.kernel).collect();
    kernels.dedup();
    for kernel in kernels {
        let of_kernel = records.iter().filter(|record| record.kernel == *kernel);
        let Some(latest) = of_kernel.max_by_key(|record| &record.source.date) else {
            continue;
        };
        let Source {
            release,
            commit,
            date,
        } = &latest.source;
        // The rest is the reason for the choice.
        let accel = latest.accel.split(" (").next().unwrap_or_default();
        let [release, commit] =
            [release, commit].map(|value| value.as_deref().unwrap_or("unknown"));
        row(
            page,
            &[kernel, release, accel, date, &format!("`{commit}`")],
        );
    }
}

fn heading(page: &mut String, text: &str) {
    let _ = write!(page, "\n## {text}\n\n");
}

/// Writes a row of a table. A bar in a cell is escaped.
fn row(page: &mut String, cells: &[&str]) {
    let cells: Vec<_> = cells.iter().map(|cell| cell.replace('|', "\\|")).collect();
    let _ = writeln!(page, "| {} |", cells.join(" | "));
}

fn head(page: &mut String, cells: &[&str]) {
    row(page, cells);
    row(page, &vec!["---"; cells.len()]);
}

fn words(value: &str) -> String {
    value.replace('_', " ")
}

#[cfg(test)]
fn record(suite: &str, facts: &[(&str, &str)]) -> nsproxy_results::SuiteResult {
    nsproxy_results::SuiteResult {
        suite: suite.to_owned(),
        kernel: "lab".to_owned(),
        accel: "emulation".to_owned(),
        source: nsproxy_results::Source {
            release: Some("7.3.4".to_owned()),
            commit: Some("1234".to_owned()),
            date: "2026-07-01".to_owned(),
        },
        class: nsproxy_results::Class::Passed,
        counts: nsproxy_results::Counts {
            passed: 1,
            ..Default::default()
        },
        seconds: 0.0,
        why: None,
        races_of_kernel: 0,
        summary: None,
        facts: facts
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect(),
        failures: Vec::new(),
    }
}
