// SPDX-License-Identifier: GPL-2.0-only

//! A process of a world that executes this program again, and continues there.
//!
//! The state goes through a channel, whose other end is the standard input of the new program.

use super::{
    messages::Observation,
    op::{PROCS, Proc},
    process::Process,
    text::Sequence,
    world::Shared,
};
use crate::{case::implementation::Entry, process::channel::Channel, snapshot::ClockBase, sys};
use anyhow::{Context as _, Result};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};
use std::{
    ffi::CStr,
    io,
    os::fd::{AsFd as _, BorrowedFd, OwnedFd},
    process::ExitCode,
};

/// The argument that makes this program call [`main`].
const ARGUMENT: &CStr = c"sequence-process";

/// The state of a process, without its files.
#[derive(Serialize, Deserialize)]
struct State {
    sequence: String,
    entry: Entry,
    clocks: ClockBase,
    me: u8,
    id: u32,
    served: bool,
    /// The observation of the execution, without a snapshot.
    executed: Observation,
}

/// Executes this program again. Returns only on failure. `executed` is the observation of a
/// success, without a snapshot.
pub(super) fn execute(process: &Process<'_>, executed: Observation) -> Result<Errno> {
    let shared = process.shared;
    let (ours, theirs) = Channel::pair()?;
    let state = State {
        sequence: Sequence(shared.sequence.to_vec()).to_string(),
        entry: shared.entry,
        clocks: shared.clocks.clone(),
        me: process.me.0,
        id: process.id,
        served: process.served,
        executed,
    };
    ours.send(&state, Some(shared.proc.as_fd()))?;
    let send = |file: BorrowedFd<'_>| ours.send(&(), Some(file));
    send(shared.device.as_fd())?;
    shared
        .inner
        .iter()
        .try_for_each(|inner| send(inner.as_fd()))?;
    // By a path that works in each root and mount namespace.
    let path = c"self/exe";
    Ok(sys::exec(
        shared.proc.as_fd(),
        path,
        ARGUMENT,
        theirs.as_fd(),
        io::stdout().as_fd(),
    ))
}

/// Continues as the process that has executed this program.
pub(crate) fn main() -> Result<ExitCode> {
    sys::one_heap();
    let channel = Channel::from(io::stdin().as_fd().try_clone_to_owned()?);
    let (state, proc) = channel.receive::<State>()?.context("no state")?;
    let file = || -> Result<OwnedFd> {
        let ((), file) = channel.receive()?.context("a file is missing")?;
        file.context("a message without a file")
    };
    let device = file()?.into();
    let inner = (0..PROCS).map(|_| file().map(Channel::from));
    let inner = inner.collect::<Result<_>>()?;
    let Sequence(sequence) = state.sequence.parse()?;
    let shared = Shared {
        sequence: &sequence,
        entry: state.entry,
        clocks: &state.clocks,
        device,
        proc: proc.context("a state without a file")?,
        inner,
    };
    Process {
        shared: &shared,
        me: Proc(state.me),
        id: state.id,
        served: state.served,
    }
    .run(Some(state.executed))
}
