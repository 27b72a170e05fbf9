// SPDX-License-Identifier: GPL-2.0-only

//! The report of a run on the terminal, and `result.json` for programs.

use crate::{
    cli::Accel,
    guest::{self, Ran},
    kernel::Kernel,
    qemu,
    results::{
        Arrivals, Outcome, Test,
        ktap::{Printed, REPRODUCE},
    },
};
use anyhow::Result;
use nsproxy_results::{Class, Counts, Failure, Source, SuiteResult};
use std::{
    collections::BTreeSet, env, fmt::Write as _, io::IsTerminal as _, path::Path, time::Duration,
};

/// One suite's line of the table.
pub(crate) struct Line {
    pub(crate) suite: String,
    pub(crate) ran: Ran,
    /// The arrival times of its output.
    pub(crate) arrivals: Arrivals,
}

/// Colours words, on a terminal and without `NO_COLOR`.
pub(crate) struct Paint(bool);

impl Paint {
    /// Returns the painter for standard output.
    pub(crate) fn new() -> Self {
        let wanted = env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        Self(wanted && std::io::stdout().is_terminal())
    }

    fn class(&self, class: Class, text: &str) -> String {
        let colour = if class == Class::Passed { 32 } else { 31 };
        if self.0 {
            format!("\x1b[{colour}m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }
}

/// Writes `result.json` beside the logs.
pub(crate) fn keep(line: &Line, kernel: &Kernel, accel: &str, source: &Source) -> Result<()> {
    let Ran {
        outcome,
        verdict,
        took,
        printed,
        dir,
    } = &line.ran;
    let result = SuiteResult {
        suite: line.suite.clone(),
        kernel: kernel.name.clone(),
        accel: accel.to_owned(),
        source: source.clone(),
        class: outcome.class,
        counts: outcome.counts,
        seconds: took.as_secs_f64(),
        why: outcome.why.clone(),
        races_of_kernel: outcome.races_of_kernel,
        summary: verdict.summary.clone(),
        facts: verdict.facts.clone(),
        failures: failed(&printed.tests)
            .map(|test| Failure {
                name: test.name.clone(),
                said: why(test).0.to_vec(),
            })
            .collect(),
    };
    nsproxy_results::write(&dir.join("result.json"), &result)
}

/// Prints the head of the table.
pub(crate) fn head() {
    println!(
        "{:<16} {:<8} {:>6} {:>6} {:>7} {:>6}",
        "suite", "verdict", "passed", "failed", "skipped", "s"
    );
}

/// Formats the line of a suite in the table.
pub(crate) fn row(
    suite: &str,
    class: Class,
    counts: Counts,
    took: Duration,
    paint: &Paint,
) -> String {
    let Counts {
        passed,
        failed,
        skipped,
    } = counts;
    let verdict = paint.class(class, &format!("{:<8}", class.word()));
    let seconds = took.as_secs_f64();
    format!("{suite:<16} {verdict} {passed:>6} {failed:>6} {skipped:>7} {seconds:>6.1}")
}

/// Prints the line of a suite that needs the module, in a guest without it.
pub(crate) fn skipped(suite: &str) {
    println!(
        "{suite:<16} {:<8}   needs the module, which this kernel cannot load",
        "skip"
    );
}

/// The command on the host that runs a test again.
pub(crate) struct Again<'a> {
    /// `KERNEL=`
    pub(crate) kernel: &'a str,
    /// `AGAINST=`
    pub(crate) against: Option<&'a Path>,
    /// `ARCH=`, if the guest is not of this host's architecture.
    pub(crate) arch: Option<&'a str>,
    /// The target of `make`.
    pub(crate) target: &'a str,
    /// The accelerator of the guest: some suites require a certain one.
    pub(crate) accel: Accel,
}

impl Again<'_> {
    /// Returns the command, which can be pasted into a shell. `said` is the command in the guest,
    /// as `nsproxy-tests` prints it. It names no test if it runs the whole suite.
    fn command(&self, suite: &str, said: &str) -> String {
        let Self {
            kernel,
            against,
            arch,
            target,
            accel,
        } = self;
        let mut command = format!("make {target} KERNEL={}", qemu::quote(kernel));
        if let Some(arch) = arch {
            command += &format!(" ARCH={arch}");
        }
        command += &format!(" SUITES={suite}");
        let mut parts = said.splitn(3, '\'');
        let _program = parts.next();
        if let Some(test) = parts.next() {
            command += &format!(" TEST={}", qemu::quote(test));
        }
        let options = parts.next().unwrap_or(said);
        if let Some(against) = against {
            command += &format!(" AGAINST={}", qemu::quote(&against.display().to_string()));
        }
        let mut words = options.split_whitespace();
        if words.any(|word| word == "--seed")
            && let Some(seed) = words.next()
        {
            command += &format!(" SEED={seed}");
        }
        // The accelerator that `make` selects by default depends on the host, not on the suite.
        match accel {
            Accel::Icount => command += " ACCEL=icount",
            Accel::Parallel => command += " ACCEL=parallel",
            Accel::Auto | Accel::Kvm | Accel::Tcg => {}
        }
        command
    }

    /// Returns the command for a test that did not finish.
    fn unfinished(&self, suite: &str, test: &str) -> String {
        self.command(suite, &format!("nsproxy-tests '{test}'"))
    }
}

/// Prints the line of a suite in the table; below it, why the suite did not pass.
///
/// `again` is [`None`] where no single test can be run.
pub(crate) fn line(line: &Line, again: Option<&Again<'_>>, paint: &Paint) {
    let Ran {
        outcome,
        verdict: said,
        took,
        printed: Printed { tests, running },
        dir,
    } = &line.ran;
    println!(
        "{}",
        row(&line.suite, outcome.class, outcome.counts, *took, paint)
    );
    if let Some(summary) = &said.summary {
        println!("    {summary}");
    }
    match outcome.races_of_kernel {
        0 => {}
        1 => println!("    1 data race of the kernel's own, see {}", qemu::CONSOLE),
        n => println!(
            "    {n} data races of the kernel's own, see {}",
            qemu::CONSOLE
        ),
    }
    let log = dir.join(qemu::OUTPUT);
    for skipped in skips(&guest::read(&log)) {
        println!("    {skipped}");
    }
    let Some(why) = &outcome.why else { return };
    println!("    why: {why}");
    if outcome.class > Class::Usage {
        tail(&guest::read(&dir.join(qemu::CONSOLE)), 8);
        if let Some(test) = running {
            print!("{}", unfinished(test, tests, &line.suite, again));
        }
    }
    print!("{}", failures(tests, &line.suite, again, &log));
    println!("    logs: {}", dir.display());
}

/// Returns the lines of the skipped tests. Many tests with the same reason share a line.
fn skips(output: &str) -> Vec<String> {
    const MANY: usize = 5;
    let mut by_reason: Vec<(&str, Vec<&str>)> = Vec::new();
    for line in output.lines() {
        let Some((_, why)) = line.split_once("# SKIP") else {
            continue;
        };
        match by_reason.iter_mut().find(|(reason, _)| *reason == why) {
            Some((_, lines)) => lines.push(line.trim()),
            None => by_reason.push((why, vec![line.trim()])),
        }
    }
    let said = by_reason.into_iter().flat_map(|(why, lines)| {
        if lines.len() < MANY {
            lines.into_iter().map(str::to_owned).collect()
        } else {
            vec![format!("{} # SKIP{why}", lines.len())]
        }
    });
    said.collect()
}

fn failed(tests: &[Test]) -> impl Iterator<Item = &Test> {
    let is_failed = |test: &&Test| test.outcome == Outcome::Failed;
    tests.iter().filter(is_failed)
}

/// Returns why a test failed, and the line with the command that runs it again in the guest.
fn why(test: &Test) -> (&[String], Option<&str>) {
    match test.said.split_last() {
        Some((last, why)) if last.starts_with(REPRODUCE) => (why, Some(last)),
        _ => (&test.said, None),
    }
}

/// Formats the failed tests: the name of each, why it failed, and the command that runs it again.
/// Shows the first tests, and the first lines of each; `log` has the rest.
fn failures(tests: &[Test], suite: &str, again: Option<&Again<'_>>, log: &Path) -> String {
    const TESTS: usize = 5;
    const LINES: usize = 12;
    let log = log.display();
    let mut text = String::new();
    for test in failed(tests).take(TESTS) {
        let _ = writeln!(text, "    not ok: {}", test.name);
        let (why, again_in_guest) = why(test);
        if why.is_empty() {
            text += "      (no reason reported)\n";
        }
        for line in &why[..why.len().min(LINES)] {
            let _ = writeln!(text, "      {line}");
        }
        if why.len() > LINES {
            let _ = writeln!(text, "      ... {} more lines in {log}", why.len() - LINES);
        }
        if let (Some(again), Some(said)) = (again, again_in_guest) {
            let _ = writeln!(text, "      rerun: {}", again.command(suite, said));
        }
    }
    match failed(tests).count() {
        count if count > TESTS => {
            let _ = writeln!(text, "    ... {} more failed tests in {log}", count - TESTS);
        }
        _ => {}
    }
    text
}

/// Formats a test that did not finish: the test before it, and the command that runs it again.
fn unfinished(test: &str, tests: &[Test], suite: &str, again: Option<&Again<'_>>) -> String {
    let mut text = format!("    unfinished: {test}\n");
    if let Some(Test { name, .. }) = tests.last() {
        let _ = writeln!(text, "      finished before it: {name}");
    }
    if let Some(again) = again {
        let _ = writeln!(text, "      rerun: {}", again.unfinished(suite, test));
    }
    text
}

fn tail(log: &str, n: usize) {
    let lines: Vec<_> = log.lines().collect();
    for line in &lines[lines.len().saturating_sub(n)..] {
        println!("    | {line}");
    }
}

/// Formats the time of the guests by phase, in seconds of all guests together.
pub(crate) fn phases(lines: &[Line]) -> Option<String> {
    let [mut boot, mut suites, mut gates] = [0.0; 3];
    for line in lines {
        let Ran { verdict, took, .. } = &line.ran;
        let at = |phase| verdict.facts.get(phase)?.parse::<f64>().ok();
        // A guest that did not finish has no phases.
        let (Some(suite), Some(gate), Some(end)) =
            (at("time.suite"), at("time.gates"), at("time.end"))
        else {
            continue;
        };
        // The clock of a guest starts with its kernel, after the boot loader. On a busy host it can
        // be ahead of the host's clock.
        let took = took.as_secs_f64();
        let second = (took / end).min(1.0);
        suites += (gate - suite) * second;
        gates += (end - gate) * second;
        boot += took - (end - suite) * second;
    }
    (suites > 0.0).then(|| {
        format!("seconds of guests: {boot:.0} to boot, {suites:.0} in suites, {gates:.0} in gates")
    })
}

/// Returns the clocksources of the guests, if any named its own.
pub(crate) fn clocksources(lines: &[Line]) -> Option<String> {
    let facts = lines.iter().map(|line| &line.ran.verdict.facts);
    let names: BTreeSet<_> = facts.filter_map(|facts| facts.get("clocksource")).collect();
    let names: Vec<_> = names.into_iter().map(String::as_str).collect();
    (!names.is_empty()).then(|| format!("clocksource of the guests: {}", names.join(", ")))
}

/// Returns the sum of the counts.
pub(crate) fn sum(lines: &[Line]) -> Counts {
    lines.iter().map(|line| line.ran.outcome.counts).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::ktap;

    #[test]
    fn many_skips_for_one_reason_are_a_line() {
        let many: String = (1..=5)
            .map(|n| format!("ok {n} a # SKIP needs x\n"))
            .collect();
        let output = many + "ok 6 b\n  ok 7 c # SKIP needs y\n";
        assert_eq!(
            skips(&output),
            ["5 # SKIP needs x", "ok 7 c # SKIP needs y"]
        );
    }

    const AGAIN: Again<'_> = Again {
        arch: None,
        kernel: "lab",
        against: None,
        target: "test",
        accel: Accel::Tcg,
    };

