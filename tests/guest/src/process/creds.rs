// SPDX-License-Identifier: GPL-2.0-only

//! Credentials of the calling process.

use anyhow::Result;
use rustix::{
    process::{DumpableBehavior, Gid, Uid},
    thread::{CapabilitiesSecureBits, CapabilitySet, CapabilitySets},
};

/// `CAP_SYS_ADMIN`, as a bit.
pub(crate) const SYS_ADMIN: u64 = CapabilitySet::SYS_ADMIN.bits();
/// `CAP_SYS_CHROOT`, as a bit.
pub(crate) const SYS_CHROOT: u64 = CapabilitySet::SYS_CHROOT.bits();
/// `CAP_SYS_PTRACE`, as a bit.
pub(crate) const SYS_PTRACE: u64 = CapabilitySet::SYS_PTRACE.bits();
/// No capability.
pub(crate) const NONE: u64 = 0;

/// Becomes that user and group.
pub(crate) fn become_user(id: u32) -> Result<()> {
    let (uid, gid) = (Uid::from_raw(id), Gid::from_raw(id));
    rustix::thread::set_thread_groups(&[])?;
    rustix::thread::set_thread_res_gid(gid, gid, gid)?;
    rustix::thread::set_thread_res_uid(uid, uid, uid)?;
    // As after execve(2). The change of user has made the process undumpable, which would deny
    // access to its own files in /proc.
    rustix::process::set_dumpable_behavior(DumpableBehavior::Dumpable)?;
    Ok(())
}

/// Changes the real user. The effective one must be root.
pub(crate) fn set_real_user(id: u32) -> Result<()> {
    let root = Uid::ROOT;
    Ok(rustix::thread::set_thread_res_uid(
        Uid::from_raw(id),
        root,
        root,
    )?)
}

/// Becomes that user and group, and keeps these capabilities (bits).
pub(crate) fn become_user_with_caps(id: u32, bits: u64) -> Result<()> {
    rustix::thread::set_keep_capabilities(true)?;
    become_user(id)?;
    // The change of user has cleared the effective ones.
    let kept = CapabilitySet::from_bits_retain(bits);
    let sets = CapabilitySets {
        effective: kept,
        permitted: kept,
        inheritable: CapabilitySet::empty(),
    };
    Ok(rustix::thread::set_capabilities(None, sets)?)
}

/// Drops all capabilities but these (bits).
pub(crate) fn keep_caps(bits: u64) -> Result<()> {
    let keep = CapabilitySet::from_bits_retain(bits);
    let mut sets = rustix::thread::capabilities(None)?;
    sets.effective &= keep;
    sets.permitted &= keep;
    sets.inheritable &= keep;
    Ok(rustix::thread::set_capabilities(None, sets)?)
}

/// Makes only these capabilities (bits) effective. The others stay permitted.
pub(crate) fn lower_caps(bits: u64) -> Result<()> {
    let mut sets = rustix::thread::capabilities(None)?;
    sets.effective &= CapabilitySet::from_bits_retain(bits);
    Ok(rustix::thread::set_capabilities(None, sets)?)
}

/// Makes these capabilities (bits) inheritable as well.
pub(crate) fn inherit_caps(bits: u64) -> Result<()> {
    let mut sets = rustix::thread::capabilities(None)?;
    sets.inheritable |= CapabilitySet::from_bits_retain(bits);
    Ok(rustix::thread::set_capabilities(None, sets)?)
}

/// Makes these capabilities (bits) inheritable and ambient as well.
pub(crate) fn raise_ambient_caps(bits: u64) -> Result<()> {
    inherit_caps(bits)?;
    for cap in CapabilitySet::from_bits_retain(bits) {
        rustix::thread::configure_capability_in_ambient_set(cap, true)?;
    }
    Ok(())
}

/// Sets the secure bits (`SECBIT_*`).
pub(crate) fn set_secure_bits(bits: u32) -> Result<()> {
    let bits = CapabilitiesSecureBits::from_bits_retain(bits);
    Ok(rustix::thread::set_capabilities_secure_bits(bits)?)
}

/// Limits the capabilities of executed programs to these (bits).
pub(crate) fn bound_caps(bits: u64) -> Result<()> {
    let bounding = rustix::thread::capabilities(None)?.permitted;
    let dropped = bounding - CapabilitySet::from_bits_retain(bits);
    for cap in (0..u64::BITS).map(|number| CapabilitySet::from_bits_retain(1 << number)) {
        if dropped.contains(cap) {
            rustix::thread::remove_capability_from_bounding_set(cap)?;
        }
    }
    Ok(())
}
