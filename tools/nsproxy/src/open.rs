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
use std::os::fd::OwnedFd;

/// Opens what `call` names.
pub(crate) fn source(call: &Call) -> Result<OwnedFd> {
    match &call.source {
        Source::File(path) => {
            let flags = OFlags::RDONLY | OFlags::CLOEXEC;
            rustix::fs::open(path, flags, Mode::empty())
                .map_err(|errno| anyhow!("cannot open {}: {}", path.display(), show(errno)))
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
                anyhow!(
                    "cannot open a pidfd of process {pid}: {}{remedy}",
                    show(errno)
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
