// SPDX-License-Identifier: GPL-2.0-only

//! Checks beside the comparison of the two implementations.

pub(crate) mod diagnosis;
pub(crate) mod fault_injection;
pub(crate) mod leaked_namespaces;
mod new_namespaces;
pub(crate) mod outcome;
pub(crate) mod references;
pub(crate) mod slab;
