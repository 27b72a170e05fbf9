// SPDX-License-Identifier: GPL-2.0-only

//! `proc_ns_operations.install()`: each kind's own check, and its part of the set.

use super::{
    caller::Caller,
    cred::SetCred,
    fs::SetFs,
    namespace::Ns,
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
    /// The set of these parts. `flags` are the `CLONE_NEW*` of all that is asked for.
    ///
    /// # Errors
    ///
    /// [`EINVAL`], and a warning, if they do not fit.
    pub(crate) fn new(
        caller: &'a mut Caller<'_>,
        flags: u32,
        nsproxy: &'a mut NewNsProxy,
        cred: &'a mut SetCred,
        fs: &'a mut SetFs,
    ) -> Result<Self> {
        // The C functions trust the set to fit its flags: `nsset_cred()` gives a cred out for
        // writing by `CLONE_NEWUSER`, `mntns_install()` follows `fs`. Types cannot say that, so:
        let fits = (flags & CLONE_NEWUSER != 0) == matches!(cred, SetCred::Prepared(_))
            && (flags & CLONE_NEWNS != 0) != matches!(fs, SetFs::None);
        if kernel::warn_on!(!fits) {
            return Err(EINVAL);
        }
        // INVARIANT: What is pointed at is borrowed for `'a`, and fits as checked above.
        Ok(Self {
            set: nsset {
                flags,
                nsproxy: nsproxy.as_ptr(),
                fs: fs.as_ptr(caller),
                cred: cred.as_ptr(caller),
            },
            _parts: PhantomData,
        })
    }

    /// The `CLONE_NEW*` of all that is asked for.
    pub(crate) fn flags(&self) -> u32 {
        self.set.flags
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
        // SAFETY: By the type's invariants every pointer of the set is valid, and fits what `ns`
        // is. What `install()` writes through them is the nsproxy, which is ours and exclusively
        // borrowed (a member is replaced together with its reference), a prepared cred, likewise,
        // and the `fs_struct`, whose lock it takes. It keeps none of the pointers.
        returned(unsafe { ns.install(&mut self.set) })
    }
}
