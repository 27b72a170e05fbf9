// SPDX-License-Identifier: GPL-2.0-only

//! The check of ptrace(2) for the target of a pidfd: `__ptrace_may_access()` with
//! `PTRACE_MODE_READ_REALCREDS`.

use super::{Answer, Checks, setns::Process};
use crate::{
    namespace::Relative,
    sys::{self, Shared},
    task::field,
};
use nsproxy_uapi::{Kind, Member, nsfs};
use rustix::{
    io::Errno,
    thread::{CapabilitySet, gettid},
};
use std::os::fd::BorrowedFd;

/// The credentials of a task that decide access, from `/proc/PID/status`.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Credentials {
    /// Real, effective and saved uid, mapped to the user namespace of this process.
    uids: Vec<u32>,
    /// Real, effective and saved gid.
    gids: Vec<u32>,
    permitted: CapabilitySet,
    effective: CapabilitySet,
}

impl Credentials {
    fn parse(status: &str) -> Option<Self> {
        let ids = |name| -> Option<Vec<u32>> {
            let ids = field(status, name)?.split_whitespace().take(3);
            ids.map(|id| id.parse().ok()).collect()
        };
        let capabilities = |name| {
            let bits = u64::from_str_radix(field(status, name)?, 16).ok()?;
            Some(CapabilitySet::from_bits_retain(bits))
        };
        Some(Self {
            uids: ids("Uid")?,
            gids: ids("Gid")?,
            permitted: capabilities("CapPrm")?,
            effective: capabilities("CapEff")?,
        })
    }

    /// Returns whether all ids of the target are the real ids of this caller.
    fn have_the_ids_of(&self, target: &Self) -> bool {
        let same = |ours: &[u32], theirs: &[u32]| theirs.iter().all(|id| *id == ours[0]);
        same(&self.uids, &target.uids) && same(&self.gids, &target.gids)
    }
}

/// The state of a target that decides access.
#[derive(Clone, Copy, Debug)]
struct Access {
    /// The real ids of the caller are all ids of the target.
    has_ids: bool,
    /// The target is dumpable; [`None`] if that is not known.
    is_dumpable: Option<bool>,
    /// The target is in the user namespace of the caller, and the caller has all its capabilities;
    /// [`None`] if that is not known.
    has_capabilities: Option<bool>,
    /// The caller has `CAP_SYS_PTRACE` in the user namespace of the target.
    capability: Answer,
}

impl Access {
    /// Returns the answer of the rules. A security module may deny access all the same.
    fn answer(self) -> Answer {
        let rules = [Some(self.has_ids), self.is_dumpable, self.has_capabilities];
        if rules.iter().all(|rule| *rule == Some(true)) {
            return Answer::Passes;
        }
        match self.capability {
            // The user namespace in which a target that is not dumpable was executed may be above.
            Answer::Passes if self.is_dumpable == Some(true) => Answer::Passes,
            Answer::Refuses if rules.contains(&Some(false)) => Answer::Refuses,
            _ => Answer::Unknown,
        }
    }
}

