// SPDX-License-Identifier: GPL-2.0-only

//! What the same work costs by setns(2) and by the device, in one boot, in instructions: `make
//! bench`. They repeat, whatever else the host does, and so ratios can be guarded.
//!
//! For a guest with one CPU whose clock counts them, see [`counts_instructions`].

mod row;

use crate::{
    host,
    ktap::{Printer, Tally},
    sys,
    world::World,
};
use anyhow::{Context as _, Result, ensure};
use row::Side;

/// Runs it all, prints a table, and tells the host each figure.
pub(super) fn run(world: &mut World, filter: &str) -> Result<Tally> {
    counts_instructions()?;
    let mut rows = row::rows();
    rows.retain(|row| row.name().contains(filter));

    let mut printer = Printer::new("bench", rows.len(), world.effort);
    println!(
        "# {:<44} {:>9} {:>9} {:>6}",
        "instructions a call", "reference", "this", "ratio"
    );
    let mut worst: Option<f64> = None;
    for row in &rows {
        let name = row.name();
        let result = row
            .measure()
            .with_context(|| name.clone())
            .and_then(|cost| {
                let ratio = cost.ratio();
                println!(
                    "# {:<44} {:>9.1} {:>9.1} {ratio:>6.3}",
                    name, cost.reference, cost.subject
                );
                host::fact(
                    format!("bench.{}.{}", row.part(), row.work().replace(' ', "_")),
                    format!("{:.1} {:.1} {ratio:.3}", cost.reference, cost.subject),
                )?;
                if row.side() == Side::Device {
                    worst = Some(worst.map_or(ratio, |worst| worst.max(ratio)));
                }
                let limit = row.limit();
                ensure!(
                    ratio <= limit,
                    "{ratio:.3} times what it is compared with, and at most {limit:.3} is allowed"
                );
                Ok(())
            });
        if !printer.print(&name, result) {
            break;
        }
    }
    if let Some(worst) = worst {
        host::summary(format!("worst ratio: {worst:.2}"))?;
        println!("# worst ratio: {worst:.2}");
    }
    Ok(printer.end())
}

/// # Errors
///
/// The time stamp counter of this guest counts something else.
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
        "the clock of this guest does not count instructions: {N} are {least} to it; \
         `make bench` starts one whose clock does"
    );
    Ok(())
}
