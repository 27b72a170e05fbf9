// SPDX-License-Identifier: GPL-2.0-only

//! A leak of the kernel, which the module does not have. The test shows it, and reports a kernel in
//! which it is fixed.
//!
//! `prepare_nsset()` sets `nsset->flags` at its end, and `put_nsset()` releases what the flags name.
//! If the copy of the `fs_struct` fails, the flags are not set, and the cred that was prepared before
//! is leaked. `tests/known-kernel-bugs/` has the patch.

use super::{
    Shared,
    calls::{self, Call, FS_STRUCT},
};
use crate::{
    case::{fixtures::Fixtures, implementation::Entry, run},
    checks::{
        fault_injection,
        slab::{self, Objects},
    },
    errno::{Code, outcome_name},
    report::{
        ktap::{Skip, Test},
        verdict_port,
    },
};
use anyhow::{Context as _, Result, ensure};

/// The number of creds to leak: many more than processes allocate meanwhile.
const TIMES: u32 = 500;

pub(super) fn tests(counts: &Shared) -> Vec<Test> {
    let counts = counts.clone();
    vec![Test::new(
        "known: prepare_nsset forgets the cred when fs_struct fails",
        move |fixtures| {
            fault_injection::prepare()?;
            if fault_injection::has_kmemleak() {
                return Err(Skip::because(
                    "kmemleak would report the leak of setns(2); shown on KERNEL=lab",
                ));
            }
            let call = calls::all()
                .into_iter()
                .find(|call| {
                    call.kernel_leaks_at(Some(FS_STRUCT)) && call.allocations.contains(&FS_STRUCT)
                })
                .context("no call allocates both")?;
            let kernel = creds_left(&call, Entry::Syscall, fixtures)?;
            let device = creds_left(&call, Entry::Device, fixtures)?;
            let word = if kernel == 0 {
                "fixed: the kernel does not leak"
            } else {
                "known: the kernel leaks"
            };
            println!(
                "# {word}: {TIMES} calls left {kernel} creds behind by setns(2), {device} by the device"
            );
            verdict_port::fact(
                "faults.known.prepare_nsset",
                format!("leaks={kernel} device={device} calls={TIMES}"),
            )?;
            counts.borrow_mut().kernel_leaks = Some(kernel != 0);
            slab::permit(slab::CRED, kernel)?;
            ensure!(
                device == 0,
                "the device leaks {device} creds in {TIMES} calls"
            );
            ensure!(
                kernel == 0 || kernel.abs_diff(u64::from(TIMES)) < u64::from(TIMES / 10),
                "setns(2) leaks {kernel} creds in {TIMES} calls, which is neither none nor one each"
            );
            Ok(())
        },
    )]
}

/// Returns the growth of the number of creds after the call has failed [`TIMES`] times at the
/// `fs_struct`.
fn creds_left(call: &Call, entry: Entry, fixtures: &mut Fixtures) -> Result<u64> {
    let n = call.allocations.iter().position(|a| *a == FS_STRUCT);
    let (case, _) = call.case_failing_at(n.context("no fs_struct")? as u32 + 1);
    let before = Objects::count()?;
    let outcome = run::repeat(&case, entry, TIMES, false, fixtures)?;
    ensure!(
        outcome == Err(Code::ENOMEM),
        "{entry} returned {}, expected ENOMEM",
        outcome_name(outcome)
    );
    // Processes that start and exit allocate some as well.
    let growth = before.growth_by(u64::from(TIMES / 10))?;
    Ok(growth.objects(slab::CRED))
}
