// SPDX-License-Identifier: GPL-2.0-only

//! Records the behaviour of a kernel: the result of a case by the system call, and what it changed.
//! The host keeps the records, and compares them with those of another kernel.

use crate::{
    case::{
        Case,
        implementation::Entry,
        run::{CallerRun, CaseRun},
    },
    errno::outcome_name,
    report::verdict_port,
};
use anyhow::Result;
use nsproxy_results::{Behaviour, RecordedCase};
use std::collections::BTreeMap;

/// Returns the behaviour of the kernel in a case; [`None`] if the case makes no system call.
pub(crate) fn of(case: &Case, run: &CaseRun) -> Option<RecordedCase> {
    let mut runs = run.reference.iter().chain([&run.subject]);
    let by_kernel = runs.find(|run| run.by.0 == Entry::Syscall)?;
    Some(RecordedCase {
        name: case.name.clone(),
        behaviour: behaviour(by_kernel),
    })
}

/// Sends it to the host. One process can do so at a time.
pub(crate) fn send(recorded: &RecordedCase) -> Result<()> {
    let line = serde_json::to_string(recorded)?;
    verdict_port::send_line(&format!("case {line}"))
}

fn behaviour(run: &CallerRun) -> Behaviour {
    Behaviour {
        result: outcome_name(run.outcome),
        changes: match run.outcome {
            Ok(()) => run.after.changes_since(&run.before),
            // A case fails if such a call changes anything.
            Err(_) => BTreeMap::new(),
        },
    }
}
