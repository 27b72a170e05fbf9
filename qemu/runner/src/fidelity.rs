// SPDX-License-Identifier: GPL-2.0-only

//! `nsproxy-vm fidelity`: what all runs came to, as a page for people. Everything on it was said
//! by a guest, or by the program that tries the mutants.

use crate::cli::FidelityArgs;
use anyhow::{Context as _, Result, ensure};
use serde::{Deserialize, de::DeserializeOwned};
use std::{collections::BTreeMap, fmt::Write as _, fs, path::Path, process::ExitCode};

/// `result.json` of a suite, see [`crate::report`].
#[derive(Deserialize)]
struct Record {
    suite: String,
    kernel: String,
    class: String,
    passed: u32,
    failed: u32,
    skipped: u32,
    summary: Option<String>,
    facts: BTreeMap<String, String>,
}

impl Record {
    /// The facts whose names begin like that, with the rest of their names.
    fn facts<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.facts
            .iter()
            .filter_map(move |(name, value)| Some((name.strip_prefix(prefix)?, value.as_str())))
    }

    fn number(&self, name: &str) -> u64 {
        self.facts
            .get(name)
            .and_then(|value| value.parse().ok())
            .unwrap_or(0)
    }
}

/// A mutant in `mutants.json`.
#[derive(Deserialize)]
struct Mutant {
    name: String,
    wrong: String,
    file: String,
    verdict: String,
    caught: Option<Caught>,
    equivalent: Option<String>,
}

#[derive(Deserialize)]
struct Caught {
    kernel: String,
    suite: String,
    by: String,
}

pub(crate) fn main(args: &FidelityArgs) -> Result<ExitCode> {
    let (records, mutants) = read_all(&args.results)?;
    ensure!(
        !records.is_empty(),
        "no results in {}: `make test` makes some",
        args.results.display()
    );
    let page = page(&records, &mutants);
    let dir = args.out.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(dir).with_context(|| format!("cannot make {}", dir.display()))?;
    fs::write(&args.out, &page).with_context(|| format!("cannot write {}", args.out.display()))?;
    println!(
        "{}: {}",
        args.out.display(),
        page.lines().next().unwrap_or_default()
    );
    Ok(ExitCode::SUCCESS)
}

/// The results of every kernel, those of the runner's own tests left out.
fn read_all(results: &Path) -> Result<(Vec<Record>, Vec<Mutant>)> {
    let mut records: Vec<Record> = Vec::new();
    let mut mutants = Vec::new();
    for kernel in entries(results)? {
        if let Some(found) = read::<Vec<Mutant>>(&kernel.join("mutants.json"))? {
            mutants.extend(found);
        }
        for suite in entries(&kernel)? {
            records.extend(read(&suite.join("result.json"))?);
        }
    }
    records.retain(|record| !record.suite.starts_with("runner-"));
    // The kernel that everybody runs first.
    records.sort_by_key(|record| {
        let kernel = record.kernel.clone();
        (kernel != "lab", kernel, record.suite.clone())
    });
    Ok((records, mutants))
}

