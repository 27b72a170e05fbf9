// SPDX-License-Identifier: GPL-2.0-only

//! Looks for a sequence that differs. What finds and shortens it is proptest.

use super::{Both, Cgroups, op::Op, outcome_mix::Mix, strategy::Theme, text::Sequence};
use crate::case::target::World;
use anyhow::{Result, bail};
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner};
use std::{
    cell::{Cell, RefCell},
    fmt::Write as _,
    io::Write as _,
    time::{Duration, Instant},
};

/// How many sequences of a theme the short form tries.
const SEQUENCES: u32 = 16;
/// How long the long form tries each theme.
const LONG: Duration = Duration::from_secs(200);
/// How long a sequence that differs may take to get short: in the short and in the long form.
const SHRINKING: (Duration, Duration) = (Duration::from_secs(60), Duration::from_secs(300));
/// How often the short one is tried again.
const AGAIN: u32 = 3;
/// How often there is a sign of life.
const SIGN_OF_LIFE: Duration = Duration::from_secs(8);

/// Tries sequences of a theme, and counts what they came to.
pub(super) fn search(theme: Theme, world: &World, whole: &mut Mix) -> Result<()> {
    let _cgroups = Cgroups::new()?;
    let seed = world.effort.seed;
    let begun = Instant::now();
    let is_done = |tried| {
        world
            .effort
            .pick(tried >= SEQUENCES, begun.elapsed() > LONG)
    };
    println!("# seed {seed}");
    // Each sequence begins with numbers of its own, so that neither how many are tried nor what
    // was done with one changes the next.
    let mut source = TestRunner::new_with_rng(Config::default(), rng(seed, theme));
    let mut mix = Mix::default();
    let mut sign = Sign::new();
    let mut tried = 0;
    while !is_done(tried) {
        tried += 1;
        if let Err(text) = try_one(theme, source.new_rng(), world, &mut mix) {
            whole.merge(&mix);
            let name = theme.name();
            bail!("sequence {tried} of \"{name}\" with seed {seed}, {text}");
        }
        sign.give(|| {
            format!(
                "{} sequences, {} calls of setns, {} succeeded",
                mix.sequences, mix.calls, mix.succeeded
            )
        });
    }
    println!(
        "# {} sequences, {} calls of setns, {} succeeded, {:.1} s",
        mix.sequences,
        mix.calls,
        mix.succeeded,
        begun.elapsed().as_secs_f32()
    );
    whole.merge(&mix);
    Ok(())
}

/// The same numbers for the same seed and theme.
fn rng(seed: u64, theme: Theme) -> TestRng {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    bytes[8] = theme as u8;
    TestRng::from_seed(RngAlgorithm::ChaCha, &bytes)
}

/// Makes up one sequence and tries it. Says where it differs, if it does, and how it got there.
fn try_one(theme: Theme, rng: TestRng, world: &World, mix: &mut Mix) -> Result<(), String> {
    let (short, long) = SHRINKING;
    let config = Config {
        cases: 1,
        failure_persistence: None,
        // Only time is to end it; the highest number would mean the default, which is very few.
        max_shrink_iters: u32::MAX - 1,
        max_shrink_time: world.effort.pick(short, long).as_millis() as u32,
        ..Config::default()
    };
    let runs = Cell::new(0_u32);
    let first = Cell::new(0_usize);
    let counted = RefCell::new(mix);
    let sign = RefCell::new(Sign::new());
    let result = TestRunner::new_with_rng(config, rng).run(&theme.sequences(), |sequence| {
        let both = Both::run(&sequence, &world.clocks);
        runs.set(runs.get() + 1);
        if runs.get() == 1 {
            first.set(sequence.len());
            if let Ok(both) = &both {
                counted.borrow_mut().add(both);
            }
        } else {
            let length = sequence.len();
            sign.borrow_mut()
                .give(|| format!("a difference; shrinking, now at {length} operations"));
        }
        match both {
            Ok(both) if both.differences.is_empty() => Ok(()),
            Ok(both) => Err(TestCaseError::fail(both.words())),
            // What is looked for then is a shorter one that differs.
            Err(_) if runs.get() > 1 => Ok(()),
            Err(e) => Err(TestCaseError::fail(format!("could not be run: {e:#}"))),
        }
    });
    match result {
        Ok(()) => Ok(()),
        Err(TestError::Fail(reason, sequence)) => {
            let how = format!(
                "shrunk from {} operations to {} in {} runs",
                first.get(),
                sequence.len(),
                runs.get() - 1
            );
            Err(report(&sequence, &how, reason.message(), world))
        }
        Err(TestError::Abort(reason)) => Err(reason.message().to_owned()),
    }
}

/// The sequence, what it came to, and how to see that again.
fn report(sequence: &[Op], how: &str, reason: &str, world: &World) -> String {
    let mut text = format!("{how}:\n");
    for (index, op) in sequence.iter().enumerate() {
        let _ = writeln!(text, "  {:2}. {}", index + 1, op.words());
    }
    let again = (0..AGAIN)
        .filter(|_| {
            Both::run(sequence, &world.clocks).is_ok_and(|both| both.differences.is_empty())
        })
        .count();
    let _ = writeln!(text, "{reason}");
    if again > 0 {
        let _ = writeln!(
            text,
            "not always: {again} of {AGAIN} more runs were the same"
        );
    }
    let _ = write!(
        text,
        "alone: nsproxy-tests sequences '{}'",
        Sequence(sequence.to_vec())
    );
    text
}

/// Tells now and then that something goes on.
struct Sign(Instant);

impl Sign {
    fn new() -> Self {
        Self(Instant::now())
    }

    fn give(&mut self, text: impl FnOnce() -> String) {
        if self.0.elapsed() > SIGN_OF_LIFE {
            println!("# {}", text());
            let _ = std::io::stdout().flush();
            *self = Self::new();
        }
    }
}
