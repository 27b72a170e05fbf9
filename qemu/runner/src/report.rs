// SPDX-License-Identifier: GPL-2.0-only

//! What a person sees of a run, and what is kept of it for programs.

use crate::{
    classify::Class,
    guest::{self, Ran},
    kernel::Kernel,
    qemu,
    results::Arrivals,
    verdict::Counts,
};
use anyhow::Result;
use serde::Serialize;
use std::{
    collections::{BTreeMap, BTreeSet},
    env, fs,
    io::IsTerminal as _,
};

/// One suite's line of the table.
pub(crate) struct Line {
    pub(crate) suite: String,
    pub(crate) ran: Ran,
    /// When what it printed arrived.
    pub(crate) arrivals: Arrivals,
}

/// Paints words, on a terminal whose user does not mind.
pub(crate) struct Paint(bool);

impl Paint {
    /// For what goes to standard output.
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

/// `result.json` of a suite.
#[derive(Serialize)]
struct Record<'a> {
    suite: &'a str,
    kernel: &'a str,
    accel: &'a str,
    class: Class,
    #[serde(flatten)]
    counts: Counts,
    seconds: f64,
    why: Option<&'a str>,
    races_of_kernel: usize,
    summary: Option<&'a str>,
    facts: &'a BTreeMap<String, String>,
}

/// Writes `result.json` beside the logs.
pub(crate) fn keep(line: &Line, kernel: &Kernel, accel: &str) -> Result<()> {
    let outcome = &line.ran.outcome;
    let result = Record {
        suite: &line.suite,
        kernel: &kernel.name,
        accel,
        class: outcome.class,
        counts: outcome.counts,
        seconds: line.ran.took.as_secs_f64(),
        why: outcome.why.as_deref(),
        races_of_kernel: outcome.races_of_kernel,
        summary: line.ran.verdict.summary.as_deref(),
        facts: &line.ran.verdict.facts,
    };
    let text = serde_json::to_string_pretty(&result)?;
    fs::write(line.ran.dir.join("result.json"), text + "\n")?;
    Ok(())
}

/// The head of the table.
pub(crate) fn head() {
    println!(
        "{:<16} {:<8} {:>6} {:>6} {:>7} {:>6}",
        "suite", "verdict", "passed", "failed", "skipped", "s"
    );
}

/// A suite's line of the table; below it, why it did not pass.
pub(crate) fn line(line: &Line, paint: &Paint) {
    let Ran {
        outcome,
        verdict: said,
        took,
        dir,
    } = &line.ran;
    let verdict = format!("{:<8}", outcome.class.word());
    println!(
        "{:<16} {} {:>6} {:>6} {:>7} {:>6.1}",
        line.suite,
        paint.class(outcome.class, &verdict),
        outcome.counts.passed,
        outcome.counts.failed,
        outcome.counts.skipped,
        took.as_secs_f64(),
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
    let output = guest::read(&dir.join(qemu::OUTPUT));
    for skipped in skips(&output) {
        println!("    {skipped}");
    }
    let Some(why) = &outcome.why else { return };
    println!("    why: {why}");
    match outcome.class {
        Class::Failed => failures(&output),
        _ => tail(&guest::read(&dir.join(qemu::CONSOLE)), 8),
    }
    println!("    logs: {}", dir.display());
}

/// The lines of the tests that were skipped; where many are for one reason, that.
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

/// The tests that failed, with what they said.
fn failures(output: &str) {
    const ENOUGH: usize = 40;
    let mut shown = 0;
    let mut failed = false;
    for line in output.lines() {
        let text = line.trim_start();
        // What a test says follows its line, or comes before it, as `#` lines.
        failed = text.starts_with("not ok")
            || failed && text.starts_with('#') && !text.starts_with("# Totals:");
        if failed && shown < ENOUGH {
            println!("    | {line}");
            shown += 1;
        }
    }
}

fn tail(log: &str, n: usize) {
    let lines: Vec<_> = log.lines().collect();
    for line in &lines[lines.len().saturating_sub(n)..] {
        println!("    | {line}");
    }
}

/// Where the time of the guests went, in seconds of all of them together.
pub(crate) fn phases(lines: &[Line]) -> Option<String> {
    let [mut boot, mut suites, mut gates] = [0.0; 3];
    for line in lines {
        let Ran { verdict, took, .. } = &line.ran;
        let at = |phase| verdict.facts.get(phase)?.parse::<f64>().ok();
        // One that did not come to its end is in no phase.
        let (Some(suite), Some(gate), Some(end)) =
            (at("time.suite"), at("time.gates"), at("time.end"))
        else {
            continue;
        };
        // Its clock begins with its kernel, and before that is what starts that. One that was set
        // by a busy host can run ahead.
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

/// The last line of a run.
pub(crate) fn sum(lines: &[Line]) -> Counts {
    let mut counts = Counts::default();
    for line in lines {
        counts += line.ran.outcome.counts;
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
