// SPDX-License-Identifier: GPL-2.0-only

//! A process of a world: performs operations, and returns their outcomes and its snapshots.

use super::{
    execute::execute,
    messages::{Answer, Call, Observation, Order},
    observe,
    op::{Act, Op, Proc},
    world::{Shared, directory},
};
use crate::{
    case::{
        implementation::{Entry, Kind, all_kinds},
        target::USER,
    },
    errno::{Code, outcome_name},
    process::{
        creds::{become_user, keep_caps},
        setup::{limit, map_root, set_clock_offsets},
    },
    snapshot::{Children, Snapshot},
    sys::{self, Fork, Semaphore},
};
use anyhow::{Context as _, Result, bail};
use rustix::{io::Errno, mount::MountFlags, thread::CapabilitiesSecureBits};
use std::{
    io, mem,
    os::fd::{AsRawFd as _, OwnedFd},
    thread,
};

/// A file descriptor that is not open.
const NOT_OPEN: i32 = 1000;
/// The directory on which processes mount.
pub(super) const MOUNT_POINT: &str = "/tmp/mount";

/// The state of a process that performs operations.
pub(super) struct Process<'a> {
    pub(super) shared: &'a Shared<'a>,
    pub(super) me: Proc,
    /// The user that creates a user namespace, and is mapped to root there.
    pub(super) id: u32,
    /// Whether the module serves the system calls.
    pub(super) served: bool,
}

impl<'a> Process<'a> {
    pub(super) fn new(shared: &'a Shared<'a>, me: Proc) -> Self {
        Self {
            shared,
            me,
            id: 0,
            served: false,
        }
    }

    /// Performs operations until the world ends. `executed` is the observation of the execution that
    /// has just succeeded; [`None`] for a new process.
    pub(super) fn run(mut self, executed: Option<Observation>) -> ! {
        // The root notices that this process has died.
        let Err(_) = self.perform_orders(executed);
        sys::exit(1)
    }

    fn perform_orders(
        &mut self,
        executed: Option<Observation>,
    ) -> Result<std::convert::Infallible> {
        match executed {
            Some(executed) => self.send(&Answer::Performed(Observation {
                snapshot: observe::briefly(&self.shared.proc),
                ..executed
            }))?,
            None => self.send_pid()?,
        }
        loop {
            let received = self.shared.inner[self.slot()].receive()?;
            let (order, fd) = received.context("the root is gone")?;
            let answer = match order {
                Order::Perform(index) => self.perform(index, fd)?.map(Answer::Performed),
                Order::Observe => {
                    // The snapshot is taken by a child as well, which is waited for.
                    sys::ignore_children(false);
                    let (proc, clocks) = (&self.shared.proc, self.shared.clocks);
                    let snapshot = observe::everything(proc, clocks, Children::Forked)?;
                    Some(Answer::Observed(snapshot))
                }
            };
            if let Some(answer) = answer {
                self.send(&answer)?;
            }
        }
    }

    fn slot(&self) -> usize {
        usize::from(self.me.0)
    }

    fn send(&self, answer: &Answer) -> Result<()> {
        self.shared.inner[self.slot()].send(answer, None)
    }

    fn send_pid(&self) -> Result<()> {
        let pid = rustix::fs::readlinkat(&self.shared.proc, "self", Vec::new())?;
        self.send(&Answer::Started(pid.to_str()?.parse()?))
    }

