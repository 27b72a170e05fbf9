// SPDX-License-Identifier: GPL-2.0-only

//! The processes that run the cases, one for each CPU.
//!
//! Each process is a test with its own targets and callers, in its own mount namespace, so that it
//! does not observe the changes of another.

use crate::{
    case::{Case, effort::Effort, fixtures::Fixtures, implementation::Kind, record, run},
    checks::diagnosis::Agreement,
    env::module::Module,
    errno::Outcome,
    process::{channel::Channel, spawn_child, workers::Workers},
    report::ktap::Skip,
    sys,
};
use anyhow::{Context as _, Result};
use nsproxy_results::RecordedCase;
use rustix::{mount::MountPropagationFlags, thread::CpuSet};
use serde::{Deserialize, Serialize};
use std::thread;

/// The result of a case.
#[derive(Serialize, Deserialize)]
pub(super) struct CaseResult {
    /// The outcome by the subject; [`None`] if the case could not be run.
    pub(super) outcome: Option<Outcome>,
    /// All errors of the case.
    pub(super) wrong: Option<String>,
    /// Why the case could not be run, if the kernel does not have a feature.
    pub(super) skipped: Option<String>,
    /// The behaviour of the kernel, if it is to be recorded.
    pub(super) recorded: Option<RecordedCase>,
    /// The comparison of the explanations of user space and of the module.
    pub(super) agreement: Option<Agreement>,
}

/// The processes, and the channels on which they send their results in order. Dropping it waits for
/// the processes.
pub(super) struct CaseRunners {
    channels: Vec<Channel>,
    workers: Workers,
    turn: usize,
}

impl CaseRunners {
    /// Starts the processes, which take the cases in turns.
    pub(super) fn start<I: Iterator<Item = Case>>(
        cases: impl Fn() -> I,
        effort: Effort,
        module: Module,
    ) -> Result<Self> {
        let count = thread::available_parallelism()?.get();
        let mut runners = Self {
            channels: Vec::new(),
            workers: Workers::default(),
            turn: 0,
        };
        for first in 0..count {
            let (ours, theirs) = Channel::pair()?;
            let work = || {
                // The parent's ends, above all: with one of those open, send() does not fail.
                let [results] = sys::keep_only([theirs.into()])?;
                let cases = cases().skip(first).step_by(count);
                run_cases(
                    first,
                    cases,
                    || Fixtures::new(effort, module),
                    &results.into(),
                )
            };
            // An error closes the channel, which fails the next case.
            runners.workers.add(spawn_child(work, |_| ())?);
            runners.channels.push(ours);
        }
        Ok(runners)
    }

    /// Returns the result of the next case, in the order of the cases.
    pub(super) fn next(&mut self) -> Result<CaseResult> {
        let channel = &self.channels[self.turn % self.channels.len()];
        self.turn += 1;
        let (result, _) = channel.receive()?.context("a worker has exited")?;
        Ok(result)
    }
}

impl Drop for CaseRunners {
    fn drop(&mut self) {
        // Workers that have not finished can no longer send, and exit.
        self.channels.clear();
        let _ = self.workers.join();
    }
}

/// Runs cases and sends their results.
fn run_cases(
    cpu: usize,
    cases: impl Iterator<Item = Case>,
    fixtures: impl FnOnce() -> Fixtures,
    results: &Channel,
) -> Result<()> {
    // A test and its actors take turns. On one CPU that is a switch; on two it is an interrupt each
    // time, which is slow in an emulator.
    let mut cpus = CpuSet::new();
    cpus.set(cpu);
    rustix::thread::sched_setaffinity(None, &cpus)?;
    sys::unshare(Kind::Mnt.flag())?;
    let private = MountPropagationFlags::PRIVATE | MountPropagationFlags::REC;
    rustix::mount::mount_change("/", private)?;
    // They contain the mount namespace.
    let mut fixtures = fixtures();
    for case in cases {
        let result = match run::run_by_all(&case, &mut fixtures) {
            Ok(report) => CaseResult {
                recorded: record::of(&case, &report).filter(|_| fixtures.effort.record),
                outcome: Some(report.subject.outcome),
                agreement: report.agreement,
                wrong: (!report.wrong.is_empty()).then(|| report.wrong.join("\n")),
                skipped: None,
            },
            Err(e) => {
                let skipped = e.downcast_ref().map(Skip::to_string);
                CaseResult {
                    recorded: None,
                    outcome: None,
                    agreement: None,
                    wrong: skipped.is_none().then(|| format!("cannot run: {e:#}")),
                    skipped,
                }
            }
        };
        results.send(&result, None)?;
    }
    Ok(())
}
