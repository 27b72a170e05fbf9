// SPDX-License-Identifier: GPL-2.0-only

//! Differences of setns(2) between the versions of Linux that the module builds for.

use super::bindings;

/// The securebits that remain set in a new user namespace, with their locks. They only restrict
/// what the task may execute. Before Linux 7.3, none remains.
#[doc(alias = "SECURE_ALL_UNPRIVILEGED")]
pub(crate) const KEPT_SECUREBITS: u32 = if cfg!(nsproxy_rs_before_7_3) {
    0
} else {
    let restrictions = bindings::NSPROXY_RS_SECURE_ALL_UNPRIVILEGED;
    restrictions | restrictions << 1
};

/// Whether entering a mount namespace requires that no other task shares the caller's `fs_struct`.
/// Before Linux 7.3, the check is about `nsset->fs`: a copy that no task shares, unless
/// `CLONE_NEWNS` is the only flag.
pub(crate) const CHECKS_FS_OF_CALLER: bool = !cfg!(nsproxy_rs_before_7_3);
