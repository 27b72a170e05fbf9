// SPDX-License-Identifier: GPL-2.0-only

//! The bindings that bindgen generates from `src/uapi/nsproxy_rs.h`, which documents them.
//!
//! `make check CHECKS=tools-unit WRITE=1` writes them: see `tests/bindings.rs`.

#[rustfmt::skip] // bindgen formats it.
#[allow(
    missing_docs,
    non_camel_case_types,
    clippy::all,
    clippy::undocumented_unsafe_blocks
)]
mod bindings;

pub use bindings::*;

/// The number of the ioctl with this name.
pub const NSPROXY_SETNS: u32 = NSPROXY_IOCTL_SETNS;
/// The number of the ioctl with this name.
pub const NSPROXY_SETNS_2011: u32 = NSPROXY_IOCTL_SETNS_2011;
/// The number of the ioctl with this name.
pub const NSPROXY_VERSION: u32 = NSPROXY_IOCTL_VERSION;
/// The number of the ioctl with this name.
pub const NSPROXY_SERVE: u32 = NSPROXY_IOCTL_SERVE;
/// The number of the ioctl with this name.
pub const NSPROXY_EXPLAIN: u32 = NSPROXY_IOCTL_EXPLAIN;
/// The number of the ioctl with this name.
pub const NSPROXY_SHOW: u32 = NSPROXY_IOCTL_SHOW;
/// The number of the ioctl with this name.
pub const NSPROXY_UNSHARE: u32 = NSPROXY_IOCTL_UNSHARE;
