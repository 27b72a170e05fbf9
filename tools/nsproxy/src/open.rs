// SPDX-License-Identifier: GPL-2.0-only

//! The files that calls are made with.

use crate::{
    errno::show,
    plan::{Call, Source},
};
use anyhow::{Result, anyhow};
use nsproxy_uapi::Device;
use rustix::{
    fs::{Mode, OFlags},
    io::Errno,
    process::{Pid, PidfdFlags, pidfd_open},
};
use std::{error::Error, fmt, os::fd::OwnedFd};

/// A file or a process that cannot be opened.
#[derive(Debug)]
pub(crate) struct Failed {
    pub(crate) errno: Errno,
    message: String,
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error for Failed {}

fn failed(errno: Errno, message: String) -> anyhow::Error {
    Failed { errno, message }.into()
}

/// Opens what `call` names.
///
/// # Errors
///
/// [`Failed`].
pub(crate) fn source(call: &Call) -> Result<OwnedFd> {
    match &call.source {
        Source::File(path) => {
            let flags = OFlags::RDONLY | OFlags::CLOEXEC;
            rustix::fs::open(path, flags, Mode::empty()).map_err(|errno| {
                failed(
                    errno,
                    format!("cannot open {}: {}", path.display(), show(errno)),
                )
            })
        }
        Source::Process(pid) => Pid::from_raw(*pid)
            .ok_or(Errno::INVAL)
            .and_then(|pid| pidfd_open(pid, PidfdFlags::empty()))
            .map_err(|errno| {
                let remedy = match errno {
                    Errno::SRCH => "; there is no such process in our pid namespace",
                    Errno::INVAL | Errno::NOENT => "; is it a thread, and not a process?",
                    _ => "",
                };
                let why = show(errno);
                failed(
                    errno,
                    format!("cannot open a pidfd of process {pid}: {why}{remedy}"),
                )
            }),
    }
}

/// Opens the device, and says what to do when there is none.
pub(crate) fn device() -> Result<Device> {
    Device::open().map_err(|errno| {
        let remedy = match errno {
            Errno::NOENT => "the module is not loaded; as root: insmod nsproxy_rs.ko",
            Errno::ACCESS => "it is for root alone, unless its mode was changed",
            _ => "is it the device of nsproxy_rs?",
        };
        anyhow!("cannot open {}: {}\n{remedy}", Device::PATH, show(errno))
    })
}
