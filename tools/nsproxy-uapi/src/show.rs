// SPDX-License-Identifier: GPL-2.0-only

//! `NSPROXY_SHOW`: the namespaces of a task.

use crate::{Kind, Member, sys};

/// The namespaces of a task, with their owners and counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// `nsproxy->count`; 0 if the caller may not know counts.
    pub count: u32,
    /// The namespaces of the task, in the order of [`Member::ALL`].
    pub namespaces: Vec<Namespace>,
}

/// A namespace of a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Namespace {
    /// The pointer to the namespace.
    pub member: Member,
    /// The id.
    pub id: u64,
    /// The id of the user namespace that owns it; [`None`] for the initial user namespace, and if
    /// the caller may not know it.
    pub owner: Option<u64>,
    /// The id of its parent, for user and pid; [`None`] if it has none, or if the caller may not
    /// know it.
    pub parent: Option<u64>,
    /// The inode number, as in `/proc/PID/ns`.
    pub inum: u32,
    /// `__ns_ref`: references that keep it in memory; 0 if the caller may not know counts.
    pub ns_ref: u32,
    /// `__ns_ref_active`: references that keep it visible; likewise.
    pub active: u32,
    /// `true` for an initial namespace, whose counts never change.
    pub constant: bool,
}

impl Namespace {
    /// Returns the kind.
    pub fn kind(&self) -> Kind {
        self.member.kind()
    }
}

impl Shown {
    /// Converts the result of the ioctl.
    pub(crate) fn of(args: &sys::nsproxy_show) -> Self {
        let namespaces = Member::ALL.into_iter().zip(&args.ns);
        Self {
            count: args.count,
            namespaces: namespaces
                .map(|(member, ns)| Namespace {
                    member,
                    id: ns.ns_id,
                    owner: (ns.owner_id != 0).then_some(ns.owner_id),
                    parent: (ns.parent_id != 0).then_some(ns.parent_id),
                    inum: ns.inum,
                    ns_ref: ns.ns_ref,
                    active: ns.active,
                    constant: ns.flags & sys::NSPROXY_STEP_F_CONSTANT != 0,
                })
                .collect(),
        }
    }
}
