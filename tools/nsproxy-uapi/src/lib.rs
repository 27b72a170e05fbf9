// SPDX-License-Identifier: GPL-2.0-only

//! The ABI of `/dev/nsproxy` for user space, and wrappers of setns(2), listns(2), nsfs and pidfds.

mod abi_enum;
mod audit;
pub mod clone_flags;
mod device;
pub mod errno;
mod explain;
mod file_handle;
mod implementation;
mod journal;
mod kind;
mod listns;
mod ns_member;
pub mod nsfs;
mod place;
mod reason;
mod show;
mod step;
pub mod sys;
mod tracepoint;

pub use audit::{OF_SETNS, OF_UNSHARE};
pub use device::{Device, Version};
pub use explain::{Explain, Limit, Refusal};
pub use file_handle::open_by_id;
pub use implementation::{Implementation, setns_raw, unshare_raw};
pub use journal::{Count, Journal, Taken};
pub use kind::Kind;
pub use listns::listns;
pub use ns_member::Member;
pub use place::Place;
pub use reason::Reason;
pub use show::{Namespace, Shown};
pub use step::Step;
pub use tracepoint::TracedRefusal;
