// SPDX-License-Identifier: GPL-2.0-only

//! Each allocation of unshare(2) fails once: with a result that the kernel has as well, nothing left
//! behind, and a reason of its own for each object that the module itself asks for.

use super::Shared;
use crate::{
    case::{
        Case,
        fixtures::Fixtures,
        implementation::{Device, Entry, Kind, all_kinds, flags_of, kind_names},
        run,
        target::USER,
    },
    checks::fault_injection::{self, Armed},
    errno::outcome_name,
    process::setup::Setup,
    report::{ktap::Test, verdict_port},
};
use anyhow::{Context as _, Result, bail, ensure};
use nsproxy_uapi::{Journal, Reason, Refusal};
use rustix::io::Errno;
use std::collections::BTreeSet;

/// More allocations than a call makes.
const MOST: u32 = 5000;
/// How often to try, since an allocation of the allocator itself may fail.
const ATTEMPTS: usize = 8;

pub(super) fn tests(counts: &Shared) -> Vec<Test> {
    let single = Kind::ALL.map(Kind::flag);
    let sets = [
        flags_of(&[Kind::User, Kind::Uts]),
        flags_of(&[Kind::Mnt, Kind::Ipc, Kind::Pid]),
        all_kinds() & !Kind::Net.flag(),
    ];
    // The new user namespace has a count for the effective user when the real one is counted in it,
    // after the other namespaces exist. Only for another user does that allocate.
    let of_two_users = (sets[0], vec![Setup::SetRealUser(USER)]);
    let mut tests: Vec<_> = single
        .into_iter()
        .chain(sets)
        .map(|kinds| (kinds, Vec::new()))
        .chain([of_two_users])
        .map(|(kinds, caller)| {
            let counts = counts.clone();
            let of = if caller.is_empty() {
                ""
            } else {
                " with another real user"
            };
            let name = format!("unshare {}{of}: each allocation", kind_names(kinds));
            Test::new(name, move |fixtures| {
                fault_injection::prepare()?;
                counts.borrow_mut().calls += 1;
                let failures = sweep(kinds, &caller, fixtures)
                    .inspect_err(|_| counts.borrow_mut().differ += 1)?;
                counts.borrow_mut().failures += failures;
                let fact = format!("faults.allocations.unshare_{}{of}", kind_names(kinds))
                    .replace(' ', "_");
                verdict_port::fact(fact, failures)
            })
        })
        .collect();
    tests.push(Test::new(
        "U8 unshare: the reasons of failed allocations",
        reasons,
    ));
    tests
}

/// Makes one allocation of a caller after the other fail, until none is left. Returns how many there
/// were.
fn sweep(kinds: u32, caller: &[Setup], fixtures: &mut Fixtures) -> Result<u32> {
    for n in 1..MOST {
        let case = Case {
            fail_allocation: Some(n),
            ..Case::unshare(format!("unshare {}", kind_names(kinds)), kinds.into())
                .caller(caller.to_vec())
        };
        if fails_at(&case, fixtures).with_context(|| format!("allocation {n}"))? {
            continue;
        }
        ensure!(n > 1, "the call makes no allocation");
        return Ok(n - 1);
    }
    bail!("more than {MOST} allocations")
}

/// Makes the call through both entries until they have had a common result. Returns whether the
/// allocation failed: whether there was one.
///
/// A kind may tolerate that an allocation fails, and the allocator makes allocations of its own. So
/// which one is the `n`th depends on the calls before. A call that fails must not have any effect,
/// each time.
fn fails_at(case: &Case, fixtures: &mut Fixtures) -> Result<bool> {
    let entries = [Entry::Syscall, Entry::Device];
    let mut results = entries.map(|_| Vec::new());
    for attempt in 0..ATTEMPTS {
        // The first one finds the caches as the second one has left them.
        for side in [attempt % 2, 1 - attempt % 2] {
            let case = Case {
                subject: entries[side],
                reference: None,
                ..case.clone()
            };
            let run = run::run(&case, fixtures)?;
            run.check()?;
            let failed = run.subject.to_go == Some(0);
            results[side].push((outcome_name(run.subject.outcome), failed));
        }
        let [reference, subject] = &results;
        if let Some((_, failed)) = reference.iter().find(|result| subject.contains(result)) {
            return Ok(*failed);
        }
    }
    let [reference, subject] = results;
    bail!("unshare(2): {reference:?}, /dev/nsproxy: {subject:?}")
}

type Trace = fn(&Device, u64) -> Result<(Option<Refusal>, Journal), Errno>;

/// Checks that dry runs of unshare(2) and clone3(2) have all reasons that a shortage of memory has.
fn reasons(_: &mut Fixtures) -> Result<()> {
    reasons_of(|device, flags| device.trace_unshare(flags, true)).context("unshare(2)")?;
    reasons_of(Device::trace_clone).context("clone3(2)")
}

fn reasons_of(trace: Trace) -> Result<()> {
    fault_injection::prepare()?;
    let device = Device::open()?;
    let expected = [
        Reason::NoFs,
        Reason::NoCred,
        Reason::NewUcounts,
        Reason::NoNsProxy,
        Reason::NoNewNs,
    ];
    let mut seen = BTreeSet::new();
    // Without another kind, nothing has allocated the ucounts in the new user namespace before.
    for kinds in [vec![Kind::User, Kind::Mnt, Kind::Uts], vec![Kind::User]] {
        for n in 1..MOST {
            let armed = Armed::new(n)?;
            let said = trace(&device, flags_of(&kinds).into());
            let to_go = armed.to_go()?;
            drop(armed);
            match said {
                Ok((refusal, _)) => seen.extend(refusal.map(|refusal| refusal.reason)),
                // For the journal itself.
                Err(Errno::NOMEM) => continue,
                Err(errno) => return Err(errno).context("NSPROXY_EXPLAIN"),
            }
            if to_go > 0 {
                break;
            }
        }
    }
    for reason in expected {
        ensure!(
            seen.contains(&reason),
            "no {} among {seen:?}",
            reason.name()
        );
    }
    Ok(())
}
