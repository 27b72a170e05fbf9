// SPDX-License-Identifier: GPL-2.0-only

//! The callers: each is a child that enters a state, makes a batch of calls, and exits.

use super::{
    super::named_enum::named_enum,
    call::{
        Call, Command, ERROR, EXPLAIN_INPUTS, EXPLAIN_SIZE, Place, SETNS_SIZE, SHOW_INPUTS,
        SHOW_SIZE, UNSHARE_SIZE, VERSION_SIZE, word,
    },
    expected::{Capabilities, Check, Rights, allowed, deciding_check, explained_check},
    fds::FdPool,
    results::{BATCH, Results},
};
use crate::{
    case::{
        implementation::{Entry, Kind},
        target::USER,
    },
    errno::{Code, Outcome, outcome_name},
    process::creds::{self, become_user, keep_caps},
    sys::{self, Arena},
};
use anyhow::{Context as _, Result, ensure};
use fastrand::Rng;
use nsproxy_uapi::Implementation;
use std::os::fd::{AsRawFd as _, OwnedFd};

named_enum! {
    /// The state of a caller.
    enum Caller {
        Root = "root",
        Powerless = "root without capabilities",
        User = "a user",
        UserNamespace = "root of a user namespace",
        Filtered = "root under a seccomp filter",
    }
}

impl Caller {
    /// Puts this process into the state.
    fn enter(self) -> Result<Rights> {
        match self {
            Self::Root => {}
            Self::Powerless => keep_caps(creds::NONE)?,
            Self::User => become_user(USER)?,
            Self::UserNamespace => sys::unshare(Kind::User.flag())?,
            Self::Filtered => sys::seccomp_allow_all()?,
        }
        Ok(Rights {
            filtered: self == Self::Filtered,
            capabilities: match self {
                Self::Root | Self::Filtered => Capabilities::All,
                Self::Powerless | Self::User => Capabilities::None,
                Self::UserNamespace => Capabilities::Elsewhere,
            },
            pid_for_children: false,
        })
    }

    /// Returns whether both implementations must return the same to this caller.
    pub(super) fn is_comparable(self) -> bool {
        self != Self::Filtered
    }
}

/// A batch of calls.
pub(super) struct Batch<'a> {
    pub(super) pool: &'a FdPool,
    pub(super) results: &'a Results,
    pub(super) caller: Caller,
    pub(super) seed: u64,
    pub(super) calls: usize,
}

