// SPDX-License-Identifier: GPL-2.0-only

//! The cost of calls in instructions, in a guest whose clock counts them.

use crate::{
    case::implementation::{Device, Entry},
    errno::{Code, Outcome, outcome_name},
    process::workers::{run_in_child, wait},
    sys::{self, Call, Fork, Shared},
};
use anyhow::{Context as _, Result, ensure};
use nsproxy_uapi::sys as uapi;
use rustix::fs::CWD;
use serde::{Deserialize, Serialize};
use std::{
    array, io, iter,
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
    /// The operation of the [`Work`].
    Operation(Entry),
}

impl Measured {
    /// Returns the name in the profile.
    pub(crate) fn name(self, operation: Operation) -> &'static str {
        match (self, operation) {
            (Self::NullSyscall, _) => "sched_get_priority_max(2)",
            (Self::UnknownIoctl, _) => "ENOTTY",
            (Self::Operation(Entry::Syscall), Operation::Setns) => "setns(2)",
            (Self::Operation(Entry::Syscall), Operation::Unshare(_)) => "unshare(2)",
            (Self::Operation(Entry::Syscall), _) => "not served",
            (Self::Operation(Entry::Device), Operation::Unshare(_)) => "NSPROXY_UNSHARE",
            (Self::Operation(Entry::Device), _) => "NSPROXY_SETNS",
            (Self::Operation(Entry::Device2011), _) => "NSPROXY_SETNS_2011",
            (Self::Operation(Entry::Explain { .. }), _) => "NSPROXY_EXPLAIN",
            (Self::Operation(Entry::Served | Entry::Lifelong), _) => "served",
        }
    }
}

/// The calls whose instructions are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Operation {
    /// Enters namespaces: setns(2).
    Setns,
    /// Creates namespaces, given their `CLONE_NEW*`: unshare(2).
    Unshare(u32),
    /// Creates a child, which exits, and reaps it: fork(2), exit(2), wait4(2).
    Fork,
    /// The same with a child that executes a program: execve(2).
    Exec,
    /// The same with a child in new namespaces of these kinds that shares memory with its parent, as
    /// by vfork(2). Most of the cost of fork(2) is the copy of the memory.
    Vfork(u32),
}

impl Operation {
    /// Returns the number of operations that are measured together, so that periodic work is spread
    /// over all of them.
    fn times(self) -> usize {
        match self {
            // The namespaces of earlier calls are freed in batches, by RCU callbacks.
            Self::Unshare(_) => 4000,
            Self::Setns | Self::Vfork(_) => 200,
            Self::Fork | Self::Exec => 50,
        }
    }
}

/// An operation that is repeated.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Work {
    pub(crate) operation: Operation,
    /// An operation whose cost is subtracted.
    pub(crate) less: Option<Operation>,
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
    let less = work.less.map(|operation| Work { operation, ..work });
    let mut callers: Vec<_> = iter::once(work)
        .chain(less)
        .flat_map(|work| measured.iter().map(move |measured| (*measured, work)))
        .map(|(measured, work)| Caller::new(measured, work, device))
        .collect();
    let mut least = vec![f64::INFINITY; callers.len()];
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
    let less = least.split_off(measured.len());
    for (least, less) in least.iter_mut().zip(less) {
        *least -= less;
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
    unshare: uapi::nsproxy_unshare,
    explain: uapi::nsproxy_explain,
}

/// One repetition of the work.
pub(super) enum Repetition {
    Call(Call),
    /// The life of a child.
    Child(Operation),
}

impl Repetition {
    /// Carries out the work. Returns 0 or a negative errno.
    #[inline(always)]
    pub(super) fn make(&self) -> i64 {
        match self {
            Self::Call(call) => call.make(),
            Self::Child(operation) => run_child(*operation),
        }
    }
}

/// Creates a child, and reaps it. Returns 0 if it exited with status 0, or a negative errno.
fn run_child(operation: Operation) -> i64 {
    let child = match operation {
        Operation::Vfork(kinds) => sys::vfork_into_and_exit(kinds).map(Fork::Parent),
        _ => sys::fork_into(0),
    };
    let child = match child {
        Ok(Fork::Parent(child)) => child,
        Ok(Fork::Child) => {
            if operation == Operation::Exec {
                let stdin = io::stdin();
                sys::exec(CWD, c"/bin/busybox", c"true", stdin.as_fd(), stdin.as_fd());
                sys::exit(1);
            }
            sys::exit(0)
        }
        Err(errno) => return -i64::from(errno.raw_os_error()),
    };
    match wait(child) {
        Ok(status) if status.exit_status() == Some(0) => 0,
        _ => -i64::from(libc::ECHILD),
    }
}

