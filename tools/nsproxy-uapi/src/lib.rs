// SPDX-License-Identifier: GPL-2.0-only

//! The ABI of `/dev/nsproxy` for user space, and wrappers of setns(2), nsfs and pidfds.

mod abi_enum;
mod audit;
mod device;
pub mod errno;
mod explain;
mod implementation;
mod journal;
mod kind;
mod ns_member;
pub mod nsfs;
mod place;
mod reason;
mod show;
mod step;

pub use device::{Device, Version};
pub use explain::{Explain, Limit, Refusal};
pub use implementation::{Implementation, setns_raw, unshare_raw};
pub use journal::{Count, Journal, Taken};
pub use kind::Kind;
pub use ns_member::Member;
pub use place::Place;
pub use reason::Reason;
pub use show::{Namespace, Shown};
pub use step::Step;

/// The bindings that bindgen generates from `src/uapi/nsproxy_rs.h`.
#[allow(
    missing_docs,
    non_camel_case_types,
    clippy::all,
    clippy::undocumented_unsafe_blocks
)]
pub mod sys {
    include!(concat!(env!("OUT_DIR"), "/sys.rs"));

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
}
