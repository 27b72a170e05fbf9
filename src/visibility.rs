// SPDX-License-Identifier: GPL-2.0-only

//! What a caller may know of namespaces: as much as the kernel itself tells it.
//!
//! The kernel gives the owner and the parent of a namespace away by ioctls of its file, and not those
//! that are above the caller (`ns_get_owner()`, `pidns_get_parent()`). That a namespace is in use at
//! all, which listns(2) tells, it keeps from those who are not in it and may not see all
//! (`may_see_all_namespaces()`). How many hold it says more than that, since there may be tasks among
//! them that the caller cannot see.
//!
//! The id of the namespace itself a caller knows that has its file, or that may look into the process
//! which is in it. What the tracepoint writes is for those who can read tracefs, and so what every
//! task does.

use crate::sys::{caller::Caller, namespace::Ns};
use kernel::bindings::CAP_SYS_ADMIN;

/// Something about namespaces that is not for every caller.
pub(crate) enum Fact<'a> {
    /// Which user or pid namespace another one refers to.
    Related(&'a Ns),
    /// How many references hold a namespace, or an nsproxy.
    Counts,
}

/// Whether the caller may know it.
#[doc(alias = "ns_get_owner")]
#[doc(alias = "pidns_get_parent")]
#[doc(alias = "may_see_all_namespaces")]
pub(crate) fn may_know(caller: &Caller<'_>, fact: Fact<'_>) -> bool {
    let pid_ns = caller.active_pid_ns();
    match fact {
        // The caller's own, or a descendant of it.
        Fact::Related(ns) => core::iter::successors(Some(ns), |ns| ns.parent())
            .any(|ns| ns.is(caller.user_ns()) || ns.is(pid_ns)),
        Fact::Counts => {
            let owner = pid_ns.owner();
            pid_ns.is_initial()
                && owner.is_some_and(|owner| caller.is_ns_capable(owner, CAP_SYS_ADMIN))
        }
    }
}

/// The id of the user or pid namespace that another one refers to; 0 if there is none, or the caller
/// may not know which.
pub(crate) fn related_id(caller: &Caller<'_>, ns: Option<&Ns>) -> u64 {
    ns.filter(|ns| may_know(caller, Fact::Related(ns)))
        .map_or(0, Ns::id)
}
