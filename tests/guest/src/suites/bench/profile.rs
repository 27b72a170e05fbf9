// SPDX-License-Identifier: GPL-2.0-only

//! Makes the calls that `bench` measures, one at a time, while the host records their instructions:
//! `make profile` reports them by function.

use super::row::{self, Row};
use crate::{
    case::fixtures::Fixtures,
    process::tracer::Tracer,
    report::ktap::{self, Printer, Tally},
};
use anyhow::Result;

/// Sends the symbols of the kernel to the host, and makes both calls of each row.
pub(crate) fn run(fixtures: &mut Fixtures, filter: &str) -> Result<Tally> {
    let mut rows = row::rows();
    rows.extend(row::served());
    rows.retain(Row::is_one_call);
    let rows = ktap::select("profile", filter, rows, Row::name)?;
    Tracer::open()?.symbols()?;

    let mut printer = Printer::new("profile", rows.len(), fixtures.effort);
    for row in &rows {
        printer.begin(&row.name());
        if !printer.print(&row.name(), row.profile()) {
            break;
        }
    }
    Ok(printer.end())
}