    /// Returns the report of a suite that printed `output`.
    fn failures(output: &str) -> String {
        super::failures(
            &ktap::read(output).tests,
            "errno",
            Some(&AGAIN),
            Path::new("output.log"),
        )
    }

    #[test]
    fn a_lone_failure_has_its_reason_and_its_rerun_line() {
        let output = "ok 1 a\n# reproduce: nsproxy-tests errno 'uts: b'\n\
                      # setns(2) returned EPERM, /dev/nsproxy returned 0\n\
                      # check: cap-owner\nnot ok 2 uts: b\nok 3 c\n# Totals: pass:2 fail:1\n";
        let expected = "    not ok: uts: b\n      \
                        setns(2) returned EPERM, /dev/nsproxy returned 0\n      \
                        check: cap-owner\n      \
                        rerun: make test KERNEL=lab SUITES=errno TEST='uts: b'\n";
        assert_eq!(failures(output), expected);
        // The same as the last line of a guest that died before the line was complete.
        let (cut, _) = output.split_once("\nok 3").unwrap();
        assert_eq!(failures(cut), expected);
    }

    #[test]
    fn failures_in_a_row_keep_their_own_reasons() {
        let output = "# reproduce: nsproxy-tests errno 'a'\n# why a\nnot ok 1 a\n\
                      # 3 s: 12 calls\n# reproduce: nsproxy-tests errno 'b' --seed 7\n\
                      # why b\nnot ok 2 b\n\
                      not ok 3 c\n\
                      # reproduce: nsproxy-tests errno\n# why d\nnot ok 4 d\n";
        let expected = "    not ok: a\n      why a\n      \
                        rerun: make test KERNEL=lab SUITES=errno TEST=a\n    \
                        not ok: b\n      why b\n      \
                        rerun: make test KERNEL=lab SUITES=errno TEST=b SEED=7\n    \
                        not ok: c\n      (no reason reported)\n    \
                        not ok: d\n      why d\n      \
                        rerun: make test KERNEL=lab SUITES=errno\n";
        assert_eq!(failures(output), expected);
    }

