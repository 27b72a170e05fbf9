// SPDX-License-Identifier: GPL-2.0-only

//! What calls cost, in instructions: in a guest whose clock counts them.

use crate::{
    errno::{Code, Outcome, word},
    sys::{self, Fork, Shared},
    via::Device,
};
use anyhow::{Context as _, Result, ensure};
use nsproxy_uapi::sys as uapi;
use rustix::{io::Errno, process::WaitOptions};
use serde::{Deserialize, Serialize};
use std::{
    os::fd::{AsFd as _, AsRawFd as _},
    sync::atomic::Ordering,
};

/// Who is asked, and for what.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Asked {
    /// The cheapest of system calls: what it takes to get into the kernel and back.
    Getppid,
    /// The device, for what it does not know: what it takes to get to its driver and back.
    UnknownIoctl,
    /// setns(2).
    Syscall,
    /// `NSPROXY_SETNS`.
    Device,
    /// `NSPROXY_EXPLAIN`.
    Explain { dry_run: bool, journal: bool },
    /// setns(2), served by the module.
    Served,
}

/// A call, to be made again and again.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Work {
    /// Two files, in turn, so that each call leads elsewhere.
    pub(crate) slots: [usize; 2],
    pub(crate) nstype: i32,
    /// Each call by a child of its own: for where nobody can come from twice.
    pub(crate) in_children: bool,
    /// What each call returns.
    pub(crate) outcome: Outcome,
}

/// Calls before any is counted: caches of the allocator are filled by them.
const WARM: usize = 20;
/// Calls that are counted as one, so that what happens at every so many is shared by all.
const CALLS: usize = 200;
/// How often that is done. The least counts: whatever comes between makes it more.
const ROUNDS: usize = 7;
/// The same where each call has a child of its own.
const CHILDREN: usize = 60;

/// Instructions that a call takes, for each of those that are asked. They have their turns one
/// after the other, so that what changes with time does for all.
///
/// `fds` are the files of `work`.
pub(super) fn measure(
    work: Work,
    fds: [i32; 2],
    device: &Device,
    asked: &[Asked],
) -> Result<Vec<f64>> {
    let mut least = vec![f64::INFINITY; asked.len()];
    let mut callers: Vec<_> = asked
        .iter()
        .map(|asked| Caller::new(*asked, work, device))
        .collect();
    let rounds = if work.in_children { CHILDREN } else { ROUNDS };
    for _ in 0..rounds {
        for (caller, least) in callers.iter_mut().zip(&mut least) {
            let took = if work.in_children {
                caller.one_in_child(fds[0])?
            } else {
                caller.many(fds)?
            };
            *least = least.min(took);
        }
    }
    Ok(least)
}

struct Caller<'a> {
    asked: Asked,
    work: Work,
    device: &'a Device,
    explain: uapi::nsproxy_explain,
    /// Where a journal goes.
    lines: Vec<uapi::nsproxy_step>,
}

impl<'a> Caller<'a> {
    fn new(asked: Asked, work: Work, device: &'a Device) -> Self {
        let mut explain = uapi::nsproxy_explain {
            nstype: work.nstype,
            ..Default::default()
        };
        let mut lines = Vec::new();
        if let Asked::Explain { dry_run, journal } = asked {
            if dry_run {
                explain.flags = uapi::NSPROXY_EXPLAIN_DRY_RUN;
            }
            if journal {
                lines.resize(Device::JOURNAL, uapi::nsproxy_step::default());
                explain.journal = lines.as_mut_ptr() as u64;
                explain.room = lines.len() as u32;
            }
        }
        Self {
            asked,
            work,
            device,
            explain,
            lines,
        }
    }

    #[inline(always)]
    fn call(&mut self, fd: i32) -> Result<(), Errno> {
        let nstype = self.work.nstype;
        match self.asked {
            Asked::Getppid => {
                sys::getppid();
                Ok(())
            }
            Asked::UnknownIoctl => match sys::ioctl(self.device.as_fd().as_raw_fd(), 0, 0) {
                Err(Errno::NOTTY) => Ok(()),
                other => other.map(drop),
            },
            Asked::Syscall | Asked::Served => sys::setns(fd, nstype),
            Asked::Device => {
                let args = uapi::nsproxy_setns { fd, nstype };
                let address = (&raw const args).addr();
                let device = self.device.as_fd().as_raw_fd();
                sys::ioctl(device, uapi::NSPROXY_SETNS, address).map(drop)
            }
            Asked::Explain { .. } => {
                self.explain.fd = fd;
                let address = (&raw mut self.explain).addr();
                let device = self.device.as_fd().as_raw_fd();
                sys::ioctl(device, uapi::NSPROXY_EXPLAIN, address).map(drop)
            }
        }
    }

    /// What the call that was made last came to.
    fn outcome(&self, returned: Result<(), Errno>) -> Outcome {
        let errno = self.explain.error as i32;
        match (self.asked, returned) {
            (Asked::Explain { .. }, Ok(())) if errno != 0 => Err(Code(errno)),
            (_, returned) => returned.map_err(Code::from),
        }
    }

    fn expected(&self) -> Outcome {
        match self.asked {
            Asked::Getppid | Asked::UnknownIoctl => Ok(()),
            _ => self.work.outcome,
        }
    }

    fn check(&self, returned: Result<(), Errno>) -> Result<()> {
        let (outcome, expected) = (self.outcome(returned), self.expected());
        ensure!(
            outcome == expected,
            "{:?} returned {}, expected {}",
            self.asked,
            word(outcome),
            word(expected)
        );
        let lines = self.lines.len() as u32;
        ensure!(
            lines == 0 || (1..=lines).contains(&self.explain.lines),
            "a journal of {} lines",
            self.explain.lines
        );
        Ok(())
    }

    fn serve(&self, on: bool) -> Result<()> {
        if self.asked == Asked::Served {
            self.device.serve(on).context("NSPROXY_SERVE")?;
        }
        Ok(())
    }

    fn many(&mut self, fds: [i32; 2]) -> Result<f64> {
        self.serve(true)?;
        for n in 0..WARM {
            let returned = self.call(fds[n % 2]);
            self.check(returned)?;
        }
        let mut returned = Ok(());
        let begun = sys::instructions();
        for n in 0..CALLS {
            returned = self.call(fds[n % 2]);
        }
        let took = sys::instructions() - begun;
        self.check(returned)?;
        self.serve(false)?;
        Ok(took as f64 / CALLS as f64)
    }

    fn one_in_child(&mut self, fd: i32) -> Result<f64> {
        let took = Shared::new(1)?;
        let child = match sys::fork()? {
            Fork::Child => {
                let mut measure = || -> Result<()> {
                    self.serve(true)?;
                    // What is shared with the parent until it is written to is written to before.
                    sys::instructions();
                    let _ = self.call(-1);
                    self.explain.error = 0;
                    let begun = sys::instructions();
                    let returned = self.call(fd);
                    took[0].store(sys::instructions() - begun, Ordering::Relaxed);
                    self.check(returned)
                };
                sys::exit(match measure() {
                    Ok(()) => 0,
                    Err(error) => {
                        eprintln!("{error:#}");
                        1
                    }
                })
            }
            Fork::Parent(child) => child,
        };
        let ended = rustix::process::waitpid(Some(child), WaitOptions::empty())?;
        let status = ended.and_then(|(_, status)| status.exit_status());
        ensure!(status == Some(0), "a child that was to call failed");
        Ok(took[0].load(Ordering::Relaxed) as f64)
    }
}
