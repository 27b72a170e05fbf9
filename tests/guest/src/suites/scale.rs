// SPDX-License-Identifier: GPL-2.0-only

//! The throughput of concurrent callers, by setns(2) and by the device: `make bench`. It has no limit,
//! since it depends on the host and its load. The implementations take turns, so that their figures can
//! be compared with each other.

use crate::{
    case::{
        fixtures::Fixtures,
        implementation::Device,
        target::{Target, TargetProcess},
    },
    process::workers::Child,
    report::{
        ktap::{self, Printer, Tally},
        verdict_port,
    },
    sys::{self, Shared},
};
use anyhow::{Context as _, Result, ensure};
use nsproxy_uapi::{Implementation, Kind, sys as uapi};
use std::{
    os::fd::{AsFd as _, AsRawFd as _, OwnedFd},
    sync::atomic::{AtomicU64, Ordering},
    thread,
    time::{Duration, Instant},
};

/// The numbers of callers, limited by the number of CPUs.
const CALLERS: [usize; 3] = [1, 2, 4];
/// How long an implementation's turn takes.
const TURN: Duration = Duration::from_millis(150);
/// The number of turns of each implementation; the median counts.
const TURNS: usize = 5;
/// The number of calls between two checks whether the turn is over.
const BATCH: usize = 50;

/// The namespaces that a caller switches between.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Namespaces {
    /// Two of its own.
    Separate,
    /// Two that all callers share.
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

/// Runs all measurements, and reports each figure to the host.
pub(super) fn run(fixtures: &mut Fixtures, filter: &str) -> Result<Tally> {
    let cpus = thread::available_parallelism()?.get();
    let mut tests = Vec::new();
    for namespaces in [Namespaces::Separate, Namespaces::Shared] {
        for callers in CALLERS.into_iter().filter(|callers| *callers <= cpus) {
            let name = format!("{callers} in {} namespaces", namespaces.name());
            tests.push((name, namespaces, callers));
        }
    }
    let tests = ktap::select("scale", filter, tests, |(name, ..)| name.clone())?;

    let mut printer = Printer::new("scale", tests.len(), fixtures.effort);
    println!(
        "# {:<30} {:>10} {:>10}",
        "calls per second", "setns(2)", "device"
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

/// Returns the calls per second of all callers together, by implementation.
fn measure(namespaces: Namespaces, callers: usize) -> Result<[f64; 2]> {
    let target = || TargetProcess::start(&Target::in_new(Kind::Uts.flag()));
    let pair = || -> Result<[TargetProcess; 2]> { Ok([target()?, target()?]) };
    let pairs = match namespaces {
        Namespaces::Separate => (0..callers).map(|_| pair()).collect::<Result<Vec<_>>>()?,
        Namespaces::Shared => vec![pair()?],
    };
    let fds = |caller: usize| -> Result<[OwnedFd; 2]> {
        let [one, other] = &pairs[caller % pairs.len()];
        Ok([one.ns("uts")?, other.ns("uts")?])
    };
    let device = Device::open().context(Device::PATH)?;
    let turns = Turns::new(callers)?;
    let mut children = Vec::new();
    for caller in 0..callers {
        let fds = fds(caller)?;
        children.push(Child::start(|| call(&turns, caller, &fds, &device))?);
    }

    let mut rates = [Vec::new(), Vec::new()];
    for _ in 0..TURNS {
        for (implementation, rates) in (0..).zip(&mut rates) {
            rates.push(turns.run(implementation)?);
        }
    }
    turns.end();
    children.into_iter().try_for_each(Child::end)?;
    Ok(rates.map(|mut rates| {
        rates.sort_by(f64::total_cmp);
        rates[TURNS / 2]
    }))
}

/// The state that the test and its callers share.
struct Turns {
    /// Two numbers of the test, and two of each caller: its calls per second in the last turn, and the
    /// number of its turns.
    numbers: Shared,
    callers: usize,
}

/// The turn after the last one.
const END: u64 = u64::MAX;
/// How long a caller may take to notice the end of a turn.
const TIMEOUT: Duration = Duration::from_secs(10);

impl Turns {
    fn new(callers: usize) -> Result<Self> {
        Ok(Self {
            numbers: Shared::new(2 + 2 * callers)?,
            callers,
        })
    }

    /// The current turn: twice its number, plus the implementation. [`END`] after the last.
    fn current(&self) -> &AtomicU64 {
        &self.numbers[0]
    }

    /// The number of turns that are over.
    fn over(&self) -> &AtomicU64 {
        &self.numbers[1]
    }

    fn rate(&self, caller: usize) -> &AtomicU64 {
        &self.numbers[2 + 2 * caller]
    }

    fn done(&self, caller: usize) -> &AtomicU64 {
        &self.numbers[3 + 2 * caller]
    }

    /// Runs the turn of an implementation, and returns the calls per second of all callers.
    fn run(&self, implementation: u64) -> Result<f64> {
        let number = self.over().load(Ordering::Acquire) + 1;
        self.current()
            .store(2 * number + implementation, Ordering::Release);
        thread::sleep(TURN);
        self.over().store(number, Ordering::Release);
        let deadline = Instant::now() + TIMEOUT;
        let mut rate = 0;
        for caller in 0..self.callers {
            while self.done(caller).load(Ordering::Acquire) < number {
                ensure!(
                    Instant::now() < deadline,
                    "caller {caller} did not finish its turn"
                );
                thread::sleep(Duration::from_millis(1));
            }
            rate += self.rate(caller).load(Ordering::Acquire);
        }
        Ok(rate as f64)
    }

    fn end(&self) {
        self.current().store(END, Ordering::Release);
    }
}

/// Waits for each turn, and calls until it is over. Runs in a caller.
fn call(turns: &Turns, caller: usize, fds: &[OwnedFd; 2], device: &Device) -> Result<()> {
    let fds = fds.each_ref().map(|fd| fd.as_raw_fd());
    let device = device.as_fd().as_raw_fd();
    let mut number = 0;
    loop {
        let current = turns.current().load(Ordering::Acquire);
        if current == END {
            return Ok(());
        }
        if current / 2 == number {
            thread::sleep(Duration::from_micros(200));
            continue;
        }
        number = current / 2;
        let implementation = Implementation::ALL[(current % 2) as usize];
        let begun = Instant::now();
        let mut calls = 0;
        while turns.over().load(Ordering::Relaxed) < number {
            for n in 0..BATCH {
                let fd = fds[n % 2];
                match implementation {
                    Implementation::Kernel => sys::setns(fd, 0)?,
                    Implementation::Module => {
                        let args = uapi::nsproxy_setns { fd, nstype: 0 };
                        sys::ioctl(device, uapi::NSPROXY_SETNS, (&raw const args).addr())?;
                    }
                }
            }
            calls += BATCH;
        }
        let rate = calls as f64 / begun.elapsed().as_secs_f64();
        turns.rate(caller).store(rate as u64, Ordering::Release);
        turns.done(caller).store(number, Ordering::Release);
    }
}
