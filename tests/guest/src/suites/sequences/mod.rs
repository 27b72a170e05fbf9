// SPDX-License-Identifier: GPL-2.0-only

//! Random sequences: a handful of processes unshare, fork, exit, open, mount, and call setns. Each
//! sequence runs in two worlds that are the same but for the way in which setns is called, and
//! what is seen in them is to be the same, too.
//!
//! - [`op`], [`text`]: a sequence as data, and as something to type;
//! - [`strategy`]: how sequences are made up;
//! - [`world`], [`process`], [`channel`]: a world, its processes, and what they say to each other;
//! - [`observe`]: what a process sees; [`record`]: what was seen in a world, and comparing two;
//! - [`search`]: looking for a sequence that differs, and making it short;
//! - [`outcome_mix`]: whether what was tried means anything.

mod channel;
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
    case::{implementation::Entry, target::World},
    report::{
        ktap::{Skip, Test},
        verdict_port,
    },
    snapshot::ClockBase,
};
use anyhow::{Result, ensure};
use op::{CGROUPS, Cgroup, Op};
use outcome_mix::Mix;
use record::{Difference, Record};
use std::{cell::RefCell, fs, rc::Rc, thread, time::Duration};
use strategy::THEMES;
use text::Sequence;

/// A test for each theme; or the one of a sequence that was typed, if that is what the filter is.
pub(super) fn tests(filter: &str, _: &mut World) -> Vec<Test> {
    if let Some(test) = replay(filter) {
        return vec![test];
    }
    let whole: Rc<RefCell<Mix>> = Rc::default();
    let mut tests = Vec::new();
    for theme in THEMES {
        let whole = whole.clone();
        tests.push(Test::new(theme.name(), move |world| {
            search::search(theme, world, &mut whole.borrow_mut())
        }));
    }
    let conclusion = Test::new("each kind and each error came up", move |world| {
        conclude(&whole.borrow(), world.effort.seed)
    });
    tests.push(conclusion.of_suite());
    tests
}

fn replay(text: &str) -> Option<Test> {
    // No name of a test has one, and no sequence is without.
    if !text.contains(':') {
        return None;
    }
    let name = text.to_owned();
    Some(Test::new(text, move |world| {
        let sequence: Sequence = name.parse()?;
        let _cgroups = Cgroups::new()?;
        let both = Both::run(&sequence.0, &world.clocks)?;
        print!("{}", both.story(&sequence.0));
        ensure!(both.differences.is_empty(), both.words());
        Ok(())
    }))
}

/// Says what the whole run came to.
fn conclude(mix: &Mix, seed: u64) -> Result<()> {
    if mix.sequences == 0 {
        return Err(Skip::because("no sequence ran"));
    }
    let Mix {
        sequences,
        differ,
        calls,
        succeeded,
        ..
    } = mix;
    println!("# {mix}");
    verdict_port::summary(format_args!(
        "sequences: {sequences} run in both worlds, {calls} calls of setns ({succeeded} \
         succeeded), {differ} differ (seed {seed})"
    ))?;
    verdict_port::fact("sequences.count", sequences)?;
    verdict_port::fact("sequences.calls", calls)?;
    verdict_port::fact("sequences.succeeded", succeeded)?;
    verdict_port::fact("sequences.differ", differ)?;
    verdict_port::fact("sequences.seed", seed)?;
    if *differ > 0 {
        // That one is a failure already, and what came after it in its theme was not tried.
        return Err(Skip::because("a sequence differs"));
    }
    mix.check()
}

/// What came of a sequence in both worlds.
struct Both {
    syscall: Record,
    device: Record,
    differences: Vec<Difference>,
}

impl Both {
    /// Runs the sequence twice. The reference first: should the other take the guest down, this
    /// much is known.
    fn run(sequence: &[Op], clocks: &ClockBase) -> Result<Self> {
        let syscall = world::run(sequence, Entry::Syscall, clocks)?.in_order();
        let device = world::run(sequence, Entry::Device, clocks)?.in_order();
        Ok(Self {
            differences: syscall.differences(&device),
            syscall,
            device,
        })
    }

    /// Where they differ.
    fn words(&self) -> String {
        let lines: Vec<_> = self.differences.iter().map(ToString::to_string).collect();
        format!(
            "different ({} / {}):\n  {}",
            Entry::Syscall,
            Entry::Device,
            lines.join("\n  ")
        )
    }

    /// The operations and what each came to, one a line, as comments of KTAP.
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
                format!("#  {number:2}. {}: {both}\n", op.words())
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
            // Whoever was in there is dead, but may not have been taken out yet.
            for _ in 0..100 {
                if fs::remove_dir(world::cgroup(Cgroup(n))).is_ok() {
                    break;
                }
                thread::sleep(Duration::from_millis(10));
            }
        }
    }
}
