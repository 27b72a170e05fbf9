// SPDX-License-Identifier: GPL-2.0-only

//! Credentials that are being made.

use super::{caller::Caller, namespace::UserNamespace};
use core::ptr::NonNull;
use kernel::{bindings, prelude::*};

/// A copy of the caller's credentials that may be changed and is not in use yet.
///
/// Dropping it is `put_cred()` of what was never committed.
///
/// # Invariants
///
/// The pointer comes from `prepare_creds()`; its one reference is ours.
pub(crate) struct PreparedCred(NonNull<bindings::cred>);

impl PreparedCred {
    /// Copies the caller's credentials: `prepare_creds()`.
    ///
    /// # Errors
    ///
    /// [`ENOMEM`].
    #[doc(alias = "prepare_creds")]
    pub(crate) fn new(_caller: &Caller<'_>) -> Result<Self> {
        // SAFETY: Always safe to call for `current`, which the caller is.
        let cred = NonNull::new(unsafe { bindings::prepare_creds() });
        // INVARIANT: Just made.
        cred.map(Self).ok_or(ENOMEM)
    }

    /// Gives the reference to whoever takes the pointer: `commit_creds()`, which eats it.
    pub(super) fn into_raw(self) -> NonNull<bindings::cred> {
        let cred = self.0;
        core::mem::forget(self);
        cred
    }
}

impl Drop for PreparedCred {
    #[doc(alias = "put_cred")]
    fn drop(&mut self) {
        // SAFETY: By the type's invariants the reference is ours.
        unsafe { bindings::put_cred(self.0.as_ptr()) };
    }
}

/// The credentials that a set of namespaces is validated with: `nsset->cred`.
///
/// In C, `nsset_cred()` finds out from the flags whether they may be written.
#[doc(alias = "nsset_cred")]
pub(crate) enum SetCred {
    /// The caller's own, read only, without a reference.
    Current,
    /// A copy that takes part in the set, for `CLONE_NEWUSER`.
    Prepared(PreparedCred),
}

impl SetCred {
    /// The user namespace that the set is in: the caller's, or one that was installed.
    pub(crate) fn user_ns<'a>(&'a self, caller: &'a Caller<'_>) -> &'a UserNamespace {
        // SAFETY: The credentials own a reference to their user namespace. The caller's do not
        // change while it is borrowed, a copy only changes in `install()`, which wants `&mut`.
        unsafe { UserNamespace::of_cred(self.as_ptr(caller)) }
    }

    /// For `install()`. The pointer owns nothing, and is valid while both are borrowed.
    pub(super) fn as_ptr(&self, caller: &Caller<'_>) -> *const bindings::cred {
        match self {
            SetCred::Current => caller.cred(),
            SetCred::Prepared(cred) => cred.0.as_ptr(),
        }
    }
}