    #[test]
    fn omitted_lines_are_counted() {
        let lines: String = (1..=39).map(|n| format!("# line {n}\n")).collect();
        let long = failures(&format!("{lines}not ok 1 a\n"));
        assert!(
            long.contains("      line 12\n      ... 27 more lines in output.log\n"),
            "{long}"
        );
        assert!(!long.contains("line 13\n"), "{long}");

        let many: String = (1..=200)
            .map(|n| format!("# why {n}\nnot ok {n} t{n}\n"))
            .collect();
        let many = failures(&many);
        assert!(many.contains("not ok: t5\n      why 5\n"), "{many}");
        assert!(!many.contains("t6"), "{many}");
        assert!(
            many.ends_with("    ... 195 more failed tests in output.log\n"),
            "{many}"
        );
        assert!(many.lines().count() < 20, "{many}");
    }

    #[test]
    fn the_command_is_for_the_kernel_and_the_form_that_were_run() {
        let again = Again {
            kernel: "/my trees/linux",
            against: Some(Path::new("record.json")),
            arch: Some("arm64"),
            target: "test-long",
            accel: Accel::Icount,
        };
        assert_eq!(
            again.command(
                "races@4",
                "reproduce: nsproxy-tests races 'a b' --long --seed 9"
            ),
            "make test-long KERNEL='/my trees/linux' ARCH=arm64 SUITES=races@4 TEST='a b' \
             AGAINST=record.json SEED=9 ACCEL=icount"
        );
    }

    #[test]
    fn a_test_that_hung_is_named_with_the_one_before_it() {
        let text = unfinished("b c", &ktap::read("ok 1 a\n").tests, "errno", Some(&AGAIN));
        let expected = "    unfinished: b c\n      finished before it: a\n      \
                        rerun: make test KERNEL=lab SUITES=errno TEST='b c'\n";
        assert_eq!(text, expected);
    }
}