impl<'a> Caller<'a> {
    pub(super) fn new(measured: Measured, work: Work, device: &'a Device) -> Self {
        let mut arguments: Box<[Arguments; 2]> = Box::default();
        let mut lines = Vec::new();
        for Arguments {
            setns,
            unshare,
            explain,
        } in arguments.iter_mut()
        {
            setns.nstype = work.nstype;
            explain.nstype = work.nstype;
            if let Operation::Unshare(flags) = work.operation {
                unshare.flags = flags.into();
            }
            if let Measured::Operation(Entry::Explain { dry_run, journal }) = measured {
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

    /// Returns two repetitions, one for each file.
    pub(super) fn repetitions(&mut self, fds: [i32; 2]) -> [Repetition; 2] {
        array::from_fn(|n| match (self.measured, self.work.operation) {
            (
                Measured::Operation(_),
                child @ (Operation::Fork | Operation::Exec | Operation::Vfork(_)),
            ) => Repetition::Child(child),
            _ => Repetition::Call(self.call(n, fds[n])),
        })
    }

    /// Returns a call with the arguments of that number.
    fn call(&mut self, n: usize, fd: i32) -> Call {
        let device = self.device.as_fd().as_raw_fd();
        let entry = match self.measured {
            Measured::NullSyscall => return Call::LEAST,
            Measured::UnknownIoctl => return Call::ioctl(device, 0, 0),
            Measured::Operation(entry) => entry,
        };
        let Arguments {
            setns,
            unshare,
            explain,
        } = &mut self.arguments[n];
        setns.fd = fd;
        explain.fd = fd;
        let setns = (&raw mut *setns).addr();
        match (entry, self.work.operation) {
            (Entry::Syscall | Entry::Served | Entry::Lifelong, Operation::Unshare(flags)) => {
                Call::unshare(flags)
            }
            (Entry::Syscall | Entry::Served | Entry::Lifelong, _) => {
                Call::setns(fd, self.work.nstype)
            }
            (Entry::Device, Operation::Unshare(_)) => {
                let unshare = (&raw mut *unshare).addr();
                Call::ioctl(device, uapi::NSPROXY_UNSHARE, unshare)
            }
            (Entry::Device, _) => Call::ioctl(device, uapi::NSPROXY_SETNS, setns),
            (Entry::Device2011, _) => Call::ioctl(device, uapi::NSPROXY_SETNS_2011, setns),
            (Entry::Explain { .. }, _) => {
                Call::ioctl(device, uapi::NSPROXY_EXPLAIN, (&raw mut *explain).addr())
            }
        }
    }

    /// Checks a call's outcome.
    pub(super) fn check(&self, which: usize, returned: i64) -> Result<()> {
        let Arguments { explain, .. } = &self.arguments[which];
        let returned: Outcome = sys::outcome(returned).map_err(Code::from);
        let errno = explain.error as i32;
        let outcome = match (self.measured, returned) {
            (Measured::Operation(Entry::Explain { .. }), Ok(())) if errno != 0 => Err(Code(errno)),
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
        if self.measured == Measured::Operation(Entry::Served) {
            self.device.serve(on).context("NSPROXY_SERVE")?;
        }
        Ok(())
    }

    /// Makes repetitions that are not measured.
    pub(super) fn warm(&mut self, fds: [i32; 2]) -> Result<()> {
        let repetitions = self.repetitions(fds);
        for n in 0..WARM {
            let returned = repetitions[n % 2].make();
            self.check(n % 2, returned)?;
        }
        Ok(())
    }

    fn many(&mut self, fds: [i32; 2]) -> Result<f64> {
        self.serve(true)?;
        self.warm(fds)?;
        let repetitions = self.repetitions(fds);
        let times = self.work.operation.times();
        let mut returned = [0; 2];
        let begun = sys::instructions();
        for n in 0..times {
            returned[n % 2] = repetitions[n % 2].make();
        }
        let took = sys::instructions() - begun;
        for (which, returned) in returned.into_iter().enumerate() {
            self.check(which, returned)?;
        }
        self.serve(false)?;
        Ok(took as f64 / times as f64)
    }

    fn one_in_child(&mut self, fd: i32) -> Result<f64> {
        let took = Shared::new(1)?;
        run_in_child(|| {
            self.serve(true)?;
            // Writes to memory that is shared with the parent, so that it is copied before.
            let [_, repetition] = self.repetitions([-1, fd]);
            sys::instructions();
            Call::LEAST.make();
            let begun = sys::instructions();
            let returned = repetition.make();
            took[0].store(sys::instructions() - begun, Ordering::Relaxed);
            self.check(1, returned)
        })?;
        Ok(took[0].load(Ordering::Relaxed) as f64)
    }
}
