// SPDX-License-Identifier: GPL-2.0-only

//! Messages between a test and an actor: a list of commands, and a list with a reply for each.

use super::{
    measure::{Measured, Work},
    setup::Setup,
};
use crate::{
    case::implementation::{self, Entry, Kind},
    checks::diagnosis::Diagnosis,
    errno::Outcome,
    snapshot::{Children, ClockBase, Snapshot},
    suites::Knowledge,
};
use nsproxy_uapi::{Reason, Refusal};
use serde::{Deserialize, Serialize};

/// A command of the test to an actor.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Command {
    /// Opens `/dev/nsproxy` with the current credentials. Replies with [`Reply::Returned`].
    OpenDevice,
    /// Has the module serve this process, and its children.
    Serve,
    /// Sends the open `/dev/nsproxy` to the test.
    GiveDevice,
    /// Receives an open `/dev/nsproxy` from the test.
    TakeDevice,
    /// Opens a file in a new slot. Replies with [`Reply::Opened`].
    Open(Source),
    /// Receives a file from the test in a new slot. Replies with [`Reply::Opened`].
    Take,
    /// Sends the file of a slot to the test.
    Give { slot: usize },
    /// Closes the files of all slots.
    Close,
    /// Changes the state of the actor.
    SetUp(Setup),
    /// Makes the call. Replies with [`Reply::Called`].
    Call(Call),
    /// Opens or receives a file, makes the call with it, takes a snapshot, and closes all files.
    /// `children` take part in the snapshot only if the call had an effect: they show the
    /// namespaces for children. Replies with [`Reply::Attempted`].
    Attempt {
        /// The file to open; [`None`] to receive a file from the test.
        source: Option<Source>,
        call: Call,
        clocks: ClockBase,
        children: Children,
    },
    /// Makes the call many times, each time in a new child with `in_children`. Replies with
    /// [`Reply::Repeated`].
    Repeat {
        call: Call,
        times: u32,
        in_children: bool,
    },
    /// Measures the cost of each call. Replies with [`Reply::Measured`].
    Measure { work: Work, measured: Vec<Measured> },
    /// Makes each call while the host records it. Replies with [`Reply::Done`].
    Profile {
        name: String,
        work: Work,
        measured: Vec<Measured>,
    },
    /// Calls `NSPROXY_SHOW` for a pidfd. Replies with [`Reply::Returned`].
    Show { slot: usize },
    /// Queries the kernel and the module about the process of a pidfd, files of namespaces, and the
    /// id of a namespace that the actor is not in. Replies with [`Reply::Knowledge`].
    Query {
        pidfd: usize,
        files: Vec<usize>,
        other: u64,
    },
    /// Takes a snapshot, in which children take part. Replies with [`Reply::Snapshot`].
    Snapshot {
        clocks: ClockBase,
        children: Children,
    },
    /// Determines whether the actor shares objects with the task that has this path in the `/proc` of
    /// the test. Replies with [`Reply::Shared`].
    Shares(String),
    /// Determines the pid of the actor in the `/proc` of the test. Replies with [`Reply::Pid`].
    Pid,
    /// Runs programs, one after another, each in its own child. Replies with
    /// [`Reply::Programs`].
    Programs {
        /// The words of each command line.
        lines: Vec<Vec<String>>,
        /// The slot of their standard input; `/dev/null` by default.
        input: Option<usize>,
        /// `true` to share the actor's root and working directory (`CLONE_FS`).
        share_fs: bool,
    },
}

/// A file that only the actor itself can open.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Source {
    /// The descriptor with this number, open or not.
    Number(i32),
    /// The file with that name in the actor's `/proc/self/ns`.
    Own { link: String },
    /// A pidfd of the actor.
    OwnPidfd,
    /// A socket in the actor's network namespace.
    Socket,
    /// No file: the call is unshare(2).
    Nothing,
}

/// An open file of an actor.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Opened {
    pub(crate) slot: usize,
    /// The inode number, which for an nsfs file is that of the namespace.
    pub(crate) inode: Option<u64>,
}

/// One call.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Call {
    pub(crate) entry: Entry,
    pub(crate) args: Args,
    /// The allocation of the call that fails, counted from 1.
    pub(crate) fail_nth: Option<u32>,
    /// `true` to explain the call from user space before it: one of a system call, and one by the
    /// device where a dry run explains it.
    pub(crate) diagnose: bool,
}

