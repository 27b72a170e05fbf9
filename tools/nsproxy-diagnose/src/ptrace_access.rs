// SPDX-License-Identifier: GPL-2.0-only

//! The access of a task to another one by ptrace(2): `__ptrace_may_access()`.

use crate::{status::Status, task::Task};
use nsproxy_uapi::nsfs;
use rustix::thread::CapabilitySet;

/// `PTRACE_MODE_*`: the credentials of the caller that count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccessMode {
    /// `PTRACE_MODE_READ_REALCREDS`: the real ids and the permitted capabilities, as in setns(2).
    RealCreds,
    /// `PTRACE_MODE_READ_FSCREDS`: the effective ones, as for `/proc/PID/ns`.
    FsCreds,
}

/// The facts that decide access to a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Access {
    /// The ids of the caller are all ids of the target.
    pub has_ids: bool,
    /// The target is dumpable; [`None`] if that is not known.
    pub is_dumpable: Option<bool>,
    /// Both are in the same user namespace; [`None`] if that is not known. Without access, different
    /// maps show that they are not.
    pub is_in_same_user_ns: Option<bool>,
    /// The capabilities of the target that the caller does not have.
    pub lacks: CapabilitySet,
    /// `CAP_SYS_PTRACE` is in the effective set of the caller.
    pub has_ptrace: bool,
    /// The caller has `CAP_SYS_PTRACE` in the user namespace of the target; [`None`] if that is not
    /// known.
    pub is_capable: Option<bool>,
}

/// The rule that denies access.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// The users or groups differ.
    Ids,
    /// The target is not dumpable.
    Dumpable,
    /// The target is in another user namespace (`cap_ptrace_access_check()`).
    UserNs,
    /// The target has these capabilities, and the caller does not (`cap_ptrace_access_check()`).
    Caps(CapabilitySet),
    /// None of these: a user namespace with the same maps, or a security module.
    Other,
}

impl Access {
    /// Returns whether the rules grant access; [`None`] if that is not known. A security module may deny
    /// it all the same.
    pub fn is_granted(&self) -> Option<bool> {
        let has_capabilities = match (self.is_in_same_user_ns, self.lacks.is_empty()) {
            (Some(false), _) | (_, false) => Some(false),
            (is_same, true) => is_same,
        };
        let rules = [Some(self.has_ids), self.is_dumpable, has_capabilities];
        if rules.iter().all(|rule| *rule == Some(true)) {
            return Some(true);
        }
        match self.is_capable {
            // The user namespace in which a target that is not dumpable was executed may be above.
            Some(true) if self.is_dumpable == Some(true) => Some(true),
            Some(false) if rules.contains(&Some(false)) => Some(false),
            _ => None,
        }
    }

    /// Returns the first rule that denies access, which the kernel has denied.
    pub fn denied_by(&self) -> Rule {
        let may_be_same = self.is_in_same_user_ns != Some(false);
        // If the capability applies, only rules about other user namespaces remain.
        let is_capable = may_be_same && self.has_ptrace;
        if !(is_capable || self.has_ids) {
            Rule::Ids
        } else if self.is_dumpable == Some(false) {
            Rule::Dumpable
        } else if !may_be_same {
            Rule::UserNs
        } else if self.lacks.is_empty() || is_capable {
            Rule::Other
        } else {
            Rule::Caps(self.lacks)
        }
    }
}

impl Task {
    /// Returns the facts that decide the access of this task to another one.
    pub fn access_to(&self, target: &Self, mode: AccessMode) -> Access {
        let (ours, theirs) = (self.status(), target.status());
        let (uid, gid, capabilities) = match mode {
            AccessMode::RealCreds => (ours.uids.real, ours.gids.real, ours.permitted),
            AccessMode::FsCreds => (ours.uids.effective, ours.gids.effective, ours.effective),
        };
        let is_one = |ids: [u32; 3], own| ids.iter().all(|id| *id == own);
        let has_ptrace = ours.effective.contains(CapabilitySet::SYS_PTRACE);
        let is_in_same_user_ns = self.has_user_ns_of(target);
        // Since Linux 6.16.
        let reported = target.pidfd().and_then(nsfs::is_dumpable);
        let by_owner = || {
            let may_be_same = is_in_same_user_ns != Some(false);
            is_dumpable_by_owner(theirs, target.owner().ok()?, may_be_same)
        };
        Access {
            has_ids: is_one(theirs.uids.all(), uid) && is_one(theirs.gids.all(), gid),
            is_dumpable: reported.unwrap_or_default().or_else(by_owner),
            is_in_same_user_ns,
            lacks: theirs.permitted - capabilities,
            has_ptrace,
            is_capable: target
                .user_ns()
                .and_then(|user_ns| self.is_capable(user_ns, CapabilitySet::SYS_PTRACE)),
        }
    }
}

