// SPDX-License-Identifier: GPL-2.0-only

//! The credentials of a set.

use super::{
    bindings::{self, layout},
    caller::Caller,
    namespace::{self, UserNamespace},
    returned,
    symbols::static_call,
};
use core::ptr::NonNull;
use kernel::{
    bindings::{cred, prepare_creds, put_cred},
    macros::paste,
    prelude::*,
    sync::aref::ARef,
};

/// The securebits that new credentials have: none.
pub(crate) use bindings::NSPROXY_RS_SECUREBITS_DEFAULT as SECUREBITS_DEFAULT;

/// A set of capabilities.
#[doc(alias = "kernel_cap_t")]
#[derive(Clone, Copy)]
pub(crate) struct CapSet(u64);

impl CapSet {
    /// No capability.
    #[doc(alias = "CAP_EMPTY_SET")]
    pub(crate) const EMPTY: Self = Self(0);
    /// All capabilities of the kernel.
    #[doc(alias = "CAP_FULL_SET")]
    pub(crate) const FULL: Self = Self(bindings::NSPROXY_RS_CAP_VALID_MASK);
}

/// A copy of the caller's credentials that is not in use yet and may be changed.
///
/// Dropping it without committing it calls `put_cred()`.
///
/// # Invariants
///
/// The pointer was returned by `prepare_creds()`. This value owns the only reference.
pub(crate) struct PreparedCred(NonNull<cred>);

impl PreparedCred {
    /// Copies the caller's credentials.
    ///
    /// # Errors
    ///
    /// [`ENOMEM`].
    #[doc(alias = "prepare_creds")]
    pub(crate) fn new(_caller: &Caller<'_>) -> Result<Self> {
        // SAFETY: Copies the credentials of `current`, which is always possible.
        let cred = NonNull::new(unsafe { prepare_creds() });
        // INVARIANT: `prepare_creds()` returns new credentials with one reference.
        cred.map(Self).ok_or(ENOMEM)
    }

    /// Returns the struct with its members.
    fn as_layout(&mut self) -> &mut layout::cred {
        // SAFETY: By the type's invariants this value owns the only reference.
        unsafe { self.0.cast().as_mut() }
    }

    /// Returns the securebits: `SECBIT_*`.
    pub(crate) fn securebits(&mut self) -> u32 {
        self.as_layout().securebits
    }

    /// Sets the securebits: `SECBIT_*`.
    pub(crate) fn set_securebits(&mut self, securebits: u32) {
        self.as_layout().securebits = securebits;
    }

    /// Drops the authority to instantiate a key that request_key(2) asked for.
    #[doc(alias = "key_put")]
    pub(crate) fn put_request_key_auth(&mut self) {
        #[cfg(CONFIG_KEYS)]
        {
            let none = core::ptr::null_mut();
            let key = core::mem::replace(&mut self.as_layout().request_key_auth, none);
            // SAFETY: The credentials owned a reference to the key, or it is NULL.
            unsafe { bindings::key_put(key) };
        }
    }

    /// Replaces the user namespace, and drops the old one.
    #[doc(alias = "get_user_ns")]
    #[doc(alias = "put_user_ns")]
    #[inline(always)]
    pub(crate) fn replace_user_ns(&mut self, user_ns: &UserNamespace) {
        let new = namespace::into_raw(ARef::from(user_ns));
        let old = core::mem::replace(&mut self.as_layout().user_ns, new);
        // SAFETY: The credentials owned a reference to their user namespace, and have another one.
        drop(unsafe { namespace::from_owned::<UserNamespace>(old) });
    }

    /// Counts the user of the credentials in their user namespace.
    ///
    /// # Errors
    ///
    /// [`EAGAIN`]: out of memory.
    #[doc(alias = "set_cred_ucounts")]
    #[inline(always)]
    pub(crate) fn set_ucounts(&mut self) -> Result {
        // SAFETY: By the type's invariants this value owns the only reference.
        returned(unsafe { static_call!(set_cred_ucounts(self.as_raw())) })
    }

    /// Returns the pointer for C.
    pub(super) fn as_raw(&mut self) -> *mut cred {
        self.0.as_ptr()
    }

    /// Turns the value into the pointer, which owns the reference: `commit_creds()` consumes it.
    pub(super) fn into_raw(self) -> NonNull<cred> {
        let cred = self.0;
        core::mem::forget(self);
        cred
    }
}

macro_rules! capability_sets {
    ($($member:ident),*) => { paste! {
        impl PreparedCred { $(
            #[doc = concat!("Sets `cred->", stringify!($member), "`.")]
            pub(crate) fn [<set_ $member>](&mut self, caps: CapSet) {
                self.as_layout().$member.val = caps.0;
            }
        )* }
    } };
}

capability_sets!(
    cap_inheritable,
    cap_permitted,
    cap_effective,
    cap_bset,
    cap_ambient
);

impl Drop for PreparedCred {
    #[doc(alias = "put_cred")]
    fn drop(&mut self) {
        // SAFETY: By the type's invariants this value owns the reference.
        unsafe { put_cred(self.0.as_ptr()) };
    }
}

/// The credentials that a set of namespaces is validated with: `nsset->cred`.
///
/// In C, `nsset_cred()` derives from the flags whether they may be written.
#[doc(alias = "nsset_cred")]
pub(crate) enum SetCred {
    /// The caller's own, read-only and without a reference.
    Current,
    /// A copy, for `CLONE_NEWUSER`. Installing a user namespace writes to it.
    Prepared(PreparedCred),
}

impl SetCred {
    /// Returns the user namespace of the set: the caller's, or the one that was installed.
    pub(crate) fn user_ns<'a>(&'a self, caller: &'a Caller<'_>) -> &'a UserNamespace {
        let cred = match self {
            SetCred::Current => return caller.user_ns(),
            SetCred::Prepared(cred) => cred.0.as_ptr(),
        };
        // SAFETY: The credentials own a reference to their user namespace, and change it only with
        // `&mut`.
        unsafe { UserNamespace::of_cred(cred) }
    }
}