/// The system call, and its arguments.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) enum Args {
    Setns {
        /// The slot of the file.
        slot: usize,
        nstype: i32,
    },
    Unshare {
        flags: u64,
    },
    /// clone(2), which creates a child that takes a snapshot. With `CLONE_VM` the caller is suspended
    /// meanwhile.
    Clone {
        flags: u64,
    },
}

impl Call {
    /// Returns a call of setns(2).
    pub(crate) fn new(entry: Entry, slot: usize, nstype: i32) -> Self {
        Self {
            entry,
            args: Args::Setns { slot, nstype },
            fail_nth: None,
            diagnose: false,
        }
    }
}

/// The result of one call.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Called {
    pub(crate) outcome: Outcome,
    /// If an allocation was to fail: the number of allocations that remained until that one.
    pub(crate) to_go: Option<u32>,
    /// The result of a dry run before the call, if there was one.
    pub(crate) dry_run: Option<DryRun>,
    /// The explanation from user space before the call, if there was one.
    pub(crate) diagnosis: Option<Diagnosis>,
}

impl Called {
    pub(crate) fn of(outcome: Outcome) -> Self {
        Self {
            outcome,
            to_go: None,
            dry_run: None,
            diagnosis: None,
        }
    }
}

/// The result of a dry run, as serializable numbers.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct DryRun {
    pub(crate) outcome: Outcome,
    /// The number of the reason of a refusal, or 0.
    reason: u32,
    /// The `CLONE_NEW*` of the namespace that was refused, or 0.
    kind: u32,
    /// The missing capability, `CAP_*`.
    pub(crate) cap: Option<u32>,
    /// The number of tasks that share what must not be shared, or 0.
    pub(crate) count: u32,
}

impl DryRun {
    pub(crate) fn new(outcome: Outcome, refusal: Option<Refusal>) -> Self {
        let namespace = refusal.and_then(|refusal| refusal.namespace);
        Self {
            outcome,
            reason: refusal.map_or(0, |refusal| refusal.reason.number()),
            kind: namespace.map_or(0, |(kind, _)| kind.flag()),
            cap: refusal.and_then(|refusal| Some(refusal.cap?.0)),
            count: refusal.map_or(0, |refusal| refusal.count),
        }
    }

    /// Returns the check that refused the call.
    pub(crate) fn reason(self) -> Option<Reason> {
        Reason::of(self.reason)
    }

    /// Returns the kind of the namespace that was refused.
    pub(crate) fn kind(self) -> Option<Kind> {
        implementation::kinds_of(self.kind).next()
    }
}

/// The result of a series of calls, which all returned the same.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Repeated {
    pub(crate) outcome: Outcome,
    /// The number of calls.
    pub(crate) times: u32,
    /// `true` if the series ended with an additional call that succeeded although an allocation was
    /// to fail.
    pub(crate) one_more: bool,
}

/// The exit status and the output of a program.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Program {
    /// The exit status; [`None`] if it was killed.
    pub(crate) status: Option<i32>,
    /// Its standard output and error.
    pub(crate) text: String,
}

/// The reply of an actor to a command.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Reply {
    Done,
    Opened(Opened),
    /// The id of a semaphore that was raised.
    Semaphore(i32),
    /// The id of a segment of shared memory that was created.
    SharedMemory(i32),
    /// The path in the test's `/proc` of a new task that shares the actor's nsproxy.
    Companion(String),
    /// The path in the test's `/proc` of a new child in namespaces of its own.
    Child(String),
    Called(Called),
    Repeated(Repeated),
    /// Instructions per call.
    Measured(Vec<f64>),
    Returned(Outcome),
    Attempted(Opened, Called, Snapshot),
    /// The answers of the kernel and of the module.
    Knowledge([Knowledge; 2]),
    Snapshot(Snapshot),
    Shared {
        /// The table of file descriptors.
        files: bool,
        /// Root and working directory.
        fs: bool,
    },
    Pid(u32),
    Programs(Vec<Program>),
    /// The command could not be carried out: an error of the test, or of the guest.
    Failed(String),
}
