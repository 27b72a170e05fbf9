// SPDX-License-Identifier: GPL-2.0-only

//! Bad input: so many random calls of the device, none of which may be told anything that is not
//! documented for what was wrong with it.
//!
//! A batch is made by a child that is thrown away, since some calls succeed and move it; it goes
//! on from wherever it is. A second child makes the same calls with setns(2) in the place of
//! `NSPROXY_SETNS`: both must have been told the same, all the way. The memory around what is
//! passed, and what is passed unless the command writes to it, must stay as it was.

mod call;
mod caller;
mod expected;
mod fds;
mod operations;
mod racing_args;
mod shared_counters;

use crate::{
    case::target::World,
    env::kernel,
    errno::{Code, Outcome, word},
    report::{ktap::Test, verdict_port},
    sys::{self, Fork},
};
use anyhow::{Context as _, Result, ensure};
use call::Command;
use caller::{Batch, Caller};
use fds::Pool;
use rustix::process::{Signal, WaitOptions};
use shared_counters::{BATCH, Board, Counts, Side};
use std::{
    cell::RefCell,
    rc::Rc,
    time::{Duration, Instant},
};

/// Calls in all.
fn budget(world: &World) -> usize {
    let calls = world.effort.pick(100_000, 1_000_000);
    if kernel::is_sanitized() {
        calls / 10
    } else {
        calls
    }
}

/// Which part of the budget, in percent, each caller has.
const SHARES: [(Caller, usize); Caller::ALL.len()] = [
    (Caller::Root, 40),
    (Caller::Powerless, 10),
    (Caller::User, 10),
    (Caller::UserNamespace, 15),
    (Caller::Filtered, 5),
];
/// And the one whose arguments change meanwhile.
const SHAKY: usize = 20;

/// What must have been met: all that is documented, but `ENOMEM`.
const DOCUMENTED: &[(Command, &[Outcome])] = &[
    (
        Command::Setns,
        &[
            Ok(()),
            Err(Code::EBADF),
            Err(Code::EINVAL),
            Err(Code::EPERM),
            Err(Code::ESRCH),
            Err(Code::EUSERS),
            Err(Code::EFAULT),
        ],
    ),
    (
        Command::Setns2011,
        &[
            Ok(()),
            Err(Code::EBADF),
            Err(Code::EINVAL),
            Err(Code::EPERM),
            Err(Code::EFAULT),
        ],
    ),
    (
        Command::Version,
        &[
            Ok(()),
            Err(Code::EINVAL),
            Err(Code::E2BIG),
            Err(Code::EFAULT),
        ],
    ),
    (Command::Serve, &[Ok(()), Err(Code::EINVAL)]),
    (
        Command::Explain,
        &[
            Ok(()),
            Err(Code::EINVAL),
            Err(Code::EPERM),
            Err(Code::E2BIG),
            Err(Code::EFAULT),
        ],
    ),
    (
        Command::Show,
        &[
            Ok(()),
            Err(Code::EBADF),
            Err(Code::EINVAL),
            Err(Code::ESRCH),
            Err(Code::EACCES),
            Err(Code::E2BIG),
            Err(Code::EFAULT),
        ],
    ),
    (Command::Unknown, &[Err(Code::ENOTTY)]),
];

/// What all calls came to.
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
        tests.push(Test::new(format!("calls by {caller}"), move |world| {
            fuzz(world, caller, share, &mut totals.borrow_mut())
        }));
    }
    let of_shaky = totals.clone();
    tests.push(Test::new(
        "calls whose arguments change meanwhile",
        move |world| shake(world, &mut of_shaky.borrow_mut()),
    ));
    tests.push(Test::new("nothing but ioctls", |_| {
        let tried = operations::check(&Pool::new()?)?;
        verdict_port::fact("fuzz.operations", tried)
    }));
    let conclusion = Test::new("everything documented was met", move |_| {
        met(&totals.borrow())
    });
    tests.push(conclusion.of_suite());
    tests
}

/// Where the batches of a caller begin in what is random.
fn seed_of(seed: u64, caller: usize, batch: usize) -> u64 {
    seed ^ (caller as u64 + 1) << 56 ^ (batch as u64) << 32
}

