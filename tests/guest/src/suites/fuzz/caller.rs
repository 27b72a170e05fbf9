// SPDX-License-Identifier: GPL-2.0-only

//! Who calls: a child that takes a state, makes a batch of calls, and is thrown away.

use super::{
    call::{
        Call, Command, EXPLAIN_INPUTS, EXPLAIN_SIZE, Place, SETNS_SIZE, SHOW_INPUTS, SHOW_SIZE,
        VERSION_SIZE,
    },
    expected::{Decider, Rights, allowed, decider},
    fds::Pool,
    shared_counters::{BATCH, Board, Side},
};
use crate::{
    case::{
        implementation::{Entry, Kind},
        target::USER,
    },
    errno::{Code, Outcome, word},
    sys::{self, Arena},
};
use anyhow::{Context as _, Result, ensure};
use fastrand::Rng;
use rustix::{
    process::{Gid, Uid},
    thread::{CapabilitySet, CapabilitySets},
};
use std::{
    fmt,
    os::fd::{AsRawFd as _, OwnedFd},
};

/// The state of those who call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Caller {
    Root,
    Powerless,
    User,
    UserNamespace,
    Filtered,
}

impl fmt::Display for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Root => "root",
            Self::Powerless => "root without capabilities",
            Self::User => "a user",
            Self::UserNamespace => "root of a user namespace",
            Self::Filtered => "root under a seccomp filter",
        })
    }
}

impl Caller {
    pub(super) const ALL: [Self; 5] = [
        Self::Root,
        Self::Powerless,
        Self::User,
        Self::UserNamespace,
        Self::Filtered,
    ];

    /// Becomes that.
    fn assume(self) -> Result<Rights> {
        match self {
            Self::Root => {}
            Self::Powerless => {
                let none = CapabilitySet::empty();
                let sets = CapabilitySets {
                    effective: none,
                    permitted: none,
                    inheritable: none,
                };
                rustix::thread::set_capabilities(None, sets)?;
            }
            Self::User => {
                let (uid, gid) = (Uid::from_raw(USER), Gid::from_raw(USER));
                rustix::thread::set_thread_groups(&[])?;
                rustix::thread::set_thread_res_gid(gid, gid, gid)?;
                rustix::thread::set_thread_res_uid(uid, uid, uid)?;
            }
            Self::UserNamespace => sys::unshare(Kind::User.flag())?,
            Self::Filtered => sys::seccomp_allow_all()?,
        }
        Ok(Rights {
            filtered: self == Self::Filtered,
            all: matches!(self, Self::Root | Self::Filtered),
        })
    }

    /// Whether what it is told by the device and by setns(2) must be the same.
    pub(super) fn has_twin(self) -> bool {
        self != Self::Filtered
    }
}

/// A batch of calls.
pub(super) struct Batch<'a> {
    pub(super) pool: &'a Pool,
    pub(super) board: &'a Board,
    pub(super) caller: Caller,
    pub(super) seed: u64,
    pub(super) calls: usize,
}

