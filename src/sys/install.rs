// SPDX-License-Identifier: GPL-2.0-only

//! `proc_ns_operations.install()`: checks a namespace and puts it into a set.

use super::{
    caller::Caller,
    cred::SetCred,
    fs::SetFs,
    namespace::{Kind, Ns},
    nsproxy::NewNsProxy,
    returned, //
};
use core::marker::PhantomData;
use kernel::{
    bindings::{nsset, CLONE_NEWNS, CLONE_NEWUSER},
    prelude::*,
};

/// The `struct nsset` that `install()` gets.
///
/// It borrows the parts of the set. It borrows the caller mutably, since `install()` of a mount
/// namespace moves the caller's root and working directory at once if no other kind is requested.
///
/// # Invariants
///
/// Every pointer is valid and exclusively borrowed for `'a`, and the flags fit them:
/// `CLONE_NEWUSER` is set only if the cred is a prepared one, `CLONE_NEWNS` only if `fs` is not
/// NULL.
#[doc(alias = "nsset")]
pub(crate) struct Installer<'a> {
    set: nsset,
    _parts: PhantomData<&'a mut NewNsProxy>,
}

impl<'a> Installer<'a> {
    /// Creates the `struct nsset` of these parts. `flags` are the `CLONE_NEW*` of the requested
    /// kinds. `cred` and `fs` determine whether user and mount namespaces are among them.
    pub(crate) fn new(
        caller: &'a mut Caller<'_>,
        flags: u32,
        nsproxy: &'a mut NewNsProxy,
        cred: &'a mut SetCred,
        fs: &'a mut SetFs,
    ) -> Self {
        // The C functions rely on flags that fit the pointers: `nsset_cred()` returns a writable
        // cred if `CLONE_NEWUSER` is set, and `mntns_install()` dereferences `fs`.
        let mut fitting = flags & !(CLONE_NEWUSER | CLONE_NEWNS);
        if let SetCred::Prepared(_) = cred {
            fitting |= CLONE_NEWUSER;
        }
        if !matches!(fs, SetFs::None) {
            fitting |= CLONE_NEWNS;
        }
        // INVARIANT: The pointers are to parts borrowed for `'a`. The flags fit them, see above.
        Self {
            set: nsset {
                flags: fitting,
                nsproxy: nsproxy.as_ptr(),
                fs: fs.as_ptr(caller),
                cred: cred.as_ptr(caller),
            },
            _parts: PhantomData,
        }
    }

    /// Checks whether the caller may enter `ns`, and puts `ns` into the set.
    ///
    /// This takes a reference to `ns` and drops the one to the namespace that it replaces. Nothing
    /// changes on an error. May sleep.
    ///
    /// # Errors
    ///
    /// Errors of the kind: `EPERM`, `EINVAL`, `EUSERS`, or those of looking up a root. [`EINVAL`]
    /// and a warning if the kind is not requested.
    #[doc(alias = "validate_ns")]
    #[inline(always)]
    pub(crate) fn install(&mut self, ns: &Ns) -> Result {
        if kernel::warn_on!(self.set.flags & ns.ns_type() == 0) {
            return Err(EINVAL);
        }
        // SAFETY: The kind is requested.
        unsafe { self.call(ns) }
    }

    /// Installs `ns` if its kind is requested; returns [`None`] otherwise.
    ///
    /// # Errors
    ///
    /// Errors of the kind, see [`install`](Self::install).
    #[inline(always)]
    pub(crate) fn install_requested<K: Kind>(&mut self, ns: &K) -> Option<Result> {
        if self.set.flags & K::NS_TYPE == 0 {
            return None;
        }
        // SAFETY: The kind is requested.
        Some(unsafe { self.call(ns) })
    }

    /// Calls `ns->ops->install()`.
    ///
    /// # Safety
    ///
    /// The kind of `ns` must be one of the requested kinds.
    #[inline(always)]
    unsafe fn call(&mut self, ns: &Ns) -> Result {
        // SAFETY: By the type's invariants every pointer of the set is valid. The kind of `ns` is
        // requested, so the part that it needs is there. `install()` writes to three objects. The
        // nsproxy and a prepared cred are exclusively borrowed, and a member is replaced together
        // with its reference. The `fs_struct` has a lock, which `install()` takes. `install()`
        // keeps no pointer.
        returned(unsafe { ns.install(&mut self.set) })
    }
}
