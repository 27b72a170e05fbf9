// SPDX-License-Identifier: GPL-2.0-only

//! Facts about namespaces that a caller may know: those that the kernel itself reports to it.
//!
//! The ioctls of an nsfs file open the owner and the parent of the namespace. They refuse if the
//! caller is not in that namespace or an ancestor of it (`ns_get_owner()`, `pidns_get_parent()`).
//! listns(2) reports that a namespace is in use only to callers that are in it or may see all
//! namespaces (`may_see_all_namespaces()`). The counts reveal more than that, since tasks that the
//! caller cannot see may hold references.
//!
//! The id of the namespace itself is known to a caller that has its file, or that may access a
//! process in it. The tracepoints hide nothing: readers of tracefs may see what every task does.

use crate::sys::{caller::Caller, namespace::Ns};
use kernel::bindings::CAP_SYS_ADMIN;

/// A fact about namespaces that not every caller may know.
pub(crate) enum Fact<'a> {
    /// The user or pid namespace that another one refers to.
    Related(&'a Ns),
    /// The reference counts of namespaces and of an nsproxy.
    Counts,
}

/// Returns whether the caller may know the fact.
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
                && owner.is_some_and(|owner| caller.ns_capable_noaudit(owner, CAP_SYS_ADMIN))
        }
    }
}

/// Returns the id of the user or pid namespace that another one refers to; 0 if there is none, or
/// if the caller may not know it.
pub(crate) fn related_id(caller: &Caller<'_>, ns: Option<&Ns>) -> u64 {
    ns.filter(|ns| may_know(caller, Fact::Related(ns)))
        .map_or(0, Ns::id)
}

/// The reader of facts about a call.
#[derive(Clone, Copy)]
pub(crate) enum Reader {
    /// The caller itself.
    Caller,
    /// A reader of the tracepoints, which hide nothing.
    Tracefs,
}

impl Reader {
    /// As [`related_id`], for this reader.
    pub(crate) fn related_id(self, caller: &Caller<'_>, ns: Option<&Ns>) -> u64 {
        match self {
            Self::Caller => related_id(caller, ns),
            Self::Tracefs => ns.map_or(0, Ns::id),
        }
    }
}
