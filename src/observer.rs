// SPDX-License-Identifier: GPL-2.0-only

//! Observers of a call: none, the reason of a refusal, or a full journal.
//!
//! An [`Observer`] receives each [`Step`] of the path and each refusal. It decides nothing.

use crate::{
    reason::{Reason, Refusal},
    sys::{
        caller::Caller,
        cred::SetCred,
        namespace::{Ns, UserNamespace},
        nsproxy::NsProxy,
        trace,
        uapi::step::*, //
    },
};
use kernel::prelude::*;

/// A step of the path, named after the C function that it mirrors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum Step {
    /// Before the call: the namespaces that the caller has.
    Caller = NSPROXY_STEP_CALLER,
    /// 2011: `capable()`.
    Capable = NSPROXY_STEP_CAPABLE,
    /// `fget()`.
    Fget = NSPROXY_STEP_FGET,
    /// `proc_ns_file()`, `pidfd_pid()` and the check of the second argument.
    Type = NSPROXY_STEP_TYPE,
    /// `create_new_namespaces()`.
    Create = NSPROXY_STEP_CREATE,
    /// `prepare_creds()`.
    Cred = NSPROXY_STEP_CRED,
    /// `copy_fs_struct()`.
    Fs = NSPROXY_STEP_FS,
    /// `validate_nsset()`: references to the target's namespaces are acquired.
    Target = NSPROXY_STEP_TARGET,
    /// `install()` of a kind.
    Install = NSPROXY_STEP_INSTALL,
    /// `validate_nsset()`: these references are released.
    TargetPut = NSPROXY_STEP_TARGET_PUT,
    /// `commit_creds()`.
    CommitCreds = NSPROXY_STEP_COMMIT_CREDS,
    /// `set_fs_root()` and `set_fs_pwd()`.
    SetFs = NSPROXY_STEP_SET_FS,
    /// `check_unshare_flags()`; the checks of flags by clone3(2).
    Flags = NSPROXY_STEP_FLAGS,
    /// `dup_fd()`.
    Files = NSPROXY_STEP_FILES,
    /// `create_user_ns()`, `copy_*()`: a namespace is created.
    NewNs = NSPROXY_STEP_NEW_NS,
    /// `set_cred_ucounts()`.
    Ucounts = NSPROXY_STEP_UCOUNTS,
    /// `exit_shm()`.
    ExitShm = NSPROXY_STEP_EXIT_SHM,
    /// `switch_fs_struct()`.
    SwitchFs = NSPROXY_STEP_SWITCH_FS,
    /// The table of file descriptors in the task.
    SwitchFiles = NSPROXY_STEP_SWITCH_FILES,
    /// `exit_sem()`.
    ExitSem = NSPROXY_STEP_EXIT_SEM,
    /// `timens_commit()`.
    Timens = NSPROXY_STEP_TIMENS,
    /// `nsproxy_ns_active_get()`.
    Activate = NSPROXY_STEP_ACTIVATE,
    /// `switch_task_namespaces()`: the pointer in the task.
    Switch = NSPROXY_STEP_SWITCH,
    /// `put_nsproxy()` of the old nsproxy.
    PutNsproxy = NSPROXY_STEP_PUT_NSPROXY,
    /// `perf_event_namespaces()`.
    Perf = NSPROXY_STEP_PERF,
    /// `put_nsset()` and `fput()`: all objects held for the call are released.
    Return = NSPROXY_STEP_RETURN,
}

/// The object that a step is about.
#[derive(Clone, Copy)]
pub(crate) enum Subject<'a> {
    /// No object with a count.
    Nothing,
    /// A namespace.
    Namespace(&'a Ns),
    /// The `count` of an nsproxy before and after the step. The first is 0 if the nsproxy is new,
    /// the second if it was freed.
    NsProxy([u32; 2]),
    /// The nsproxy of the target, to which the step acquired a reference.
    Target(&'a NsProxy),
}

impl<'a> Subject<'a> {
    /// Returns the namespace that the step is about, if any.
    pub(crate) fn namespace(self) -> Option<&'a Ns> {
        match self {
            Subject::Namespace(ns) => Some(ns),
            _ => None,
        }
    }
}

/// Observes a call as it runs.
///
/// The path is generic over its observer. The plain call uses `()`, for which only the tracepoint
/// remains after compilation. The provided methods emit that tracepoint.
pub(crate) trait Observer {
    /// Observes a namespace of an nsfs file or of the target, before the call acquires a reference
    /// to it.
    fn on_namespace(&mut self, _ns: &Ns) {}

