// SPDX-License-Identifier: GPL-2.0-only

//! How many calls a second several callers make at a time, by setns(2) and by the device: `make
//! bench`. In time as it passes, so that nothing is guarded here: figures depend on the host, and on
//! what else it does. What can be compared is what was measured by turns.

use crate::{
    case::{
        implementation::Device,
        target::{Process, Target, World},
    },
    report::{
        ktap::{self, Printer, Tally},
        verdict_port,
    },
    sys::{self, Fork, Shared},
};
use anyhow::{Context as _, Result, ensure};
use nsproxy_uapi::{Kind, sys as uapi};
use rustix::{io::Errno, process::WaitOptions};
use std::{
    os::fd::{AsFd as _, AsRawFd as _, OwnedFd},
    sync::atomic::{AtomicU64, Ordering},
    thread,
    time::{Duration, Instant},
};

/// How many callers there are at a time, as far as there are CPUs.
const CALLERS: [usize; 3] = [1, 2, 4];
/// How long they call, each time that it is a side's turn.
const TURN: Duration = Duration::from_millis(150);
/// How many turns each side has; the one in the middle counts.
const TURNS: usize = 5;
/// How many calls are made between two looks at the clock of a turn.
const AT_ONCE: usize = 50;

/// Whose namespaces a caller goes to and fro between.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Namespaces {
    /// Two of its own.
    Separate,
    /// Two that all callers have.
    Shared,
}

impl Namespaces {
    fn name(self) -> &'static str {
        match self {
            Self::Separate => "separate",
            Self::Shared => "shared",
        }
    }
}

/// Which way into the kernel.
#[derive(Clone, Copy)]
enum Side {
    Syscall,
    Device,
}

const SIDES: [Side; 2] = [Side::Syscall, Side::Device];

/// Measures it all, and tells the host each figure.
pub(super) fn run(world: &mut World, filter: &str) -> Result<Tally> {
    let cpus = thread::available_parallelism()?.get();
    let mut tests = Vec::new();
    for namespaces in [Namespaces::Separate, Namespaces::Shared] {
        for callers in CALLERS.into_iter().filter(|callers| *callers <= cpus) {
            let name = format!("{callers} in {} namespaces", namespaces.name());
            tests.push((name, namespaces, callers));
        }
    }
    let tests = ktap::select("scale", filter, tests, |(name, ..)| name.clone())?;

    let mut printer = Printer::new("scale", tests.len(), world.effort);
    println!(
        "# {:<30} {:>10} {:>10}",
        "calls a second", "setns(2)", "device"
    );
    for (name, namespaces, callers) in tests {
        printer.begin(&name);
        let result = measure(namespaces, callers).and_then(|[syscall, device]| {
            println!("# {name:<30} {syscall:>10.0} {device:>10.0}");
            verdict_port::fact(
                format!("scale.{}.{callers}", namespaces.name()),
                format!("{syscall:.0} {device:.0}"),
            )
        });
        if !printer.print(&name, result) {
            break;
        }
    }
    Ok(printer.end())
}

/// Calls a second, all callers together, by each of [`SIDES`].
fn measure(namespaces: Namespaces, callers: usize) -> Result<[f64; 2]> {
    let target = || Process::start(&Target::in_new(Kind::Uts.flag()));
    let pair = || -> Result<[Process; 2]> { Ok([target()?, target()?]) };
    let pairs = match namespaces {
        Namespaces::Separate => (0..callers).map(|_| pair()).collect::<Result<Vec<_>>>()?,
        Namespaces::Shared => vec![pair()?],
    };
    let fds = |caller: usize| -> Result<[OwnedFd; 2]> {
        let [one, other] = &pairs[caller % pairs.len()];
        Ok([one.ns("uts")?, other.ns("uts")?])
    };
    let device = Device::open().context(Device::PATH)?;
    let board = Board::new(callers)?;
    let mut children = Vec::new();
    for caller in 0..callers {
        let fds = fds(caller)?;
        match sys::fork()? {
            Fork::Child => sys::exit(match call(&board, caller, &fds, &device) {
                Ok(()) => 0,
                Err(errno) => {
                    eprintln!("caller {caller}: {errno}");
                    1
                }
            }),
            Fork::Parent(child) => children.push(child),
        }
    }

    let mut rates = [Vec::new(), Vec::new()];
    for _ in 0..TURNS {
        for (side, rates) in (0..).zip(&mut rates) {
            rates.push(board.turn(side)?);
        }
    }
    board.end();
    for child in children {
        let ended = rustix::process::waitpid(Some(child), WaitOptions::empty())?;
        let status = ended.and_then(|(_, status)| status.exit_status());
        ensure!(status == Some(0), "a caller failed");
    }
    Ok(rates.map(|mut rates| {
        rates.sort_by(f64::total_cmp);
        rates[TURNS / 2]
    }))
}

