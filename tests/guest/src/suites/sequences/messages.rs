// SPDX-License-Identifier: GPL-2.0-only

//! What is said between the root of a world and its processes, a message at a time.
//!
//! Both know the sequence, as one was forked from the other: an order is the index of an operation.

use crate::snapshot::Snapshot;
use anyhow::{Context as _, Result, ensure};
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags,
    SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketFlags, SocketType,
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::{
    io::{IoSlice, IoSliceMut},
    mem::MaybeUninit,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
};

/// The longest message; a process that sees a lot says some 4 KiB.
const LONGEST: usize = 64 << 10;

/// What a process is to do.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) enum Order {
    /// The operation of that index. A file descriptor may come with it.
    Perform(usize),
    /// To look at all that there is.
    Look,
}

/// What a process says.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Answer {
    /// It is there, with that pid in the world.
    Born(i32),
    /// What came of an operation.
    Did(Observation),
    /// All that there is.
    Seen(Snapshot),
}

/// What came of an operation, and what the process could see then.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Observation {
    /// `0`, the name of an error, or a word for why nothing was done.
    pub(super) outcome: String,
    /// For a call of setns, the kinds that were asked for, as `CLONE_NEW*`.
    pub(super) called: Option<u32>,
    pub(super) seen: Snapshot,
}

/// One end of a line, which keeps messages apart and carries file descriptors.
pub(super) struct Line(OwnedFd);

impl Line {
    /// Both ends of a new line.
    pub(super) fn new() -> Result<(Self, Self)> {
        let (one, other) = rustix::net::socketpair(
            AddressFamily::UNIX,
            SocketType::SEQPACKET,
            SocketFlags::CLOEXEC,
            None,
        )?;
        Ok((Self(one), Self(other)))
    }

    pub(super) fn say(&self, message: &impl Serialize, fd: Option<BorrowedFd<'_>>) -> Result<()> {
        let json = serde_json::to_vec(message)?;
        let fds: Vec<_> = fd.into_iter().collect();
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut ancillary = SendAncillaryBuffer::new(&mut space);
        if !fds.is_empty() {
            ancillary.push(SendAncillaryMessage::ScmRights(&fds));
        }
        let flags = SendFlags::NOSIGNAL;
        rustix::net::sendmsg(&self.0, &[IoSlice::new(&json)], &mut ancillary, flags)
            .context("the line")?;
        Ok(())
    }

    pub(super) fn hear<T: DeserializeOwned>(&self) -> Result<(T, Option<OwnedFd>)> {
        let mut json = vec![0; LONGEST];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut ancillary = RecvAncillaryBuffer::new(&mut space);
        let message = rustix::net::recvmsg(
            &self.0,
            &mut [IoSliceMut::new(&mut json)],
            &mut ancillary,
            RecvFlags::CMSG_CLOEXEC,
        )
        .context("the line")?;
        ensure!(message.bytes > 0, "nobody is at the other end of the line");
        ensure!(
            !message.flags.contains(ReturnFlags::TRUNC),
            "a message of more than {LONGEST} bytes"
        );
        let fd = ancillary.drain().find_map(|message| match message {
            RecvAncillaryMessage::ScmRights(mut fds) => fds.next(),
            _ => None,
        });
        Ok((serde_json::from_slice(&json[..message.bytes])?, fd))
    }
}

impl AsFd for Line {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
