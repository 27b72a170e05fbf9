// SPDX-License-Identifier: GPL-2.0-only

//! `nsproxy-vm pages`: what all runs came to, for people. Everything on the pages was said by a
//! guest, or by the program that tries the mutants.

mod fidelity;
mod performance;
mod results;

use crate::cli::PagesArgs;
use anyhow::{Context as _, Result, ensure};
use std::{fmt::Write as _, fs, process::ExitCode};

pub(crate) fn main(args: &PagesArgs) -> Result<ExitCode> {
    let (records, mutants) = results::read_all(&args.results)?;
    ensure!(
        !records.is_empty(),
        "no results in {}: `make test` makes some",
        args.results.display()
    );
    fs::create_dir_all(&args.out).with_context(|| format!("cannot make {}", args.out.display()))?;
    let pages = [
        ("fidelity.md", Some(fidelity::page(&records, &mutants))),
        ("performance.md", performance::page(&records)),
    ];
    for (name, page) in pages {
        let Some(page) = page else { continue };
        let path = args.out.join(name);
        fs::write(&path, &page).with_context(|| format!("cannot write {}", path.display()))?;
        println!(
            "{}: {}",
            path.display(),
            page.lines().next().unwrap_or_default()
        );
    }
    Ok(ExitCode::SUCCESS)
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
fn record(suite: &str, facts: &[(&str, &str)]) -> results::Record {
    results::Record {
        suite: suite.to_owned(),
        kernel: "lab".to_owned(),
        class: "passed".to_owned(),
        passed: 1,
        failed: 0,
        skipped: 0,
        summary: None,
        facts: facts
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect(),
    }
}
