// SPDX-License-Identifier: GPL-2.0-only

//! A process of a world: does what it is told, and says what came of it and what it sees.

use super::{
    channel::{Answer, Observation, Order},
    observe,
    op::{Act, Op, Proc},
    world::{Shared, directory},
};
use crate::{
    case::target::USER,
    errno::{Code, word},
    process::setup::{keep_caps, map_root, set_clock_offsets, set_ids},
    snapshot::Children,
    sys::{self, Fork, Semaphore},
};
use anyhow::{Result, bail};
use rustix::{io::Errno, mount::MountFlags, thread::CapabilitiesSecureBits};
use std::{
    io,
    os::fd::{AsRawFd as _, OwnedFd},
    thread,
};

/// A number with no file behind it.
const NOT_OPEN: i32 = 1000;
/// Where a process mounts something.
pub(super) const MOUNT_POINT: &str = "/tmp/mount";

/// The process's own side of it.
pub(super) struct Worker<'a> {
    shared: &'a Shared<'a>,
    me: Proc,
    /// User that it was when it made its user namespace, if it did.
    id: u32,
}

impl<'a> Worker<'a> {
    pub(super) fn new(shared: &'a Shared<'a>, me: Proc) -> Self {
        Self { shared, me, id: 0 }
    }

    /// Obeys until the world ends.
    pub(super) fn live(mut self) -> ! {
        // Whatever goes wrong: the root finds that this process has died.
        let Err(_) = self.obey();
        sys::exit(1)
    }

    fn obey(&mut self) -> Result<std::convert::Infallible> {
        self.be_born()?;
        loop {
            let (order, fd) = self.shared.inner[self.place()].hear()?;
            let answer = match order {
                Order::Perform(index) => self.perform(index, fd)?.map(Answer::Did),
                Order::Look => {
                    // It has a child look, and waits for that.
                    sys::ignore_children(false);
                    let seen = observe::everything(
                        &self.shared.proc,
                        self.shared.clocks,
                        Children::Forked,
                    )?;
                    Some(Answer::Seen(seen))
                }
            };
            if let Some(answer) = answer {
                self.say(&answer)?;
            }
        }
    }

    fn place(&self) -> usize {
        usize::from(self.me.0)
    }

    fn say(&self, answer: &Answer) -> Result<()> {
        self.shared.inner[self.place()].say(answer, None)
    }

    fn be_born(&self) -> Result<()> {
        let pid = rustix::fs::readlinkat(&self.shared.proc, "self", Vec::new())?;
        self.say(&Answer::Born(pid.to_str()?.parse()?))
    }

    /// What came of an operation; nothing in a child, which is not the one that was told.
    fn perform(&mut self, index: usize, fd: Option<OwnedFd>) -> Result<Option<Observation>> {
        let outcome = match self.shared.sequence[index] {
            Op::Do(_, act) => match self.act(act) {
                Ok(()) => "0".to_owned(),
                Err(e) => error_word(&e),
            },
            Op::Setns { nstype, .. } => {
                let fd = fd.as_ref().map_or(NOT_OPEN, |fd| fd.as_raw_fd());
                let device = Some(&self.shared.device);
                word(self.shared.entry.setns(device, fd, nstype as i32)?)
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
                    self.be_born()?;
                    return Ok(None);
                }
                Err(errno) => Code::from(errno).to_string(),
            },
            Op::Exit(_) => sys::exit(0),
            op => bail!("{op} is not for a process"),
        };
        Ok(Some(Observation {
            outcome,
            called: None,
            seen: observe::glance(&self.shared.proc),
        }))
    }

    fn act(&mut self, act: Act) -> Result<()> {
        match act {
            Act::Unshare(kinds) => sys::unshare(kinds)?,
            Act::MapRoot => map_root(&self.shared.proc, self.id)?,
            Act::BecomeUser => {
                set_ids(USER)?;
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

/// The name of the error number somewhere in there.
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