/// What the test and its callers tell each other.
struct Board {
    /// Two for the test, see [`Board::turn`], and two for each caller: what it has done of the last
    /// turn, in calls a second, and how many turns it has done.
    numbers: Shared,
    callers: usize,
}

/// No more turns.
const END: u64 = u64::MAX;
/// How long a caller may take to notice the end of a turn.
const PATIENCE: Duration = Duration::from_secs(10);

impl Board {
    fn new(callers: usize) -> Result<Self> {
        Ok(Self {
            numbers: Shared::new(2 + 2 * callers)?,
            callers,
        })
    }

    /// The turn that is on: twice its number, and the side that it is. [`END`] after the last.
    fn on(&self) -> &AtomicU64 {
        &self.numbers[0]
    }

    /// How many turns are over.
    fn over(&self) -> &AtomicU64 {
        &self.numbers[1]
    }

    fn rate(&self, caller: usize) -> &AtomicU64 {
        &self.numbers[2 + 2 * caller]
    }

    fn done(&self, caller: usize) -> &AtomicU64 {
        &self.numbers[3 + 2 * caller]
    }

    /// Gives a side its turn, and returns what all callers did together, in calls a second.
    fn turn(&self, side: u64) -> Result<f64> {
        let number = self.over().load(Ordering::Acquire) + 1;
        self.on().store(2 * number + side, Ordering::Release);
        thread::sleep(TURN);
        self.over().store(number, Ordering::Release);
        let deadline = Instant::now() + PATIENCE;
        let mut rate = 0;
        for caller in 0..self.callers {
            while self.done(caller).load(Ordering::Acquire) < number {
                ensure!(Instant::now() < deadline, "caller {caller} is gone");
                thread::sleep(Duration::from_millis(1));
            }
            rate += self.rate(caller).load(Ordering::Acquire);
        }
        Ok(rate as f64)
    }

    fn end(&self) {
        self.on().store(END, Ordering::Release);
    }
}

/// What a caller does: waits for its turn, and calls until that is over.
fn call(board: &Board, caller: usize, fds: &[OwnedFd; 2], device: &Device) -> Result<(), Errno> {
    let fds = fds.each_ref().map(|fd| fd.as_raw_fd());
    let device = device.as_fd().as_raw_fd();
    let mut number = 0;
    loop {
        let on = board.on().load(Ordering::Acquire);
        if on == END {
            return Ok(());
        }
        if on / 2 == number {
            thread::sleep(Duration::from_micros(200));
            continue;
        }
        number = on / 2;
        let side = SIDES[(on % 2) as usize];
        let begun = Instant::now();
        let mut calls = 0;
        while board.over().load(Ordering::Relaxed) < number {
            for n in 0..AT_ONCE {
                let fd = fds[n % 2];
                match side {
                    Side::Syscall => sys::setns(fd, 0)?,
                    Side::Device => {
                        let args = uapi::nsproxy_setns { fd, nstype: 0 };
                        sys::ioctl(device, uapi::NSPROXY_SETNS, (&raw const args).addr())?;
                    }
                }
            }
            calls += AT_ONCE;
        }
        let rate = calls as f64 / begun.elapsed().as_secs_f64();
        board.rate(caller).store(rate as u64, Ordering::Release);
        board.done(caller).store(number, Ordering::Release);
    }
}
