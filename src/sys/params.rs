// SPDX-License-Identifier: GPL-2.0-only

//! What the module can be loaded with. `shim.c` has the parameters: `module!` of the kernel crate
//! knows none that is a bool before 7.3.

use super::bindings;

/// `allow_seccomp=1`: serve callers under a seccomp filter, which cannot see what they call.
pub(crate) fn allow_seccomp() -> bool {
    // SAFETY: Not written after the module was loaded.
    unsafe { bindings::nsproxy_rs_allow_seccomp }
}
