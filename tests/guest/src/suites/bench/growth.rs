// SPDX-License-Identifier: GPL-2.0-only

//! The cost of a call with a growing number of namespaces or tasks.

use super::{
    super::named_enum::named_enum,
    row::{Cost, Row},
};
use crate::{
    process::{channel::Channel, spawn_child, workers::wait},
    report::verdict_port,
    sys,
};
use anyhow::{Context as _, Result, ensure};
use nsproxy_uapi::Kind;
use rustix::process::{Pid, Resource, Rlimit};
use std::{
    fs::{self, File},
    thread,
};

named_enum! {
    /// The objects whose number grows.
    enum Growth {
        /// UTS namespaces, each held by an open file.
        Namespaces = "namespaces",
        /// Tasks that sleep.
        Tasks = "tasks",
    }
}

/// The highest ratio of the cost of a call with most objects to that with one.
const FLAT: f64 = 1.02;
/// The stack size of a task that sleeps.
const STACK: usize = 16 << 10;

impl Growth {
    fn steps(self) -> &'static [u32] {
        match self {
            Self::Namespaces => &[1, 10, 100, 1000, 10_000],
            Self::Tasks => &[1, 10, 100, 1000, 5000],
        }
    }

    /// Measures a call at each step, and checks that its cost does not grow.
    pub(super) fn measure(self) -> Result<()> {
        // The guest has fewer than a hundred others, whose number does not change.
        let row = Row::of_kind(Kind::Uts);
        let mut holder = Holder::start(self)?;
        let mut first: Option<Cost> = None;
        for n in self.steps() {
            holder.grow_to(*n)?;
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

/// A process that holds many objects. Dropping it ends the process.
struct Holder {
    child: Pid,
    /// [`None`] when the process is to end.
    requests: Option<Channel>,
}

impl Holder {
    fn start(of: Growth) -> Result<Self> {
        // More than a machine of this size has by default.
        for limit in ["user/max_uts_namespaces", "kernel/threads-max"] {
            let path = format!("/proc/sys/{limit}");
            fs::write(&path, "20000").context(path)?;
        }
        let (requests, theirs) = Channel::pair()?;
        let work = || {
            let [requests] = sys::keep_only([theirs.into()])?;
            hold(of, &requests.into())
        };
        let child = spawn_child(work, |error| eprintln!("{}: {error}", of.name()))?;
        Ok(Self {
            child,
            requests: Some(requests),
        })
    }

    /// Makes it hold `n` objects in total.
    fn grow_to(&mut self, n: u32) -> Result<()> {
        let requests = self.requests.as_ref().context("the process has ended")?;
        requests.send(&n, None)?;
        requests.receive::<()>()?.context("the process has died")?;
        Ok(())
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        self.requests = None;
        let _ = wait(self.child);
    }
}

/// Creates objects as requested, and confirms each request.
fn hold(of: Growth, requests: &Channel) -> Result<()> {
    let files = Rlimit {
        current: Some(20_000),
        maximum: Some(20_000),
    };
    rustix::process::setrlimit(Resource::Nofile, files)?;

    let mut namespaces = Vec::new();
    let mut n = 0;
    while let Some((wanted, _)) = requests.receive::<u32>()? {
        for _ in n..wanted {
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
        n = wanted;
        requests.send(&(), None)?;
    }
    Ok(())
}
