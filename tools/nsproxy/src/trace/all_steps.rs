// SPDX-License-Identifier: GPL-2.0-only

//! All steps that the document of a trace can have, for programs that need data about each.

use super::function::function;
use nsproxy_uapi::{Journal, Kind, OF_SETNS, OF_UNSHARE, Step, Taken};
use rustix::io::Errno;
use std::{collections::BTreeSet, time::Duration};

/// A step of a trace, by its names in the document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TracedStep {
    /// `setns` or `unshare`.
    pub system_call: &'static str,
    /// The stable name of the step.
    pub step: &'static str,
    /// The function of the kernel that takes the step.
    pub function: &'static str,
}

/// Returns all steps of setns(2) and unshare(2), without those that only setns(2) of 2011 has.
pub fn traced_steps() -> BTreeSet<TracedStep> {
    let calls = [
        ("setns", OF_SETNS, setns_journal()),
        ("unshare", OF_UNSHARE, unshare_journal()),
    ];
    let of_call = |(system_call, steps, journal): &(&'static str, &[Step], Journal)| {
        let today = steps.iter().filter(|step| **step != Step::Capable);
        let taken = today.flat_map(|step| variations(*step));
        let named = taken.map(|taken| TracedStep {
            system_call,
            step: taken.step.name(),
            function: function(&taken, journal, false).name,
        });
        named.collect::<Vec<_>>()
    };
    calls.iter().flat_map(of_call).collect()
}

/// Returns a journal of setns(2), as far as [`function`] looks at it.
pub(super) fn setns_journal() -> Journal {
    Journal { steps: Vec::new() }
}

/// Returns a journal of unshare(2), as far as [`function`] looks at it.
pub(super) fn unshare_journal() -> Journal {
    Journal {
        steps: vec![taken(Step::Flags, None, None)],
    }
}

/// Returns a step in all forms that [`function`] distinguishes.
pub(super) fn variations(step: Step) -> Vec<Taken> {
    let kinds = Kind::ALL.iter().map(|&kind| Some(kind)).chain([None]);
    let errnos = [None, Some(Errno::PERM)];
    let forms = kinds.flat_map(|kind| errnos.map(|errno| taken(step, kind, errno)));
    forms.collect()
}

fn taken(step: Step, kind: Option<Kind>, errno: Option<Errno>) -> Taken {
    Taken {
        step,
        time: Duration::ZERO,
        errno,
        about: kind.map(|kind| (kind, 1)),
        nsproxy: None,
        counts: Vec::new(),
    }
}
