// SPDX-License-Identifier: GPL-2.0-only

//! `--from`: asks from the state of another process, as far as public interfaces show it.

use crate::{cause::Described, denied_access, errno::show, open::Failed};
use anyhow::Result;
use nsproxy_diagnose::{AccessMode, Task};
use nsproxy_uapi::Reason;
use rustix::io::Errno;
use serde::Serialize;
use std::{fmt, fs};

/// The process that would make the calls.
#[derive(Debug, Serialize)]
pub(crate) struct FromProcess {
    pid: u32,
    /// The name of the process.
    program: String,
    /// The reason why its namespaces are not visible; [`None`] if they are.
    denied: Option<Described>,
    #[serde(skip)]
    pub(crate) task: Task,
}

impl FromProcess {
    /// Reads the state of the process or thread with a number in `/proc`.
    ///
    /// # Errors
    ///
    /// [`Failed`]: `/proc` does not show it, or it has exited; with a hint.
    pub(crate) fn open(pid: u32) -> Result<Self> {
        let cannot_read = |errno, hints: &[&str]| {
            let message = format!("cannot read process {pid}: {}", show(errno));
            let hints = hints.iter().map(|hint| (*hint).to_owned()).collect();
            Failed::new(errno, message, hints)
        };
        let task = Task::of(pid).map_err(|errno| match errno {
            Errno::NOENT => cannot_read(Errno::SRCH, &["name a process that /proc shows"]),
            errno => cannot_read(errno, &[]),
        })?;
        if task.status().has_exited() {
            return Err(cannot_read(Errno::SRCH, &["name one that has not exited"]).into());
        }
        let name = fs::read(format!("/proc/{pid}/comm")).unwrap_or_default();
        Ok(Self {
            pid,
            program: String::from_utf8_lossy(&name).trim_end().to_owned(),
            denied: task.user_ns().is_none().then(|| denied(&task)),
            task: task.with_our_files(),
        })
    }

    /// Adds to an error that this process opens files, and not the other one.
    pub(crate) fn cannot_open(&self, error: anyhow::Error) -> anyhow::Error {
        match error.downcast::<Failed>() {
            Ok(failed) => {
                let Failed {
                    errno,
                    message,
                    hints,
                } = failed;
                let message = format!("{message}\nnote: nsproxy opens it, not {self}");
                Failed::new(errno, message, hints).into()
            }
            Err(error) => error,
        }
    }

    /// Returns what a prediction assumes, one sentence each. `opens` says whether the calls have files.
    pub(crate) fn assumptions(&self, opens: bool) -> Vec<String> {
        let status = self.task.status();
        let mut all = vec!["the process makes the call in its present state".to_owned()];
        if opens {
            all.push("files and targets are those that nsproxy opens by these options".to_owned());
        }
        if let Some(threads) = status.threads.filter(|threads| *threads > 1) {
            let Self { pid, .. } = self;
            all.push(format!(
                "thread {pid} of its {threads} threads makes the call"
            ));
        }
        if status.is_filtered {
            all.push("its seccomp filter allows the call".to_owned());
        }
        all.push(
            "no task shares memory, root directory or signal handlers with it, except those that \
             kcmp(2) shows"
                .to_owned(),
        );
        all
    }

    /// Formats what is not visible, as lines; nothing if its namespaces are.
    pub(crate) fn not_visible(&self) -> Option<String> {
        let denied = self.denied.as_ref()?;
        Some(format!(
            "not visible: its namespaces, and the tasks that share something with it\nreason: {}",
            denied.lines()
        ))
    }
}

/// Describes why ptrace(2) denies access.
fn denied(task: &Task) -> Described {
    let mode = AccessMode::FsCreds;
    let (says, hints) = denied_access::describe(&Task::current(), task, mode);
    Described::of(Reason::Ptrace.name(), says, hints)
}

/// Formats the process with its name.
impl fmt::Display for FromProcess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { pid, program, .. } = self;
        // A program may set any name, such as one that moves the cursor.
        write!(f, "process {pid} ({})", program.escape_debug())
    }
}