    /// Observes a step that succeeded.
    #[inline(always)]
    fn on_step(&mut self, step: Step, subject: Subject<'_>) {
        trace::step(step as u32, subject.namespace(), None);
    }

    /// Observes a refusal.
    #[inline(always)]
    fn on_refusal(&mut self, refused: &Refused<'_>) {
        trace::step(refused.step() as u32, refused.ns(), Some(refused.error()));
    }
}

impl Observer for () {}

/// A refusal, with the state that the check looked at.
pub(crate) enum Refused<'a> {
    /// By a check of the path. The namespace is the one that the check is about, if any.
    Check(&'a Refusal, Option<&'a Ns>),
    /// By a check of `install()`.
    Install(RefusedInstall<'a>),
    /// By a function that creates a namespace.
    Creation(RefusedCreation<'a>),
}

impl<'a> Refused<'a> {
    /// Returns the step that was refused.
    #[inline(always)]
    pub(crate) fn step(&self) -> Step {
        match self {
            Self::Check(refusal, _) => refusal.reason.step(),
            Self::Install(_) => Step::Install,
            Self::Creation(_) => Step::NewNs,
        }
    }

    /// Returns the namespace that the refusal is about, if any.
    #[inline(always)]
    pub(crate) fn ns(&self) -> Option<&'a Ns> {
        match self {
            Self::Check(_, ns) => *ns,
            Self::Install(refused) => Some(refused.ns),
            Self::Creation(refused) => Some(refused.old),
        }
    }

    /// Returns the errno of the call.
    #[inline(always)]
    pub(crate) fn error(&self) -> Error {
        match self {
            Self::Check(refusal, _) => refusal.error,
            Self::Install(refused) => refused.refusal.error,
            Self::Creation(refused) => refused.error,
        }
    }
}

/// A namespace that could not be created. Only its kind knows the check, and returned an errno.
pub(crate) struct RefusedCreation<'a> {
    /// The calling task.
    pub(crate) caller: &'a Caller<'a>,
    /// The namespace that the new one would have been a copy or, as a user namespace, a child of.
    pub(crate) old: &'a Ns,
    /// The user namespace in which the new one would have been counted: its owner or parent.
    pub(crate) user_ns: &'a UserNamespace,
    /// The errno.
    pub(crate) error: Error,
}

/// A check of `install()` that failed, with the state that it checked.
pub(crate) struct RefusedInstall<'a> {
    /// The calling task.
    pub(crate) caller: &'a Caller<'a>,
    /// The namespace to enter.
    pub(crate) ns: &'a Ns,
    /// The credentials of the set. They are in a new user namespace if one was installed before.
    pub(crate) cred: &'a SetCred,
    /// The check.
    pub(crate) refusal: &'a Refusal,
}

impl Reason {
    /// Reports the refusal to `observer`. Returns the errno of the check.
    #[inline(always)]
    pub(crate) fn refuse(self, ns: Option<&Ns>, observer: &mut impl Observer) -> Error {
        Refusal::from(self).refuse(ns, observer)
    }
}

impl Refusal {
    /// Reports the refusal to `observer`. Returns the errno.
    #[inline(always)]
    pub(crate) fn refuse(self, ns: Option<&Ns>, observer: &mut impl Observer) -> Error {
        observer.on_refusal(&Refused::Check(&self, ns));
        self.error
    }
}

/// Turns a failure into a refusal with a reason.
pub(crate) trait OrRefuse<T> {
    /// Returns the value. On a failure, reports `reason` to `observer` and returns its errno.
    ///
    /// # Errors
    ///
    /// The errno of `reason`.
    fn or_refuse(self, reason: Reason, observer: &mut impl Observer) -> Result<T>;
}

impl<T> OrRefuse<T> for Option<T> {
    #[inline(always)]
    fn or_refuse(self, reason: Reason, observer: &mut impl Observer) -> Result<T> {
        match self {
            Some(value) => Ok(value),
            None => Err(reason.refuse(None, observer)),
        }
    }
}

impl<T> OrRefuse<T> for Result<T> {
    #[inline(always)]
    fn or_refuse(self, reason: Reason, observer: &mut impl Observer) -> Result<T> {
        self.ok().or_refuse(reason, observer)
    }
}
