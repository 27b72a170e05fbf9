// SPDX-License-Identifier: GPL-2.0-only

//! Creating namespaces: `copy_*()` of the seven kinds of an nsproxy, and `create_user_ns()`.

use super::{
    bindings,
    cred::PreparedCred,
    fs::UnusedFs,
    namespace::{self, *},
    returned,
    symbols::static_call,
};
use kernel::{bindings::CLONE_NEWUSER, error::from_err_ptr, prelude::*, sync::aref::ARef};

/// The flag of unshare(2) for a mount namespace that has only the root mount.
pub(crate) use bindings::NSPROXY_RS_UNSHARE_EMPTY_MNTNS as UNSHARE_EMPTY_MNTNS;

/// The flag of clone3(2) and `copy_mnt_ns()` for the same.
pub(crate) use bindings::NSPROXY_RS_CLONE_EMPTY_MNTNS as CLONE_EMPTY_MNTNS;

/// The flag of clone3(2) that resets signal handlers.
pub(crate) use bindings::NSPROXY_RS_CLONE_CLEAR_SIGHAND as CLONE_CLEAR_SIGHAND;

/// The flag of clone3(2) after which execve(2) gains no privileges: "no new privileges".
pub(crate) use bindings::NSPROXY_RS_CLONE_NNP as CLONE_NNP;

/// All flags of clone3(2).
pub(crate) use bindings::NSPROXY_RS_CLONE3_FLAGS as CLONE3_FLAGS;

/// Flags of clone3(2) or unshare(2): `CLONE_*`.
#[derive(Clone, Copy)]
pub(crate) struct Flags(pub(crate) u64);

impl Flags {
    /// No flags, for calls that create no namespace.
    pub(crate) const NONE: Self = Self(0);

    /// The kinds of an nsproxy. The user namespace belongs to the credentials.
    pub(crate) const NSPROXY_KINDS: u32 = namespace::ALL & !CLONE_NEWUSER;

    /// Returns whether one of `flags` is set.
    pub(crate) fn has(self, flags: u32) -> bool {
        self.0 & u64::from(flags) != 0
    }

    /// Returns whether all `flags` are set.
    pub(crate) fn has_all(self, flags: u32) -> bool {
        !self.0 & u64::from(flags) == 0
    }

    /// Returns the kinds of which the call creates a namespace.
    pub(crate) fn kinds(self) -> u32 {
        self.0 as u32 & namespace::ALL
    }
}

/// A kind of which a namespace is created as a copy of another one.
pub(crate) trait CopyNs: Kind {
    /// Creates a namespace, whose owner is `user_ns`. May sleep.
    ///
    /// It is counted for the effective user of `current`, in `user_ns` and all its ancestors.
    ///
    /// # Errors
    ///
    /// - [`ENOSPC`]: a limit of `user_ns` or of an ancestor is reached;
    /// - [`ENOMEM`];
    /// - other errors of the kind.
    #[doc(alias = "copy_utsname")]
    #[doc(alias = "copy_ipcs")]
    #[doc(alias = "copy_pid_ns")]
    #[doc(alias = "copy_cgroup_ns")]
    #[doc(alias = "copy_net_ns")]
    #[doc(alias = "copy_time_ns")]
    fn copy(&self, user_ns: &UserNamespace) -> Result<ARef<Self>>
    where
        Self: Sized;
}

macro_rules! copies {
    (($flags:ident, $user_ns:ident, $old:ident) $($kind:ident by $call:expr),* $(,)?) => { $(
        impl CopyNs for $kind {
            fn copy(&self, user_ns: &UserNamespace) -> Result<ARef<Self>> {
                let $flags = Self::NS_TYPE.into();
                let ($user_ns, $old) = (user_ns.as_raw(), self.as_raw());
                // SAFETY: Both namespaces are valid.
                let new = from_err_ptr(unsafe { $call })?;
                // SAFETY: The function returned a new namespace. Its reference passes to the result.
                Ok(unsafe { namespace::from_owned(new) })
            }
        }
    )* };
}

copies! {
    (flags, user_ns, old)
    UtsNamespace by static_call!(copy_utsname(flags, user_ns, old)),
    IpcNamespace by static_call!(copy_ipcs(flags, user_ns, old)),
    PidNamespace by static_call!(copy_pid_ns(flags, user_ns, old)),
    CgroupNamespace by static_call!(copy_cgroup_ns(flags, user_ns, old)),
    NetNamespace by static_call!(copy_net_ns(flags, user_ns, old)),
    TimeNamespace by static_call!(copy_time_ns(flags, user_ns, old)),
}

impl MntNamespace {
    /// Creates a mount namespace, whose owner is `user_ns`, and moves `fs` into it. May sleep.
    ///
    /// `flags` contain `CLONE_NEWNS`, and `CLONE_EMPTY_MNTNS` for a namespace that has only the root
    /// mount. On an error `fs` is as before.
    ///
    /// # Errors
    ///
    /// As of [`CopyNs::copy`].
    #[doc(alias = "copy_mnt_ns")]
    pub(crate) fn copy(
        &self,
        flags: Flags,
        user_ns: &UserNamespace,
        mut fs: UnusedFs<'_>,
    ) -> Result<ARef<Self>> {
        // SAFETY: Both namespaces are valid. By the invariants of `UnusedFs` no task uses `fs`.
        let new = from_err_ptr(unsafe {
            static_call!(copy_mnt_ns(
                flags.0,
                self.as_raw(),
                user_ns.as_raw(),
                fs.as_raw()
            ))
        })?;
        // SAFETY: The function returned a new namespace. Its reference passes to the result.
        Ok(unsafe { namespace::from_owned(new) })
    }
}

impl PreparedCred {
    /// Creates a user namespace, whose parent is that of the credentials, and moves the credentials
    /// into it: with all capabilities there. May sleep.
    ///
    /// It is counted for the effective user of the credentials, in the parent and all its
    /// ancestors. The credentials are as before on an error.
    ///
    /// # Errors
    ///
    /// - [`ENOSPC`]: a limit of the parent or of an ancestor is reached, or user namespaces are
    ///   nested too deep;
    /// - [`EPERM`]: the root directory of `current` is not that of its mount namespace, or the
    ///   effective user or group has no id in the parent;
    /// - [`ENOMEM`];
    /// - errors of LSMs.
    pub(crate) fn create_user_ns(&mut self) -> Result {
        // SAFETY: By the type's invariants this value owns the only reference.
        returned(unsafe { static_call!(create_user_ns(self.as_raw())) })
    }
}