impl Batch<'_> {
    /// Makes the calls, in this process. By the module: all of them. By the kernel: those that switch,
    /// with setns(2) instead of `NSPROXY_SETNS`, and unshare(2) instead of `NSPROXY_UNSHARE`.
    pub(super) fn run(&self, by: Implementation) -> Result<()> {
        let arena = Arena::new()?;
        let mut rights = self.caller.enter()?;
        let version = version(&arena, &self.pool.devices[0])?;
        let mut rng = Rng::with_seed(self.seed);
        for i in 0..self.calls.min(BATCH) {
            let (call, device) = self.next(&mut rng, &arena);
            let check = deciding_check(&call, self.pool, rights);
            let known = Known {
                check,
                rights,
                version: &version,
            };
            let sets = is_complete(&call);
            let outcome = match (by, call.command()) {
                (Implementation::Kernel, Command::Setns) if sets => {
                    let fd = self.pool.entries[call.entry].number;
                    Entry::Syscall.setns(None, fd, call.nstype)?
                }
                (Implementation::Kernel, Command::Setns2011) if sets => {
                    self.by_device(i, &call, device, &arena, known)?
                }
                (Implementation::Kernel, Command::Unshare) if sets => {
                    Entry::Syscall.unshare(None, call.flags)?
                }
                (Implementation::Kernel, _) => continue,
                (Implementation::Module, _) => self.by_device(i, &call, device, &arena, known)?,
            };
            if by == Implementation::Module {
                self.results.count(call.command(), outcome);
                let allowed = allowed(check, rights);
                if !allowed.contains(&outcome) {
                    let may: Vec<_> = allowed.into_iter().map(outcome_name).collect();
                    let (is, may) = (outcome_name(outcome), may.join(" or "));
                    self.complain(i, &call, &format!("{is}, but {check:?} allows {may}"));
                }
            }
            if sets {
                self.results.keep(by, i, outcome);
            }
            if outcome.is_ok() {
                rights.update(check, &call, self.pool);
            }
        }
        if !arena.is_untouched(arena.writable()) {
            self.results
                .complaints
                .say("a call wrote to memory outside of its argument");
        }
        Ok(())
    }

    /// Reports an error of a call, with all that reproduces it.
    pub(super) fn complain(&self, i: usize, call: &Call, what: &str) {
        let entry = &self.pool.entries[call.entry];
        self.results.complaints.say(&format!(
            "call {i} of batch {:#x} by {}: ioctl({:#x} {:?} of {} bytes, {:?} {:#x}, \
             {{{} {}, {:#x}}} or {:#x}): {what}",
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
            call.flags,
        ));
    }

    /// Returns the call with this number in the batch.
    pub(super) fn call(&self, number: usize) -> Result<Call> {
        let arena = Arena::new()?;
        let mut rng = Rng::with_seed(self.seed);
        for _ in 0..number {
            self.next(&mut rng, &arena);
        }
        Ok(self.next(&mut rng, &arena).0)
    }

    /// Returns the next call, and the descriptor of the device for it.
    fn next(&self, rng: &mut Rng, arena: &Arena) -> (Call, &OwnedFd) {
        let call = Call::random(rng, self.pool, arena);
        (
            call,
            &self.pool.devices[rng.usize(..self.pool.devices.len())],
        )
    }

    /// Makes the call by the device, and checks the memory afterwards.
    fn by_device(
        &self,
        i: usize,
        call: &Call,
        device: &OwnedFd,
        arena: &Arena,
        known: Known<'_>,
    ) -> Result<Outcome> {
        let Known {
            check,
            rights,
            version,
        } = known;
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

        if (check, outcome, call.command()) == (Check::Passed, Ok(()), Command::Explain) {
            let error = arena.with(range.clone(), |bytes| word(bytes, ERROR));
            let explained = match error {
                0 => Ok(()),
                errno => Err(Code(errno as i32)),
            };
            let check = explained_check(call, self.pool, rights);
            if !allowed(check, rights).contains(&explained) {
                let explained = outcome_name(explained);
                self.complain(
                    i,
                    call,
                    &format!("explains {explained}, decided by {check:?}"),
                );
            }
        }
        // Only VERSION, EXPLAIN and SHOW write, and only the known part of their struct.
        let (written, expected) = match (check, outcome, call.command()) {
            // The inputs stay as they are.
            (Check::Passed, Ok(()), Command::Explain) => (
                EXPLAIN_SIZE.min(call.bytes.len()),
                &call.bytes[..EXPLAIN_INPUTS],
            ),
            (Check::Passed | Check::ShowAlive, Ok(()), Command::Show) => {
                (SHOW_SIZE, &call.bytes[..SHOW_INPUTS])
            }
            (Check::Passed, Ok(()), _) => (VERSION_SIZE, version),
            _ => (0, &[][..]),
        };
        if !arena.holds(range.start, expected) {
            self.complain(i, call, "unexpected bytes were written");
        }
        if !arena.holds(range.start + written, &call.bytes[written..]) {
            self.complain(i, call, "an input was written to");
        }
        if call.place != Place::ReadOnly {
            const NEAR: usize = 64;
            let writable = arena.writable();
            let before = range.start.saturating_sub(NEAR).max(writable.start)..range.start;
            let after = range.end..(range.end + NEAR).min(writable.end);
            if !arena.is_untouched(before) || !arena.is_untouched(after) {
                self.complain(i, call, "bytes beside the argument were written");
            }
            arena.fill(range);
        }
        Ok(outcome)
    }
}

/// The facts about a call before it is made.
#[derive(Clone, Copy)]
struct Known<'a> {
    check: Check,
    rights: Rights,
    /// The answer of `NSPROXY_VERSION`.
    version: &'a [u8],
}

/// Returns whether the command switches, and its argument can be read.
fn is_complete(call: &Call) -> bool {
    let size = match call.command() {
        Command::Setns | Command::Setns2011 => SETNS_SIZE,
        Command::Unshare => UNSHARE_SIZE,
        _ => return false,
    };
    call.size() == size && call.bytes.len() == size
}

/// Returns the answer of `NSPROXY_VERSION` to a valid call.
fn version(arena: &Arena, device: &OwnedFd) -> Result<Vec<u8>> {
    let at = arena.writable().start;
    arena.write(at, &[0; VERSION_SIZE])?;
    let number = nsproxy_uapi::sys::NSPROXY_VERSION;
    sys::ioctl(device.as_raw_fd(), number, at).context("VERSION")?;
    let range = at..at + VERSION_SIZE;
    let version = arena.with(range.clone(), <[u8]>::to_vec);
    ensure!(version[..4] != [0; 4], "VERSION returned version 0");
    arena.fill(range);
    Ok(version)
}
