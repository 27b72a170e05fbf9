// SPDX-License-Identifier: GPL-2.0-only

//! The reason why a namespace could not be created.
//!
//! Creating a namespace is up to its kind: `create_user_ns()` and `copy_*()` return only an errno.
//! Here the questions that can lead to that errno are asked again, in the order of the kernel. The
//! answer is that of the moment: a limit may be lifted, or the last namespace below it freed, since
//! the refusal. A reason that is not found by then is [`Reason::NoNewNs`].

use crate::{
    observer::RefusedCreation,
    reason::Reason,
    sys::{
        caller::Caller,
        namespace::{OfKind, PidNamespace, UserNamespace},
        uapi::{nsproxy_explain, NSPROXY_LIMIT_UNKNOWN},
        ucounts::{Limit, Ucounts},
    },
    visibility::Reader,
};
use kernel::{bindings::CAP_SYS_ADMIN, prelude::*};

/// Fills in the reason of a refusal, and the limit or capability that it is about.
///
/// The refused namespace has a kind, and no id.
pub(super) fn record(refused: &RefusedCreation<'_>, reader: Reader, outcome: &mut nsproxy_explain) {
    let RefusedCreation {
        caller,
        old,
        user_ns,
        error,
    } = *refused;
    let reason = match old.of_kind() {
        OfKind::UserNamespace(parent) => of_user_ns(caller, parent, error),
        OfKind::PidNamespace(parent) => of_pid_ns(caller, parent, error),
        OfKind::CgroupNamespace(_) if error == EPERM => Reason::CapNew,
        _ if error == ENOSPC => Reason::Limit,
        _ => Reason::NoNewNs,
    };
    outcome.reason = reason as u32;
    outcome.kind = old.ns_type();
    match reason {
        Reason::CapNew => {
            outcome.cap = CAP_SYS_ADMIN;
            outcome.user_ns_id = reader.related_id(caller, Some(user_ns));
        }
        Reason::Limit => record_limit(refused, reader, outcome),
        _ => {}
    }
}

/// Returns the check of `create_user_ns()` that leads to `error`.
#[doc(alias = "create_user_ns")]
fn of_user_ns(caller: &Caller<'_>, parent: &UserNamespace, error: Error) -> Reason {
    if error == ENOSPC && parent.level() > UserNamespace::MAX_LEVEL {
        Reason::Nested
    } else if error == ENOSPC {
        Reason::Limit
    } else if error == ENOMEM {
        Reason::NoNewNs
    } else if error == EPERM && caller.is_chrooted() {
        Reason::Chrooted
    } else if error == EPERM && !caller.has_ids_in(parent) {
        Reason::Unmapped
    } else {
        Reason::Lsm
    }
}

/// Returns the check of `copy_pid_ns()` that leads to `error`.
#[doc(alias = "create_pid_namespace")]
fn of_pid_ns(caller: &Caller<'_>, parent: &PidNamespace, error: Error) -> Reason {
    if error == EINVAL && !parent.is(caller.active_pid_ns()) {
        Reason::PidForChildren
    } else if error == EINVAL {
        Reason::PidOwner
    } else if error == ENOSPC && parent.level() >= PidNamespace::MAX_LEVEL {
        Reason::Nested
    } else if error == ENOSPC {
        Reason::Limit
    } else {
        Reason::NoNewNs
    }
}

/// Fills in the limit that is reached. It remains unknown if `reader` may not know the user
/// namespace whose limit it is, or if none is reached any more.
fn record_limit(refused: &RefusedCreation<'_>, reader: Reader, outcome: &mut nsproxy_explain) {
    outcome.limit = NSPROXY_LIMIT_UNKNOWN;
    let RefusedCreation {
        caller,
        old,
        user_ns,
        ..
    } = *refused;
    let Ok(ucounts) = Ucounts::of(caller, user_ns) else {
        return;
    };
    if let Some(Limit {
        user_ns,
        max,
        levels,
    }) = ucounts.reached_limit(old)
    {
        outcome.levels = levels;
        outcome.user_ns_id = reader.related_id(caller, Some(user_ns));
        if outcome.user_ns_id != 0 {
            outcome.limit = max;
        }
    }
}
