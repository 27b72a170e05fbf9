// SPDX-License-Identifier: GPL-2.0-only

//! A process of a world: performs operations, and returns their outcomes and its snapshots.

use super::{
    messages::{Answer, Observation, Order},
    observe,
    op::{Act, Op, Proc},
    world::{Shared, directory},
};
use crate::{
    case::target::USER,
    errno::{Code, outcome_name},
    process::{
        creds::{become_user, keep_caps},
        setup::{map_root, set_clock_offsets},
    },
    snapshot::Children,
    sys::{self, Fork, Semaphore},
};
use anyhow::{Context as _, Result, bail};
use rustix::{io::Errno, mount::MountFlags, thread::CapabilitiesSecureBits};
use std::{
    io,
    os::fd::{AsRawFd as _, OwnedFd},
    thread,
};

/// A file descriptor that is not open.
const NOT_OPEN: i32 = 1000;
/// The directory on which processes mount.
pub(super) const MOUNT_POINT: &str = "/tmp/mount";

/// The state of a process that performs operations.
pub(super) struct Process<'a> {
    shared: &'a Shared<'a>,
    me: Proc,
    /// The user that creates a user namespace, and is mapped to root there.
    id: u32,
}

impl<'a> Process<'a> {
    pub(super) fn new(shared: &'a Shared<'a>, me: Proc) -> Self {
        Self { shared, me, id: 0 }
    }

    /// Performs operations until the world ends.
    pub(super) fn run(mut self) -> ! {
        // The root notices that this process has died.
        let Err(_) = self.serve();
        sys::exit(1)
    }

    fn serve(&mut self) -> Result<std::convert::Infallible> {
        self.send_pid()?;
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
        let outcome = match self.shared.sequence[index] {
            Op::Do(_, act) => match self.change(act) {
                Ok(()) => "0".to_owned(),
                Err(e) => error_word(&e),
            },
            Op::Setns { nstype, .. } => {
                let fd = fd.as_ref().map_or(NOT_OPEN, |fd| fd.as_raw_fd());
                let device = Some(&self.shared.device);
                outcome_name(self.shared.entry.setns(device, fd, nstype as i32)?)
            }
            Op::Fork {
                child, share_fs, ..
            } => match (if share_fs {
                sys::fork_sharing_fs
            } else {
                sys::fork
            })() {
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
            called: None,
            snapshot: observe::briefly(&self.shared.proc),
        }))
    }

    fn change(&mut self, act: Act) -> Result<()> {
        match act {
            Act::Unshare(kinds) => sys::unshare(kinds)?,
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
        }
        Ok(())
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
