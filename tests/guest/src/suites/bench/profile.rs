// SPDX-License-Identifier: GPL-2.0-only

//! Shows the host single calls, as `bench` measures them: `make profile`, which says by function
//! where their instructions go.

use super::row::{self, Row};
use crate::{
    case::target::World,
    process::tracer::Tracer,
    report::ktap::{self, Printer, Tally},
};
use anyhow::Result;

/// Tells the host the kernel's symbols, and then shows it both sides of each row.
pub(crate) fn run(world: &mut World, filter: &str) -> Result<Tally> {
    let mut rows = row::rows();
    rows.extend(row::served());
    let rows = ktap::select("profile", filter, rows, Row::name)?;
    Tracer::open()?.symbols()?;

    let mut printer = Printer::new("profile", rows.len(), world.effort);
    for row in &rows {
        printer.begin(&row.name());
        if !printer.print(&row.name(), row.profile()) {
            break;
        }
    }
    Ok(printer.end())
}
