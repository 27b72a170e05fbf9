// SPDX-License-Identifier: GPL-2.0-only

//! The credentials of a set.

use super::{caller::Caller, namespace::UserNamespace};
use core::ptr::NonNull;
use kernel::{bindings, prelude::*};

/// A copy of the caller's credentials that is not in use yet and may be changed.
///
/// Dropping it without committing it calls `put_cred()`.
///
/// # Invariants
///
/// The pointer was returned by `prepare_creds()`. This value owns the only reference.
pub(crate) struct PreparedCred(NonNull<bindings::cred>);

impl PreparedCred {
    /// Copies the caller's credentials.
    ///
    /// # Errors
    ///
    /// [`ENOMEM`].
    #[doc(alias = "prepare_creds")]
    pub(crate) fn new(_caller: &Caller<'_>) -> Result<Self> {
        // SAFETY: Copies the credentials of `current`, which is always possible.
        let cred = NonNull::new(unsafe { bindings::prepare_creds() });
        // INVARIANT: `prepare_creds()` returns new credentials with one reference.
        cred.map(Self).ok_or(ENOMEM)
    }

    /// Turns the value into the pointer, which owns the reference: `commit_creds()` consumes it.
    pub(super) fn into_raw(self) -> NonNull<bindings::cred> {
        let cred = self.0;
        core::mem::forget(self);
        cred
    }
}

impl Drop for PreparedCred {
    #[doc(alias = "put_cred")]
    fn drop(&mut self) {
        // SAFETY: By the type's invariants this value owns the reference.
        unsafe { bindings::put_cred(self.0.as_ptr()) };
    }
}

/// The credentials that a set of namespaces is validated with: `nsset->cred`.
///
/// In C, `nsset_cred()` derives from the flags whether they may be written.
#[doc(alias = "nsset_cred")]
pub(crate) enum SetCred {
    /// The caller's own, read-only and without a reference.
    Current,
    /// A copy, for `CLONE_NEWUSER`. `install()` of a user namespace writes to it.
    Prepared(PreparedCred),
}

impl SetCred {
    /// Returns the user namespace of the set: the caller's, or the one that was installed.
    pub(crate) fn user_ns<'a>(&'a self, caller: &'a Caller<'_>) -> &'a UserNamespace {
        // SAFETY: The credentials own a reference to their user namespace. The caller's do not
        // change while the caller is borrowed. A copy changes in `install()` only, which requires
        // `&mut`.
        unsafe { UserNamespace::of_cred(self.as_ptr(caller)) }
    }

    /// Returns the pointer for `install()`. It owns no reference, and is valid while both
    /// parameters are borrowed.
    pub(super) fn as_ptr(&self, caller: &Caller<'_>) -> *const bindings::cred {
        match self {
            SetCred::Current => caller.cred(),
            SetCred::Prepared(cred) => cred.0.as_ptr(),
        }
    }
}
