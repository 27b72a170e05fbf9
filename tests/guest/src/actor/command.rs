// SPDX-License-Identifier: GPL-2.0-only

//! What is said between a test and an actor: one JSON value a line, one answer for each command.

use super::state::Step;
use crate::{
    errno::Outcome,
    snapshot::{ClockBase, Snapshot},
    via::Entry,
};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// What an actor is told to do.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Command {
    /// Opens `/dev/nsproxy`, with the rights it has now. Answered with [`Reply::Returned`].
    OpenDevice,
    /// Hands its `/dev/nsproxy` to whoever listens at that socket.
    SendDevice { socket: PathBuf },
    /// Takes a `/dev/nsproxy` that someone else opened, from whoever listens at that socket.
    ReceiveDevice { socket: PathBuf },
    /// Opens a file and keeps it. Answered with [`Reply::Opened`].
    Open(Source),
    /// Closes all that it opened.
    Close,
    /// Changes its own state.
    Do(Step),
    /// The call that all of this is about. Answered with [`Reply::Called`].
    Call(Call),
    /// The same many times, each in a child of its own if that is wanted. Answered with
    /// [`Reply::Repeated`].
    Repeat {
        call: Call,
        times: u32,
        in_children: bool,
    },
    /// `NSPROXY_VERSION`, answered with [`Reply::Returned`].
    Version,
    /// Looks at itself, and at a child if that is wanted. Answered with [`Reply::Seen`].
    Look { clocks: ClockBase, child: bool },
    /// What its pid is in the `/proc` of the test. Answered with [`Reply::Pid`].
    Pid,
}

/// What a file descriptor is to refer to.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Source {
    /// Whatever has this number, open or not.
    Number(i32),
    /// A path in the root of the test, opened with `O_RDONLY` or with `O_PATH`.
    Path { path: String, o_path: bool },
    /// The file of that name in the actor's own `/proc/self/ns`.
    Own { link: String },
    /// The process with that pid, or the actor itself.
    Pidfd { pid: Option<u32> },
    /// The reading end of a new pipe.
    Pipe,
    /// A new socket.
    Socket,
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

/// What an actor answers.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Reply {
    Done,
    Opened {
        slot: usize,
        /// Inode number, which for an nsfs file is the namespace's.
        inode: Option<u64>,
    },
    /// A semaphore that was raised, by its id.
    Semaphore(i32),
    /// A task that shares the actor's nsproxy was started, by its path in the test's `/proc`.
    Companion(String),
    Called(Called),
    Repeated(Repeated),
    Returned(Outcome),
    Seen(Snapshot),
    Pid(u32),
    /// The command itself could not be carried out: an error of the test, or of the guest.
    Failed(String),
}
