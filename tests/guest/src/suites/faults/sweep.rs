// SPDX-License-Identifier: GPL-2.0-only

//! Makes the first allocation of a call fail, then the second, and so on, until the call makes fewer
//! allocations and succeeds.

use super::{
    Shared,
    calls::{self, Allocation, Call},
};
use crate::{
    case::{
        Case, Expect, FdSource, Unrelated,
        fixtures::Fixtures,
        implementation::{Entry, Kind},
        run::{self, CallerRun, CaseRun},
        target::Target,
    },
    checks::fault_injection,
    errno::{Code, outcome_name},
    report::{ktap::Test, verdict_port},
};
use anyhow::{Context as _, Result, bail, ensure};
use std::{thread, time::Duration};

/// How often to try, since an allocation of the allocator itself may fail.
const ATTEMPTS: u32 = 5;
/// How long to wait until RCU frees the cred of the last call. Each attempt waits twice as long.
const GRACE: Duration = Duration::from_millis(100);

pub(super) fn tests(counts: &Shared) -> Vec<Test> {
    let mut tests = Vec::new();
    for call in calls::all() {
        let counts = counts.clone();
        let name = format!("{}: {}", call.name, words(&call.allocations));
        tests.push(Test::new(name, move |fixtures| {
            fault_injection::prepare()?;
            counts.borrow_mut().calls += 1;
            sweep(&call, fixtures, &counts).inspect_err(|_| counts.borrow_mut().differ += 1)
        }));
    }
    tests.extend(refused().into_iter().map(|case| {
        Test::new(case.name.clone(), move |fixtures| {
            fault_injection::prepare()?;
            allocates_nothing(&case, fixtures)
        })
    }));
    tests
}

fn words(allocations: &[Allocation]) -> String {
    let names: Vec<_> = allocations.iter().map(|a| a.name).collect();
    names.join(", ")
}

fn sweep(call: &Call, fixtures: &mut Fixtures, counts: &Shared) -> Result<()> {
    let made = call.allocations.len() as u32;
    for n in 1..=made + 1 {
        let (mut case, allocation) = call.case_failing_at(n);
        if call.kernel_leaks_at(allocation) && fault_injection::has_kmemleak() {
            // kmemleak would report the leak of setns(2) after the suite: see `known`.
            case.reference = None;
        }
        let what = allocation.map_or("none", |a| a.name);
        fails_at(call, n, &case, fixtures, counts)
            .with_context(|| format!("allocation {n} ({what})"))?;
        if n <= made {
            counts.borrow_mut().failures += 1;
        }
    }
    verdict_port::fact(
        format!("faults.allocations.{}", call.name.replace(' ', "_")),
        made,
    )
}

/// Checks that both implementations fail at their `n`th allocation, or make one less and succeed.
fn fails_at(
    call: &Call,
    n: u32,
    case: &Case,
    fixtures: &mut Fixtures,
    counts: &Shared,
) -> Result<()> {
    let apart = call.leaves_ucounts(n);
    let to_go = u32::from(n > call.allocations.len() as u32);
    let mut last = String::new();
    for attempt in 0..ATTEMPTS {
        let mut sides = Vec::new();
        let mut wrong = Vec::new();
        let cases = if apart {
            one_by_one(case).to_vec()
        } else {
            vec![case.clone()]
        };
        for case in cases {
            if call.makes_ucounts() {
                thread::sleep(GRACE * (1 << attempt));
            }
            let report = run::run(&case, fixtures)?;
            wrong.extend(report.wrong);
            sides.extend(report.reference);
            sides.push(report.subject);
        }
        for side in &sides {
            if side.to_go != Some(to_go) {
                wrong.push(format!(
                    "{} returned {}, allocations left until the injected failure: {:?}",
                    side.by,
                    outcome_name(side.outcome),
                    side.to_go
                ));
            }
        }
        if wrong.is_empty() {
            return Ok(());
        }
        last = wrong.join("\n");
        // An allocator without free objects makes allocations of its own. One of those may fail
        // without effect, or shift the count by one. And ucounts that still exist are not allocated.
        // A real difference occurs in every attempt.
        let is_as_expected = |side: &CallerRun| {
            let outcome = match case.expect {
                Expect::Fails(code) => side.outcome == Err(code),
                _ => side.outcome.is_ok(),
            };
            side.to_go == Some(to_go) && outcome
        };
        if sides.iter().all(is_as_expected) {
            break;
        }
        counts.borrow_mut().again += 1;
    }
    bail!(last)
}

/// Splits a case into one for each implementation.
fn one_by_one(case: &Case) -> [Case; 2] {
    [Entry::Syscall, case.subject].map(|subject| Case {
        subject,
        reference: None,
        ..case.clone()
    })
}

fn sides(report: &CaseRun) -> impl Iterator<Item = &CallerRun> {
    report.reference.iter().chain([&report.subject])
}

/// Returns calls that the checks refuse before any allocation.
fn refused() -> Vec<Case> {
    let net = Kind::Net.flag() as i32;
    [
        ("E1 fd -1", FdSource::Number(-1), 0, Code::EBADF),
        (
            "E2 nstype of another",
            FdSource::Target("uts"),
            net,
            Code::EINVAL,
        ),
        ("E3 pidfd, nstype 0", FdSource::Pidfd, 0, Code::EINVAL),
        ("E4 pidfd, nstype 1", FdSource::Pidfd, 1, Code::EINVAL),
        (
            "E6 a pipe",
            FdSource::Unrelated(Unrelated::Pipe),
            0,
            Code::EINVAL,
        ),
    ]
    .into_iter()
    .flat_map(|(name, handle, nstype, code)| {
        [Entry::Device, Entry::Device2011].map(|subject| {
            let then = if subject == Entry::Device {
                ""
            } else {
                "2011 "
            };
            Case {
                subject,
                fail_allocation: Some(1),
                ..Case::new(format!("{then}{name}: allocates nothing"), handle, nstype)
            }
            .target(Target::in_all_new())
            .fails(code)
        })
    })
    .collect()
}

fn allocates_nothing(case: &Case, fixtures: &mut Fixtures) -> Result<()> {
    let unarmed = Case {
        expect: Expect::AsReference,
        ..case.clone()
    };
    let report = run::run(&unarmed, fixtures)?;
    ensure!(report.wrong.is_empty(), report.wrong.join("\n"));
    for side in sides(&report) {
        let Expect::Fails(code) = case.expect else {
            bail!("the case has no expected error");
        };
        ensure!(
            side.outcome == Err(code) && side.to_go == Some(1),
            "{} returned {}, expected {code} and no allocation; allocations left: {:?}",
            side.by,
            outcome_name(side.outcome),
            side.to_go
        );
    }
    Ok(())
}
