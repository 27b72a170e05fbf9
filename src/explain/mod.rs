// SPDX-License-Identifier: GPL-2.0-only

//! `NSPROXY_EXPLAIN`: makes a call, and reports the check that refused and a journal of all steps.

mod cause;
mod creation;
pub(crate) mod journal;

use crate::{
    clone,
    observer::{Observer, Refused, Step, Subject},
    setns::{self, Mode},
    setns_2011,
    sys::{
        caller::Caller,
        create::Flags,
        namespace::Ns,
        trace,
        uapi::{
            errno, nsproxy_explain, nsproxy_step, NSPROXY_EXPLAIN_2011, NSPROXY_EXPLAIN_CLONE,
            NSPROXY_EXPLAIN_DRY_RUN, NSPROXY_EXPLAIN_UNSHARE, NSPROXY_JOURNAL_MAX,
        },
    },
    unshare,
    visibility::Reader,
};
use journal::Journal;
use kernel::prelude::*;

/// The call to make.
pub(crate) enum Call {
    /// setns(2) of the running kernel.
    Setns { fd: i32, flags: u32, mode: Mode },
    /// setns(2) of 2011.
    Setns2011 { fd: i32, nstype: u32, mode: Mode },
    /// unshare(2).
    Unshare { flags: Flags, mode: Mode },
    /// clone3(2), which is always a dry run.
    Clone { flags: Flags },
}

impl Call {
    /// Returns the call that `args` describe.
    ///
    /// # Errors
    ///
    /// [`EINVAL`]: unknown flags, or flags for two calls; clone3(2) that is no dry run.
    pub(crate) fn of(args: &nsproxy_explain) -> Result<Self> {
        let mode = match args.flags & NSPROXY_EXPLAIN_DRY_RUN {
            0 => Mode::Commit,
            _ => Mode::DryRun,
        };
        let (fd, nstype) = (args.fd, args.nstype as u32);
        let flags = Flags(u64::from(fd as u32) << u32::BITS | u64::from(nstype));
        match args.flags & !NSPROXY_EXPLAIN_DRY_RUN {
            0 => Ok(Self::Setns {
                fd,
                flags: nstype,
                mode,
            }),
            NSPROXY_EXPLAIN_2011 => Ok(Self::Setns2011 { fd, nstype, mode }),
            NSPROXY_EXPLAIN_UNSHARE => Ok(Self::Unshare { flags, mode }),
            NSPROXY_EXPLAIN_CLONE if mode == Mode::DryRun => Ok(Self::Clone { flags }),
            _ => Err(EINVAL),
        }
    }

    /// Makes the call. Returns the `CLONE_NEW*` of the namespaces that it entered or created; 0 for
    /// the calls that return nothing.
    ///
    /// # Errors
    ///
    /// Errors of the call.
    #[inline(never)] // One copy of the path for all callers.
    fn make(self, caller: &mut Caller<'_>, recorder: &mut Recorder<'_>) -> Result<u32> {
        match self {
            Self::Setns { fd, flags, mode } => setns::setns(caller, fd, flags, mode, recorder),
            Self::Setns2011 { fd, nstype, mode } => {
                setns_2011::setns(caller, fd, nstype, mode, recorder).map(|()| 0)
            }
            Self::Unshare { flags, mode } => unshare::unshare(caller, flags, mode, recorder),
            Self::Clone { flags } => clone::clone(caller, flags, recorder).map(|()| 0),
        }
    }
}

/// Makes the call that `args` describe, and fills in its outcome. Returns the lines of the journal
/// that fit into the caller's array, or [`None`] if the caller requested no journal.
///
/// # Errors
///
/// [`ENOMEM`] for the journal. A refused call is not an error of this function.
pub(crate) fn explain(
    caller: &mut Caller<'_>,
    call: Call,
    args: &mut nsproxy_explain,
) -> Result<Option<KVVec<nsproxy_step>>> {
    *args = nsproxy_explain {
        fd: args.fd,
        nstype: args.nstype,
        flags: args.flags,
        journal: args.journal,
        room: args.room,
        ..Default::default()
    };
    let journal = match room(args) {
        0 => None,
        room => Some(Journal::new(caller, room)?),
    };
    let mut recorder = Recorder {
        outcome: args,
        journal,
    };
    let result = call.make(caller, &mut recorder);
    recorder.outcome.error = result.map_or_else(errno, |_| 0);

    let Some(mut journal) = recorder.journal else {
        return Ok(None);
    };
    journal.add(Step::Return, Subject::Nothing, result.err());
    let (lines, total) = journal.close();
    args.lines = total;
    Ok(Some(lines))
}

/// Returns the number of lines of the journal to write to user space.
pub(crate) fn room(args: &nsproxy_explain) -> usize {
    args.room.min(NSPROXY_JOURNAL_MAX) as usize
}

/// Makes a call, and reports a refusal to the tracepoint. Returns the `CLONE_NEW*` of the namespaces
/// that it entered or created.
///
/// While the tracepoint is enabled, calls that need no explanation are made by this function. Their
/// own observers need not find the cause of a refusal, which would cost them registers.
///
/// # Errors
///
/// Errors of the call.
pub(crate) fn traced(caller: &mut Caller<'_>, call: Call) -> Result<u32> {
    with_traced_refusals(|observer| call.make(caller, observer))
}

/// Runs a part of a call with an observer that reports a refusal to the tracepoint.
#[cold]
#[inline(never)] // Keeps this stack frame out of calls that are not traced.
pub(crate) fn with_traced_refusals<T>(part: impl FnOnce(&mut Recorder<'_>) -> T) -> T {
    part(&mut Recorder {
        outcome: &mut nsproxy_explain::default(),
        journal: None,
    })
}

/// An observer that records the refusal and, if requested, a journal.
pub(crate) struct Recorder<'a> {
    outcome: &'a mut nsproxy_explain,
    journal: Option<Journal>,
}

impl Observer for Recorder<'_> {
    fn on_namespace(&mut self, ns: &Ns) {
        if let Some(journal) = &mut self.journal {
            journal.watch(ns);
        }
    }

    fn on_step(&mut self, step: Step, subject: Subject<'_>) {
        ().on_step(step, subject);
        if let Some(journal) = &mut self.journal {
            journal.add(step, subject, None);
        }
    }

    fn on_refusal(&mut self, refused: &Refused<'_>) {
        ().on_refusal(refused);
        if trace::is_refused_enabled() {
            cause::trace(refused);
        }
        cause::record(refused, Reader::Caller, self.outcome);
        if let Some(journal) = &mut self.journal {
            let subject = refused.ns().map_or(Subject::Nothing, Subject::Namespace);
            journal.add(refused.step(), subject, Some(refused.error()));
        }
    }
}
