// SPDX-License-Identifier: GPL-2.0-only

//! Whether a call costs more where there is more of everything: namespaces, tasks.

use super::row::{Cost, Row};
use crate::{
    report::verdict_port,
    sys::{self, Fork},
};
use anyhow::{Context as _, Result, ensure};
use nsproxy_uapi::Kind;
use rustix::{
    pipe::PipeFlags,
    process::{Pid, Resource, Rlimit, Signal, WaitOptions},
};
use std::{
    fs::{self, File},
    io::{Read as _, Write as _},
    os::fd::OwnedFd,
    thread,
};

/// What there is more and more of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Growth {
    /// uts namespaces, each held by an open file.
    Namespaces,
    /// Tasks, that sleep.
    Tasks,
}

/// How much more a call may cost where there is most than where there is one.
const FLAT: f64 = 1.02;
/// The stack of a task that sleeps.
const STACK: usize = 16 << 10;

impl Growth {
    pub(super) const ALL: [Self; 2] = [Self::Namespaces, Self::Tasks];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Namespaces => "namespaces",
            Self::Tasks => "tasks",
        }
    }

    fn steps(self) -> &'static [u32] {
        match self {
            Self::Namespaces => &[1, 10, 100, 1000, 10_000],
            Self::Tasks => &[1, 10, 100, 1000, 5000],
        }
    }

    /// Prints and tells the host what a call costs at each step, and wants it to cost the same.
    pub(super) fn measure(self) -> Result<()> {
        // What else the guest has of them is below a hundred, and there all the time.
        let row = Row::of_kind(Kind::Uts);
        let mut crowd = Crowd::start(self)?;
        let mut first: Option<Cost> = None;
        for n in self.steps() {
            crowd.grow_to(*n)?;
            let cost = row.measure()?;
            let Cost { reference, subject } = cost;
            println!(
                "# {n:>6} {:<37} {reference:>9.1} {subject:>9.1}",
                self.name()
            );
            verdict_port::fact(
                format!("growth.{}.{n}", self.name()),
                format!("{reference:.1} {subject:.1}"),
            )?;
            let first = first.get_or_insert(cost).subject;
            ensure!(
                subject <= FLAT * first,
                "a call of the device costs {subject:.1} instructions with {n} {}, and {first:.1} \
                 with one",
                self.name()
            );
        }
        Ok(())
    }
}

/// A process that keeps many of something. Ends when dropped, and all of them with it.
struct Crowd {
    child: Pid,
    orders: Option<File>,
    done: File,
}

impl Crowd {
    fn start(of: Growth) -> Result<Self> {
        // What a machine of this size is not expected to have.
        for limit in ["user/max_uts_namespaces", "kernel/threads-max"] {
            let path = format!("/proc/sys/{limit}");
            fs::write(&path, "20000").context(path)?;
        }
        let (theirs_orders, orders) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC)?;
        let (done, theirs_done) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC)?;
        match sys::fork()? {
            Fork::Child => sys::exit(match live(of, [theirs_orders, theirs_done]) {
                Ok(()) => 0,
                Err(error) => {
                    eprintln!("a crowd of {}: {error:#}", of.name());
                    1
                }
            }),
            Fork::Parent(child) => Ok(Self {
                child,
                orders: Some(orders.into()),
                done: done.into(),
            }),
        }
    }

    /// Has it be `n` in all.
    fn grow_to(&mut self, n: u32) -> Result<()> {
        let orders = self.orders.as_mut().context("it was told to end")?;
        orders.write_all(&n.to_ne_bytes())?;
        self.done.read_exact(&mut [0]).context("the crowd is gone")
    }
}

impl Drop for Crowd {
    fn drop(&mut self) {
        self.orders = None;
        let _ = rustix::process::waitpid(Some(self.child), WaitOptions::empty());
    }
}

/// The crowd's own side: grows as it is told, and says when it has.
fn live(of: Growth, files: [OwnedFd; 2]) -> Result<()> {
    let [orders, done] = sys::keep_only(files)?;
    let (mut orders, mut done) = (File::from(orders), File::from(done));
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
    let files = Rlimit {
        current: Some(20_000),
        maximum: Some(20_000),
    };
    rustix::process::setrlimit(Resource::Nofile, files)?;

    let mut namespaces = Vec::new();
    let mut n = 0;
    let mut wanted = [0; 4];
    while orders.read_exact(&mut wanted).is_ok() {
        for _ in n..u32::from_ne_bytes(wanted) {
            match of {
                Growth::Namespaces => {
                    sys::unshare(Kind::Uts.flag())?;
                    namespaces.push(File::open("/proc/self/ns/uts")?);
                }
                Growth::Tasks => {
                    let sleeper = thread::Builder::new().stack_size(STACK);
                    sleeper.spawn(|| sys::sleep_forever())?;
                }
            }
        }
        n = u32::from_ne_bytes(wanted);
        done.write_all(b".")?;
    }
    Ok(())
}
