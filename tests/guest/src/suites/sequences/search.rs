// SPDX-License-Identifier: GPL-2.0-only

//! Searches for a sequence whose worlds differ. proptest generates and shrinks sequences.

use super::{
    Both, Cgroups,
    op::Op,
    outcome_mix::{self, OutcomeMix},
    strategy::Theme,
    text::Sequence,
};
use crate::{case::fixtures::Fixtures, report::progress::Progress};
use anyhow::{Result, bail, ensure};
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner};
use std::{
    array,
    cell::{Cell, RefCell},
    fmt::Write as _,
    time::{Duration, Instant},
};

/// How many sequences of a theme the short form runs.
const SEQUENCES: u32 = 16;
/// How long the long form runs each theme.
const LONG: Duration = Duration::from_secs(200);
/// How long a sequence that differs is shrunk, in the short and in the long form.
const SHRINKING: (Duration, Duration) = (Duration::from_secs(60), Duration::from_secs(300));
/// How often the shrunk sequence is repeated.
const REPEATS: u32 = 3;

/// Runs sequences of a theme, and counts their outcomes in `whole`.
pub(super) fn search(theme: Theme, fixtures: &Fixtures, whole: &mut OutcomeMix) -> Result<()> {
    let _cgroups = Cgroups::new()?;
    let seed = fixtures.effort.seed;
    let served = outcome_mix::served()?;
    let begun = Instant::now();
    let is_done = |tried| {
        fixtures
            .effort
            .pick(tried >= SEQUENCES, begun.elapsed() > LONG)
    };
    println!("# seed {seed}");
    // Each sequence has a random source of its own. It depends neither on the number of sequences nor
    // on the shrinking of earlier ones.
    let mut source = TestRunner::new_with_rng(Config::default(), rng(seed, theme));
    let mut mix = OutcomeMix::default();
    let mut progress = Progress::new();
    let mut tried = 0;
    while !is_done(tried) {
        tried += 1;
        if let Err(text) = try_one(theme, source.new_rng(), fixtures, &mut mix) {
            whole.merge(&mix);
            let name = theme.name();
            bail!("sequence {tried} of \"{name}\" with seed {seed}, {text}");
        }
        progress.print(|| mix.counts());
    }
    let seconds = begun.elapsed().as_secs_f32();
    println!("# {}, {seconds:.1} s", mix.counts());
    if let (Some((before, processes)), Some((after, now))) = (served, outcome_mix::served()?) {
        mix.served = Some(array::from_fn(|call| after[call] - before[call]));
        ensure!(
            now == processes,
            "{now} processes are served after the worlds, {processes} before"
        );
    }
    whole.merge(&mix);
    Ok(())
}

/// Returns the random source for a seed and theme.
fn rng(seed: u64, theme: Theme) -> TestRng {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    bytes[8] = theme as u8;
    TestRng::from_seed(RngAlgorithm::ChaCha, &bytes)
}

/// Generates a sequence and runs it in both worlds.
///
/// # Errors
///
/// The shrunk sequence and its differences.
fn try_one(
    theme: Theme,
    rng: TestRng,
    fixtures: &Fixtures,
    mix: &mut OutcomeMix,
) -> Result<(), String> {
    let (short, long) = SHRINKING;
    let config = Config {
        cases: 1,
        failure_persistence: None,
        // Only the time limits it. proptest takes the highest number for its default, which is low.
        max_shrink_iters: u32::MAX - 1,
        max_shrink_time: fixtures.effort.pick(short, long).as_millis() as u32,
        ..Config::default()
    };
    let runs = Cell::new(0_u32);
    let first = Cell::new(0_usize);
    let counted = RefCell::new(mix);
    let progress = RefCell::new(Progress::new());
    let result = TestRunner::new_with_rng(config, rng).run(&theme.sequences(), |sequence| {
        let both = Both::run(&sequence, &fixtures.clocks);
        runs.set(runs.get() + 1);
        if runs.get() == 1 {
            first.set(sequence.len());
            if let Ok(both) = &both {
                counted.borrow_mut().add(both);
            }
        } else {
            let length = sequence.len();
            progress
                .borrow_mut()
                .print(|| format!("shrinking a sequence that differs: {length} operations"));
        }
        match both {
            Ok(both) if both.differences.is_empty() => Ok(()),
            Ok(both) => Err(TestCaseError::fail(both.report())),
            // Shrinking only looks for sequences that differ.
            Err(_) if runs.get() > 1 => Ok(()),
            Err(e) => Err(TestCaseError::fail(format!("cannot run: {e:#}"))),
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
            Err(report(&sequence, &how, reason.message(), fixtures))
        }
        Err(TestError::Abort(reason)) => Err(reason.message().to_owned()),
    }
}

/// Returns a sequence, its differences, and the command that reproduces them.
fn report(sequence: &[Op], how: &str, reason: &str, fixtures: &Fixtures) -> String {
    let mut text = format!("{how}:\n");
    for (index, op) in sequence.iter().enumerate() {
        let _ = writeln!(text, "  {:2}. {}", index + 1, op);
    }
    let same = (0..REPEATS)
        .filter(|_| {
            Both::run(sequence, &fixtures.clocks).is_ok_and(|both| both.differences.is_empty())
        })
        .count();
    let _ = writeln!(text, "{reason}");
    if same > 0 {
        let _ = writeln!(
            text,
            "not in every run: {same} of {REPEATS} more runs did not differ"
        );
    }
    let _ = write!(
        text,
        "reproduce: nsproxy-tests sequences '{}'",
        Sequence(sequence.to_vec())
    );
    text
}
