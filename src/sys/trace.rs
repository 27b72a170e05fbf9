// SPDX-License-Identifier: GPL-2.0-only

//! `nsproxy_rs:nsproxy_rs_step`: what a call does, for whoever listens.
//!
//! While nobody does, a step costs one instruction that does nothing: a static branch. (In a kernel
//! without `CONFIG_JUMP_LABEL` it costs to look.)

use super::{bindings, namespace::Ns, uapi::errno};
use kernel::prelude::*;

/// Whether anybody listens.
#[inline(always)]
#[cfg(CONFIG_JUMP_LABEL)]
fn is_on() -> bool {
    // SAFETY: A tracepoint that `trace.c` defines, and so a static key.
    unsafe {
        kernel::jump_label::static_branch_unlikely!(
            bindings::__tracepoint_nsproxy_rs_step,
            kernel::bindings::tracepoint,
            key
        )
    }
}

/// The same where code is not patched. [`static_branch_unlikely`] would call a function.
///
/// [`static_branch_unlikely`]: kernel::jump_label::static_branch_unlikely
#[inline(always)]
#[cfg(not(CONFIG_JUMP_LABEL))]
fn is_on() -> bool {
    // SAFETY: A tracepoint that `trace.c` defines; others write meanwhile.
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

/// A step was taken, about `ns` if about one; `error` is 0 or the errno with which it refused.
///
/// To be called while the reader of a trace would still find it true: the counts of the namespace
/// are read here.
#[inline(always)]
#[doc(alias = "trace_nsproxy_rs_step")]
pub(crate) fn step(step: u32, ns: Option<&Ns>, error: Option<Error>) {
    if is_on() {
        let ns = ns.map_or(core::ptr::null_mut(), Ns::as_ptr);
        let error = error.map_or(0, errno);
        // SAFETY: The namespace is valid, or the pointer is NULL.
        unsafe { bindings::rust_do_trace_nsproxy_rs_step(step, ns, error) };
    }
}
