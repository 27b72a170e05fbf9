// SPDX-License-Identifier: GPL-2.0-only

//! Each allocation of each call fails once, and each way out of a call is taken many times.
//!
//! - [`sweep`]: both sides make the same allocations, and fail in the same way at each;
//! - [`reasons`]: the module can tell which allocation it was;
//! - [`leaks`]: no way out of either implementation leaks;
//! - [`known`]: what the kernel itself gets wrong.

mod calls;
mod known;
mod leaks;
mod reasons;
mod sweep;

use crate::{
    checks::fault_injection,
    report::{ktap::Test, verdict_port},
};
use anyhow::{Result, ensure};
use std::{cell::RefCell, rc::Rc};

/// What the tests of this suite have in common.
#[derive(Default)]
struct Counts {
    /// Calls of which every allocation was made to fail.
    calls: u32,
    /// Allocations that failed, each on both sides.
    failures: u32,
    /// Tests in which something was not the same, or not as it is to be.
    differ: u32,
    /// Attempts that were made again, because what failed may have been the allocator's own.
    again: u32,
    /// Ways out of the call that were repeated many times.
    ways: u32,
    /// Whether the kernel leaks in the known way, if that was tried.
    kernel_leaks: Option<bool>,
}

type Shared = Rc<RefCell<Counts>>;

pub(crate) fn tests() -> Vec<Test> {
    let counts = Shared::default();
    let mut tests = Vec::new();
    tests.extend(sweep::tests(&counts));
    tests.extend(reasons::tests());
    tests.extend(leaks::tests(&counts));
    tests.extend(known::tests(&counts));
    let last = counts.clone();
    let conclusion = Test::new("every allocation has had its turn", move |_| {
        report(&last.borrow())
    });
    tests.push(conclusion.of_suite());
    tests
}

/// Tells the host what it came to.
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
