// SPDX-License-Identifier: GPL-2.0-only

//! Messages between processes: JSON over a pair of `SOCK_SEQPACKET` sockets, which keep messages
//! apart and carry file descriptors (`SCM_RIGHTS`).

use anyhow::{Context as _, Result};
use rustix::{
    io::Errno,
    net::{
        AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
        SendAncillaryMessage, SendFlags, SocketFlags, SocketType,
    },
};
use serde::{Serialize, de::DeserializeOwned};
use std::{
    io::{IoSlice, IoSliceMut},
    mem::MaybeUninit,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
};

/// One end of a channel.
pub(crate) struct Channel(OwnedFd);

impl Channel {
    /// Creates a channel, and returns both ends.
    pub(crate) fn pair() -> Result<(Self, Self)> {
        let (one, other) = rustix::net::socketpair(
            AddressFamily::UNIX,
            SocketType::SEQPACKET,
            SocketFlags::CLOEXEC,
            None,
        )?;
        Ok((Self(one), Self(other)))
    }

    /// Sends a message, with a file descriptor if there is one.
    ///
    /// # Errors
    ///
    /// The other end is closed, or the message is too long for a socket (about 200 KiB).
    pub(crate) fn send(&self, message: &impl Serialize, fd: Option<BorrowedFd<'_>>) -> Result<()> {
        let json = serde_json::to_vec(message)?;
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut ancillary = SendAncillaryBuffer::new(&mut space);
        if let Some(fd) = &fd {
            ancillary.push(SendAncillaryMessage::ScmRights(std::slice::from_ref(fd)));
        }
        let flags = SendFlags::NOSIGNAL;
        rustix::net::sendmsg(&self.0, &[IoSlice::new(&json)], &mut ancillary, flags)
            .with_context(|| format!("sendmsg: {} bytes", json.len()))?;
        Ok(())
    }

    /// Receives a message, and the file descriptor that came with it. Returns [`None`] if the other
    /// end is closed.
    pub(crate) fn receive<T: DeserializeOwned>(&self) -> Result<Option<(T, Option<OwnedFd>)>> {
        // MSG_TRUNC returns the length of the message, whatever the length of the buffer.
        let flags = RecvFlags::PEEK | RecvFlags::TRUNC;
        let length = match rustix::net::recv(&self.0, &mut [0], flags) {
            Ok((_, length)) => length,
            // It was closed with messages unread.
            Err(Errno::CONNRESET) => 0,
            Err(errno) => return Err(errno).context("recv"),
        };
        if length == 0 {
            return Ok(None);
        }
        let mut json = vec![0; length];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut ancillary = RecvAncillaryBuffer::new(&mut space);
        let message = rustix::net::recvmsg(
            &self.0,
            &mut [IoSliceMut::new(&mut json)],
            &mut ancillary,
            RecvFlags::CMSG_CLOEXEC,
        )
        .context("recvmsg")?;
        let fd = ancillary.drain().find_map(|message| match message {
            RecvAncillaryMessage::ScmRights(mut fds) => fds.next(),
            _ => None,
        });
        Ok(Some((serde_json::from_slice(&json[..message.bytes])?, fd)))
    }
}

impl AsFd for Channel {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl From<OwnedFd> for Channel {
    fn from(socket: OwnedFd) -> Self {
        Self(socket)
    }
}

impl From<Channel> for OwnedFd {
    fn from(channel: Channel) -> Self {
        channel.0
    }
}

#[cfg(test)]
mod tests {
    use super::Channel;
    use std::{fs::File, io::Read as _, os::fd::AsFd as _};

    #[test]
    fn messages_of_any_length_and_a_file() {
        let (one, other) = Channel::pair().unwrap();
        let (read, write) = std::io::pipe().unwrap();
        let long = "x".repeat(100_000);
        one.send(&long, None).unwrap();
        one.send(&7, Some(read.as_fd())).unwrap();
        drop((one, read, write));
        let (message, fd) = other.receive::<String>().unwrap().unwrap();
        assert!(message == long && fd.is_none());
        let (message, fd) = other.receive::<u32>().unwrap().unwrap();
        assert_eq!(message, 7);
        let mut text = String::new();
        File::from(fd.unwrap()).read_to_string(&mut text).unwrap();
        assert_eq!(text, "");
        assert!(other.receive::<u32>().unwrap().is_none());
        assert!(other.send(&7, None).is_err());
    }
}
