// SPDX-License-Identifier: GPL-2.0-only

//! The messages between a test and an actor: a list of commands, and a list with a reply for each.

use super::{
    measure::{Measured, Work},
    setup::Step,
};
use crate::{
    case::implementation::{self, Entry, Kind},
    errno::Outcome,
    snapshot::{Children, ClockBase, Snapshot},
    suites::Told,
};
use nsproxy_uapi::{Reason, Refusal};
use serde::{Deserialize, Serialize};

/// What an actor is told to do.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Command {
    /// Opens `/dev/nsproxy`, with the rights it has now. Answered with [`Reply::Returned`].
    OpenDevice,
    /// Hands its `/dev/nsproxy` to the test.
    GiveDevice,
    /// Takes a `/dev/nsproxy` that someone else opened, from the test.
    TakeDevice,
    /// Opens a file and keeps it. Answered with [`Reply::Opened`].
    Open(Source),
    /// Takes a file from the test and keeps it. Answered with [`Reply::Opened`].
    Take,
    /// Hands a file that it keeps to the test.
    Give { slot: usize },
    /// Closes all that it opened.
    Close,
    /// Changes its own state.
    Do(Step),
    /// The call that all of this is about. Answered with [`Reply::Called`].
    Call(Call),
    /// Opens or takes a file, makes the call with it, looks, and closes all that it opened. It
    /// looks at children, too, if the call succeeded: where its children will be is among what a
    /// process sees of itself, and after a failure there is nothing to ask them. Answered with
    /// [`Reply::Attempted`].
    Attempt {
        /// What it opens; [`None`]: it takes what the test has sent.
        source: Option<Source>,
        call: Call,
        clocks: ClockBase,
        children: Children,
    },
    /// The call many times, each in a child of its own if that is wanted. Answered with
    /// [`Reply::Repeated`].
    Repeat {
        call: Call,
        times: u32,
        in_children: bool,
    },
    /// Measures the cost of each call. Answered with [`Reply::Measured`].
    Measure { work: Work, measured: Vec<Measured> },
    /// Makes each call while the host records it. Answered with [`Reply::Done`].
    Profile {
        name: String,
        work: Work,
        measured: Vec<Measured>,
    },
    /// `NSPROXY_SHOW` of the process of a pidfd, answered with [`Reply::Returned`].
    Show { slot: usize },
    /// Asks the kernel and the module about the process of a pidfd, files of namespaces, and the id
    /// of a namespace that the actor is not in. Answered with [`Reply::Told`].
    Ask {
        pidfd: usize,
        files: Vec<usize>,
        other: u64,
    },
    /// Looks at itself, and has children look. Answered with [`Reply::Seen`].
    Look {
        clocks: ClockBase,
        children: Children,
    },
    /// What its pid is in the `/proc` of the test. Answered with [`Reply::Pid`].
    Pid,
    /// Runs programs, one after another, each in its own child. Answered with
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

/// What only the actor itself can open.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Source {
    /// Whatever has this number, open or not.
    Number(i32),
    /// The file of that name in its own `/proc/self/ns`.
    Own { link: String },
    /// A pidfd of itself.
    OwnPidfd,
    /// A socket in its own network namespace.
    Socket,
}

/// A file that an actor holds open.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Opened {
    pub(crate) slot: usize,
    /// Inode number, which for an nsfs file is the namespace's.
    pub(crate) inode: Option<u64>,
}

/// One call.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Call {
    pub(crate) entry: Entry,
    /// Index of what [`Command::Open`] opened.
    pub(crate) slot: usize,
    pub(crate) nstype: i32,
    /// Which of its allocations is to fail, from 1, if one is.
    pub(crate) fail_nth: Option<u32>,
}

/// What came of one call.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Called {
    pub(crate) outcome: Outcome,
    /// If an allocation was to fail: how many more there were to go until that one. 0: it failed.
    pub(crate) to_go: Option<u32>,
    /// The result of a dry run before the call, if there was one.
    pub(crate) foreseen: Option<Foreseen>,
}

/// The result of a dry run, in numbers that can be sent through a pipe.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Foreseen {
    pub(crate) outcome: Outcome,
    /// Number of the reason of a refusal, or 0.
    reason: u32,
    /// The `CLONE_NEW*` of the namespace that was refused, or 0.
    kind: u32,
}

impl Foreseen {
    pub(crate) fn new(outcome: Outcome, refusal: Option<Refusal>) -> Self {
        let namespace = refusal.and_then(|refusal| refusal.namespace);
        Self {
            outcome,
            reason: refusal.map_or(0, |refusal| refusal.reason.number()),
            kind: namespace.map_or(0, |(kind, _)| kind.flag()),
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

/// What came of many calls, which all returned the same.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Repeated {
    pub(crate) outcome: Outcome,
    /// How many there were.
    pub(crate) times: u32,
    /// After them came one, the last, that succeeded although an allocation was to fail.
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

/// What an actor answers.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Reply {
    Done,
    Opened(Opened),
    /// A semaphore that was raised, by its id.
    Semaphore(i32),
    /// A task that shares the actor's nsproxy was started, by its path in the test's `/proc`.
    Companion(String),
    /// A child in namespaces of its own was started, by its path in the test's `/proc`.
    Child(String),
    Called(Called),
    Repeated(Repeated),
    /// Instructions a call.
    Measured(Vec<f64>),
    Returned(Outcome),
    Attempted(Opened, Called, Snapshot),
    /// The answers of the kernel and of the module.
    Told([Told; 2]),
    Seen(Snapshot),
    Pid(u32),
    Programs(Vec<Program>),
    /// The command itself could not be carried out: an error of the test, or of the guest.
    Failed(String),
}
