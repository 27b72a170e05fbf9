// SPDX-License-Identifier: GPL-2.0-only

//! Objects that keep a namespace in use although no process is in it.

use serde::Serialize;
use std::{
    fmt,
    path::{Path, PathBuf},
};

/// An object that holds a namespace.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Holder {
    /// A bind mount.
    Mount {
        /// The mount point.
        #[serde(serialize_with = "lossy")]
        path: PathBuf,
        /// A process in whose mount namespace and below whose root directory the path is; [`None`]
        /// for those of the caller.
        pid: Option<u32>,
    },
    /// An open file of a process.
    File {
        /// The process.
        pid: u32,
        /// The number of the descriptor.
        fd: u32,
    },
    /// A thread of a process whose first thread is in another namespace.
    Thread {
        /// The process.
        pid: u32,
        /// The thread.
        tid: u32,
    },
    /// A task that is in another namespace, and whose children will be in this one:
    /// `pid_for_children` or `time_for_children`.
    ForChildren {
        /// The process.
        pid: u32,
        /// The thread; [`None`] for the first one.
        tid: Option<u32>,
    },
}

/// Serializes a path, which JSON can contain only as Unicode.
fn lossy<S: serde::Serializer>(path: &Path, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&path.display())
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mount { path, pid: None } => write!(f, "{}", path.display()),
            Self::Mount {
                path,
                pid: Some(pid),
            } => write!(f, "pid {pid} mount {}", path.display()),
            Self::File { pid, fd } => write!(f, "pid {pid} fd {fd}"),
            Self::Thread { pid, tid } => write!(f, "pid {pid} thread {tid}"),
            Self::ForChildren { pid, tid: None } => write!(f, "pid {pid} for children"),
            Self::ForChildren {
                pid,
                tid: Some(tid),
            } => write!(f, "pid {pid} thread {tid} for children"),
        }
    }
}
