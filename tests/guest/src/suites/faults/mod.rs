// SPDX-License-Identifier: GPL-2.0-only

//! Allocation failures and leaks.
//!
//! - [`sweep`]: both implementations make the same allocations, and return the same if one fails;
//! - [`reasons`]: the module reports which allocation failed;
//! - [`unshare`]: both for unshare(2);
//! - [`leaks`]: no exit path of either implementation leaks;
//! - [`known`]: a leak of the kernel.

mod calls;
mod known;
mod leaks;
mod reasons;
mod sweep;
mod unshare;

use crate::{
    checks::fault_injection,
    report::{ktap::Test, verdict_port},
};
use anyhow::{Result, ensure};
use std::{cell::RefCell, rc::Rc};

/// The sums over all tests of the suite.
#[derive(Default)]
struct Counts {
    /// Calls whose allocations were made to fail, one at a time.
    calls: u32,
    /// Allocations that failed, each in both implementations.
    failures: u32,
    /// Tests that failed.
    differ: u32,
    /// Attempts that were repeated, because an allocation of the allocator itself may have failed.
    again: u32,
    /// Exit paths of the call that were taken many times.
    ways: u32,
    /// Whether the kernel leaks in the known way, if it was tested.
    kernel_leaks: Option<bool>,
}

type Shared = Rc<RefCell<Counts>>;

pub(crate) fn tests() -> Vec<Test> {
    let counts = Shared::default();
    let mut tests = Vec::new();
    tests.extend(sweep::tests(&counts));
    tests.extend(reasons::tests());
    tests.extend(unshare::tests(&counts));
    tests.extend(leaks::tests(&counts));
    tests.extend(known::tests(&counts));
    let last = counts.clone();
    let conclusion = Test::new("every allocation failed once", move |_| {
        report(&last.borrow())
    });
    tests.push(conclusion.of_suite());
    tests
}

/// Reports the sums to the host.
fn report(counts: &Counts) -> Result<()> {
    let Counts {
        calls,
        failures,
        differ,
        again,
        ways,
        kernel_leaks,
    } = *counts;
    fault_injection::prepare()?;
    ensure!(calls > 0 && failures > calls, "no allocation has failed");
    let known = match kernel_leaks {
        None => "",
        Some(false) => "; the kernel's known leak is fixed",
        Some(true) => "; the kernel leaks a cred in 1, the device none",
    };
    verdict_port::fact("faults.calls", calls)?;
    verdict_port::fact("faults.failures", failures)?;
    verdict_port::fact("faults.differ", differ)?;
    verdict_port::fact("faults.again", again)?;
    verdict_port::fact("faults.ways_out", ways)?;
    verdict_port::summary(format!(
        "faults: {failures} allocations failed in {calls} calls, {differ} differ; \
         {ways} ways out leave nothing behind{known}"
    ))
}
