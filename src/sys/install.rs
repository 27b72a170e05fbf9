// SPDX-License-Identifier: GPL-2.0-only

//! `proc_ns_operations.install()`: each kind's own check, and its part of the set.

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

/// A set as `install()` is shown it: `struct nsset`.
///
/// It borrows what the set is made of, and the caller as if to change it: the mount kind moves its
/// root and working directory at once when it is the only one asked for.
///
/// # Invariants
///
/// Every pointer is valid for `'a` and not used by anyone else meanwhile, and they fit the flags:
/// the cred is a prepared one for `CLONE_NEWUSER`, and there is an `fs` for `CLONE_NEWNS`.
#[doc(alias = "nsset")]
pub(crate) struct Installer<'a> {
    set: nsset,
    _parts: PhantomData<&'a mut NewNsProxy>,
}

impl<'a> Installer<'a> {
    /// The set of these parts. `flags` are the `CLONE_NEW*` of all that is asked for; whether user and
    /// mount namespaces are, the parts say.
    pub(crate) fn new(
        caller: &'a mut Caller<'_>,
        flags: u32,
        nsproxy: &'a mut NewNsProxy,
        cred: &'a mut SetCred,
        fs: &'a mut SetFs,
    ) -> Self {
        // The C functions trust the set to fit its flags: `nsset_cred()` gives a cred out for
        // writing by `CLONE_NEWUSER`, `mntns_install()` follows `fs`.
        let mut fitting = flags & !(CLONE_NEWUSER | CLONE_NEWNS);
        if let SetCred::Prepared(_) = cred {
            fitting |= CLONE_NEWUSER;
        }
        if !matches!(fs, SetFs::None) {
            fitting |= CLONE_NEWNS;
        }
        // INVARIANT: What is pointed at is borrowed for `'a`, and the flags fit it.
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

    /// Asks the kind of `ns` whether the caller may enter it, and puts it into the set if so.
    ///
    /// The reference to what `ns` replaces in the nsproxy is dropped, and one to `ns` taken. On an
    /// error nothing is changed. May sleep.
    ///
    /// # Errors
    ///
    /// Those of the kind: `EPERM`, `EINVAL`, `EUSERS`, or what looking up a root says. [`EINVAL`]
    /// and a warning for a kind that the set is not for.
    #[doc(alias = "validate_ns")]
    #[inline(always)]
    pub(crate) fn install(&mut self, ns: &Ns) -> Result {
        if kernel::warn_on!(self.set.flags & ns.ns_type() == 0) {
            return Err(EINVAL);
        }
        // SAFETY: The set is for the kind.
        unsafe { self.call(ns) }
    }

    /// The same if the kind is one of those that are asked for, else [`None`].
    ///
    /// # Errors
    ///
    /// Those of the kind, see [`install`](Self::install).
    #[inline(always)]
    pub(crate) fn install_asked<K: Kind>(&mut self, ns: &K) -> Option<Result> {
        if self.set.flags & K::NS_TYPE == 0 {
            return None;
        }
        // SAFETY: The set is for the kind.
        Some(unsafe { self.call(ns) })
    }

    /// `ns->ops->install()`.
    ///
    /// # Safety
    ///
    /// The kind of `ns` must be one of those that are asked for.
    #[inline(always)]
    unsafe fn call(&mut self, ns: &Ns) -> Result {
        // SAFETY: By the type's invariants every pointer of the set is valid, and fits what `ns`
        // is. What `install()` writes through them is the nsproxy, which is ours and exclusively
        // borrowed (a member is replaced together with its reference), a prepared cred, likewise,
        // and the `fs_struct`, whose lock it takes. It keeps none of the pointers.
        returned(unsafe { ns.install(&mut self.set) })
    }
}
