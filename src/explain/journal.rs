// SPDX-License-Identifier: GPL-2.0-only

//! The journal of a call: each step, and what it did to which count.
//!
//! Nothing in the path says what it took or dropped. The journal looks: it knows every namespace
//! that the call has to do with, and after each step compares their counts with those that it read
//! after the last one. So it shows what the code does, and not what it means to do.
//!
//! Initial namespaces are not reference-counted and therefore not watched. They have a line in the
//! first step if the caller is in them, and in each step that is about them. In the journal of a
//! caller that may not know counts, all namespaces are treated like this, and only the initial ones
//! have counts.

use crate::{
    observer::{About, Step},
    sys::{
        caller::Caller,
        namespace::{Counts, Ns},
        uapi::{nsproxy_step, step::*},
    },
    visibility::{may_know, Fact},
};
use kernel::{
    prelude::*,
    sync::aref::ARef,
    time::{Instant, Monotonic},
};

/// More than there can be: those that the caller has, and those of a process.
const WATCHED: usize = 2 * NSPROXY_NR_MEMBERS as usize;

/// The references that the journal itself has to a namespace that it watches.
const OWN: u32 = 1;

/// What is written of a call, and what is kept to write the next line.
///
/// It owns a reference to each namespace that it watches, and drops them with itself: the last one
/// of a namespace that the call gave up, which may sleep.
pub(crate) struct Journal {
    /// The caller's permission to know counts at the start of the call, which may change it.
    counted: bool,
    /// The start of the call.
    began: Instant<Monotonic>,
    lines: Lines,
    /// Number of the next step.
    seq: u32,
    /// Every namespace that was met and whose counts can move.
    watched: KVec<Watched>,
}

/// What is written.
struct Lines {
    /// As many as there is room for.
    kept: KVVec<nsproxy_step>,
    /// How many there were, kept or not.
    total: u32,
}

/// A namespace, and its counts after the last step.
struct Watched {
    /// So that the counts can be read whatever the call gives up.
    ns: ARef<Ns>,
    /// With the reference of the journal.
    counts: Counts,
}

impl Journal {
    /// A journal with room for that many lines, which starts with what the caller has.
    ///
    /// # Errors
    ///
    /// [`ENOMEM`].
    #[inline(never)] // Nothing of it is for the call to carry.
    pub(crate) fn new(caller: &Caller<'_>, room: usize) -> Result<Self> {
        let mut journal = Self {
            lines: Lines {
                kept: KVVec::with_capacity(room, GFP_KERNEL_ACCOUNT)?,
                total: 0,
            },
            seq: 0,
            watched: KVec::with_capacity(WATCHED, GFP_KERNEL_ACCOUNT)?,
            counted: may_know(caller, Fact::Counts),
            began: Instant::now(),
        };
        let count = caller.nsproxy().count();
        let line = journal.line(Step::Caller, About::NsProxy([count, count]), 0);
        let all = caller.members();
        let mut members = 0;
        for (member, ns) in all.iter().enumerate() {
            members |= 1 << member;
            // Two of them can be the same only of time, and those are neighbours.
            if all.get(member + 1).is_some_and(|next| next.is(ns)) {
                continue;
            }
            let counts = journal.meet(ns);
            journal.lines.write(nsproxy_step {
                members,
                ..about(&line, ns, [counts, counts])
            });
            members = 0;
        }
        journal.seq += 1;
        Ok(journal)
    }

    /// See [`Record::meet`](crate::observer::Record::meet). Returns the counts of the namespace, after
    /// the last step if it was met before.
    pub(crate) fn meet(&mut self, ns: &Ns) -> Counts {
        if ns.is_initial() {
            return ns.counts();
        }
        if !self.counted {
            return Counts::UNKNOWN;
        }
        if let Some(known) = self.watched.iter().find(|watched| watched.ns.is(ns)) {
            return known.counts.without(OWN);
        }
        let watched = Watched {
            ns: ARef::from(ns),
            counts: ns.counts(),
        };
        let counts = watched.counts.without(OWN);
        kernel::warn_on!(self.watched.push_within_capacity(watched).is_err());
        counts
    }

    /// A step was taken, or refused with that errno.
    pub(crate) fn step(&mut self, step: Step, what: About<'_>, error: u32) {
        let line = self.line(step, what, error);
        let namespace = what.namespace();
        let mut told = false;
        let written = self.lines.total;
        for watched in &mut self.watched {
            let now = watched.ns.counts();
            if now == watched.counts {
                continue;
            }
            let before = core::mem::replace(&mut watched.counts, now);
            let counts = [before.without(OWN), now.without(OWN)];
            let mut line = about(&line, &watched.ns, counts);
            if namespace.is_some_and(|ns| ns.is(&watched.ns)) {
                line.flags |= NSPROXY_STEP_F_ABOUT;
                told = true;
            }
            self.lines.write(line);
        }
        match namespace {
            Some(ns) if !told => {
                let counts = self.meet(ns);
                let mut line = about(&line, ns, [counts, counts]);
                line.flags |= NSPROXY_STEP_F_ABOUT;
                self.lines.write(line);
            }
            None if self.lines.total == written => self.lines.write(line),
            _ => {}
        }
        self.seq += 1;
    }

    /// The lines that there was room for, and how many there were.
    pub(crate) fn close(self) -> (KVVec<nsproxy_step>, u32) {
        (self.lines.kept, self.lines.total)
    }

    /// A line of this step, about no namespace.
    fn line(&self, step: Step, about: About<'_>, error: u32) -> nsproxy_step {
        nsproxy_step {
            time: self.began.elapsed().as_nanos() as u64,
            ns_id: 0,
            seq: self.seq,
            step: step as u32,
            error,
            kind: 0,
            members: 0,
            flags: 0,
            nsproxy: match about {
                About::NsProxy(counts) if self.counted => counts,
                About::Seen(nsproxy) if self.counted => [0, nsproxy.count()],
                _ => [0; 2],
            },
            ns_ref: [0; 2],
            active: [0; 2],
        }
    }
}

impl Lines {
    fn write(&mut self, line: nsproxy_step) {
        // What there is no room for is counted, and told.
        let _ = self.kept.push_within_capacity(line);
        self.total += 1;
    }
}

/// The line, about this namespace, with its counts before the step and after it.
fn about(line: &nsproxy_step, ns: &Ns, [before, after]: [Counts; 2]) -> nsproxy_step {
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
