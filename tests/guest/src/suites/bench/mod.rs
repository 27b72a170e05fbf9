// SPDX-License-Identifier: GPL-2.0-only

//! The cost of the same work by setns(2) and by the device, in instructions of one boot: `make bench`.
//! Instruction counts do not depend on the load of the host, so that ratios can have a limit.
//!
//! The guest must have one CPU, and a clock that counts instructions: see [`counts_instructions`].

mod growth;
mod module;
pub(super) mod profile;
mod row;

use crate::{
    case::{fixtures::Fixtures, implementation::Entry},
    report::{
        ktap::{self, Printer, Tally},
        verdict_port,
    },
    sys,
};
use anyhow::{Result, ensure};
use growth::Growth;
use row::{Row, Subject};

/// A measurement.
enum Part {
    /// The same work, done twice.
    Row(Row),
    /// A call with a growing number of objects.
    Growth(Growth),
    /// The module itself.
    Module,
}

/// Returns all measurements. Their order matters: looking up a served process takes longer if its pid
/// is large, and an installed redirect slows the system call down until the module is reloaded.
fn parts() -> Vec<Part> {
    let redirected = row::served().into_iter().chain(row::not_served());
    let mut parts: Vec<_> = redirected.map(Part::Row).collect();
    parts.push(Part::Module);
    parts.extend(row::rows().into_iter().map(Part::Row));
    parts.extend(Growth::ALL.map(Part::Growth));
    parts
}

/// Runs all measurements, prints a table, and reports each figure to the host.
pub(super) fn run(fixtures: &mut Fixtures, filter: &str) -> Result<Tally> {
    counts_instructions()?;
    let parts = ktap::select("bench", filter, parts(), Part::name)?;

    let mut printer = Printer::new("bench", parts.len(), fixtures.effort);
    println!(
        "# {:<44} {:>9} {:>9} {:>6}",
        "instructions per call", "reference", "subject", "ratio"
    );
    let mut worst = None;
    for part in &parts {
        printer.begin(&part.name());
        let result = match part {
            Part::Row(row) => compare(row, &mut worst),
            Part::Growth(growth) => growth.measure(),
            Part::Module => module::measure(),
        };
        if !printer.print(&part.name(), result) {
            break;
        }
    }
    if let Some(worst) = worst {
        verdict_port::summary(format!("worst ratio: {worst:.2}"))?;
        println!("# worst ratio: {worst:.2}");
    }
    Ok(printer.end())
}

/// Returns the names of all measurements.
#[cfg(test)]
pub(super) fn names() -> Vec<String> {
    parts().iter().map(Part::name).collect()
}

impl Part {
    fn name(&self) -> String {
        match self {
            Self::Row(row) => row.name(),
            Self::Growth(growth) => format!("growth: {}", growth.name()),
            Self::Module => "module".to_owned(),
        }
    }
}

/// Measures a row. `worst` is the highest ratio of the ioctl so far.
fn compare(row: &Row, worst: &mut Option<f64>) -> Result<()> {
    let cost = row.measure()?;
    let (ratio, limit) = (cost.ratio(), row.limit());
    println!(
        "# {:<44} {:>9.1} {:>9.1} {ratio:>6.3}",
        row.name(),
        cost.reference,
        cost.subject
    );
    verdict_port::fact(
        format!("bench.{}.{}", row.part(), row.work().replace(' ', "_")),
        format!("{:.1} {:.1} {ratio:.3}", cost.reference, cost.subject),
    )?;
    if row.subject() == Subject::Entry(Entry::Device) {
        *worst = Some(worst.map_or(ratio, |worst: f64| worst.max(ratio)));
    }
    ensure!(
        ratio <= limit,
        "{ratio:.3} times the cost of the reference, expected at most {limit:.3}"
    );
    Ok(())
}

/// Checks that the time stamp counter of this guest counts instructions.
fn counts_instructions() -> Result<()> {
    const N: u64 = 100_000;
    let least = (0..5)
        .map(|_| {
            let begun = sys::instructions();
            sys::run_twice(N / 2);
            sys::instructions() - begun
        })
        .min()
        .unwrap_or_default();
    ensure!(
        (N..N + N / 100).contains(&least),
        "the clock of this guest does not count instructions: it counted {least} for {N}; \
         hint: `make bench` starts one whose clock does"
    );
    Ok(())
}
