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

/// Sends the behaviour of the kernel in a case to the host.
pub(crate) fn send(case: &Case, run: &CaseRun) -> Result<()> {
    let mut runs = run.reference.iter().chain([&run.subject]);
    let Some(by_kernel) = runs.find(|run| run.by.0 == Entry::Syscall) else {
        return Ok(());
    };
    let recorded = RecordedCase {
        name: case.name.clone(),
        behaviour: behaviour(by_kernel),
    };
    let line = serde_json::to_string(&recorded)?;
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
