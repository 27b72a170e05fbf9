// SPDX-License-Identifier: GPL-2.0-only

//! The tracepoints `nsproxy_rs:nsproxy_rs_step`, which fires for each step of a call, and
//! `nsproxy_rs:nsproxy_rs_refused`, which fires for each refusal.
//!
//! While a tracepoint is disabled, it costs one no-op instruction: a static branch. In a kernel
//! without `CONFIG_JUMP_LABEL` it costs a load and a test.

use super::{
    bindings::{self, nsproxy_explain},
    namespace::Ns,
    uapi::errno,
};
use kernel::prelude::*;

/// Defines a function that returns whether a tracepoint is enabled.
macro_rules! is_enabled {
    ($(#[$doc:meta])* $name:ident, $tracepoint:ident) => {
        $(#[$doc])*
        #[inline(always)]
        #[cfg(CONFIG_JUMP_LABEL)]
        pub(crate) fn $name() -> bool {
            // SAFETY: `trace.c` defines the tracepoint, whose member `key` is a static key.
            unsafe {
                kernel::jump_label::static_branch_unlikely!(
                    bindings::$tracepoint,
                    kernel::bindings::tracepoint,
                    key
                )
            }
        }

        $(#[$doc])*
        ///
        /// The kernel does not patch code. `static_branch_unlikely!` would call a function.
        #[inline(always)]
        #[cfg(not(CONFIG_JUMP_LABEL))]
        pub(crate) fn $name() -> bool {
            // SAFETY: `trace.c` defines the tracepoint. Another CPU may write concurrently, so the
            // read is volatile.
            let count = unsafe {
                (&raw const bindings::$tracepoint.key.key.enabled.counter).read_volatile()
            };
            count > 0
        }
    };
}

is_enabled! {
    /// Returns whether the tracepoint of steps is enabled.
    is_step_enabled, __tracepoint_nsproxy_rs_step
}
is_enabled! {
    /// Returns whether the tracepoint of refusals is enabled.
    is_refused_enabled, __tracepoint_nsproxy_rs_refused
}

/// Reports a step to the tracepoint: the namespace that it is about, if any, and the error with
/// which it refused, if it did.
///
/// The tracepoint reads the counts of the namespace, so call this before they change again.
#[inline(always)]
#[doc(alias = "trace_nsproxy_rs_step")]
pub(crate) fn step(step: u32, ns: Option<&Ns>, error: Option<Error>) {
    if is_step_enabled() {
        let ns = ns.map_or(core::ptr::null_mut(), Ns::as_ptr);
        let error = error.map_or(0, errno);
        // SAFETY: The namespace is valid, or the pointer is NULL.
        unsafe { bindings::rust_do_trace_nsproxy_rs_step(step, ns, error) };
    }
}

/// Reports a refusal to the tracepoint. Call it if the tracepoint [is enabled](is_refused_enabled).
#[doc(alias = "trace_nsproxy_rs_refused")]
pub(crate) fn refused(outcome: &nsproxy_explain) {
    // SAFETY: The function reads the struct, and keeps no pointer to it.
    unsafe { bindings::rust_do_trace_nsproxy_rs_refused(outcome) };
}
