// SPDX-License-Identifier: GPL-2.0-only

//! The ABI of `/dev/nsproxy` for user space, and setns(2) beside it.

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
pub use explain::{Explain, Refusal};
pub use implementation::{Implementation, setns_raw};
pub use journal::{Count, Journal, Taken};
pub use kind::Kind;
pub use ns_member::Member;
pub use place::Place;
pub use reason::Reason;
pub use show::{Namespace, Shown};
pub use step::Step;

/// What bindgen makes of `src/uapi/nsproxy_rs.h`.
#[allow(
    missing_docs,
    non_camel_case_types,
    clippy::all,
    clippy::undocumented_unsafe_blocks
)]
pub mod sys {
    include!(concat!(env!("OUT_DIR"), "/sys.rs"));

    /// Number of the ioctl of the same name.
    pub const NSPROXY_SETNS: u32 = NSPROXY_IOCTL_SETNS;
    /// Number of the ioctl of the same name.
    pub const NSPROXY_SETNS_2011: u32 = NSPROXY_IOCTL_SETNS_2011;
    /// Number of the ioctl of the same name.
    pub const NSPROXY_VERSION: u32 = NSPROXY_IOCTL_VERSION;
    /// Number of the ioctl of the same name.
    pub const NSPROXY_SERVE: u32 = NSPROXY_IOCTL_SERVE;
    /// Number of the ioctl of the same name.
    pub const NSPROXY_EXPLAIN: u32 = NSPROXY_IOCTL_EXPLAIN;
    /// Number of the ioctl of the same name.
    pub const NSPROXY_SHOW: u32 = NSPROXY_IOCTL_SHOW;
}
