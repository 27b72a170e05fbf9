// SPDX-License-Identifier: GPL-2.0-only

//! The processes that share the cases between them, as many as there are CPUs.
//!
//! Each of them is a test of its own, with its own targets and callers, in a mount namespace of
//! its own, so that none sees what another does.

use crate::{
    case::{
        Case,
        implementation::Kind,
        run,
        target::{Effort, World},
    },
    errno::Outcome,
    sys::{self, Fork},
};
use anyhow::{Context as _, Result};
use rustix::{
    mount::MountPropagationFlags,
    process::{Pid, WaitOptions},
    thread::CpuSet,
};
use serde::{Deserialize, Serialize};
use std::{
    io::{BufRead as _, BufReader, PipeReader, PipeWriter, Write as _},
    thread,
};

/// What came of a case.
#[derive(Serialize, Deserialize)]
pub(super) struct Done {
    /// What the call through the device returned; [`None`] if the case could not be run.
    pub(super) outcome: Option<Outcome>,
    /// All that is wrong, if anything is.
    pub(super) wrong: Option<String>,
}

/// The processes at work. Dropping it waits until nothing is left of them.
pub(super) struct Crew {
    workers: Vec<Worker>,
    turn: usize,
}

struct Worker {
    pid: Pid,
    /// Where it says what came of its cases, in order.
    results: Option<BufReader<PipeReader>>,
}

impl Crew {
    /// Has each case be run by one of the crew, by turns.
    pub(super) fn start<I: Iterator<Item = Case>>(cases: impl Fn() -> I) -> Result<Self> {
        let size = thread::available_parallelism()?.get();
        let mut workers = Vec::new();
        for first in 0..size {
            let (read, write) = std::io::pipe()?;
            match sys::fork()? {
                Fork::Child => {
                    drop(read);
                    let mine = cases().skip(first).step_by(size);
                    let status = i32::from(work(first, mine, write).is_err());
                    sys::exit(status)
                }
                Fork::Parent(pid) => workers.push(Worker {
                    pid,
                    results: Some(BufReader::new(read)),
                }),
            }
        }
        Ok(Self { workers, turn: 0 })
    }

    /// What came of the next case, in their order.
    pub(super) fn next(&mut self) -> Result<Done> {
        let count = self.workers.len();
        let worker = &mut self.workers[self.turn % count];
        self.turn += 1;
        let results = worker.results.as_mut().context("its results are closed")?;
        let mut line = String::new();
        results.read_line(&mut line)?;
        serde_json::from_str(&line).context("one of those who run the cases is gone")
    }
}

impl Drop for Crew {
    fn drop(&mut self) {
        for worker in &mut self.workers {
            // Whoever is not done finds nobody who listens.
            worker.results = None;
            let _ = rustix::process::waitpid(Some(worker.pid), WaitOptions::empty());
        }
    }
}

/// Runs cases and says what came of each.
fn work(cpu: usize, cases: impl Iterator<Item = Case>, mut results: PipeWriter) -> Result<()> {
    // A test and its actors take turns: on one CPU that is a switch, on two a call for attention
    // each time, which an emulator takes long for.
    let mut here = CpuSet::new();
    here.set(cpu);
    rustix::thread::sched_setaffinity(None, &here)?;
    sys::unshare(Kind::Mnt.flag())?;
    let private = MountPropagationFlags::PRIVATE | MountPropagationFlags::REC;
    rustix::mount::mount_change("/", private)?;
    let mut world = World::new(Effort::default());
    for case in cases {
        let done = match run::run(&case, &mut world) {
            Ok(report) => Done {
                outcome: Some(report.subject.outcome),
                wrong: (!report.wrong.is_empty()).then(|| report.wrong.join("\n")),
            },
            Err(e) => Done {
                outcome: None,
                wrong: Some(format!("it could not be run: {e:#}")),
            },
        };
        let mut line = serde_json::to_vec(&done)?;
        line.push(b'\n');
        results.write_all(&line)?;
    }
    Ok(())
}
