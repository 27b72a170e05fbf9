// SPDX-License-Identifier: GPL-2.0-only

//! The journal of a call, as the module writes it.

use crate::{Kind, Member, Step, sys};
use rustix::io::Errno;
use std::time::Duration;

/// What a call did, step by step.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Journal {
    /// In the order in which they were taken.
    pub steps: Vec<Taken>,
}

/// A step that was taken, or that refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taken {
    /// Which one.
    pub step: Step,
    /// The time from the start of the call until the step had been taken.
    pub time: Duration,
    /// With what it refused; [`None`] for one that did not.
    pub errno: Option<Errno>,
    /// The namespace that it was about: its kind and its id.
    pub about: Option<(Kind, u64)>,
    /// Count of the nsproxy that it was about, before and after it. 0 before means that the nsproxy
    /// was not seen before, or is new; 0 after, that it was freed. [`None`] in all steps of a
    /// journal [without counts](Journal::has_counts).
    pub nsproxy: Option<[u32; 2]>,
    /// The namespaces of which it changed a count, and the one that it was about.
    pub counts: Vec<Count>,
}

/// What a step did to the counts of a namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Count {
    /// Its kind.
    pub kind: Kind,
    /// Its id.
    pub id: u64,
    /// In the first step: what of the caller's it is.
    pub members: Vec<Member>,
    /// Whether it is an initial namespace, the counts of which never move.
    pub constant: bool,
    /// `__ns_ref`, before and after the step. In a journal [without counts](Journal::has_counts),
    /// both are 0 unless the namespace is an initial one.
    pub ns_ref: [u32; 2],
    /// `__ns_ref_active`, before and after the step.
    pub active: [u32; 2],
}

impl Journal {
    /// What the module wrote.
    ///
    /// # Errors
    ///
    /// `EPROTO` for what this library does not know.
    pub(crate) fn of(lines: &[sys::nsproxy_step]) -> Result<Self, Errno> {
        let mut steps: Vec<Taken> = Vec::new();
        for line in lines {
            if line.seq as usize == steps.len() {
                steps.push(Taken {
                    step: Step::of(line.step).ok_or(Errno::PROTO)?,
                    time: Duration::from_nanos(line.time),
                    errno: match line.error {
                        0 => None,
                        error => Some(Errno::from_raw_os_error(error as i32)),
                    },
                    about: None,
                    nsproxy: (line.nsproxy != [0; 2]).then_some(line.nsproxy),
                    counts: Vec::new(),
                });
            }
            let count = steps.len();
            let taken = steps.last_mut().ok_or(Errno::PROTO)?;
            if line.seq as usize + 1 != count || line.step != taken.step.number() {
                return Err(Errno::PROTO);
            }
            if line.ns_id == 0 {
                continue;
            }
            let kind = Kind::ALL.into_iter().find(|kind| kind.flag() == line.kind);
            let kind = kind.ok_or(Errno::PROTO)?;
            if line.flags & sys::NSPROXY_STEP_F_ABOUT != 0 {
                taken.about = Some((kind, line.ns_id));
            }
            taken.counts.push(Count {
                kind,
                id: line.ns_id,
                members: Member::of_bits(line.members),
                constant: line.flags & sys::NSPROXY_STEP_F_CONSTANT != 0,
                ns_ref: line.ns_ref,
                active: line.active,
            });
        }
        Ok(Self { steps })
    }

    /// Returns whether it has counts: only callers that may see all namespaces get them.
    pub fn has_counts(&self) -> bool {
        let first = self.steps.first();
        first.is_some_and(|taken| taken.nsproxy.is_some())
    }

    /// Whether the call was one with a pidfd, and came to look at the process.
    pub fn is_of_process(&self) -> bool {
        self.steps.iter().any(|taken| taken.step == Step::Target)
    }

    /// Whether the call was made, and not refused or a dry run.
    pub fn is_committed(&self) -> bool {
        self.steps.iter().any(|taken| taken.step == Step::Switch)
    }

    /// Which namespaces the caller had before the call.
    pub fn before(&self) -> Vec<(Member, u64)> {
        let first = self.steps.first().into_iter();
        let mut all: Vec<_> = first
            .flat_map(|taken| &taken.counts)
            .flat_map(|count| count.members.iter().map(|member| (*member, count.id)))
            .collect();
        all.sort();
        all
    }

    /// Which it has after the call.
    pub fn after(&self) -> Vec<(Member, u64)> {
        let mut all = self.before();
        if self.is_committed() {
            for taken in &self.steps {
                if let (Step::Install, Some((kind, id))) = (taken.step, taken.about) {
                    for (member, old) in &mut all {
                        if Member::installed(kind).any(|installed| installed == *member) {
                            *old = id;
                        }
                    }
                }
            }
        }
        all
    }
}
