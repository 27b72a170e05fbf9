// SPDX-License-Identifier: GPL-2.0-only

//! `NSPROXY_EXPLAIN`: makes a call, and reports the check that refused and a journal of all steps.

mod creation;
pub(crate) mod journal;

use crate::{
    clone,
    observer::{Observer, RefusedCreation, RefusedInstall, Step, Subject},
    reason::{Reason, Refusal},
    setns::{self, Mode},
    setns_2011,
    sys::{
        caller::Caller,
        create::Flags,
        namespace::{Ns, OfKind, UserNamespace},
        uapi::{
            errno, nsproxy_explain, nsproxy_step, NSPROXY_EXPLAIN_2011, NSPROXY_EXPLAIN_CLONE,
            NSPROXY_EXPLAIN_DRY_RUN, NSPROXY_EXPLAIN_UNSHARE, NSPROXY_JOURNAL_MAX,
        },
    },
    unshare,
    visibility::related_id,
};
use journal::Journal;
use kernel::{
    bindings::{CAP_SYS_ADMIN, CAP_SYS_CHROOT},
    prelude::*,
};

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

    /// Makes the call.
    ///
    /// # Errors
    ///
    /// Errors of the call.
    fn make(self, caller: &mut Caller<'_>, observer: &mut impl Observer) -> Result {
        match self {
            Self::Setns { fd, flags, mode } => {
                setns::setns(caller, fd, flags, mode, observer).map(|_| ())
            }
            Self::Setns2011 { fd, nstype, mode } => {
                setns_2011::setns(caller, fd, nstype, mode, observer)
            }
            Self::Unshare { flags, mode } => {
                unshare::unshare(caller, flags, mode, observer).map(|_| ())
            }
            Self::Clone { flags } => clone::clone(caller, flags, observer),
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
        limit: 0,
        levels: 0,
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
    recorder.outcome.error = result.map_or_else(errno, |()| 0);

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

/// An observer that records the refusal and, if requested, a journal.
struct Recorder<'a> {
    outcome: &'a mut nsproxy_explain,
    journal: Option<Journal>,
}

impl Recorder<'_> {
    /// Records the check.
    fn record(&mut self, refusal: &Refusal) {
        self.outcome.reason = refusal.reason as u32;
        self.outcome.count = refusal.count;
    }

    /// Records the existing namespace that a refusal is about.
    fn record_namespace(&mut self, ns: &Ns) {
        self.outcome.kind = ns.ns_type();
        self.outcome.ns_id = ns.id();
    }

    /// Adds a refusal to the journal.
    fn add_refusal(&mut self, step: Step, ns: Option<&Ns>, error: Error) {
        if let Some(journal) = &mut self.journal {
            let subject = ns.map_or(Subject::Nothing, Subject::Namespace);
            journal.add(step, subject, Some(error));
        }
    }
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

    fn on_refusal(&mut self, refusal: &Refusal, ns: Option<&Ns>) {
        ().on_refusal(refusal, ns);
        self.record(refusal);
        // Without a namespace, the capability is missing in the initial user namespace.
        if let Reason::CapInit | Reason::UsernsOff | Reason::CapNew = refusal.reason {
            self.outcome.cap = CAP_SYS_ADMIN;
            self.outcome.user_ns_id = ns.map_or(0, Ns::id);
        }
        if let Some(ns) = ns {
            self.record_namespace(ns);
        }
        self.add_refusal(refusal.reason.step(), ns, refusal.error);
    }

    fn on_refused_creation(&mut self, refused: &RefusedCreation<'_>) {
        ().on_refused_creation(refused);
        creation::record(refused, self.outcome);
        // The refused namespace has a kind, and no id.
        self.outcome.kind = refused.old.ns_type();
        self.add_refusal(Step::NewNs, Some(refused.old), refused.error);
    }

    fn on_refused_install(&mut self, refused: &RefusedInstall<'_>) {
        ().on_refused_install(refused);
        let RefusedInstall {
            caller,
            ns,
            refusal,
            ..
        } = *refused;
        self.record(refusal);
        if let Some((cap, user_ns)) = missing(refused) {
            self.outcome.cap = cap;
            // The caller has a file of the namespace to enter, so it may know the id of that one.
            self.outcome.user_ns_id = if user_ns.is(ns) {
                ns.id()
            } else {
                related_id(caller, Some(user_ns))
            };
        }
        self.record_namespace(ns);
        self.add_refusal(Step::Install, Some(ns), refusal.error);
    }
}

/// Returns the capability that the caller does not have, and the user namespace in which it is
/// missing; [`None`] for checks of something else.
fn missing<'a>(refused: &RefusedInstall<'a>) -> Option<(u32, &'a UserNamespace)> {
    let RefusedInstall {
        caller,
        ns,
        cred,
        refusal,
    } = *refused;
    match refusal.reason {
        Reason::CapOwner => Some((CAP_SYS_ADMIN, ns.owner()?)),
        Reason::CapSet => Some((CAP_SYS_ADMIN, cred.user_ns(caller))),
        Reason::Chroot => Some((CAP_SYS_CHROOT, cred.user_ns(caller))),
        Reason::CapUser => match ns.of_kind() {
            OfKind::UserNamespace(user_ns) => Some((CAP_SYS_ADMIN, user_ns)),
            _ => None,
        },
        _ => None,
    }
}
