// SPDX-License-Identifier: GPL-2.0-only

//! Commands about a network namespace that only a socket holds: `nsproxy-tests socket-in` leaves a
//! process with such a socket, and `nsproxy-tests socket-ns` opens the namespace of it again.

use crate::sys::nsfs::net_of_socket;
use anyhow::{Context as _, Result};
use nsproxy_uapi::{Kind, setns_raw};
use rustix::process::{Pid, PidfdFlags, PidfdGetfdFlags, pidfd_getfd, pidfd_open};
use std::{
    ffi::OsString,
    fs::File,
    os::{
        fd::{AsRawFd as _, OwnedFd},
        unix::{net::UnixDatagram, process::CommandExt as _},
    },
    process::{Command, ExitCode, Stdio},
};

/// Runs a command in the present network namespace. Its standard input is a socket of the namespace
/// `FILE`.
pub(crate) fn socket_in(mut words: impl Iterator<Item = OsString>) -> Result<ExitCode> {
    const USAGE: &str = "socket-in FILE COMMAND [ARGUMENT...]";
    let path = words.next().context(USAGE)?;
    let there = File::open(&path).with_context(|| path.display().to_string())?;
    let back = File::open("/proc/self/ns/net")?;
    let enter = |file: &File| setns_raw(file.as_raw_fd(), Kind::Net.flag().cast_signed());
    enter(&there).with_context(|| path.display().to_string())?;
    let socket = UnixDatagram::unbound()?;
    enter(&back)?;
    run(OwnedFd::from(socket), words, USAGE)
}

/// Runs a command. Its standard input is the network namespace of the socket that is the standard input
/// of the process `PID`.
pub(crate) fn socket_ns(mut words: impl Iterator<Item = OsString>) -> Result<ExitCode> {
    const USAGE: &str = "socket-ns PID COMMAND [ARGUMENT...]";
    let pid = words.next().context(USAGE)?;
    let pid = pid.to_str().and_then(|pid| pid.parse().ok());
    let pid = pid.and_then(Pid::from_raw).context(USAGE)?;
    let pidfd = pidfd_open(pid, PidfdFlags::empty()).context("pidfd_open(2)")?;
    let socket = pidfd_getfd(pidfd, 0, PidfdGetfdFlags::empty()).context("pidfd_getfd(2)")?;
    run(net_of_socket(socket).context("SIOCGSKNS")?, words, USAGE)
}

/// Executes a command with this standard input.
fn run(
    stdin: OwnedFd,
    mut words: impl Iterator<Item = OsString>,
    usage: &'static str,
) -> Result<ExitCode> {
    let program = words.next().context(usage)?;
    let mut command = Command::new(&program);
    let error = command.args(words).stdin(Stdio::from(stdin)).exec();
    Err(error).with_context(|| program.display().to_string())
}
