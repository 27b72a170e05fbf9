// SPDX-License-Identifier: GPL-2.0-only

//! Random calls of the device. Each must return an outcome that is documented for its input.
//!
//! A child makes a batch of calls and exits, since calls that succeed move it to other namespaces. A
//! second child makes the same calls with setns(2) instead of `NSPROXY_SETNS`, and unshare(2) instead
//! of `NSPROXY_UNSHARE`: both must return the same outcomes throughout the batch. Inputs and the memory around the argument must not change.

mod call;
mod caller;
mod expected;
mod fds;
mod operations;
mod racing_args;
mod results;

use crate::{
    case::fixtures::Fixtures,
    env::kernel,
    errno::{Code, Outcome, outcome_name},
    process::{spawn_child, workers::wait},
    report::{ktap::Test, progress::Progress, verdict_port},
};
use anyhow::{Result, ensure};
use call::Command;
use caller::{Batch, Caller};
use expected::{Capabilities, Rights, documented};
use fds::FdPool;
use nsproxy_uapi::Implementation;
use results::{BATCH, Counts, Results};
use std::{cell::RefCell, rc::Rc};

/// Returns the number of calls of all tests together.
fn budget(fixtures: &Fixtures) -> usize {
    let calls = fixtures.effort.pick(100_000, 1_000_000);
    if kernel::is_sanitized() {
        calls / 10
    } else {
        calls
    }
}

/// The part of the budget that each caller gets, in percent.
const SHARES: [(Caller, usize); Caller::ALL.len()] = [
    (Caller::Root, 40),
    (Caller::Powerless, 10),
    (Caller::User, 10),
    (Caller::UserNamespace, 15),
    (Caller::Filtered, 5),
];
/// The part for calls whose arguments change, in percent.
const RACING_ARGS: usize = 20;

/// The sums over all calls.
#[derive(Default)]
struct Totals {
    counts: Counts,
    compared: u64,
    wrong: u64,
}

pub(crate) fn tests() -> Vec<Test> {
    let totals = Rc::new(RefCell::new(Totals::default()));
    let mut tests = Vec::new();
    for (caller, share) in SHARES {
        let totals = totals.clone();
        tests.push(Test::new(format!("calls by {caller}"), move |fixtures| {
            fuzz(fixtures, caller, share, &mut totals.borrow_mut())
        }));
    }
    let of_racing = totals.clone();
    tests.push(Test::new("calls whose arguments change", move |fixtures| {
        fuzz_racing_args(fixtures, &mut of_racing.borrow_mut())
    }));
    tests.push(Test::new("operations other than ioctl", |_| {
        let tried = operations::check(&FdPool::new()?)?;
        verdict_port::fact("fuzz.operations", tried)
    }));
    let conclusion = Test::new("every documented outcome occurred", move |_| {
        check_coverage(&totals.borrow())
    });
    tests.push(conclusion.of_suite());
    tests
}

/// Returns the seed of a batch.
fn seed_of(seed: u64, caller: usize, batch: usize) -> u64 {
    seed ^ (caller as u64 + 1) << 56 ^ (batch as u64) << 32
}

fn fuzz(fixtures: &Fixtures, caller: Caller, share: usize, totals: &mut Totals) -> Result<()> {
    let pool = FdPool::new()?;
    let results = Results::new()?;
    let calls = budget(fixtures) * share / 100;
    let seed = fixtures.effort.seed;
    println!("# {calls} calls, --seed {seed}");
    let mut progress = Progress::new();
    for number in 0..calls.div_ceil(BATCH) {
        let batch = Batch {
            pool: &pool,
            results: &results,
            caller,
            seed: seed_of(seed, caller as usize, number),
            calls: calls - number * BATCH,
        };
        results.clear();
        in_child(&results, || batch.run(Implementation::Module))?;
        if caller.is_comparable() {
            in_child(&results, || batch.run(Implementation::Kernel))?;
            totals.compared += results.compared();
            if let Some((at, kernel, module)) = results.difference() {
                let word =
                    |outcome: Option<Outcome>| outcome.map_or("nothing".to_owned(), outcome_name);
                let (kernel, module) = (word(kernel), word(module));
                batch.complain(
                    at,
                    &batch.call(at)?,
                    &format!("{module}, by the kernel {kernel}"),
                );
            }
        }
        progress.print(|| format!("{} calls", number * BATCH));
        if results.complaints.count() > 0 {
            break;
        }
    }
    finish(&results, totals, fixtures)
}

