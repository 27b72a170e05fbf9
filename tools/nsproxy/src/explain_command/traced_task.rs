// SPDX-License-Identifier: GPL-2.0-only

//! A traced task, as `/proc` shows it.

use nsproxy_diagnose::Status;
use rustix::process::Pid;
use serde::Serialize;
use std::{fmt, fs, os::unix::fs::MetadataExt as _, path::PathBuf};

/// The identity of a traced task, formatted as `PID/TID PROGRAM`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct TracedTask {
    /// The number of the process.
    pub(super) pid: u32,
    /// The number of the task.
    pub(super) tid: u32,
    /// The name of the task, which is that of the program if nothing has changed it.
    pub(super) program: String,
}

impl TracedTask {
    /// Reads the identity. Without `/proc`, the task has no name.
    pub(super) fn read(task: Pid) -> Self {
        let tid = task.as_raw_pid().cast_unsigned();
        let name = fs::read(path(tid, "comm")).unwrap_or_default();
        let name = String::from_utf8_lossy(&name);
        let status = Status::of(tid);
        Self {
            pid: status.map_or(tid, |status| status.tgid),
            tid,
            program: name.trim_end_matches('\n').to_owned(),
        }
    }

    /// Returns the path of a file of the task.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        path(self.tid, name)
    }

    /// Returns the inode number of a link in `/proc/PID/ns`.
    pub(super) fn namespace(&self, link: &str) -> Option<u64> {
        let found = fs::metadata(self.path(&format!("ns/{link}"))).ok()?;
        Some(found.ino())
    }
}

impl fmt::Display for TracedTask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { pid, tid, program } = self;
        // A program may set any name, such as one that moves the cursor.
        write!(f, "{pid}/{tid} {}", program.escape_debug())
    }
}

fn path(tid: u32, name: &str) -> PathBuf {
    format!("/proc/{tid}/{name}").into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::{process::getpid, thread::gettid};

    #[test]
    fn the_current_thread() {
        let task = TracedTask::read(gettid());
        assert_eq!(task.pid, getpid().as_raw_pid().cast_unsigned());
        assert_eq!(task.tid, gettid().as_raw_pid().cast_unsigned());
        assert!(!task.program.is_empty());
    }

    #[test]
    fn a_name_cannot_move_the_cursor() {
        let task = TracedTask {
            pid: 1,
            tid: 2,
            program: "runc:[1:CHILD]\u{1b}[A".to_owned(),
        };
        assert_eq!(task.to_string(), "1/2 runc:[1:CHILD]\\u{1b}[A");
    }

    #[test]
    fn a_task_that_has_exited_has_no_name() {
        let gone = TracedTask::read(Pid::from_raw(i32::MAX).unwrap());
        assert_eq!(gone.pid, gone.tid);
        assert_eq!(gone.program, "");
    }
}
