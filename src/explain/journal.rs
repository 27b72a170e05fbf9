// SPDX-License-Identifier: GPL-2.0-only

//! The journal of a call: its steps, and the counts that each step changed.
//!
//! The path does not report which references it acquires or releases. Instead, the journal watches
//! the counts of all namespaces that the call involves. After each step it compares them with those
//! after the previous step. So it shows the effects of the code, and not its intent.
//!
//! Initial namespaces are not reference-counted and therefore not watched. They appear in the first
//! entry, and in steps that are about them. If the caller may not know counts, the journal treats
//! all namespaces like this and reports only the counts of the initial ones.

use crate::{
    observer::{Step, Subject},
    sys::{
        caller::Caller,
        namespace::{Counts, Ns},
        uapi::{
            errno, nsproxy_step, NSPROXY_NR_MEMBERS, NSPROXY_STEP_F_ABOUT, NSPROXY_STEP_F_CONSTANT,
        },
    },
    visibility::{may_know, Fact},
};
use kernel::{
    prelude::*,
    sync::aref::ARef,
    time::{Instant, Monotonic},
};

/// An upper bound for the number of watched namespaces: those of the caller and of the target.
const MAX_WATCHED: usize = 2 * NSPROXY_NR_MEMBERS as usize;

/// The number of references that the journal itself holds to each watched namespace.
const OWN_REFS: u32 = 1;

/// A journal while the call runs.
///
/// It owns a reference to each watched namespace until it is dropped. That may be the last one of a
/// namespace that the call released, so dropping the journal may sleep.
pub(crate) struct Journal {
    /// The caller's permission to know counts at the start of the call, which may change it.
    counted: bool,
    /// The start of the call.
    began: Instant<Monotonic>,
    lines: Lines,
    /// The number of the next step.
    seq: u32,
    /// The namespaces in the call that are reference-counted.
    watched: KVec<Watched>,
}

/// The lines for user space.
struct Lines {
    /// The lines that fit into the caller's array.
    kept: KVVec<nsproxy_step>,
    /// The number of lines that did not fit.
    dropped: u32,
}

/// A namespace with its counts after the previous step.
struct Watched {
    /// Keeps the counts readable after the call has released the namespace.
    ns: ARef<Ns>,
    /// Includes the reference of the journal.
    counts: Counts,
}

impl Journal {
    /// Creates a journal with memory for `room` lines, and adds the namespaces of the caller.
    ///
    /// # Errors
    ///
    /// [`ENOMEM`].
    #[inline(never)] // Keeps the set-up code out of calls without a journal.
    pub(crate) fn new(caller: &Caller<'_>, room: usize) -> Result<Self> {
        let mut journal = Self {
            lines: Lines {
                kept: KVVec::with_capacity(room, GFP_KERNEL_ACCOUNT)?,
                dropped: 0,
            },
            seq: 0,
            watched: KVec::with_capacity(MAX_WATCHED, GFP_KERNEL_ACCOUNT)?,
            counted: may_know(caller, Fact::Counts),
            began: Instant::now(),
        };
        let count = caller.nsproxy().count();
        let subject = Subject::NsProxy([count, count]);
        let line = journal.line(Step::Caller, subject, None);
        let all = caller.members();
        let mut members = 0;
        for (member, ns) in all.iter().enumerate() {
            members |= 1 << member;
            // Only the two time namespaces can be the same one. They are neighbours.
            if all.get(member + 1).is_some_and(|next| next.is(ns)) {
                continue;
            }
            let counts = journal.watch(ns);
            journal.lines.push(nsproxy_step {
                members,
                ..line_about(&line, ns, [counts, counts])
            });
            members = 0;
        }
        journal.seq += 1;
        Ok(journal)
    }

    /// Watches a namespace, unless it is initial or counts are hidden. Returns its counts: those
    /// after the previous step if it was watched before.
    pub(crate) fn watch(&mut self, ns: &Ns) -> Counts {
        if ns.is_initial() {
            return ns.counts();
        }
        if !self.counted {
            return Counts::UNKNOWN;
        }
        if let Some(known) = self.watched.iter().find(|watched| watched.ns.is(ns)) {
            return known.counts.without(OWN_REFS);
        }
        let watched = Watched {
            ns: ARef::from(ns),
            counts: ns.counts(),
        };
        let counts = watched.counts.without(OWN_REFS);
        kernel::warn_on!(self.watched.push_within_capacity(watched).is_err());
        counts
    }

    /// Adds a step that succeeded, or that refused with `error`.
    pub(crate) fn add(&mut self, step: Step, subject: Subject<'_>, error: Option<Error>) {
        let line = self.line(step, subject, error);
        let namespace = subject.namespace();
        let (mut has_line, mut has_subject) = (false, false);
        for watched in &mut self.watched {
            let now = watched.ns.counts();
            if now == watched.counts {
                continue;
            }
            let before = core::mem::replace(&mut watched.counts, now);
            let counts = [before.without(OWN_REFS), now.without(OWN_REFS)];
            let mut line = line_about(&line, &watched.ns, counts);
            if namespace.is_some_and(|ns| ns.is(&watched.ns)) {
                line.flags |= NSPROXY_STEP_F_ABOUT;
                has_subject = true;
            }
            self.lines.push(line);
            has_line = true;
        }
        match namespace {
            Some(ns) if !has_subject => {
                let counts = self.watch(ns);
                let mut line = line_about(&line, ns, [counts, counts]);
                line.flags |= NSPROXY_STEP_F_ABOUT;
                self.lines.push(line);
            }
            None if !has_line => self.lines.push(line),
            _ => {}
        }
        self.seq += 1;
    }

    /// Returns the lines that fit, and the number of all lines.
    pub(crate) fn close(self) -> (KVVec<nsproxy_step>, u32) {
        let total = self.lines.kept.len() as u32 + self.lines.dropped;
        (self.lines.kept, total)
    }

    /// Returns a line of the current step that is about no namespace.
    fn line(&self, step: Step, subject: Subject<'_>, error: Option<Error>) -> nsproxy_step {
        nsproxy_step {
            time: self.began.elapsed().as_nanos() as u64,
            ns_id: 0,
            seq: self.seq,
            step: step as u32,
            error: error.map_or(0, errno),
            kind: 0,
            members: 0,
            flags: 0,
            nsproxy: match subject {
                Subject::NsProxy(counts) if self.counted => counts,
                Subject::Target(nsproxy) if self.counted => [0, nsproxy.count()],
                _ => [0; 2],
            },
            ns_ref: [0; 2],
            active: [0; 2],
        }
    }
}

impl Lines {
    /// Adds a line. A line that does not fit is only counted.
    fn push(&mut self, line: nsproxy_step) {
        if self.kept.push_within_capacity(line).is_err() {
            self.dropped += 1;
        }
    }
}

/// Returns `line` about the namespace `ns`, with its counts before and after the step.
fn line_about(line: &nsproxy_step, ns: &Ns, [before, after]: [Counts; 2]) -> nsproxy_step {
    nsproxy_step {
        ns_id: ns.id(),
        kind: ns.ns_type(),
        flags: if ns.is_initial() {
            NSPROXY_STEP_F_CONSTANT
        } else {
            0
        },
        ns_ref: [before.ns_ref, after.ns_ref],
        active: [before.active, after.active],
        ..*line
    }
}
