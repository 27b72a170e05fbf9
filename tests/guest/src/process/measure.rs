// SPDX-License-Identifier: GPL-2.0-only

//! The cost of calls in instructions, in a guest whose clock counts them.

use crate::{
    case::implementation::{Device, Entry},
    errno::{Code, Outcome, outcome_name},
    process::workers::run_in_child,
    sys::{self, Call, Shared},
};
use anyhow::{Context as _, Result, ensure};
use nsproxy_uapi::sys as uapi;
use serde::{Deserialize, Serialize};
use std::{
    array,
    os::fd::{AsFd as _, AsRawFd as _},
    sync::atomic::Ordering,
};

/// A call whose cost is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Measured {
    /// The cheapest system call: the cost of entering and leaving the kernel.
    NullSyscall,
    /// An unknown ioctl of the device: the cost of reaching its driver and returning.
    UnknownIoctl,
    /// The call of the [`Work`].
    Setns(Entry),
}

impl Measured {
    /// Returns the name in the profile.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::NullSyscall => "sched_get_priority_max(2)",
            Self::UnknownIoctl => "ENOTTY",
            Self::Setns(Entry::Syscall) => "setns(2)",
            Self::Setns(Entry::Device) => "NSPROXY_SETNS",
            Self::Setns(Entry::Device2011) => "NSPROXY_SETNS_2011",
            Self::Setns(Entry::Explain { .. }) => "NSPROXY_EXPLAIN",
            Self::Setns(Entry::Served | Entry::Lifelong) => "served",
        }
    }
}

/// A call that is repeated.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Work {
    /// Two files that are used in turns, so that each call changes namespaces.
    pub(crate) slots: [usize; 2],
    pub(crate) nstype: i32,
    /// Makes each call in a child, since a process can enter the namespaces only once.
    pub(crate) in_children: bool,
    /// The outcome that each call must have.
    pub(crate) outcome: Outcome,
}

/// Calls before the first that is measured, which fill the caches of the allocator.
const WARM: usize = 20;
/// Calls that are measured together, so that periodic work is spread over all of them.
const CALLS: usize = 200;
/// The number of measurements. The least counts, since interrupts only add instructions.
const ROUNDS: usize = 7;
/// The same if each call is made in a child.
const CHILDREN: usize = 60;

/// Measures the instructions of each call. The calls take turns, so that a drift over time affects
/// all of them.
///
/// `fds` are the files of `work`.
pub(super) fn measure(
    work: Work,
    fds: [i32; 2],
    device: &Device,
    measured: &[Measured],
) -> Result<Vec<f64>> {
    let mut least = vec![f64::INFINITY; measured.len()];
    let mut callers: Vec<_> = measured
        .iter()
        .map(|measured| Caller::new(*measured, work, device))
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

/// Makes one of the measured calls.
pub(super) struct Caller<'a> {
    measured: Measured,
    work: Work,
    device: &'a Device,
    /// The arguments of two calls, at addresses that do not change.
    arguments: Box<[Arguments; 2]>,
    /// The memory for a journal.
    lines: Vec<uapi::nsproxy_step>,
}

/// The arguments of an ioctl.
#[derive(Default)]
struct Arguments {
    setns: uapi::nsproxy_setns,
    explain: uapi::nsproxy_explain,
}

impl<'a> Caller<'a> {
    pub(super) fn new(measured: Measured, work: Work, device: &'a Device) -> Self {
        let mut arguments: Box<[Arguments; 2]> = Box::default();
        let mut lines = Vec::new();
        for Arguments { setns, explain } in arguments.iter_mut() {
            setns.nstype = work.nstype;
            explain.nstype = work.nstype;
            if let Measured::Setns(Entry::Explain { dry_run, journal }) = measured {
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
            measured,
            work,
            device,
            arguments,
            lines,
        }
    }

    /// Returns two calls, one for each file.
    pub(super) fn calls(&mut self, fds: [i32; 2]) -> [Call; 2] {
        let device = self.device.as_fd().as_raw_fd();
        array::from_fn(|n| {
            let (fd, Arguments { setns, explain }) = (fds[n], &mut self.arguments[n]);
            setns.fd = fd;
            explain.fd = fd;
            let entry = match self.measured {
                Measured::NullSyscall => return Call::LEAST,
                Measured::UnknownIoctl => return Call::ioctl(device, 0, 0),
                Measured::Setns(entry) => entry,
            };
            let setns = (&raw mut *setns).addr();
            match entry {
                Entry::Syscall | Entry::Served | Entry::Lifelong => {
                    Call::setns(fd, self.work.nstype)
                }
                Entry::Device => Call::ioctl(device, uapi::NSPROXY_SETNS, setns),
                Entry::Device2011 => Call::ioctl(device, uapi::NSPROXY_SETNS_2011, setns),
                Entry::Explain { .. } => {
                    Call::ioctl(device, uapi::NSPROXY_EXPLAIN, (&raw mut *explain).addr())
                }
            }
        })
    }

    /// Checks a call's outcome.
    pub(super) fn check(&self, which: usize, returned: i64) -> Result<()> {
        let Arguments { explain, .. } = &self.arguments[which];
        let returned: Outcome = sys::outcome(returned).map_err(Code::from);
        let errno = explain.error as i32;
        let outcome = match (self.measured, returned) {
            (Measured::Setns(Entry::Explain { .. }), Ok(())) if errno != 0 => Err(Code(errno)),
            _ => returned,
        };
        let expected = match self.measured {
            Measured::NullSyscall => Ok(()),
            Measured::UnknownIoctl => Err(Code::ENOTTY),
            _ => self.work.outcome,
        };
        ensure!(
            outcome == expected,
            "{:?} returned {}, expected {}",
            self.measured,
            outcome_name(outcome),
            outcome_name(expected)
        );
        let lines = self.lines.len() as u32;
        ensure!(
            lines == 0 || (1..=lines).contains(&explain.lines),
            "a journal of {} lines",
            explain.lines
        );
        Ok(())
    }

    /// Enables or disables serving for a measured call that is served.
    pub(super) fn serve(&self, on: bool) -> Result<()> {
        if self.measured == Measured::Setns(Entry::Served) {
            self.device.serve(on).context("NSPROXY_SERVE")?;
        }
        Ok(())
    }

    /// Makes calls that are not measured.
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
        run_in_child(|| {
            self.serve(true)?;
            let [before, call] = self.calls([-1, fd]);
            // Writes to memory that is shared with the parent, so that it is copied before.
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