/// Returns whether a task is dumpable, as the owner of its files in `/proc` shows: its effective user if
/// it is, and else root of the user namespace in which it executed its program (`task_dump_owner()`).
/// [`None`] if these may be the same user, and for a zombie.
fn is_dumpable_by_owner(status: &Status, owner: u32, is_in_our_user_ns: bool) -> Option<bool> {
    const ROOT: u32 = 0;
    // Stands for all users that the caller's user namespace does not map.
    const OVERFLOW: u32 = 65534;
    let user = status.uids.effective;
    if status.has_exited() {
        return None;
    }
    if owner != user {
        return Some(false);
    }
    (is_in_our_user_ns && ![ROOT, OVERFLOW].contains(&user)).then_some(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPEN: Access = Access {
        has_ids: true,
        is_dumpable: Some(true),
        is_in_same_user_ns: Some(true),
        lacks: CapabilitySet::empty(),
        has_ptrace: false,
        is_capable: Some(false),
    };

    #[test]
    fn each_rule_denies_without_the_capability() {
        assert_eq!(OPEN.is_granted(), Some(true));
        let change = |change: fn(&mut Access)| {
            let mut access = OPEN;
            change(&mut access);
            access
        };
        let closed = [
            change(|access| access.has_ids = false),
            change(|access| access.is_dumpable = Some(false)),
            change(|access| access.is_in_same_user_ns = Some(false)),
            change(|access| access.lacks = CapabilitySet::SYS_ADMIN),
        ];
        for access in closed {
            assert_eq!(access.is_granted(), Some(false), "{access:?}");
            let is_capable = None;
            let unknown = Access {
                is_capable,
                ..access
            };
            assert_eq!(unknown.is_granted(), None, "{unknown:?}");
        }
        let hidden = change(|access| access.is_dumpable = None);
        assert_eq!(hidden.is_granted(), None);
    }

    #[test]
    fn the_capability_overrides_ids() {
        let capable = Access {
            has_ids: false,
            is_capable: Some(true),
            ..OPEN
        };
        assert_eq!(capable.is_granted(), Some(true));
        let is_dumpable = Some(false);
        let closed = Access {
            is_dumpable,
            ..capable
        };
        assert_eq!(closed.is_granted(), None);
    }

    #[test]
    fn the_rules_are_in_the_order_of_the_kernel() {
        let mut access = Access {
            has_ids: false,
            is_dumpable: Some(false),
            is_in_same_user_ns: Some(false),
            lacks: CapabilitySet::SYS_PTRACE,
            ..OPEN
        };
        assert_eq!(access.denied_by(), Rule::Ids);
        access.has_ids = true;
        assert_eq!(access.denied_by(), Rule::Dumpable);
        access.is_dumpable = Some(true);
        assert_eq!(access.denied_by(), Rule::UserNs);
        access.is_in_same_user_ns = None;
        assert_eq!(access.denied_by(), Rule::Caps(CapabilitySet::SYS_PTRACE));
        access.lacks = CapabilitySet::empty();
        assert_eq!(access.denied_by(), Rule::Other);
    }

    #[test]
    fn with_the_capability_other_rules_deny() {
        let mut access = Access {
            has_ids: false,
            lacks: CapabilitySet::SYS_ADMIN,
            has_ptrace: true,
            ..OPEN
        };
        assert_eq!(access.denied_by(), Rule::Other);
        access.is_dumpable = Some(false);
        assert_eq!(access.denied_by(), Rule::Dumpable);
    }

    /// Returns a task with these users, without capabilities.
    fn task(uids: [u32; 3]) -> Task {
        let current = Task::current();
        let status = Status {
            uids: uids.into(),
            permitted: CapabilitySet::empty(),
            ..current.status().clone()
        };
        current.with_status(status)
    }

    #[test]
    fn all_ids_of_the_target_count() {
        let caller = task([1000, 0, 0]);
        let has_ids = |uids, mode| caller.access_to(&task(uids), mode).has_ids;
        assert!(has_ids([1000; 3], AccessMode::RealCreds));
        for other in [[0, 1000, 1000], [1000, 0, 1000], [1000, 1000, 0]] {
            assert!(!has_ids(other, AccessMode::RealCreds), "{other:?}");
        }
        assert!(!has_ids([1000; 3], AccessMode::FsCreds));
        assert!(has_ids([0; 3], AccessMode::FsCreds));
    }

    #[test]
    fn the_owner_of_files_shows_whether_a_task_is_dumpable() {
        let status = |user: u32| task([user; 3]).status().clone();
        for (user, owner, is_ours, expected) in [
            (1000, 1000, true, Some(true)),
            (1000, 0, true, Some(false)),
            (0, 0, true, None),
            (65534, 65534, true, None),
            // Root of its user namespace may be this user.
            (1000, 1000, false, None),
            (1000, 0, false, Some(false)),
        ] {
            let found = is_dumpable_by_owner(&status(user), owner, is_ours);
            assert_eq!(found, expected, "{user} {owner} {is_ours}");
        }
        let zombie = Status {
            state: 'Z',
            ..status(1000)
        };
        assert_eq!(is_dumpable_by_owner(&zombie, 0, true), None);
    }
}
