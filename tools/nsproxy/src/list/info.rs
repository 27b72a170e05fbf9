// SPDX-License-Identifier: GPL-2.0-only

//! A namespace of the list, with everything that is known about it.

use super::{holders::Holder, identity::Identity};
use nsproxy_uapi::Kind;
use std::path::PathBuf;

/// A namespace that is related to another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Related {
    /// Its kind and inode number.
    pub identity: Identity,
    /// The id; [`None`] before Linux 6.18.
    pub id: Option<u64>,
}

/// A process in a namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProcessInfo {
    /// Its effective user.
    pub uid: u32,
    /// The name of its program: `comm`.
    pub command: String,
}

/// A namespace of the system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamespaceInfo {
    /// The kind.
    pub kind: Kind,
    /// The inode number; [`None`] if only listns(2) reports the namespace, and the caller cannot open it.
    pub inode: Option<u64>,
    /// The id; [`None`] before Linux 6.18.
    pub id: Option<u64>,
    /// The owner; [`None`] if it is outside the caller's user namespace.
    pub owner: Option<Related>,
    /// The parent of a pid or user namespace; [`None`] if it is outside the caller's own.
    pub parent: Option<Related>,
    /// The pids of the processes in it, in ascending order.
    pub processes: Vec<u32>,
    /// The process with the lowest pid.
    pub first: Option<ProcessInfo>,
    /// Its other holders.
    pub holders: Vec<Holder>,
    /// The number of listed namespaces that it owns.
    pub owned: usize,
    /// The number of listed namespaces whose parent it is.
    pub children: usize,
    /// A path that opens it.
    pub path: Option<PathBuf>,
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