fn fuzz(world: &World, caller: Caller, share: usize, totals: &mut Totals) -> Result<()> {
    let pool = Pool::new()?;
    let board = Board::new()?;
    let calls = budget(world) * share / 100;
    let seed = world.effort.seed;
    println!("# {calls} calls, --seed {seed}");
    let mut progress = Progress::new();
    for number in 0..calls.div_ceil(BATCH) {
        let batch = Batch {
            pool: &pool,
            board: &board,
            caller,
            seed: seed_of(seed, caller as usize, number),
            calls: calls - number * BATCH,
        };
        board.clear();
        in_child(&board, || batch.run(Side::Device))?;
        if caller.has_twin() {
            in_child(&board, || batch.run(Side::Twin))?;
            totals.compared += board.compared();
            if let Some((at, device, twin)) = board.difference() {
                let word = |outcome: Option<Outcome>| outcome.map_or("nothing".to_owned(), word);
                let (device, twin) = (word(device), word(twin));
                batch.complain(at, &batch.call(at)?, &format!("{device}, setns(2) {twin}"));
            }
        }
        progress.say(number * BATCH);
        if board.complaints.count() > 0 {
            break;
        }
    }
    done(&board, totals, world)
}

fn shake(world: &World, totals: &mut Totals) -> Result<()> {
    let pool = Pool::new()?;
    let board = Board::new()?;
    let calls = budget(world) * SHAKY / 100;
    let mut progress = Progress::new();
    for number in 0..calls.div_ceil(BATCH) {
        let seed = seed_of(world.effort.seed, Caller::ALL.len(), number);
        in_child(&board, || {
            racing_args::run(&pool, &board, seed, calls - number * BATCH)
        })?;
        progress.say(number * BATCH);
    }
    done(&board, totals, world)
}

/// Adds what was counted, tells the host, and judges.
fn done(board: &Board, totals: &mut Totals, world: &World) -> Result<()> {
    board.add_to(&mut totals.counts);
    totals.wrong += board.complaints.count();
    totals.tell(world.effort.seed)?;
    board.complaints.none()
}

/// A word about every ten seconds.
struct Progress(Instant);

impl Progress {
    const BETWEEN: Duration = Duration::from_secs(9);

    fn new() -> Self {
        Self(Instant::now())
    }

    fn say(&mut self, calls: usize) {
        if self.0.elapsed() > Self::BETWEEN {
            self.0 = Instant::now();
            println!("# {calls} calls");
        }
    }
}

/// Does it in a child, and waits for its end.
fn in_child(board: &Board, f: impl FnOnce() -> Result<()>) -> Result<()> {
    match sys::fork()? {
        Fork::Child => {
            let _ = rustix::process::set_parent_process_death_signal(Some(Signal::KILL));
            let done = f();
            if let Err(e) = &done {
                board.complaints.say(&format!("{e:#}"));
            }
            sys::exit(i32::from(done.is_err()))
        }
        Fork::Parent(pid) => {
            let status = rustix::process::waitpid(Some(pid), WaitOptions::empty())?;
            let (_, status) = status.context("no status of the caller")?;
            if status.exit_status() != Some(0) {
                board
                    .complaints
                    .say(&format!("a caller ended with {status:?}"));
            }
            Ok(())
        }
    }
}

fn met(totals: &Totals) -> Result<()> {
    let mut missing = Vec::new();
    for (command, outcomes) in DOCUMENTED {
        for outcome in *outcomes {
            let errno = outcome.map_or_else(|code| code.0, |()| 0);
            if !totals.counts.contains_key(&(*command as usize, errno)) {
                missing.push(format!("{command:?}: {}", word(*outcome)));
            }
        }
    }
    ensure!(missing.is_empty(), "never met: {}", missing.join(", "));
    Ok(())
}

impl Totals {
    /// Tells the host. The last one told counts.
    fn tell(&self, seed: u64) -> Result<()> {
        let calls: u64 = self.counts.values().sum();
        let documented: usize = DOCUMENTED.iter().map(|(_, outcomes)| outcomes.len()).sum();
        verdict_port::summary(format_args!(
            "fuzz: {calls} calls, {} of {documented} documented outcomes met, {} wrong; \
             {} compared with setns(2) (seed {seed})",
            self.counts.len(),
            self.wrong,
            self.compared,
        ))?;
        verdict_port::fact("fuzz.calls", calls)?;
        verdict_port::fact("fuzz.compared", self.compared)?;
        verdict_port::fact("fuzz.wrong", self.wrong)?;
        verdict_port::fact("fuzz.seed", seed)?;
        for ((command, errno), n) in &self.counts {
            let command = format!("{:?}", Command::ALL[*command]).to_lowercase();
            let outcome = if *errno == 0 {
                Ok(())
            } else {
                Err(Code(*errno))
            };
            verdict_port::fact(format_args!("fuzz.{command}.{}", word(outcome)), n)?;
        }
        Ok(())
    }
}
