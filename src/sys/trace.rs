// SPDX-License-Identifier: GPL-2.0-only

//! The tracepoint `nsproxy_rs:nsproxy_rs_step`, which fires for each step of a call.
//!
//! While it is disabled, a step costs one no-op instruction: a static branch. In a kernel without
//! `CONFIG_JUMP_LABEL` it costs a load and a test.

use super::{bindings, namespace::Ns, uapi::errno};
use kernel::prelude::*;

/// Returns whether the tracepoint is enabled.
#[inline(always)]
#[cfg(CONFIG_JUMP_LABEL)]
fn is_enabled() -> bool {
    // SAFETY: `trace.c` defines the tracepoint, whose member `key` is a static key.
    unsafe {
        kernel::jump_label::static_branch_unlikely!(
            bindings::__tracepoint_nsproxy_rs_step,
            kernel::bindings::tracepoint,
            key
        )
    }
}

/// Returns whether the tracepoint is enabled, in a kernel that does not patch code. There,
/// [`static_branch_unlikely`] would call a function.
///
/// [`static_branch_unlikely`]: kernel::jump_label::static_branch_unlikely
#[inline(always)]
#[cfg(not(CONFIG_JUMP_LABEL))]
fn is_enabled() -> bool {
    // SAFETY: `trace.c` defines the tracepoint. Another CPU may write concurrently, so the read is
    // volatile.
    let count = unsafe {
        (&raw const bindings::__tracepoint_nsproxy_rs_step
            .key
            .key
            .enabled
            .counter)
            .read_volatile()
    };
    count > 0
}

/// Reports a step to the tracepoint: the namespace that it is about, if any, and the error with
/// which it refused, if it did.
///
/// The tracepoint reads the counts of the namespace, so call this before they change again.
#[inline(always)]
#[doc(alias = "trace_nsproxy_rs_step")]
pub(crate) fn step(step: u32, ns: Option<&Ns>, error: Option<Error>) {
    if is_enabled() {
        let ns = ns.map_or(core::ptr::null_mut(), Ns::as_ptr);
        let error = error.map_or(0, errno);
        // SAFETY: The namespace is valid, or the pointer is NULL.
        unsafe { bindings::rust_do_trace_nsproxy_rs_step(step, ns, error) };
    }
}
