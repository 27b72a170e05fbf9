// SPDX-License-Identifier: GPL-2.0-only

//! Credentials of the calling process.

pub(crate) use super::caps::*;
pub(crate) use super::setup::{keep_caps, set_ids as become_user};

use anyhow::Result;
use rustix::thread::{CapabilitySet, CapabilitySets};

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
