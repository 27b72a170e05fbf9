// SPDX-License-Identifier: GPL-2.0-only

//! What is kept of a call on its way: nothing, or why it was refused, or every step.

use crate::{
    reason::{Reason, Refused},
    sys::{namespace::Ns, nsproxy::NsProxy, trace, uapi::step::*},
};
use kernel::prelude::*;

/// A step of the path, by the C function that takes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum Step {
    /// None yet: what the caller has before the call.
    Caller = NSPROXY_STEP_CALLER,
    /// 2011: `capable()`.
    Capable = NSPROXY_STEP_CAPABLE,
    /// `fget()`.
    Fget = NSPROXY_STEP_FGET,
    /// `proc_ns_file()`, `pidfd_pid()`, and whether the second argument fits.
    Type = NSPROXY_STEP_TYPE,
    /// `create_new_namespaces()`.
    Create = NSPROXY_STEP_CREATE,
    /// `prepare_creds()`.
    Cred = NSPROXY_STEP_CRED,
    /// `copy_fs_struct()`.
    Fs = NSPROXY_STEP_FS,
    /// `validate_nsset()` takes hold of a task's namespaces.
    Target = NSPROXY_STEP_TARGET,
    /// `install()` of a kind.
    Install = NSPROXY_STEP_INSTALL,
    /// `validate_nsset()` lets go of them.
    TargetPut = NSPROXY_STEP_TARGET_PUT,
    /// `commit_creds()`.
    CommitCreds = NSPROXY_STEP_COMMIT_CREDS,
    /// `set_fs_root()` and `set_fs_pwd()`.
    SetFs = NSPROXY_STEP_SET_FS,
    /// `exit_sem()`.
    ExitSem = NSPROXY_STEP_EXIT_SEM,
    /// `timens_commit()`.
    Timens = NSPROXY_STEP_TIMENS,
    /// `nsproxy_ns_active_get()`.
    Activate = NSPROXY_STEP_ACTIVATE,
    /// `switch_task_namespaces()`: the pointer.
    Switch = NSPROXY_STEP_SWITCH,
    /// `put_nsproxy()`, of the old one.
    PutNsproxy = NSPROXY_STEP_PUT_NSPROXY,
    /// `perf_event_namespaces()`.
    Perf = NSPROXY_STEP_PERF,
    /// All is released that was held for the call: `put_nsset()`, `fput()`.
    Return = NSPROXY_STEP_RETURN,
}

/// What a step is about.
#[derive(Clone, Copy)]
pub(crate) enum About<'a> {
    /// No object that is counted.
    Nothing,
    /// This namespace, borrowed for as long as it takes to tell.
    Namespace(&'a Ns),
    /// An nsproxy, and its count before and after the step; 0 before is one that is new, 0 after one
    /// that is no more.
    NsProxy([u32; 2]),
    /// An nsproxy that was not seen before, borrowed likewise.
    Seen(&'a NsProxy),
}

impl<'a> About<'a> {
    /// The namespace, if it is about one.
    pub(crate) fn namespace(self) -> Option<&'a Ns> {
        match self {
            About::Namespace(ns) => Some(ns),
            _ => None,
        }
    }
}

/// Goes with a call, and is told what it meets.
///
/// The path is written once, for all of them: the plain call has the one that keeps nothing, `()`,
/// and with it everything about recording is gone when it is compiled, but for the tracepoint.
pub(crate) trait Record {
    /// Whether the call ends before the point of no return, and changes nothing.
    fn is_dry_run(&self) -> bool {
        false
    }

    /// A namespace comes into the call from elsewhere, and no reference to it was taken yet. It
    /// stays alive until this returns.
    fn meet(&mut self, _ns: &Ns) {}

    /// A step was taken.
    #[inline(always)]
    fn step(&mut self, step: Step, about: About<'_>) {
        trace::step(step as u32, about.namespace(), 0);
    }

    /// A check of ours refuses, about `ns` if about one. Returns its errno.
    #[inline(always)]
    fn refuse(&mut self, reason: Reason, ns: Option<&Ns>) -> Error {
        let error = reason.errno().unwrap_or(EINVAL);
        trace::step(reason.step() as u32, ns, errno(error));
        error
    }

    /// The kernel's `install()` refused.
    fn refuse_install(&mut self, refused: &Refused<'_>) {
        trace::step(Step::Install as u32, Some(refused.ns), errno(refused.error));
    }
}

impl Record for () {}

/// As user space knows it.
pub(crate) fn errno(error: Error) -> u32 {
    error.to_errno().unsigned_abs()
}
