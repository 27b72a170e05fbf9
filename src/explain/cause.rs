// SPDX-License-Identifier: GPL-2.0-only

//! The cause of a refusal: the check, and what it was about.
//!
//! `NSPROXY_EXPLAIN` reports it to the caller, and the tracepoint `nsproxy_rs:nsproxy_rs_refused` to
//! readers of tracefs.

use super::creation;
use crate::{
    observer::{Refused, RefusedInstall},
    reason::{Reason, Refusal},
    sys::{
        namespace::{Ns, OfKind, UserNamespace},
        trace,
        uapi::{errno, nsproxy_explain},
    },
    visibility::Reader,
};
use kernel::bindings::{CAP_SYS_ADMIN, CAP_SYS_CHROOT};

/// Reports a refusal to the tracepoint.
pub(super) fn trace(refused: &Refused<'_>) {
    let mut outcome = nsproxy_explain {
        error: errno(refused.error()),
        ..Default::default()
    };
    record(refused, Reader::Tracefs, &mut outcome);
    trace::refused(&outcome);
}

/// Fills in the check, and what it was about, as far as `reader` may know it.
pub(super) fn record(refused: &Refused<'_>, reader: Reader, outcome: &mut nsproxy_explain) {
    match refused {
        Refused::Check(refusal, ns) => record_check(refusal, *ns, outcome),
        Refused::Install(refused) => record_install(refused, reader, outcome),
        Refused::Creation(refused) => creation::record(refused, reader, outcome),
    }
}

fn record_check(refusal: &Refusal, ns: Option<&Ns>, outcome: &mut nsproxy_explain) {
    record_reason(refusal, outcome);
    // Without a namespace, the capability is missing in the initial user namespace.
    if let Reason::CapInit | Reason::UsernsOff | Reason::CapNew = refusal.reason {
        outcome.cap = CAP_SYS_ADMIN;
        outcome.user_ns_id = ns.map_or(0, Ns::id);
    }
    if let Some(ns) = ns {
        record_namespace(ns, outcome);
    }
}

fn record_install(refused: &RefusedInstall<'_>, reader: Reader, outcome: &mut nsproxy_explain) {
    record_reason(refused.refusal, outcome);
    if let Some((cap, user_ns)) = missing(refused) {
        outcome.cap = cap;
        // The caller has a file of the namespace to enter, so it may know the id of that one.
        outcome.user_ns_id = if user_ns.is(refused.ns) {
            refused.ns.id()
        } else {
            reader.related_id(refused.caller, Some(user_ns))
        };
    }
    record_namespace(refused.ns, outcome);
}

/// Fills in the check.
fn record_reason(refusal: &Refusal, outcome: &mut nsproxy_explain) {
    outcome.reason = refusal.reason as u32;
    outcome.count = refusal.count;
}

/// Fills in the existing namespace that a refusal is about.
fn record_namespace(ns: &Ns, outcome: &mut nsproxy_explain) {
    outcome.kind = ns.ns_type();
    outcome.ns_id = ns.id();
}

/// Returns the capability that the caller does not have, and the user namespace in which it is
/// missing; [`None`] for checks of something else.
fn missing<'a>(refused: &RefusedInstall<'a>) -> Option<(u32, &'a UserNamespace)> {
    let RefusedInstall {
        caller,
        ns,
        cred,
        refusal,
    } = *refused;
    match refusal.reason {
        Reason::CapOwner => Some((CAP_SYS_ADMIN, ns.owner()?)),
        Reason::CapSet => Some((CAP_SYS_ADMIN, cred.user_ns(caller))),
        Reason::Chroot => Some((CAP_SYS_CHROOT, cred.user_ns(caller))),
        Reason::CapUser => match ns.of_kind() {
            OfKind::UserNamespace(user_ns) => Some((CAP_SYS_ADMIN, user_ns)),
            _ => None,
        },
        _ => None,
    }
}
