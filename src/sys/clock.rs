// SPDX-License-Identifier: GPL-2.0-only

//! What time it is.

use super::bindings;

/// `CLOCK_MONOTONIC` of the initial time namespace, in ns.
pub(crate) fn ktime_get_ns() -> u64 {
    // SAFETY: Always safe to call.
    unsafe { bindings::nsproxy_rs_now() }
}
