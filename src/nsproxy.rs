// SPDX-License-Identifier: GPL-2.0-only

//! What a call does to `struct nsproxy`: make a new one, and switch to it.
//!
//! Mirrors `create_new_namespaces()` and `switch_task_namespaces()` of `kernel/nsproxy.c`. The
//! third of the three, `nsproxy_free()`, is what dropping a [`NewNsProxy`] does.

use crate::{
    observer::{About, Record, Step},
    sys::{
        caller::Caller,
        nsproxy::{Namespaces, NewNsProxy, NsProxy},
    },
};
use kernel::{prelude::*, task::might_sleep};

/// A new nsproxy that shares every namespace with `old`.
///
/// The C function is given flags of what to make anew; setns(2) gives it 0, and then each of the
/// `copy_*()` functions that it calls takes a reference and nothing else. Its seven `goto` labels
/// are for the other callers. Here they would be the `?` of each line: what was taken until then
/// is owned by a value, and dropped.
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

/// Makes `new` the nsproxy of the caller.
///
/// The active references of `new` come first, so that a namespace which both have is never seen
/// inactive. The old nsproxy goes last, outside the lock: dropping it may sleep.
#[inline(always)]
pub(crate) fn switch_task_namespaces(
    caller: &mut Caller<'_>,
    new: NewNsProxy,
    record: &mut impl Record,
) {
    might_sleep();

    let new = new.activate();
    record.step(Step::Activate, About::Nothing);

    let old = caller.replace_nsproxy(new);
    record.step(Step::Switch, About::Nothing);

    let count = NsProxy::put(old);
    record.step(Step::PutNsproxy, About::NsProxy([count, count - 1]));
}