    /// Performs an operation, and returns its outcome. Returns [`None`] in a child that it forked,
    /// since the parent answers.
    fn perform(&mut self, index: usize, fd: Option<OwnedFd>) -> Result<Option<Observation>> {
        let op = self.shared.sequence[index];
        let mut called = call_of(op);
        let outcome = match op {
            Op::Do(_, Act::Unshare(flags)) => {
                outcome_name(self.entry().unshare(Some(&self.shared.device), flags)?)
            }
            Op::Do(_, Act::Execute) => {
                let enters = observe::has_time_ns_for_children(&self.shared.proc)?;
                let kinds = if enters { Kind::Time.flag() } else { 0 };
                called = Some((Call::Execute, kinds));
                let executed = Observation {
                    outcome: "0".to_owned(),
                    called,
                    snapshot: Snapshot::default(),
                };
                Code::from(execute(self, executed)?).to_string()
            }
            Op::Do(_, act) => match self.change(act) {
                Ok(()) => "0".to_owned(),
                Err(e) => error_word(&e),
            },
            Op::Setns { nstype, .. } => {
                let fd = fd.as_ref().map_or(NOT_OPEN, |fd| fd.as_raw_fd());
                let device = Some(&self.shared.device);
                outcome_name(self.entry().setns(device, fd, nstype as i32)?)
            }
            Op::Fork { child, flags, .. } => match match flags {
                0 => sys::fork(),
                flags => sys::fork_by_clone3(flags),
            } {
                Ok(Fork::Parent(_)) => "0".to_owned(),
                Ok(Fork::Child) => {
                    self.me = child;
                    self.send_pid()?;
                    return Ok(None);
                }
                Err(errno) => Code::from(errno).to_string(),
            },
            Op::Exit(_) => sys::exit(0),
            op => bail!("{op} is performed by the root"),
        };
        Ok(Some(Observation {
            outcome,
            called,
            snapshot: observe::briefly(&self.shared.proc),
        }))
    }

    fn change(&mut self, act: Act) -> Result<()> {
        match act {
            Act::Unshare(_) | Act::Execute => bail!("{act:?} is a call"),
            Act::Serve(on) => self.set_served(on)?,
            Act::MapRoot => map_root(&self.shared.proc, self.id)?,
            Act::BecomeUser => {
                become_user(USER)?;
                self.id = USER;
            }
            Act::Drop(cap) => keep_caps(cap.others())?,
            Act::SecureBit => {
                rustix::thread::set_capabilities_secure_bits(CapabilitiesSecureBits::KEEP_CAPS)?;
            }
            Act::Thread => {
                thread::Builder::new()
                    .stack_size(64 << 10)
                    .spawn(|| sys::sleep_forever())?;
            }
            Act::Chroot(dir) => rustix::process::chroot(directory(dir))?,
            Act::Chdir(dir) => rustix::process::chdir(directory(dir))?,
            Act::Raise => Semaphore::with_key(observe::SEMAPHORE, true)?.raise_with_undo()?,
            Act::Hostname(n) => rustix::system::sethostname(format!("host{n}").as_bytes())?,
            Act::Clocks(seconds) => {
                set_clock_offsets(&self.shared.proc, seconds.into(), 2 * i64::from(seconds))?;
            }
            Act::Mount => {
                rustix::mount::mount("sequences", MOUNT_POINT, "tmpfs", MountFlags::empty(), None)?;
            }
            Act::Keep => mem::forget(self.shared.proc.try_clone()?),
            Act::Limit => {
                // The limits of the initial user namespace hold for the test, too.
                if observe::is_in_initial_user_ns(&self.shared.proc)? {
                    sys::unshare(Kind::User.flag())?;
                }
                limit(&self.shared.proc, all_kinds(), 0)?;
            }
        }
        Ok(())
    }

    /// Returns the entry of a call: a served process makes a system call.
    fn entry(&self) -> Entry {
        if self.served {
            Entry::Lifelong
        } else {
            self.shared.entry
        }
    }

    fn set_served(&mut self, on: bool) -> Result<()> {
        if self.shared.entry == Entry::Syscall {
            return Ok(());
        }
        match self.shared.device.serve(on) {
            // The kernel does not support it, and the calls are made by the device.
            Err(Errno::OPNOTSUPP) => {}
            was => {
                was?;
                self.served = on;
            }
        }
        Ok(())
    }
}

/// Returns the call that an operation makes, and the kinds that it requests. For setns(2) by a file,
/// and for execve(2), the operation does not have the kinds.
fn call_of(op: Op) -> Option<(Call, u32)> {
    match op {
        Op::Do(_, Act::Unshare(flags)) => Some((Call::Unshare, flags as u32 & all_kinds())),
        Op::Fork { flags, .. } => Some((Call::Clone, flags as u32 & all_kinds())),
        _ => None,
    }
}

/// Returns the name of the error number in the chain of causes.
fn error_word(error: &anyhow::Error) -> String {
    let errno = error.chain().find_map(|cause| {
        let errno = cause.downcast_ref::<Errno>().copied();
        errno.or_else(|| Errno::from_io_error(cause.downcast_ref::<io::Error>()?))
    });
    errno.map_or_else(
        || format!("{error:#}"),
        |errno| Code::from(errno).to_string(),
    )
}