impl Batch<'_> {
    /// Makes the calls, in this process: all of them by the device, or, as the twin, those that
    /// change something, `NSPROXY_SETNS` by setns(2).
    pub(super) fn run(&self, side: Side) -> Result<()> {
        let arena = Arena::new()?;
        let mut rights = self.caller.assume()?;
        let version = version(&arena, &self.pool.devices[0])?;
        let mut rng = Rng::with_seed(self.seed);
        for i in 0..self.calls.min(BATCH) {
            let (call, device) = self.next(&mut rng, &arena);
            let decider = decider(&call, self.pool, rights);
            let sets = is_complete(&call);
            let outcome = match (side, call.command()) {
                (Side::Device, _) => self.by_device(i, &call, device, &arena, decider, &version)?,
                (Side::Twin, Command::Setns) if sets => {
                    let fd = self.pool.entries[call.entry].number;
                    Entry::Syscall.setns(None, fd, call.nstype)?
                }
                (Side::Twin, Command::Setns2011) if sets => {
                    self.by_device(i, &call, device, &arena, decider, &version)?
                }
                (Side::Twin, _) => continue,
            };
            if side == Side::Device {
                self.board.count(call.command(), outcome);
                let allowed = allowed(decider, rights);
                if !allowed.contains(&outcome) {
                    let may: Vec<_> = allowed.into_iter().map(word).collect();
                    let (is, may) = (word(outcome), may.join(" or "));
                    self.complain(i, &call, &format!("{is}, where {decider:?} allows {may}"));
                }
            }
            if sets {
                self.board.keep(side, i, outcome);
            }
            if let (Decider::Install(kinds), Ok(())) = (decider, outcome) {
                rights.all &= kinds & Kind::User.flag() == 0;
            }
        }
        if !arena.is_untouched(arena.writable()) {
            self.board
                .complaints
                .say("memory was written to, somewhere");
        }
        Ok(())
    }

    /// Says what is wrong with a call, so that it can be found again.
    pub(super) fn complain(&self, i: usize, call: &Call, what: &str) {
        let entry = &self.pool.entries[call.entry];
        self.board.complaints.say(&format!(
            "call {i} of batch {:#x} by {}: ioctl({:#x} {:?} of {} bytes, {:?} {:#x}, \
             {{{} {}, {:#x}}}): {what}",
            self.seed,
            self.caller,
            call.number,
            call.command(),
            call.size(),
            call.place,
            call.address,
            entry.name,
            entry.number,
            call.nstype,
        ));
    }

    /// The call that has this number in the batch.
    pub(super) fn call(&self, number: usize) -> Result<Call> {
        let arena = Arena::new()?;
        let mut rng = Rng::with_seed(self.seed);
        for _ in 0..number {
            self.next(&mut rng, &arena);
        }
        Ok(self.next(&mut rng, &arena).0)
    }

    /// The next call, and the descriptor of the device that it is made on.
    fn next(&self, rng: &mut Rng, arena: &Arena) -> (Call, &OwnedFd) {
        let call = Call::random(rng, self.pool, arena);
        (
            call,
            &self.pool.devices[rng.usize(..self.pool.devices.len())],
        )
    }

    /// Makes the call, and looks what became of memory.
    fn by_device(
        &self,
        i: usize,
        call: &Call,
        device: &OwnedFd,
        arena: &Arena,
        decider: Decider,
        version: &[u8],
    ) -> Result<Outcome> {
        let range = call.address..call.address.saturating_add(call.bytes.len());
        let exists = call.place != Place::Wild;
        if exists {
            arena.write(call.address, &call.bytes)?;
        }
        let outcome = sys::ioctl(device.as_raw_fd(), call.number, call.address)
            .map(drop)
            .map_err(Code::from);
        if !exists {
            return Ok(outcome);
        }

        // Only VERSION, EXPLAIN and SHOW write, and only what they know.
        let (written, expected) = match (decider, outcome, call.command()) {
            // What it was told it leaves as it is.
            (Decider::Served, Ok(()), Command::Explain) => (
                EXPLAIN_SIZE.min(call.bytes.len()),
                &call.bytes[..EXPLAIN_INPUTS],
            ),
            (Decider::Served | Decider::ShownAlive, Ok(()), Command::Show) => {
                (SHOW_SIZE, &call.bytes[..SHOW_INPUTS])
            }
            (Decider::Served, Ok(()), _) => (VERSION_SIZE, version),
            _ => (0, &[][..]),
        };
        if !arena.holds(range.start, expected) {
            self.complain(i, call, "other bytes are written than expected");
        }
        if !arena.holds(range.start + written, &call.bytes[written..]) {
            self.complain(i, call, "the argument was written to");
        }
        if call.place != Place::ReadOnly {
            const NEAR: usize = 64;
            let writable = arena.writable();
            let before = range.start.saturating_sub(NEAR).max(writable.start)..range.start;
            let after = range.end..(range.end + NEAR).min(writable.end);
            if !arena.is_untouched(before) || !arena.is_untouched(after) {
                self.complain(i, call, "written to beside the argument");
            }
            arena.fill(range);
        }
        Ok(outcome)
    }
}

/// Whether it is one of the two that switch, with arguments that can be read.
fn is_complete(call: &Call) -> bool {
    matches!(call.command(), Command::Setns | Command::Setns2011)
        && call.size() == SETNS_SIZE
        && call.bytes.len() == SETNS_SIZE
}

/// What VERSION says when nothing is wrong.
fn version(arena: &Arena, device: &OwnedFd) -> Result<Vec<u8>> {
    let at = arena.writable().start;
    arena.write(at, &[0; VERSION_SIZE])?;
    let number = nsproxy_uapi::sys::NSPROXY_VERSION;
    sys::ioctl(device.as_raw_fd(), number, at).context("VERSION")?;
    let range = at..at + VERSION_SIZE;
    let version = arena.with(range.clone(), <[u8]>::to_vec);
    ensure!(version[..4] != [0; 4], "VERSION says nothing");
    arena.fill(range);
    Ok(version)
}
