// SPDX-License-Identifier: GPL-2.0-only

//! `nsproxy-vm pages`: what all runs came to, for people. Everything on the pages was said by a
//! guest, or by the program that tries the mutants.

mod fidelity;
mod performance;
mod results;
pub(crate) mod table;

use crate::cli::PagesArgs;
use anyhow::{Context as _, Result, ensure};
use std::{fmt::Write as _, fs, process::ExitCode};

pub(crate) fn main(args: &PagesArgs) -> Result<ExitCode> {
    let (records, mutants) = results::read_all(&args.results)?;
    ensure!(
        !(records.is_empty() && mutants.is_empty()),
        "no results in {}: `make test` makes some",
        args.results.display()
    );
    fs::create_dir_all(&args.out).with_context(|| format!("cannot make {}", args.out.display()))?;
    let mut pages = vec![Page::new("fidelity.md", fidelity::page(&records, &mutants))];
    pages.extend(performance::pages(&records)?);
    for Page { name, content } in pages {
        let path = args.out.join(&name);
        fs::write(&path, &content).with_context(|| format!("cannot write {}", path.display()))?;
        if name.ends_with(".md") {
            let first = content.lines().next().unwrap_or_default();
            println!("{}: {first}", path.display());
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// A file to be written: a page, or a picture on one.
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

/// A page begins with what it comes to.
fn title(text: &str) -> String {
    format!("{text}\n{}\n", "=".repeat(text.len()))
}

fn heading(page: &mut String, text: &str) {
    let _ = write!(page, "\n## {text}\n\n");
}

/// A row of a table; what is in it cannot end it.
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
