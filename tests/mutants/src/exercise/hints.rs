// SPDX-License-Identifier: GPL-2.0-only

//! Hints and the solution. Each call prints one hint more than the last one.

use super::{Exercise, Hint, excerpt, run::report, student_progress::StudentProgress, tree};
use crate::{
    caught::Failed,
    source::Source,
    suite_runner::{Kernel, Module},
    table::Mutant,
};
use anyhow::{Result, bail};
use std::{fs, path::Path, process::ExitCode};

/// Prints the hints that were printed before, and the next one.
///
/// # Errors
///
/// The exercise has ended.
pub(super) fn next(root: &Path, exercise: &Exercise, kernel: &str) -> Result<ExitCode> {
    let directory = tree::existing(root, exercise)?;
    let mut progress = StudentProgress::read(&directory)?;
    let Exercise { id, hints, .. } = exercise;
    if progress.ended {
        bail!("exercise {id} has ended\nhint: make solution N={id} prints the change again");
    }
    progress.hints = (progress.hints + 1).min(hints.len());
    for (index, hint) in hints[..progress.hints].iter().enumerate() {
        let lines = match hint {
            Hint::Text(text) => vec![text.clone()],
            Hint::Report { failed, mutant } => {
                if progress.report.is_none() {
                    progress.report = Some(report_about(root, &directory, kernel, failed, mutant)?);
                }
                progress.report.clone().unwrap_or_default()
            }
        };
        for (line, text) in lines.iter().enumerate() {
            let head = match line {
                0 => format!("hint {} of {}: ", index + 1, hints.len()),
                _ => "    ".to_owned(),
            };
            println!("{head}{text}");
        }
    }
    if progress.hints == hints.len() {
        println!("no more hints: make solution N={id} ends the exercise");
    }
    progress.write(&directory)?;
    Ok(ExitCode::SUCCESS)
}

/// Runs a test on the mutant as it was at the beginning, and returns the report.
fn report_about(
    root: &Path,
    directory: &Path,
    kernel: &str,
    Failed { suite, test }: &Failed,
    mutant: &Mutant,
) -> Result<Vec<String>> {
    eprintln!("running a test on the module as it was given");
    let mut kernel = Kernel::get(root, kernel)?;
    if let Some(test) = test {
        kernel = kernel.with_test(test);
    }
    // Its logs name the mutant nowhere, and are removed below.
    let logs = directory.join(".hint");
    fs::create_dir_all(&logs)?;
    let module = Module {
        file: logs.join("nsproxy_rs.ko"),
        logs,
        key: kernel.key.clone(),
    };
    Source::of(root)?.build(&kernel.which, Some(mutant), &module.file)?;
    let record = kernel.run(suite, &module, None)?;
    fs::remove_dir_all(&module.logs)?;
    if record.is_passed() {
        bail!("no test fails on this kernel\nhint: KERNEL=lab");
    }
    Ok(report(&record))
}

/// Prints the difference between the exercise and the original, and ends the exercise.
pub(super) fn solution(root: &Path, exercise: &Exercise) -> Result<ExitCode> {
    let directory = tree::existing(root, exercise)?;
    let mut progress = StudentProgress::read(&directory)?;
    println!("{}", exercise.solution);
    print!("{}, ", exercise.file.display());
    print!(
        "{}",
        excerpt::difference(&exercise.given, &exercise.original)
    );
    progress.ended = true;
    progress.write(&directory)?;
    Ok(ExitCode::SUCCESS)
}
