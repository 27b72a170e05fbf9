// SPDX-License-Identifier: GPL-2.0-only

//! The journal of a call, as the module writes it.

use crate::{Kind, Member, Step, sys};
use rustix::io::Errno;
use std::time::Duration;

/// The effects of a call, step by step.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Journal {
    /// The steps in their order.
    pub steps: Vec<Taken>,
}

/// A step that was executed, or that refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taken {
    /// The step.
    pub step: Step,
    /// The time from the start of the call to the end of the step.
    pub time: Duration,
    /// The errno of a step that refused.
    pub errno: Option<Errno>,
    /// The kind and id of the namespace that the step was about.
    pub about: Option<(Kind, u64)>,
    /// The count of the nsproxy that the step was about, before and after it.
    ///
    /// 0 before the step marks an nsproxy that is new or was not seen before. 0 after the step marks
    /// a freed one. [`None`] in all steps of a journal [without counts](Journal::has_counts).
    pub nsproxy: Option<[u32; 2]>,
    /// The namespaces whose counts the step changed, and the one that it was about.
    pub counts: Vec<Count>,
}

/// The effect of a step on the counts of a namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Count {
    /// The kind of the namespace.
    pub kind: Kind,
    /// The id of the namespace.
    pub id: u64,
    /// In the first step: the members of the caller that point to it.
    pub members: Vec<Member>,
    /// `true` for an initial namespace, whose counts never change.
    pub constant: bool,
    /// `__ns_ref`, before and after the step. In a journal [without counts](Journal::has_counts),
    /// both are 0 unless the namespace is an initial one.
    pub ns_ref: [u32; 2],
    /// `__ns_ref_active`, before and after the step.
    pub active: [u32; 2],
}

impl Journal {
    /// Converts the lines of the ioctl.
    ///
    /// # Errors
    ///
    /// `EPROTO` for values that this library does not know.
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

    /// Returns whether the journal has counts. Only callers that may see all namespaces get them.
    pub fn has_counts(&self) -> bool {
        let first = self.steps.first();
        first.is_some_and(|taken| taken.nsproxy.is_some())
    }

    /// Returns whether the call had a pidfd and reached the namespaces of the process.
    pub fn is_of_process(&self) -> bool {
        self.steps.iter().any(|taken| taken.step == Step::Target)
    }

    /// Returns whether the call is unshare(2), or a dry run of clone3(2).
    pub fn is_unshare(&self) -> bool {
        self.steps.iter().any(|taken| taken.step == Step::Flags)
    }

    /// Returns whether the call was committed: neither refused nor a dry run.
    pub fn is_committed(&self) -> bool {
        // unshare(2) of a user namespace alone does not switch the nsproxy.
        let commits = |taken: &Taken| matches!(taken.step, Step::Switch | Step::CommitCreds);
        self.steps.iter().any(commits)
    }

    /// Returns the namespaces of the caller before the call.
    pub fn before(&self) -> Vec<(Member, u64)> {
        let first = self.steps.first().into_iter();
        let mut all: Vec<_> = first
            .flat_map(|taken| &taken.counts)
            .flat_map(|count| count.members.iter().map(|member| (*member, count.id)))
            .collect();
        all.sort();
        all
    }

    /// Returns the namespaces of the caller after the call.
    pub fn after(&self) -> Vec<(Member, u64)> {
        let mut all = self.before();
        if self.is_committed() {
            for taken in &self.steps {
                let Some((kind, id)) = taken.about else {
                    continue;
                };
                let moves = |member: Member| match taken.step {
                    Step::Install => Member::installed(kind).any(|installed| installed == member),
                    Step::NewNs => Member::created(kind).unwrap_or(Member::User) == member,
                    _ => false,
                };
                for (_, old) in all.iter_mut().filter(|(member, _)| moves(*member)) {
                    *old = id;
                }
            }
        }
        all
    }
}
