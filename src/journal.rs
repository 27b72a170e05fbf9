// SPDX-License-Identifier: GPL-2.0-only

//! The journal of a call: each step, and what it did to which count.
//!
//! Nothing in the path says what it took or dropped. The journal looks: it knows every namespace
//! that the call has to do with, and after each step compares their counts with those that it read
//! after the last one. So it shows what the code does, and not what it means to do.

use crate::{
    record::{About, Step},
    sys::{
        caller::Caller,
        namespace::{Counts, Ns},
        uapi::{nsproxy_step, step::*},
    },
};
use kernel::{
    prelude::*,
    sync::aref::ARef,
    time::{ClockSource, Monotonic},
};

/// More than there can be: those that the caller has, and those of a process.
const ACCOUNTS: usize = 2 * NSPROXY_NR_MEMBERS as usize;

/// What is written of a call, and what is kept to write the next line.
///
/// It owns a reference to each namespace that it met, and drops them with itself: the last one of a
/// namespace that the call gave up, which may sleep.
pub(crate) struct Journal {
    /// As many as there is room for.
    lines: KVVec<nsproxy_step>,
    /// How many lines there were, kept or not.
    total: u32,
    /// Number of the next step.
    seq: u32,
    /// Every namespace that was met.
    accounts: KVec<Account>,
}

/// A namespace, and its counts after the last step.
struct Account {
    /// So that the counts can be read whatever the call gives up.
    ns: ARef<Ns>,
    /// How many of its references are the journal's: of an initial namespace nobody's are counted.
    own: u32,
    /// Those of the journal among them.
    counts: Counts,
}

impl Journal {
    /// A journal with room for that many lines, which starts with what the caller has.
    ///
    /// # Errors
    ///
    /// [`ENOMEM`].
    pub(crate) fn new(caller: &Caller<'_>, room: usize) -> Result<Self> {
        let mut journal = Self {
            lines: KVVec::with_capacity(room, GFP_KERNEL)?,
            total: 0,
            seq: 0,
            accounts: KVec::with_capacity(ACCOUNTS, GFP_KERNEL)?,
        };
        // For each account, what of the caller's it is.
        let mut sets = [0; NSPROXY_NR_MEMBERS as usize];
        for (member, ns) in caller.members().into_iter().enumerate() {
            let Some(ns) = ns else { continue };
            if let Some(set) = sets.get_mut(journal.meet(ns)) {
                *set |= 1 << member;
            }
        }

        let count = caller.nsproxy().count();
        let line = journal.line(Step::Caller, About::NsProxy([count, count]), 0);
        for (index, members) in (0..journal.accounts.len()).zip(sets) {
            let account = &journal.accounts[index];
            let line = account.line(&line, account.counts);
            journal.write(nsproxy_step { members, ..line });
        }
        journal.seq += 1;
        Ok(journal)
    }

    /// See [`Record::meet`](crate::record::Record::meet). Returns the number of its account.
    pub(crate) fn meet(&mut self, ns: &Ns) -> usize {
        let known = self.accounts.iter().position(|account| account.ns.is(ns));
        if let Some(known) = known {
            return known;
        }
        let account = Account {
            own: if ns.is_initial() { 0 } else { 1 },
            ns: ARef::from(ns),
            counts: ns.counts(),
        };
        kernel::warn_on!(self.accounts.push_within_capacity(account).is_err());
        self.accounts.len() - 1
    }

    /// A step was taken, or refused with that errno.
    pub(crate) fn step(&mut self, step: Step, about: About<'_>, error: u32) {
        let line = self.line(step, about, error);
        let before = self.total;
        let namespace = about.namespace();
        for index in 0..self.accounts.len() {
            let account = &mut self.accounts[index];
            let is_about = namespace.is_some_and(|ns| ns.is(&account.ns));
            let counts = account.ns.counts();
            if is_about || counts != account.counts {
                let mut line = account.line(&line, counts);
                if is_about {
                    line.flags |= NSPROXY_STEP_F_ABOUT;
                }
                account.counts = counts;
                self.write(line);
            }
        }
        if self.total == before {
            self.write(line);
        }
        self.seq += 1;
    }

    /// The lines that there was room for, and how many there were.
    pub(crate) fn close(self) -> (KVVec<nsproxy_step>, u32) {
        (self.lines, self.total)
    }

    /// A line of this step, about no namespace.
    fn line(&self, step: Step, about: About<'_>, error: u32) -> nsproxy_step {
        nsproxy_step {
            time: Monotonic::ktime_get() as u64,
            ns_id: 0,
            seq: self.seq,
            step: step as u32,
            error,
            kind: 0,
            members: 0,
            flags: 0,
            nsproxy: match about {
                About::NsProxy(counts) => counts,
                About::Seen(nsproxy) => [0, nsproxy.count()],
                _ => [0; 2],
            },
            ns_ref: [0; 2],
            active: [0; 2],
        }
    }

    fn write(&mut self, line: nsproxy_step) {
        // What there is no room for is counted, and told.
        let _ = self.lines.push_within_capacity(line);
        self.total += 1;
    }
}

impl Account {
    /// The line, about this namespace, of which the counts are these now.
    fn line(&self, line: &nsproxy_step, now: Counts) -> nsproxy_step {
        let [before, now] = [self.counts, now].map(|counts| counts.without(self.own));
        nsproxy_step {
            ns_id: self.ns.id(),
            kind: self.ns.ns_type(),
            flags: if self.own == 0 {
                NSPROXY_STEP_F_CONSTANT
            } else {
                0
            },
            ns_ref: [before.ns_ref, now.ns_ref],
            active: [before.active, now.active],
            ..*line
        }
    }
}
