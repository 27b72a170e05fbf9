// SPDX-License-Identifier: GPL-2.0-only

//! What calls cost, in instructions: in a guest whose clock counts them.

use crate::{
    case::implementation::Device,
    errno::{Code, Outcome, word},
    sys::{self, Call, Fork, Shared},
};
use anyhow::{Context as _, Result, ensure};
use nsproxy_uapi::sys as uapi;
use rustix::process::WaitOptions;
use serde::{Deserialize, Serialize};
use std::{
    array,
    os::fd::{AsFd as _, AsRawFd as _},
    sync::atomic::Ordering,
};

/// Who is asked, and for what.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Asked {
    /// The least that a system call can be: what it takes to get into the kernel and back.
    Least,
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

impl Asked {
    /// As people call it.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Least => "sched_get_priority_max(2)",
            Self::UnknownIoctl => "ENOTTY",
            Self::Syscall => "setns(2)",
            Self::Device => "NSPROXY_SETNS",
            Self::Explain { .. } => "NSPROXY_EXPLAIN",
            Self::Served => "served",
        }
    }
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

/// Makes the calls of one who is asked.
pub(super) struct Caller<'a> {
    asked: Asked,
    work: Work,
    device: &'a Device,
    /// Of two calls, which are told where they are.
    arguments: Box<[Arguments; 2]>,
    /// Where a journal goes.
    lines: Vec<uapi::nsproxy_step>,
}

/// What an ioctl is told, and says.
#[derive(Default)]
struct Arguments {
    setns: uapi::nsproxy_setns,
    explain: uapi::nsproxy_explain,
}

impl<'a> Caller<'a> {
    pub(super) fn new(asked: Asked, work: Work, device: &'a Device) -> Self {
        let mut arguments: Box<[Arguments; 2]> = Box::default();
        let mut lines = Vec::new();
        for Arguments { setns, explain } in arguments.iter_mut() {
            setns.nstype = work.nstype;
            explain.nstype = work.nstype;
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
        }
        Self {
            asked,
            work,
            device,
            arguments,
            lines,
        }
    }

    /// Two calls, each with its file.
    pub(super) fn calls(&mut self, fds: [i32; 2]) -> [Call; 2] {
        let device = self.device.as_fd().as_raw_fd();
        array::from_fn(|n| {
            let (fd, Arguments { setns, explain }) = (fds[n], &mut self.arguments[n]);
            setns.fd = fd;
            explain.fd = fd;
            match self.asked {
                Asked::Least => Call::LEAST,
                Asked::UnknownIoctl => Call::ioctl(device, 0, 0),
                Asked::Syscall | Asked::Served => Call::setns(fd, self.work.nstype),
                Asked::Device => Call::ioctl(device, uapi::NSPROXY_SETNS, (&raw mut *setns).addr()),
                Asked::Explain { .. } => {
                    Call::ioctl(device, uapi::NSPROXY_EXPLAIN, (&raw mut *explain).addr())
                }
            }
        })
    }

    /// Whether one of the calls came to what it was to.
    pub(super) fn check(&self, which: usize, returned: i64) -> Result<()> {
        let Arguments { explain, .. } = &self.arguments[which];
        let returned: Outcome = sys::outcome(returned).map_err(Code::from);
        let errno = explain.error as i32;
        let outcome = match (self.asked, returned) {
            (Asked::Explain { .. }, Ok(())) if errno != 0 => Err(Code(errno)),
            _ => returned,
        };
        let expected = match self.asked {
            Asked::Least => Ok(()),
            Asked::UnknownIoctl => Err(Code::ENOTTY),
            _ => self.work.outcome,
        };
        ensure!(
            outcome == expected,
            "{:?} returned {}, expected {}",
            self.asked,
            word(outcome),
            word(expected)
        );
        let lines = self.lines.len() as u32;
        ensure!(
            lines == 0 || (1..=lines).contains(&explain.lines),
            "a journal of {} lines",
            explain.lines
        );
        Ok(())
    }

    /// Has the module serve setns(2), or not any more, for who is asked that way.
    pub(super) fn serve(&self, on: bool) -> Result<()> {
        if self.asked == Asked::Served {
            self.device.serve(on).context("NSPROXY_SERVE")?;
        }
        Ok(())
    }

    /// Makes the calls so often that the next one is like any other.
    pub(super) fn warm(&mut self, fds: [i32; 2]) -> Result<()> {
        let calls = self.calls(fds);
        for n in 0..WARM {
            let returned = calls[n % 2].make();
            self.check(n % 2, returned)?;
        }
        Ok(())
    }

    fn many(&mut self, fds: [i32; 2]) -> Result<f64> {
        self.serve(true)?;
        self.warm(fds)?;
        let calls = self.calls(fds);
        let mut returned = [0; 2];
        let begun = sys::instructions();
        for n in 0..CALLS {
            returned[n % 2] = calls[n % 2].make();
        }
        let took = sys::instructions() - begun;
        for (which, returned) in returned.into_iter().enumerate() {
            self.check(which, returned)?;
        }
        self.serve(false)?;
        Ok(took as f64 / CALLS as f64)
    }

    fn one_in_child(&mut self, fd: i32) -> Result<f64> {
        let took = Shared::new(1)?;
        in_child(|| {
            self.serve(true)?;
            let [before, call] = self.calls([-1, fd]);
            // What is shared with the parent until it is written to is written to before.
            sys::instructions();
            before.make();
            let begun = sys::instructions();
            let returned = call.make();
            took[0].store(sys::instructions() - begun, Ordering::Relaxed);
            self.check(1, returned)
        })?;
        Ok(took[0].load(Ordering::Relaxed) as f64)
    }
}

/// Has a child do it, and waits for it.
pub(super) fn in_child(work: impl FnOnce() -> Result<()>) -> Result<()> {
    let child = match sys::fork()? {
        Fork::Child => sys::exit(match work() {
            Ok(()) => 0,
            Err(error) => {
                eprintln!("{error:#}");
                1
            }
        }),
        Fork::Parent(child) => child,
    };
    let ended = rustix::process::waitpid(Some(child), WaitOptions::empty())?;
    let status = ended.and_then(|(_, status)| status.exit_status());
    ensure!(status == Some(0), "a child that was to call failed");
    Ok(())
}
