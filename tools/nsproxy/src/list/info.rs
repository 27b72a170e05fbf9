// SPDX-License-Identifier: GPL-2.0-only

//! A namespace of the list, with everything that is known about it.

use super::{holders::Holder, identity::Identity};
use nsproxy_uapi::Kind;
use std::path::PathBuf;

/// A namespace that is related to another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Related {
    pub(super) identity: Identity,
    /// [`None`] before Linux 6.18.
    pub(super) id: Option<u64>,
}

/// A process in a namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ProcessInfo {
    pub(super) uid: u32,
    /// The name of its program: `comm`.
    pub(super) command: String,
}

/// A namespace of the system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NamespaceInfo {
    pub(crate) kind: Kind,
    /// [`None`] if only listns(2) reports the namespace, and the caller cannot open it.
    pub(crate) inode: Option<u64>,
    /// [`None`] before Linux 6.18.
    pub(crate) id: Option<u64>,
    /// The owner; [`None`] if it is outside the caller's user namespace.
    pub(super) owner: Option<Related>,
    /// The parent of a pid or user namespace; [`None`] if it is outside the caller's own.
    pub(super) parent: Option<Related>,
    /// The pids of the processes in it, in ascending order.
    pub(super) processes: Vec<u32>,
    /// The process with the lowest pid.
    pub(super) first: Option<ProcessInfo>,
    pub(super) holders: Vec<Holder>,
    /// The number of listed namespaces that it owns.
    pub(super) owned: usize,
    /// The number of listed namespaces whose parent it is.
    pub(super) children: usize,
    /// A path that opens it.
    pub(crate) path: Option<PathBuf>,
}

impl NamespaceInfo {
    pub(super) fn new(kind: Kind, inode: Option<u64>, id: Option<u64>) -> Self {
        Self {
            kind,
            inode,
            id,
            owner: None,
            parent: None,
            processes: Vec::new(),
            first: None,
            holders: Vec::new(),
            owned: 0,
            children: 0,
            path: None,
        }
    }
}