fn entries(dir: &Path) -> Result<Vec<std::path::PathBuf>> {
    let entries = fs::read_dir(dir).with_context(|| format!("cannot read {}", dir.display()))?;
    let mut paths = Vec::new();
    for entry in entries {
        let path = entry?.path();
        if path.is_dir() {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

fn read<T: DeserializeOwned>(path: &Path) -> Result<Option<T>> {
    if !path.exists() {
        return Ok(None);
    }
    let text = fs::read_to_string(path)?;
    let value = serde_json::from_str(&text).with_context(|| path.display().to_string())?;
    Ok(Some(value))
}

fn page(records: &[Record], mutants: &[Mutant]) -> String {
    let matrices: Vec<_> = records
        .iter()
        .filter(|record| record.facts.contains_key("matrix.cases"))
        .collect();
    let cases = matrices.iter().map(|m| m.number("matrix.cases")).max();
    let differ: u64 = matrices.iter().map(|m| m.number("matrix.differ")).sum();
    let title = format!("{} distinct cases, {differ} differ", cases.unwrap_or(0));

    let mut page = format!("{title}\n{}\n", "=".repeat(title.len()));
    page += "\nWhat setns(2) and `/dev/nsproxy` did, as the guests told it. `make test`, with each\n\
             KERNEL=, and `make mutants` write this page; what was not run is not on it.\n";
    runs(&mut page, records);
    if let Some(matrix) = matrices.first() {
        axes(&mut page, matrix);
    }
    known_bugs(&mut page, records);
    third_party(&mut page, records);
    mutant_table(&mut page, mutants);
    page
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

fn runs(page: &mut String, records: &[Record]) {
    heading(page, "What was run");
    head(
        page,
        &["kernel", "suite", "", "passed", "failed", "skipped", ""],
    );
    for record in records {
        row(
            page,
            &[
                &record.kernel,
                &record.suite,
                &record.class,
                &record.passed.to_string(),
                &record.failed.to_string(),
                &record.skipped.to_string(),
                record.summary.as_deref().unwrap_or_default(),
            ],
        );
    }
}

/// The axes of the matrix, what the calls came to, and what cannot be.
fn axes(page: &mut String, matrix: &Record) {
    heading(page, "The matrix");
    page.push_str("Each value of an axis, and in how many of the cases it is.\n\n");
    head(page, &["axis", "value", "cases"]);
    for axis in ["kind", "way-in", "target", "nstype", "fd", "caller"] {
        for (value, cases) in matrix.facts(&format!("matrix.{axis}.")) {
            row(page, &[axis, &words(value), cases]);
        }
    }
    page.push_str("\nWhat the calls through the device came to:\n\n");
    head(page, &["returned", "cases"]);
    for (value, cases) in matrix.facts("matrix.outcome.") {
        row(page, &[value, cases]);
    }
    page.push_str("\nCombinations that cannot be:\n\n");
    head(page, &["because", "combinations"]);
    for (why, count) in matrix.facts("matrix.cannot-be.") {
        row(page, &[&words(why), count]);
    }
}

fn words(value: &str) -> String {
    value.replace('_', " ")
}

fn known_bugs(page: &mut String, records: &[Record]) {
    let known: Vec<_> = records
        .iter()
        .flat_map(|record| {
            let facts = record.facts("faults.known.");
            facts.map(move |(name, value)| (record.kernel.as_str(), name, value))
        })
        .collect();
    if known.is_empty() {
        return;
    }
    heading(page, "Bugs of the kernel that the mirror does not have");
    page.push_str("See `tests/known-kernel-bugs/`.\n\n");
    head(page, &["kernel", "function", "measured"]);
    for (kernel, function, value) in known {
        row(page, &[kernel, &format!("`{function}()`"), value]);
    }
}

fn third_party(page: &mut String, records: &[Record]) {
    let tables: Vec<_> = records
        .iter()
        .filter(|record| record.suite == "third-party")
        .collect();
    if tables.is_empty() {
        return;
    }
    heading(page, "Other people's tests and programs");
    head(page, &["kernel", "test", "by setns(2)", "served"]);
    for record in tables {
        for (name, value) in record.facts("third-party.") {
            if let Some((syscall, served)) = value.split_once(' ') {
                row(page, &[&record.kernel, &words(name), syscall, served]);
            }
        }
    }
}

fn mutant_table(page: &mut String, mutants: &[Mutant]) {
    if mutants.is_empty() {
        return;
    }
    heading(page, "Mutants");
    let real = mutants.iter().filter(|m| m.equivalent.is_none()).count();
    let caught = mutants.iter().filter(|m| m.verdict == "caught").count();
    let _ = write!(
        page,
        "The module with one wrong line, each: {caught} of {real} caught.\n\n"
    );
    head(page, &["mutant", "file", "what is wrong", "caught by"]);
    for mutant in mutants {
        let by = match (&mutant.caught, &mutant.equivalent) {
            (Some(caught), _) => format!("{} ({}): {}", caught.suite, caught.kernel, caught.by),
            (None, Some(reason)) => format!("equivalent: {reason}"),
            (None, None) => mutant.verdict.clone(),
        };
        row(
            page,
            &[
                &mutant.name,
                &format!("`{}`", mutant.file),
                &mutant.wrong,
                &by,
            ],
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(suite: &str, facts: &[(&str, &str)]) -> Record {
        Record {
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

    #[test]
    fn it_begins_with_the_counts() {
        let matrix = record("matrix", &[("matrix.cases", "7"), ("matrix.differ", "2")]);
        assert!(page(&[matrix], &[]).starts_with("7 distinct cases, 2 differ\n"));
    }

    #[test]
    fn what_was_not_run_is_not_there() {
        let page = page(&[record("kinds", &[])], &[]);
        assert!(page.starts_with("0 distinct cases"));
        for absent in ["Mutants", "The matrix", "Other people", "Bugs"] {
            assert!(!page.contains(absent), "{absent}");
        }
    }

    #[test]
    fn both_results_of_a_test_and_nothing_ends_a_cell() {
        let facts = [("third-party.x.a|b", "ok fail"), ("third-party.calls", "3")];
        let page = page(&[record("third-party", &facts)], &[]);
        assert!(page.contains("| lab | x.a\\|b | ok | fail |"), "{page}");
        assert!(!page.contains("calls"));
    }
}
