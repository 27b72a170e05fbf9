// SPDX-License-Identifier: GPL-2.0-only

//! Random sequences: a few processes call setns, unshare, fork, execute, exit, open, mount. Each
//! sequence runs in two worlds, which differ only in the implementation that is called. All
//! observations in both worlds must be the same.
//!
//! - [`op`], [`text`]: sequences as data, and as text;
//! - [`strategy`]: the generator of sequences;
//! - [`world`], [`process`](mod@process), [`messages`]: a world, its processes, and the messages
//!   between them;
//! - [`execute`]: execve(2) in a process;
//! - [`observe`]: snapshots of a process; [`record`]: the observations in a world;
//! - [`search`]: finds and shrinks a sequence that differs;
//! - [`outcome_mix`]: checks that the outcomes are varied enough.

mod execute;
mod messages;
mod observe;
mod op;
mod outcome_mix;
mod process;
mod record;
mod search;
mod strategy;
mod text;
mod world;

use crate::{
    case::{fixtures::Fixtures, implementation::Entry},
    report::{
        ktap::{Skip, Test},
        verdict_port,
    },
    snapshot::ClockBase,
};
use anyhow::{Result, ensure};
pub(crate) use execute::main as process;
use messages::Call;
use op::{CGROUPS, Cgroup, Op};
use outcome_mix::OutcomeMix;
use record::{Difference, Record};
use std::{cell::RefCell, fs, rc::Rc, thread, time::Duration};
use strategy::Theme;
use text::Sequence;

/// Returns a test for each theme; or the test of one sequence, if the filter is a sequence.
pub(super) fn tests(filter: &str, _: &mut Fixtures) -> Vec<Test> {
    if let Some(test) = replay(filter) {
        return vec![test];
    }
    let whole: Rc<RefCell<OutcomeMix>> = Rc::default();
    let mut tests = Vec::new();
    for theme in Theme::ALL {
        let whole = whole.clone();
        tests.push(Test::new(theme.name(), move |fixtures| {
            search::search(theme, fixtures, &mut whole.borrow_mut())
        }));
    }
    let conclusion = Test::new("each kind and each error occurred", move |fixtures| {
        conclude(&whole.borrow(), fixtures.effort.seed)
    });
    tests.push(conclusion.of_suite());
    tests
}

fn replay(text: &str) -> Option<Test> {
    // Every sequence contains a colon, and no name of a test does.
    if !text.contains(':') {
        return None;
    }
    let name = text.to_owned();
    Some(Test::new(text, move |fixtures| {
        let sequence: Sequence = name.parse()?;
        let _cgroups = Cgroups::new()?;
        let both = Both::run(&sequence.0, &fixtures.clocks)?;
        print!("{}", both.story(&sequence.0));
        ensure!(both.differences.is_empty(), both.report());
        Ok(())
    }))
}

/// Reports the sums of the run, and checks them.
fn conclude(mix: &OutcomeMix, seed: u64) -> Result<()> {
    if mix.sequences == 0 {
        return Err(Skip::because("no sequence ran"));
    }
    let OutcomeMix {
        sequences, differ, ..
    } = mix;
    let calls: u32 = mix.calls.iter().map(|counts| counts.all).sum();
    let succeeded: u32 = mix.calls.iter().map(|counts| counts.succeeded).sum();
    for (call, counts) in Call::ALL.iter().zip(&mix.calls) {
        println!("# {call}: {counts}");
    }
    verdict_port::summary(format_args!(
        "sequences: {sequences} run in both worlds, {calls} calls ({succeeded} succeeded), \
         {differ} differ (seed {seed})"
    ))?;
    verdict_port::fact("sequences.count", sequences)?;
    verdict_port::fact("sequences.calls", calls)?;
    verdict_port::fact("sequences.succeeded", succeeded)?;
    for (call, counts) in Call::ALL.iter().zip(&mix.calls) {
        verdict_port::fact(format_args!("sequences.{call}"), counts.all)?;
        verdict_port::fact(format_args!("sequences.{call}.succeeded"), counts.succeeded)?;
    }
    verdict_port::fact("sequences.differ", differ)?;
    verdict_port::fact("sequences.seed", seed)?;
    if *differ > 0 {
        // Its test has failed, and the rest of its theme was not run.
        return Err(Skip::because("a sequence differs"));
    }
    mix.check()
}

/// The records of a sequence in both worlds.
struct Both {
    syscall: Record,
    device: Record,
    differences: Vec<Difference>,
}

impl Both {
    /// Runs the sequence twice. The reference first, in case the module crashes the guest.
    fn run(sequence: &[Op], clocks: &ClockBase) -> Result<Self> {
        let syscall = world::run(sequence, Entry::Syscall, clocks)?.numbered();
        let device = world::run(sequence, Entry::Device, clocks)?.numbered();
        Ok(Self {
            differences: syscall.differences(&device),
            syscall,
            device,
        })
    }

    /// Returns all differences.
    fn report(&self) -> String {
        let lines: Vec<_> = self.differences.iter().map(ToString::to_string).collect();
        format!(
            "different ({} / {}):\n  {}",
            Entry::Syscall,
            Entry::Device,
            lines.join("\n  ")
        )
    }

    /// Returns the operations and their outcomes, one per line, as comments of KTAP.
    fn story(&self, sequence: &[Op]) -> String {
        let outcomes = self.syscall.operations.iter().zip(&self.device.operations);
        sequence
            .iter()
            .zip(outcomes)
            .enumerate()
            .map(|(index, (op, (left, right)))| {
                let number = index + 1;
                let (left, right) = (&left.outcome, &right.outcome);
                let both = if left == right {
                    left.clone()
                } else {
                    format!("{left} / {right}")
                };
                format!("#  {number:2}. {}: {both}\n", op)
            })
            .collect()
    }
}

/// The cgroups that processes are put into, removed when dropped.
struct Cgroups;

impl Cgroups {
    fn new() -> Result<Self> {
        for n in 0..CGROUPS {
            fs::create_dir_all(world::cgroup(Cgroup(n)))?;
        }
        Ok(Self)
    }
}

impl Drop for Cgroups {
    fn drop(&mut self) {
        for n in 0..CGROUPS {
            // The kernel may not have removed the dead processes yet.
            for _ in 0..100 {
                if fs::remove_dir(world::cgroup(Cgroup(n))).is_ok() {
                    break;
                }
                thread::sleep(Duration::from_millis(10));
            }
        }
    }
}
