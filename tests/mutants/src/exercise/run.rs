// SPDX-License-Identifier: GPL-2.0-only

//! Builds the module of an exercise, and runs suites on it.

use super::{Exercise, student_progress::StudentProgress, tree};
use crate::{
    caught::Failed,
    source,
    suite_runner::{Kernel, Module},
};
use anyhow::{Result, ensure};
use nsproxy_results::SuiteResult;
use std::{
    env, fs, panic,
    path::Path,
    process::{ExitCode, Stdio},
    thread,
    time::Instant,
};

/// Builds the module, and runs suites until one fails: those of `chosen`, or those of the exercise. The
/// test that failed last runs before them, so that the next result needs no suite.
pub(super) fn test(
    root: &Path,
    exercise: &Exercise,
    kernel: &str,
    chosen: &[String],
) -> Result<ExitCode> {
    let directory = tree::existing(root, exercise)?;
    let mut progress = StudentProgress::read(&directory)?;
    let begun = Instant::now();
    // Both take seconds, and the student waits. The messages of the compiler are for the student.
    let (found, built) = thread::scope(|scope| {
        let found = scope.spawn(|| Kernel::get(root, kernel));
        let built = source::build_module(root, kernel, &directory, Stdio::inherit());
        let found = found.join();
        (
            found.unwrap_or_else(|panic| panic::resume_unwind(panic)),
            built,
        )
    });
    let (kernel, built) = (found?, built?);
    ensure!(built.status.success(), "the module does not build");
    let logs = directory.join("results");
    fs::create_dir_all(&logs)?;
    let module = Module {
        file: logs.join("nsproxy_rs.ko"),
        logs,
        key: kernel.key.clone(),
    };
    source::copy_module(&built, &module.file)?;
    println!("built in {:.0} s", begun.elapsed().as_secs_f64());

    let is_all = chosen.is_empty() && env::var_os("TEST").is_none_or(|test| test.is_empty());
    let last = progress.failed.clone().filter(|_| is_all);
    let first = last.as_ref().map(|failed| failed.suite.as_str());
    let suites = match chosen {
        [] => ordered(&exercise.suites, first),
        chosen => chosen.iter().map(String::as_str).collect(),
    };
    let mut runs: Vec<_> = suites.into_iter().map(|suite| (suite, None)).collect();
    if let Some((suite, test)) = last.as_ref().and_then(Failed::test) {
        runs.insert(0, (suite, Some(test)));
    }
    for (suite, test) in runs {
        let kernel = test.map_or_else(|| kernel.clone(), |test| kernel.with_test(test));
        let name = test.unwrap_or(suite);
        let record = kernel.run(suite, &module, None)?;
        if record.is_passed() {
            println!("{name} passes ({:.0} s)", record.seconds);
            continue;
        }
        println!("{suite} fails ({:.0} s)", record.seconds);
        for line in report(&record) {
            println!("    {line}");
        }
        let name = tree::name(exercise);
        println!("again: make -C {} SUITES={suite}", name.display());
        println!("output: {}", kernel.logs(suite, &module).display());
        let failure = record.failures.first();
        progress.failed = Some(Failed {
            suite: suite.to_owned(),
            test: failure.map(|failure| failure.name.clone()),
        });
        progress.write(&directory)?;
        return Ok(ExitCode::FAILURE);
    }
    kernel.tidy(&module);
    if is_all {
        let Exercise { id, .. } = exercise;
        println!("solved: all suites pass\nhint: make solution N={id} prints the original");
    }
    Ok(ExitCode::SUCCESS)
}

/// Returns the suites with `first` before the others.
fn ordered<'a>(suites: &'a [String], first: Option<&str>) -> Vec<&'a str> {
    let mut suites: Vec<_> = suites.iter().map(String::as_str).collect();
    suites.sort_by_key(|suite| Some(*suite) != first);
    suites
}

/// Returns the lines about the first failure: the test and its reason, or the reason of the suite.
pub(super) fn report(record: &SuiteResult) -> Vec<String> {
    match record.failures.first() {
        Some(failure) => {
            let said = failure.said.iter().map(|line| format!("  {line}"));
            let test = format!("failed test: {}", failure.name);
            [test].into_iter().chain(said).collect()
        }
        None => vec![record.why.clone().unwrap_or_default()],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::suite_runner::example;
    use nsproxy_results::{Class, Failure};

    #[test]
    fn the_suite_that_failed_runs_first() {
        let suites = ["a", "b", "c"].map(str::to_owned);
        assert_eq!(ordered(&suites, None), ["a", "b", "c"]);
        assert_eq!(ordered(&suites, Some("c")), ["c", "a", "b"]);
    }

    #[test]
    fn the_report_is_that_of_the_first_test() {
        let mut record = example(Class::Failed, "after the suite: taint: 1");
        assert_eq!(report(&record), ["after the suite: taint: 1"]);
        record.failures = ["one", "two"]
            .map(|name| Failure {
                name: name.to_owned(),
                said: vec![format!("why {name}")],
            })
            .into();
        assert_eq!(report(&record), ["failed test: one", "  why one"]);
    }
}
