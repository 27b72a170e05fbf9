// SPDX-License-Identifier: GPL-2.0-only

//! Diagnosis of an `install()` that refused.

use crate::{
    observer::RefusedInstall,
    reason::InstallReason,
    sys::namespace::UserNamespace,
    visibility::related_id, //
};
use kernel::bindings::{
    CAP_SYS_ADMIN, CAP_SYS_CHROOT, CLONE_NEWCGROUP, CLONE_NEWIPC, CLONE_NEWNET, CLONE_NEWNS,
    CLONE_NEWPID, CLONE_NEWTIME, CLONE_NEWUSER, CLONE_NEWUTS,
};

/// The check that refused, with its details.
pub(crate) struct Finding {
    /// The check.
    pub(crate) reason: InstallReason,
    /// The missing capability, for checks of one.
    pub(crate) missing: Option<MissingCap>,
    /// The number of tasks that share an object that must not be shared, including the caller; 0
    /// for all other checks.
    pub(crate) count: u32,
}

/// A capability that the caller does not have.
pub(crate) struct MissingCap {
    /// `CAP_*`.
    pub(crate) cap: u32,
    /// The id of the user namespace in which it is missing; 0 if the caller may not know the id.
    pub(crate) user_ns_id: u64,
}

impl From<InstallReason> for Finding {
    fn from(reason: InstallReason) -> Self {
        Self {
            reason,
            missing: None,
            count: 0,
        }
    }
}

/// Returns the checks in `install()` of a kind, in the order in which the kernel makes them.
fn checks(kind: u32) -> &'static [InstallReason] {
    use InstallReason::*;
    match kind {
        CLONE_NEWNS => &[CapOwner, Chroot, CapSet, Anonymous, FsShared, Root],
        CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWNET => &[CapOwner, CapSet],
        CLONE_NEWPID => &[CapOwner, CapSet, NotBelow],
        CLONE_NEWUSER => &[SameUser, Threads, FsShared, CapUser, Ucounts],
        CLONE_NEWCGROUP => &[CapSet, CapOwner],
        CLONE_NEWTIME => &[MmShared, CapOwner, CapSet],
        _ => &[],
    }
}

/// Finds the check that refused: the first one that has this errno and fails again.
///
/// Other tasks may change the checked state meanwhile. The result is then a later check with the
/// same errno, or [`InstallReason::Unexplained`]. It is information only: no decision depends on
/// it.
pub(crate) fn diagnose(refused: &RefusedInstall<'_>) -> Finding {
    checks(refused.ns.ns_type())
        .iter()
        .filter(|reason| reason.errno().is_none_or(|errno| errno == refused.error))
        .find_map(|reason| refused.repeat(*reason))
        .unwrap_or(InstallReason::Unexplained.into())
}

impl RefusedInstall<'_> {
    /// Repeats a check. Returns its finding if it fails.
    fn repeat(&self, reason: InstallReason) -> Option<Finding> {
        use InstallReason::*;
        let caller = self.caller;
        let shared_by = |count| Finding {
            count,
            ..reason.into()
        };
        match reason {
            CapOwner => self.missing(reason, CAP_SYS_ADMIN, self.ns.owner()?),
            CapSet => self.missing(reason, CAP_SYS_ADMIN, self.cred.user_ns(caller)),
            Chroot => self.missing(reason, CAP_SYS_CHROOT, self.cred.user_ns(caller)),
            CapUser => self.missing(reason, CAP_SYS_ADMIN, self.ns.downcast()?),
            Anonymous => self.ns.is_anonymous().then(|| reason.into()),
            FsShared => (caller.fs_users() != 1).then(|| shared_by(caller.fs_users())),
            SameUser => self.ns.is(caller.user_ns()).then(|| reason.into()),
            Threads => (!caller.is_only_thread()).then(|| shared_by(caller.threads())),
            // The only check of its kind with its errno.
            MmShared => Some(shared_by(caller.threads().max(caller.mm_users()))),
            // The last check of its kind, or the only one with its errno.
            Root | NotBelow | Ucounts => Some(reason.into()),
            Unexplained => None,
        }
    }

    /// Repeats the `ns_capable()` of a kind. Returns a finding if the caller does not have `cap` in
    /// `user_ns`.
    fn missing(&self, reason: InstallReason, cap: u32, user_ns: &UserNamespace) -> Option<Finding> {
        (!self.caller.is_ns_capable(user_ns, cap)).then(|| {
            // The caller has a file of the namespace to enter, so it may know the id of that one.
            let user_ns_id = if user_ns.is(self.ns) {
                self.ns.id()
            } else {
                related_id(self.caller, Some(user_ns))
            };
            Finding {
                missing: Some(MissingCap { cap, user_ns_id }),
                ..reason.into()
            }
        })
    }
}
