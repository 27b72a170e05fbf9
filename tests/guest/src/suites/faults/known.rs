// SPDX-License-Identifier: GPL-2.0-only

//! What the kernel itself gets wrong, and the device does not: shown, so that nobody has to
//! believe it, and so that it is noticed when a kernel does not any more.
//!
//! `prepare_nsset()` notes what it has prepared at its end, and `put_nsset()` releases what was
//! noted. When the copy of the `fs_struct` fails, nothing was noted, and the cred that was prepared
//! before it is forgotten. `tests/known-kernel-bugs/` has the patch.

use super::{
    Shared,
    calls::{self, Call, FS_STRUCT},
};
use crate::{
    case::{implementation::Entry, run, target::World},
    checks::{
        fault_injection,
        slab::{self, Objects},
    },
    errno::{Code, word},
    report::{
        ktap::{Skip, Test},
        verdict_port,
    },
};
use anyhow::{Context as _, Result, ensure};

/// How many creds are to be leaked: enough to be told from those that come and go.
const TIMES: u32 = 500;

pub(super) fn tests(counts: &Shared) -> Vec<Test> {
    let counts = counts.clone();
    vec![Test::new(
        "known: prepare_nsset forgets the cred when fs_struct fails",
        move |world| {
            fault_injection::prepare()?;
            if fault_injection::kmemleak_is_there() {
                return Err(Skip::because(
                    "what setns(2) leaks here, kmemleak would report; shown on KERNEL=lab",
                ));
            }
            let call = calls::all()
                .into_iter()
                .find(|call| {
                    call.kernel_leaks_at(Some(FS_STRUCT)) && call.allocations.contains(&FS_STRUCT)
                })
                .context("no call prepares both")?;
            let kernel = creds_left(&call, Entry::Syscall, world)?;
            let device = creds_left(&call, Entry::Device, world)?;
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

/// How many creds more there are after the call has failed [`TIMES`] times at the `fs_struct`.
fn creds_left(call: &Call, entry: Entry, world: &mut World) -> Result<u64> {
    let n = call.allocations.iter().position(|a| *a == FS_STRUCT);
    let (case, _) = call.case_failing_at(n.context("no fs_struct")? as u32 + 1);
    let before = Objects::count()?;
    let outcome = run::repeat(&case, entry, TIMES, false, world)?;
    ensure!(
        outcome == Err(Code::ENOMEM),
        "{entry} returned {}, expected ENOMEM",
        word(outcome)
    );
    // Some come and go with processes.
    let growth = before.growth_by(u64::from(TIMES / 10))?;
    Ok(growth.of(slab::CRED))
}
