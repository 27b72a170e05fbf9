// SPDX-License-Identifier: GPL-2.0-only

//! Module parameters. `params.c` defines them, since `module!` of the kernel crate does not support
//! bool parameters before Linux 7.3.

use super::bindings;

/// Returns whether the module serves callers under a seccomp filter: `allow_seccomp=1`. The filter
/// does not see which call an ioctl makes.
pub(crate) fn allow_seccomp() -> bool {
    // SAFETY: Not written after the module is loaded.
    unsafe { bindings::nsproxy_rs_allow_seccomp }
}
