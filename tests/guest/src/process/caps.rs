// SPDX-License-Identifier: GPL-2.0-only

//! The capabilities that setns asks for, as bits.

use rustix::thread::CapabilitySet;

/// `CAP_SYS_ADMIN`
pub(crate) const SYS_ADMIN: u64 = CapabilitySet::SYS_ADMIN.bits();
/// `CAP_SYS_CHROOT`
pub(crate) const SYS_CHROOT: u64 = CapabilitySet::SYS_CHROOT.bits();
/// `CAP_SYS_PTRACE`
pub(crate) const SYS_PTRACE: u64 = CapabilitySet::SYS_PTRACE.bits();
/// None at all
pub(crate) const NONE: u64 = 0;
