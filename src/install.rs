// SPDX-License-Identifier: GPL-2.0-only

//! `proc_ns_operations.install()` of the eight kinds: checks whether the caller may enter a
//! namespace, and puts it into a set.
//!
//! Each function mirrors the C function that its documentation names: the same checks in the same
//! order. The capability checks are the kernel's own `ns_capable()`, called as often and for the
//! same user namespaces, so an audit log and an LSM see the same questions.

use crate::{
    nsset::NsSet,
    reason::{ensure, Reason, Refusal},
    sys::{
        caller::Caller,
        cred::{CapSet, PreparedCred, SetCred, SECUREBITS_DEFAULT},
        namespace::*,
        version,
    },
};
use kernel::{
    bindings::{CAP_SYS_ADMIN, CAP_SYS_CHROOT, CLONE_NEWNS},
    prelude::*,
};

/// A kind of namespace that can be put into a set.
///
/// Each implementation is inlined, and so are the functions that get a part of the set. A call would
/// take the address of that part, and keep the set in memory instead of registers.
pub(crate) trait Install: Kind {
    /// Checks whether the caller may enter the namespace, and puts it into `set`.
    ///
    /// The set takes a reference to the namespace and drops the one to the namespace that it
    /// replaces. Nothing changes on an error. May sleep.
    ///
    /// # Errors
    ///
    /// The first check that fails.
    #[doc(alias = ".install")]
    fn install(&self, set: &mut NsSet, caller: &mut Caller<'_>) -> Result<(), Refusal>;
}

impl Install for UserNamespace {
    /// Mirrors `userns_install()`.
    #[doc(alias = "userns_install")]
    #[inline(always)]
    fn install(&self, set: &mut NsSet, caller: &mut Caller<'_>) -> Result<(), Refusal> {
        // Entering the same user namespace again would return lost capabilities.
        ensure(!self.is(caller.user_ns()), Reason::SameUser)?;
        // The threads of a process share a user namespace.
        if !caller.is_only_thread() {
            return Err(Reason::Threads.shared_by(caller.threads()));
        }
        check_fs(caller)?;
        ensure(caller.ns_capable(self, CAP_SYS_ADMIN), Reason::CapUser)?;

        // Never taken: `NsSet::prepare()` copies the credentials if the kind is requested.
        let SetCred::Prepared(cred) = &mut set.cred else {
            return Err(Reason::NoCred.into());
        };
        set_cred_user_ns(cred, self);
        cred.set_ucounts().map_err(|_| Reason::Ucounts.into())
    }
}

/// Moves credentials to `user_ns`: with all capabilities there, and what belonged to the old user
/// namespace removed.
#[inline(always)]
fn set_cred_user_ns(cred: &mut PreparedCred, user_ns: &UserNamespace) {
    let securebits = cred.securebits() & version::KEPT_SECUREBITS;
    cred.set_securebits(SECUREBITS_DEFAULT | securebits);
    cred.set_cap_inheritable(CapSet::EMPTY);
    cred.set_cap_permitted(CapSet::FULL);
    cred.set_cap_effective(CapSet::FULL);
    cred.set_cap_ambient(CapSet::EMPTY);
    cred.set_cap_bset(CapSet::FULL);
    cred.put_request_key_auth();
    cred.replace_user_ns(user_ns);
}

impl Install for MntNamespace {
    /// Mirrors `mntns_install()`.
    #[doc(alias = "mntns_install")]
    #[inline(always)]
    fn install(&self, set: &mut NsSet, caller: &mut Caller<'_>) -> Result<(), Refusal> {
        check_owner(self, caller)?;
        let user_ns = set.cred.user_ns(caller);
        ensure(caller.ns_capable(user_ns, CAP_SYS_CHROOT), Reason::Chroot)?;
        check_set(set, caller)?;
        ensure(!self.is_anonymous(), Reason::Anonymous)?;
        if version::CHECKS_FS_OF_CALLER || set.flags == CLONE_NEWNS {
            check_fs(caller)?;
        }

        let root = self.lookup_root().map_err(|error| Refusal {
            error,
            ..Reason::Root.into()
        })?;
        set.nsproxy.replace_mnt_ns(self);
        set.fs.set_pwd_and_root(caller, &root);
        Ok(())
    }
}

impl Install for UtsNamespace {
    /// Mirrors `utsns_install()`.
    #[doc(alias = "utsns_install")]
    #[inline(always)]
    fn install(&self, set: &mut NsSet, caller: &mut Caller<'_>) -> Result<(), Refusal> {
        check_owner(self, caller)?;
        check_set(set, caller)?;
        set.nsproxy.replace_uts_ns(self);
        Ok(())
    }
}

impl Install for IpcNamespace {
    /// Mirrors `ipcns_install()`.
    #[doc(alias = "ipcns_install")]
    #[inline(always)]
    fn install(&self, set: &mut NsSet, caller: &mut Caller<'_>) -> Result<(), Refusal> {
        check_owner(self, caller)?;
        check_set(set, caller)?;
        set.nsproxy.replace_ipc_ns(self);
        Ok(())
    }
}

impl Install for PidNamespace {
    /// Mirrors `pidns_install()`. The caller itself stays in its pid namespace.
    #[doc(alias = "pidns_install")]
    #[inline(always)]
    fn install(&self, set: &mut NsSet, caller: &mut Caller<'_>) -> Result<(), Refusal> {
        check_owner(self, caller)?;
        check_set(set, caller)?;
        // A process and its children cannot leave their pid namespace, and fork(2) must return an
        // id that is valid in it.
        let active = caller.active_pid_ns();
        ensure(self.has_ancestor(active), Reason::NotBelow)?;
        set.nsproxy.replace_pid_ns_for_children(self);
        Ok(())
    }
}

impl Install for CgroupNamespace {
    /// Mirrors `cgroupns_install()`. The order of the capability checks is the reverse of that of
    /// other kinds.
    #[doc(alias = "cgroupns_install")]
    #[inline(always)]
    fn install(&self, set: &mut NsSet, caller: &mut Caller<'_>) -> Result<(), Refusal> {
        check_set(set, caller)?;
        check_owner(self, caller)?;
        if !self.is(set.nsproxy.cgroup_ns()) {
            set.nsproxy.replace_cgroup_ns(self);
        }
        Ok(())
    }
}

impl Install for NetNamespace {
    /// Mirrors `netns_install()`.
    #[doc(alias = "netns_install")]
    #[inline(always)]
    fn install(&self, set: &mut NsSet, caller: &mut Caller<'_>) -> Result<(), Refusal> {
        check_owner(self, caller)?;
        check_set(set, caller)?;
        set.nsproxy.replace_net_ns(self);
        Ok(())
    }
}

impl Install for TimeNamespace {
    /// Mirrors `timens_install()`.
    #[doc(alias = "timens_install")]
    #[inline(always)]
    fn install(&self, set: &mut NsSet, caller: &mut Caller<'_>) -> Result<(), Refusal> {
        // The clocks of a time namespace are mapped into the caller's memory.
        if !caller.is_single_threaded() {
            let count = caller.threads().max(caller.mm_users());
            return Err(Reason::MmShared.shared_by(count));
        }
        check_owner(self, caller)?;
        check_set(set, caller)?;
        set.nsproxy.replace_time_ns(self);
        set.nsproxy.replace_time_ns_for_children(self);
        Ok(())
    }
}

/// Checks `CAP_SYS_ADMIN` in the user namespace that owns `ns`.
#[inline(always)]
fn check_owner(ns: &impl Owned, caller: &Caller<'_>) -> Result<(), Refusal> {
    let is_capable = caller.ns_capable(ns.user_ns(), CAP_SYS_ADMIN);
    ensure(is_capable, Reason::CapOwner)
}

/// Checks `CAP_SYS_ADMIN` in the user namespace of the set: the caller's, or the one that the call
/// enters first.
#[inline(always)]
fn check_set(set: &NsSet, caller: &Caller<'_>) -> Result<(), Refusal> {
    let is_capable = caller.ns_capable(set.cred.user_ns(caller), CAP_SYS_ADMIN);
    ensure(is_capable, Reason::CapSet)
}

/// Checks that no other task shares the caller's root and working directory: `CLONE_FS`.
fn check_fs(caller: &Caller<'_>) -> Result<(), Refusal> {
    match caller.fs_users() {
        1 => Ok(()),
        count => Err(Reason::FsShared.shared_by(count)),
    }
}
