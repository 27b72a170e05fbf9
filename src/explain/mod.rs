// SPDX-License-Identifier: GPL-2.0-only

//! `NSPROXY_EXPLAIN`: a call, which check decided, and what each step did.

use crate::{
    observer::{errno, About, Record, Step},
    reason::{diagnose, Finding, Reason, Refused},
    setns, setns_2011,
    sys::{
        caller::Caller,
        namespace::Ns,
        uapi::{
            nsproxy_explain, nsproxy_step, NSPROXY_EXPLAIN_2011, NSPROXY_EXPLAIN_DRY_RUN,
            NSPROXY_JOURNAL_MAX,
        },
    },
};
use kernel::prelude::*;

pub(crate) mod journal;

use journal::Journal;

/// Checks the flags that select how the call is made.
///
/// # Errors
///
/// [`EINVAL`]: unknown flags.
pub(crate) fn check_flags(args: &nsproxy_explain) -> Result {
    if args.flags & !(NSPROXY_EXPLAIN_DRY_RUN | NSPROXY_EXPLAIN_2011) != 0 {
        return Err(EINVAL);
    }
    Ok(())
}

/// Makes the call that `args` ask for, and fills in what came of it. Returns the lines of the
/// journal that there is room for, if one was to be kept.
///
/// # Errors
///
/// [`ENOMEM`] for the journal. A refused call is not an error of this function.
pub(crate) fn explain(
    caller: &mut Caller<'_>,
    args: &mut nsproxy_explain,
) -> Result<Option<KVVec<nsproxy_step>>> {
    *args = nsproxy_explain {
        fd: args.fd,
        nstype: args.nstype,
        flags: args.flags,
        error: 0,
        reason: 0,
        kind: 0,
        cap: 0,
        count: 0,
        ns_id: 0,
        user_ns_id: 0,
        journal: args.journal,
        room: args.room,
        lines: 0,
    };
    let (fd, nstype) = (args.fd, args.nstype as u32);
    let as_of_2011 = args.flags & NSPROXY_EXPLAIN_2011 != 0;
    let journal = match room(args) {
        0 => None,
        room => Some(Journal::new(caller, room)?),
    };
    let mut recorder = Recorder {
        verdict: args,
        journal,
    };
    let result = if as_of_2011 {
        setns_2011::setns(caller, fd, nstype, &mut recorder)
    } else {
        setns::setns(caller, fd, nstype, &mut recorder).map(|_| ())
    };
    recorder.verdict.error = result.map_or_else(errno, |()| 0);

    let Some(mut journal) = recorder.journal else {
        return Ok(None);
    };
    journal.step(Step::Return, About::Nothing, args.error);
    let (lines, total) = journal.close();
    args.lines = total;
    Ok(Some(lines))
}

/// How many lines of the journal are to be kept.
pub(crate) fn room(args: &nsproxy_explain) -> usize {
    args.room.min(NSPROXY_JOURNAL_MAX) as usize
}

/// Keeps the verdict, and the journal if there is to be one.
struct Recorder<'a> {
    verdict: &'a mut nsproxy_explain,
    journal: Option<Journal>,
}

impl Recorder<'_> {
    fn refused(&mut self, step: Step, finding: Finding, ns: Option<&Ns>, error: Error) {
        let to = &mut *self.verdict;
        to.reason = finding.reason as u32;
        to.count = finding.count;
        if let Some((cap, user_ns_id)) = finding.cap {
            to.cap = cap;
            to.user_ns_id = user_ns_id;
        }
        if let Some(ns) = ns {
            to.kind = ns.ns_type();
            to.ns_id = ns.id();
        }
        if let Some(journal) = &mut self.journal {
            let about = ns.map_or(About::Nothing, About::Namespace);
            journal.step(step, about, errno(error));
        }
    }
}

impl Record for Recorder<'_> {
    fn is_dry_run(&self) -> bool {
        self.verdict.flags & NSPROXY_EXPLAIN_DRY_RUN != 0
    }

    fn meet(&mut self, ns: &Ns) {
        if let Some(journal) = &mut self.journal {
            journal.meet(ns);
        }
    }

    fn step(&mut self, step: Step, about: About<'_>) {
        ().step(step, about);
        if let Some(journal) = &mut self.journal {
            journal.step(step, about, 0);
        }
    }

    fn refuse(&mut self, reason: Reason, ns: Option<&Ns>) -> Error {
        let error = ().refuse(reason, ns);
        self.refused(reason.step(), reason.into(), ns, error);
        error
    }

    fn refuse_install(&mut self, refused: &Refused<'_>) {
        ().refuse_install(refused);
        let finding = diagnose(refused);
        self.refused(Step::Install, finding, Some(refused.ns), refused.error);
    }
}
