// SPDX-License-Identifier: GPL-2.0-only

//! `struct ucounts`: the namespaces that a user has created in a user namespace, and their limits.
//!
//! C source: `kernel/ucount.c`.

use super::{
    bindings,
    caller::Caller,
    namespace::{Kind, Ns, OfKind, UserNamespace},
    symbols::static_call,
};
use core::ptr::NonNull;
use kernel::{
    bindings::{ucount_type, ucounts},
    prelude::*,
};

/// The counts of a user in a user namespace.
///
/// # Invariants
///
/// The pointer is to a valid `struct ucounts`, and the value owns a reference to it.
pub(crate) struct Ucounts(NonNull<ucounts>);

/// A limit of the number of namespaces of a kind: `/proc/sys/user/max_*_namespaces`.
pub(crate) struct Limit<'a> {
    /// The user namespace whose limit it is.
    pub(crate) user_ns: &'a UserNamespace,
    /// The limit.
    pub(crate) max: u32,
    /// The number of levels of that user namespace above the one of the counts.
    pub(crate) levels: u32,
}

impl Ucounts {
    /// Returns the counts of the caller's effective user in `user_ns`, with a reference.
    ///
    /// # Errors
    ///
    /// [`ENOMEM`].
    #[doc(alias = "alloc_ucounts")]
    pub(crate) fn of(caller: &Caller<'_>, user_ns: &UserNamespace) -> Result<Self> {
        // SAFETY: The namespace is valid.
        let ucounts = unsafe { static_call!(alloc_ucounts(user_ns.as_raw(), caller.euid())) };
        // INVARIANT: The function returns the counts with a reference.
        NonNull::new(ucounts).map(Self).ok_or(ENOMEM)
    }

    /// Returns the first limit for namespaces of the kind of `ns` that is reached, from the user
    /// namespace of the counts upwards; [`None`] if none is.
    ///
    /// Mirrors the loop of `inc_ucount()`, without the increment.
    #[doc(alias = "inc_ucount")]
    pub(crate) fn reached_limit(&self, ns: &Ns) -> Option<Limit<'_>> {
        let index = count_of(ns) as usize;
        let mut iter = self.0.as_ptr();
        let mut levels = 0;
        while !iter.is_null() {
            // SAFETY: Counts have a reference to their user namespace, which `self` keeps: a user
            // namespace has a reference to the counts of its creator, in its parent.
            let user_ns = unsafe { UserNamespace::from_raw((*iter).ns) };
            let max = user_ns.member::<c_long>(bindings::NSPROXY_RS_USER_NS_UCOUNT_MAX);
            // SAFETY: Both arrays have an element for each kind. Other CPUs write concurrently, so
            // the reads are volatile.
            let (max, count) = unsafe {
                let count = &raw const (*iter).ucount[index].counter;
                (max.add(index).read_volatile(), count.read_volatile())
            };
            if count as c_long >= max {
                return Some(Limit {
                    user_ns,
                    max: u32::try_from(max).unwrap_or(u32::MAX),
                    levels,
                });
            }
            let above = user_ns.member::<*mut ucounts>(bindings::NSPROXY_RS_USER_NS_UCOUNTS);
            // SAFETY: The member at this offset is valid; never written after initialisation.
            iter = unsafe { above.read() };
            levels += 1;
        }
        None
    }
}

impl Drop for Ucounts {
    #[doc(alias = "put_ucounts")]
    fn drop(&mut self) {
        // SAFETY: By the type's invariants the value owns a reference.
        unsafe { static_call!(put_ucounts(self.0.as_ptr())) };
    }
}

/// Returns the index of the count for namespaces of the kind of `ns`.
#[doc(alias = "ucount_type")]
fn count_of(ns: &Ns) -> ucount_type {
    match ns.of_kind() {
        OfKind::MntNamespace(_) => kernel::bindings::ucount_type_UCOUNT_MNT_NAMESPACES,
        OfKind::UtsNamespace(_) => kernel::bindings::ucount_type_UCOUNT_UTS_NAMESPACES,
        OfKind::IpcNamespace(_) => kernel::bindings::ucount_type_UCOUNT_IPC_NAMESPACES,
        OfKind::PidNamespace(_) => kernel::bindings::ucount_type_UCOUNT_PID_NAMESPACES,
        OfKind::CgroupNamespace(_) => kernel::bindings::ucount_type_UCOUNT_CGROUP_NAMESPACES,
        OfKind::NetNamespace(_) => kernel::bindings::ucount_type_UCOUNT_NET_NAMESPACES,
        OfKind::TimeNamespace(_) => kernel::bindings::ucount_type_UCOUNT_TIME_NAMESPACES,
        OfKind::UserNamespace(_) => kernel::bindings::ucount_type_UCOUNT_USER_NAMESPACES,
    }
}
