// SPDX-License-Identifier: GPL-2.0-only

//! The files that calls are made with.

use crate::{
    caller::Caller,
    errno::show,
    explain::hint_lines,
    plan::{Call, Source},
    target::{Mode, Target},
};
use anyhow::{Result, anyhow};
use nsproxy_uapi::Device;
use rustix::{
    fs::{Mode as FileMode, OFlags},
    io::Errno,
    process::{Pid, PidfdFlags, pidfd_open},
};
use std::{error::Error, fmt, os::fd::OwnedFd, path::Path};

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
/// [`Failed`], with a hint.
pub(crate) fn source(call: &Call) -> Result<OwnedFd> {
    match &call.source {
        Source::File(path) => file(path),
        Source::Process(pid) => process(*pid),
    }
}

fn file(path: &Path) -> Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC;
    rustix::fs::open(path, flags, FileMode::empty()).map_err(|errno| {
        let mut message = format!("cannot open {}: {}", path.display(), show(errno));
        // proc_ns_get_link() gives EACCES for what ptrace(2) denies.
        if errno == Errno::ACCESS
            && let Some(target) = Target::of_path(path)
        {
            let (why, hints) = target.denies(&Caller::read(), Mode::FsCreds);
            message += &format!("\nreason: {why}{}", hint_lines(&hints));
        }
        failed(errno, message)
    })
}

/// Opens a pidfd of a process.
///
/// # Errors
///
/// [`Failed`], with a hint.
pub(crate) fn process(pid: i32) -> Result<OwnedFd> {
    Pid::from_raw(pid)
        .ok_or(Errno::INVAL)
        .and_then(pidfd)
        .map_err(|errno| {
            let hint = match errno {
                Errno::SRCH => "\n  hint: name a process of this pid namespace",
                _ => "",
            };
            let message = format!("cannot open process {pid}: {}{hint}", show(errno));
            failed(errno, message)
        })
}

/// Opens a pidfd of the process `pid`.
pub(crate) fn pidfd(pid: Pid) -> Result<OwnedFd, Errno> {
    pidfd_open(pid, PidfdFlags::empty())
}

/// Opens the device.
///
/// # Errors
///
/// It cannot be opened; with a hint.
pub(crate) fn device() -> Result<Device> {
    Device::open().map_err(|errno| {
        let hint = match errno {
            Errno::NOENT => "\n  hint: as root: insmod nsproxy_rs.ko; the module is not loaded",
            Errno::ACCESS => "\n  hint: run as root, or as root: chmod a+rw /dev/nsproxy",
            _ => "",
        };
        anyhow!("cannot open {}: {}{hint}", Device::PATH, show(errno))
    })
}
