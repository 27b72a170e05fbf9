// SPDX-License-Identifier: GPL-2.0-only

//! Creating a `struct nsproxy` and switching the caller to it.
//!
//! Mirrors `create_new_namespaces()` and `switch_task_namespaces()` of `kernel/nsproxy.c`. Dropping
//! a [`NewNsProxy`] mirrors `nsproxy_free()`.

use crate::{
    observer::{Observer, Step, Subject},
    sys::{
        caller::Caller,
        nsproxy::{Namespaces, NewNsProxy, NsProxy},
    },
};
use kernel::{prelude::*, task::might_sleep};

/// Creates an nsproxy with the same namespaces as `old`.
///
/// In C, flags select the namespaces to create. setns(2) passes 0, and each `copy_*()` only takes a
/// reference. The seven `goto` labels are for other callers. In Rust each would be a `?`: the
/// references taken before are owned by values, which an early return drops.
///
/// # Errors
///
/// [`ENOMEM`], before any reference is taken.
#[doc(alias = "copy_mnt_ns")]
#[doc(alias = "copy_utsname")]
#[doc(alias = "copy_ipcs")]
#[doc(alias = "copy_pid_ns")]
#[doc(alias = "copy_cgroup_ns")]
#[doc(alias = "copy_net_ns")]
#[doc(alias = "copy_time_ns")]
#[inline(always)]
pub(crate) fn create_new_namespaces(old: &NsProxy) -> Result<NewNsProxy> {
    NewNsProxy::new(|| Namespaces {
        mnt_ns: old.mnt_ns().into(),
        uts_ns: old.uts_ns().into(),
        ipc_ns: old.ipc_ns().into(),
        pid_ns_for_children: old.pid_ns_for_children().into(),
        cgroup_ns: old.cgroup_ns().into(),
        net_ns: old.net_ns().into(),
        time_ns_for_children: old.time_ns_for_children().into(),
        time_ns: old.time_ns().into(),
    })
}

/// Switches the caller to the nsproxy `new`, and puts the old one.
///
/// The active references of `new` are acquired first, so that a namespace in both is never inactive
/// in between. The old nsproxy is put last and outside of the lock, since that may sleep.
#[inline(always)]
pub(crate) fn switch_task_namespaces(
    caller: &mut Caller<'_>,
    new: NewNsProxy,
    observer: &mut impl Observer,
) {
    might_sleep();

    let new = new.activate();
    observer.on_step(Step::Activate, Subject::Nothing);

    let old = caller.replace_nsproxy(new);
    observer.on_step(Step::Switch, Subject::Nothing);

    let before = NsProxy::put(old);
    let after = before - 1;
    observer.on_step(Step::PutNsproxy, Subject::NsProxy([before, after]));
}