fn fuzz_racing_args(fixtures: &Fixtures, totals: &mut Totals) -> Result<()> {
    let pool = FdPool::new()?;
    let results = Results::new()?;
    let calls = budget(fixtures) * RACING_ARGS / 100;
    let mut progress = Progress::new();
    for number in 0..calls.div_ceil(BATCH) {
        let seed = seed_of(fixtures.effort.seed, Caller::ALL.len(), number);
        in_child(&results, || {
            racing_args::run(&pool, &results, seed, calls - number * BATCH)
        })?;
        progress.print(|| format!("{} calls", number * BATCH));
    }
    finish(&results, totals, fixtures)
}

/// Adds the results to the sums, reports the sums, and fails if there are errors.
fn finish(results: &Results, totals: &mut Totals, fixtures: &Fixtures) -> Result<()> {
    results.add_to(&mut totals.counts);
    totals.wrong += results.complaints.count();
    totals.report(fixtures.effort.seed)?;
    results.complaints.none()
}

/// Runs `work` in a child, and waits for its end.
fn in_child(results: &Results, work: impl FnOnce() -> Result<()>) -> Result<()> {
    let report = |error: &str| results.complaints.say(error);
    let status = wait(spawn_child(work, report)?)?;
    if status.exit_status() != Some(0) {
        report(&format!("a caller ended with {status:?}"));
    }
    Ok(())
}

/// Returns every outcome that is documented, by command.
fn all_documented() -> impl Iterator<Item = (Command, Outcome)> {
    // Some caller is refused by each check.
    let rights = Rights {
        filtered: true,
        capabilities: Capabilities::Elsewhere,
        pid_for_children: true,
    };
    Command::ALL.into_iter().flat_map(move |command| {
        let outcomes = documented(command, rights).into_iter();
        outcomes.map(move |outcome| (command, outcome))
    })
}

fn check_coverage(totals: &Totals) -> Result<()> {
    let mut missing = Vec::new();
    for (command, outcome) in all_documented() {
        let errno = outcome.map_or_else(|code| code.0, |()| 0);
        if !totals.counts.contains_key(&(command as usize, errno)) {
            missing.push(format!("{command:?}: {}", outcome_name(outcome)));
        }
    }
    ensure!(missing.is_empty(), "never occurred: {}", missing.join(", "));
    Ok(())
}

impl Totals {
    /// Reports the sums to the host, where the last report replaces those before.
    fn report(&self, seed: u64) -> Result<()> {
        let calls: u64 = self.counts.values().sum();
        let documented = all_documented().count();
        verdict_port::summary(format_args!(
            "fuzz: {calls} calls, {} of {documented} documented outcomes met, {} wrong; \
             {} compared with the kernel (seed {seed})",
            self.counts.len(),
            self.wrong,
            self.compared,
        ))?;
        verdict_port::fact("fuzz.calls", calls)?;
        verdict_port::fact("fuzz.compared", self.compared)?;
        verdict_port::fact("fuzz.wrong", self.wrong)?;
        verdict_port::fact("fuzz.seed", seed)?;
        for ((command, errno), n) in &self.counts {
            let command = Command::ALL[*command];
            let outcome = if *errno == 0 {
                Ok(())
            } else {
                Err(Code(*errno))
            };
            verdict_port::fact(format_args!("fuzz.{command}.{}", outcome_name(outcome)), n)?;
        }
        Ok(())
    }
}