impl Checks<'_> {
    /// Asks whether the task may access the process.
    pub(super) fn may_access(&self, pidfd: BorrowedFd<'_>, process: &Process) -> Answer {
        if self.task.is_current() || self.has_our_credentials() {
            return may_we_access(pidfd, process);
        }
        let read = |number| self.task.read(&format!("{number}/status")).ok();
        let theirs = process.directory.and_then(read);
        let own = self.task.read_own("status").ok();
        let (Some(theirs), Some(own)) = (theirs, own) else {
            return Answer::Unknown;
        };
        if field(&theirs, "Tgid") == field(&own, "Tgid") {
            return Answer::Passes;
        }
        let parsed = [&own, &theirs].map(|status| Credentials::parse(status));
        let [Some(own), Some(theirs)] = parsed else {
            return Answer::Unknown;
        };
        let user_ns = self.link_of(pidfd, process, Kind::User).ok();
        let is_same = match (&user_ns, self.task.user_ns()) {
            (Some(theirs), Some(own)) => Some(theirs.is(own)),
            _ => None,
        };
        let has_all = own.permitted.contains(theirs.permitted);
        let access = Access {
            has_ids: own.have_the_ids_of(&theirs),
            is_dumpable: nsfs::is_dumpable(pidfd).ok().flatten(),
            has_capabilities: match (is_same, has_all) {
                (Some(false), _) | (_, false) => Some(false),
                (is_same, true) => is_same,
            },
            capability: self.capable(&Relative::from(user_ns), CapabilitySet::SYS_PTRACE),
        };
        access.answer()
    }

    /// Returns whether the task has the credentials of this one, so that access is the same.
    fn has_our_credentials(&self) -> bool {
        let parse = |status: String| Credentials::parse(&status);
        let read = |path| self.task.read(path).ok().and_then(parse);
        let theirs = self.task.read_own("status").ok().and_then(parse);
        theirs.is_some() && theirs == read("thread-self/status") && self.task.is_in_our_user_ns()
    }
}

/// Asks whether this process may access another one. kcmp(2) makes the same check.
fn may_we_access(pidfd: BorrowedFd<'_>, process: &Process) -> Answer {
    if let Some(other) = process.number {
        let own = gettid();
        let compare = |other| sys::are_sharing([own, other], Shared::Memory);
        match compare(other) {
            Ok(_) => return Answer::Passes,
            // Not a filter, which would refuse each call.
            Err(Errno::PERM) if compare(own).is_ok() => return Answer::Refuses,
            Err(_) => {}
        }
    }
    // Equal to the check for a caller whose real and effective credentials do not differ.
    match nsfs::of_process(pidfd, Member::User) {
        Ok(_) => Answer::Passes,
        Err(Errno::ACCESS) => Answer::Refuses,
        Err(_) => Answer::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPEN: Access = Access {
        has_ids: true,
        is_dumpable: Some(true),
        has_capabilities: Some(true),
        capability: Answer::Refuses,
    };

    #[test]
    fn each_rule_denies_without_the_capability() {
        assert_eq!(OPEN.answer(), Answer::Passes);
        let closed = [
            Access {
                has_ids: false,
                ..OPEN
            },
            Access {
                is_dumpable: Some(false),
                ..OPEN
            },
            Access {
                has_capabilities: Some(false),
                ..OPEN
            },
        ];
        for access in closed {
            assert_eq!(access.answer(), Answer::Refuses, "{access:?}");
            let capability = Answer::Unknown;
            let unknown = Access {
                capability,
                ..access
            };
            assert_eq!(unknown.answer(), Answer::Unknown, "{unknown:?}");
        }
        let hidden = Access {
            is_dumpable: None,
            ..OPEN
        };
        assert_eq!(hidden.answer(), Answer::Unknown);
    }

    #[test]
    fn the_capability_overrides_ids() {
        let capable = Access {
            has_ids: false,
            capability: Answer::Passes,
            ..OPEN
        };
        assert_eq!(capable.answer(), Answer::Passes);
        let is_dumpable = Some(false);
        let closed = Access {
            is_dumpable,
            ..capable
        };
        assert_eq!(closed.answer(), Answer::Unknown);
    }

    #[test]
    fn all_ids_of_the_target_count() {
        let credentials = |uids: &str| {
            let status = format!("Uid:\t{uids}\t9\nGid:\t5\t5\t5\t5\nCapPrm:\t0\nCapEff:\t0\n");
            Credentials::parse(&status).unwrap()
        };
        let caller = credentials("1000\t0\t0");
        assert!(caller.have_the_ids_of(&credentials("1000\t1000\t1000")));
        for other in ["0\t1000\t1000", "1000\t0\t1000", "1000\t1000\t0"] {
            assert!(!caller.have_the_ids_of(&credentials(other)), "{other}");
        }
    }
}
