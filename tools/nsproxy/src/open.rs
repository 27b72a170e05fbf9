// SPDX-License-Identifier: GPL-2.0-only

//! The files that calls are made with.

use crate::{
    kinds::Kinds,
    plan::{Call, Source},
};
use anyhow::{Context as _, Result};
use nsproxy_uapi::{Device, Kind};
use rustix::{
    fs::{Mode, OFlags, stat},
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
                .with_context(|| format!("cannot open {}", path.display()))
        }
        Source::Process(pid) => Pid::from_raw(*pid)
            .ok_or(Errno::INVAL)
            .and_then(|pid| pidfd_open(pid, PidfdFlags::empty()))
            .with_context(|| format!("cannot open a pidfd of process {pid}")),
    }
}

/// Opens the device, and says what to do when there is none.
pub(crate) fn device() -> Result<Device> {
    Device::open().map_err(|errno| {
        let remedy = match errno {
            Errno::NOENT => "the module is not loaded: insmod nsproxy_rs.ko, as root",
            Errno::ACCESS => "it is for root: mode 0600, unless someone changed that",
            _ => "is it the device of nsproxy_rs?",
        };
        anyhow::Error::new(errno).context(format!("cannot open {}: {remedy}", Device::PATH))
    })
}

/// The kinds in which process `target` is somewhere else than the caller: `--all`.
pub(crate) fn differing(target: i32) -> Result<Kinds> {
    let mut kinds = Kinds::default();
    for kind in Kind::ALL {
        let theirs = format!("/proc/{target}/ns/{}", kind.name());
        // What counts for the caller's pid namespace is where its children will be.
        let ours = match kind {
            Kind::Pid => "/proc/self/ns/pid_for_children".to_owned(),
            kind => format!("/proc/self/ns/{}", kind.name()),
        };
        let identity = |path: &str| -> Result<_> {
            let stat = stat(path).with_context(|| format!("cannot look at {path}"))?;
            Ok((stat.st_dev, stat.st_ino))
        };
        match identity(&theirs) {
            // A kernel without this kind.
            Err(_) if matches!(stat(&ours), Err(Errno::NOENT)) => {}
            theirs => {
                if theirs? != identity(&ours)? {
                    kinds.0.push((kind, None));
                }
            }
        }
    }
    Ok(kinds)
}
