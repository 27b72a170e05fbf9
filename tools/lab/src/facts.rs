// SPDX-License-Identifier: GPL-2.0-only

//! The processes and namespaces of the guest, as the grader sees them.

use crate::process::{self, Process};
use anyhow::{Context as _, Result, anyhow, bail};
use nsproxy::{Holder, Identity, NamespaceInfo, Related, Scan};
use nsproxy_uapi::{Device, Kind, listns};
use rustix::io::Errno;
use std::collections::BTreeSet;

/// A namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Namespace {
    /// [`None`] for an identity that only listns(2) reports.
    pub(crate) identity: Option<Identity>,
    pub(crate) kind: Kind,
    pub(crate) is_initial: bool,
    /// `__ns_ref` and `__ns_ref_active`; [`None`] if no process is in it, or for an initial namespace.
    pub(crate) counts: Option<(u32, u32)>,
    pub(crate) owner: Option<Identity>,
    pub(crate) parent: Option<Identity>,
    pub(crate) processes: usize,
    pub(crate) mounts: usize,
    pub(crate) files: usize,
    pub(crate) owned: usize,
    pub(crate) children: usize,
    /// Whether listns(2) reports it; [`None`] before Linux 6.19.
    pub(crate) is_listed: Option<bool>,
}

/// Everything that conditions are about.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// In the order of their pids.
    pub(crate) processes: Vec<Process>,
    /// In the order of their kinds and ids.
    pub(crate) namespaces: Vec<Namespace>,
}

impl Facts {
    /// Reads the present state, and changes nothing.
    ///
    /// # Errors
    ///
    /// The module is not loaded, or the caller may not see the counts; with a hint.
    pub fn read() -> Result<Self> {
        let device = Device::open().map_err(|errno| {
            let hint = match errno {
                Errno::ACCESS => "run as root: lab check reads counts, which only root may see",
                _ => "as root: insmod nsproxy_rs.ko",
            };
            anyhow!("cannot open {}: {errno}\n  hint: {hint}", Device::PATH)
        })?;
        let shown = device.show(None).context("NSPROXY_SHOW")?;
        if shown.count == 0 {
            bail!(
                "counts are hidden from the caller\n  hint: run as root of the initial user and pid \
                 namespaces: leave this shell with exit"
            );
        }
        // First of all, since the scan opens namespaces, and an open file counts.
        let processes = process::read(&device)?;
        let listed = listns(0).ok().map(BTreeSet::from_iter);
        let scan = Scan::read()?;
        let mut facts = Self {
            namespaces: scan
                .namespaces
                .iter()
                .map(|info| Namespace::new(info, listed.as_ref()))
                .collect(),
            processes,
        };
        facts.add_counts();
        Ok(facts)
    }

    /// Adds the counts that processes in the namespaces show.
    pub(crate) fn add_counts(&mut self) {
        let members = self.processes.iter().flat_map(|process| &process.members);
        for member in members {
            let mut namespaces = self.namespaces.iter_mut();
            let found = namespaces.find(|ns| ns.identity == Some(member.identity));
            if let Some(namespace) = found {
                namespace.is_initial = member.is_initial;
                namespace.counts = (!member.is_initial).then_some((member.ns_ref, member.active));
            }
        }
    }

    /// Returns the index of a namespace.
    pub(crate) fn find(&self, identity: Identity) -> Option<usize> {
        let mut namespaces = self.namespaces.iter();
        namespaces.position(|ns| ns.identity == Some(identity))
    }
}

impl Namespace {
    fn new(info: &NamespaceInfo, listed: Option<&BTreeSet<u64>>) -> Self {
        let identity = |related: &Related| related.identity;
        let count = |is: fn(&Holder) -> bool| info.holders.iter().filter(|held| is(held)).count();
        let kind = info.kind;
        Self {
            identity: info.inode.map(|inode| Identity { kind, inode }),
            kind,
            is_initial: false,
            counts: None,
            owner: info.owner.as_ref().map(identity),
            parent: info.parent.as_ref().map(identity),
            processes: info.processes.len(),
            mounts: count(|holder| matches!(holder, Holder::Mount { .. })),
            files: count(|holder| matches!(holder, Holder::File { .. })),
            owned: info.owned,
            children: info.children,
            is_listed: info.id.and_then(|id| Some(listed?.contains(&id))),
        }
    }
}
