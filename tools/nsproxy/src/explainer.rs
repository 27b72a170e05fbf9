// SPDX-License-Identifier: GPL-2.0-only

//! The source of explanations: the module, or user space.

use crate::{
    asked::Outcome, cause::Described, dry_run, errno::show, open, request::Request,
    target_args::usage,
};
use anyhow::Result;
use clap::ValueEnum;
use nsproxy_diagnose::{Call, Cause, NotTried, Task, Verdict};
use nsproxy_uapi::{Device, Reason, Refusal, Shown, setns_raw};
use rustix::io::Errno;
use serde::Serialize;
use std::{fmt, os::fd::BorrowedFd};

/// The description of the two sources in the help of commands.
pub(crate) const HELP: &str = "\
The module knows which check refuses. Without it, a child
makes the call to get the error, and nsproxy asks the
questions of the kernel again. A last line says so. Checks
that cannot be told apart are all printed.";

/// The option that selects the source.
#[derive(Clone, Copy, Debug, clap::Args)]
pub(crate) struct ViaArg {
    /// Source of the answer [default: the module if loaded]
    #[arg(long, value_enum, value_name = "SOURCE")]
    via: Option<Via>,
}

/// The name of a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Via {
    /// /dev/nsproxy of the module
    KernelModule,
    /// Public interfaces of any kernel
    UserSpace,
}

impl ViaArg {
    /// Returns whether the module is required.
    pub(crate) fn is_kernel_module(self) -> bool {
        self.via == Some(Via::KernelModule)
    }

    /// Opens the source. Only the module knows setns(2) of 2011.
    ///
    /// # Errors
    ///
    /// The module is required, and cannot be opened; with a hint.
    pub(crate) fn open(self, as_of_2011: bool) -> Result<Explainer> {
        match self.via {
            Some(Via::UserSpace) if as_of_2011 => {
                Err(usage("--2011 needs the module: only it has setns(2) of 2011").into())
            }
            Some(Via::UserSpace) => Ok(Explainer::UserSpace),
            None if !as_of_2011 => Ok(Explainer::default()),
            _ => open::device().map(Explainer::KernelModule),
        }
    }
}

/// A source of explanations.
#[derive(Debug)]
pub(crate) enum Explainer {
    KernelModule(Device),
    UserSpace,
}

impl Default for Explainer {
    /// Returns the module if it can be opened, and user space otherwise.
    fn default() -> Self {
        Device::open().map_or(Self::UserSpace, Self::KernelModule)
    }
}

impl Explainer {
    /// Explains a call in the current state. `by_module` makes a dry run by the module.
    ///
    /// # Errors
    ///
    /// The module does not answer; with a hint.
    pub(crate) fn explain(
        &self,
        request: &Request<'_>,
        by_module: impl FnOnce(&Device) -> Result<Option<Refusal>, Errno>,
    ) -> Result<Answer> {
        Ok(match self {
            Self::KernelModule(device) => {
                Answer::of_module(by_module(device).map_err(dry_run::no_answer)?)
            }
            Self::UserSpace => {
                let verdict = nsproxy_diagnose::explain(&Task::current(), request.as_call());
                if let Some(why) = verdict.not_tried.and_then(not_tried) {
                    eprintln!("nsproxy: predicted, not tried: {why}; limits are not known");
                }
                Answer(verdict)
            }
        })
    }

    /// Explains a call that failed with `errno`, in the state in which it was made.
    pub(crate) fn explain_failure(
        &self,
        errno: Errno,
        request: &Request<'_>,
        by_module: impl FnOnce(&Device) -> Result<Option<Refusal>, Errno>,
    ) -> Answer {
        // The module does not answer under a filter, or the state has changed.
        if let Self::KernelModule(device) = self
            && let Ok(Some(refusal)) = by_module(device)
            && refusal.errno == errno
        {
            return Answer::of_module(Some(refusal));
        }
        let task = Task::current();
        Answer(nsproxy_diagnose::explain_failure(
            &task,
            request.as_call(),
            errno,
        ))
    }

    /// Makes a call of setns(2), and explains it if it fails. Returns [`None`] if it succeeds.
    /// See [`explain`](Self::explain).
    ///
    /// # Errors
    ///
    /// As [`explain`](Self::explain).
    pub(crate) fn enter(
        &self,
        request: &Request<'_>,
        by_module: impl FnOnce(&Device) -> Result<Option<Refusal>, Errno>,
    ) -> Result<Option<Answer>> {
        match (self, request.as_call()) {
            (Self::UserSpace, Call::Setns { fd, nstype }) => {
                let refused = setns_raw(fd, nstype).err();
                Ok(refused.map(|errno| self.explain_failure(errno, request, |_| Ok(None))))
            }
            _ => Ok(self.explain(request, by_module)?.refusal()),
        }
    }

    /// Returns the namespaces of a process, or of this process.
    ///
    /// # Errors
    ///
    /// `EACCES` if ptrace(2) denies access; `ESRCH` if it has exited.
    pub(crate) fn show(&self, pidfd: Option<BorrowedFd<'_>>) -> Result<Shown, Errno> {
        match (self, pidfd) {
            (Self::KernelModule(device), pidfd) => device.show(pidfd),
            (Self::UserSpace, None) => nsproxy_diagnose::show(&Task::current()),
            (Self::UserSpace, Some(pidfd)) => nsproxy_diagnose::show(&Task::of_pidfd(pidfd)?),
        }
    }

    /// Returns the name of the source.
    pub(crate) fn via(&self) -> Via {
        match self {
            Self::KernelModule(_) => Via::KernelModule,
            Self::UserSpace => Via::UserSpace,
        }
    }
}

/// Describes why no child has made a call of this process.
fn not_tried(why: NotTried) -> Option<String> {
    match why {
        NotTried::OtherTask => None,
        NotTried::OtherChildren => Some(
            "a child would be in the new pid or time namespace of the caller's children".to_owned(),
        ),
        NotTried::NoChild(errno) => Some(format!("no child can be created: {}", show(errno))),
    }
}

/// The explanation of a call.
#[derive(Clone, Debug)]
pub(crate) struct Answer(Verdict);

impl From<Verdict> for Answer {
    fn from(verdict: Verdict) -> Self {
        Self(verdict)
    }
}

impl Answer {
    /// Converts the refusal by the module, if any.
    pub(crate) fn of_module(refusal: Option<Refusal>) -> Self {
        Self(Verdict {
            result: refusal.map_or(Ok(()), |refusal| Err(refusal.errno)),
            not_tried: None,
            causes: refusal.map(Cause::Check).into_iter().collect(),
        })
    }

    /// Returns the errno of a call that fails.
    pub(crate) fn errno(&self) -> Option<Errno> {
        self.0.result.err()
    }

    pub(crate) fn is_refused(&self) -> bool {
        self.0.result.is_err()
    }

    /// Returns the answer if the call fails.
    pub(crate) fn refusal(self) -> Option<Self> {
        self.is_refused().then_some(self)
    }

    /// Returns whether neither a child nor the module has made the call.
    pub(crate) fn is_predicted(&self) -> bool {
        self.0.not_tried.is_some()
    }

    /// Returns the result. It is unknown if a check cannot be made, unless it is one that no process can
    /// make in user space: those of counts of namespaces, and of security modules.
    pub(crate) fn outcome(&self) -> Outcome {
        let is_never_visible = |cause: &Cause| {
            matches!(cause, Cause::Check(refusal)
                if matches!(refusal.reason, Reason::Limit | Reason::Nested | Reason::Lsm))
        };
        match self.0.result {
            Err(_) => Outcome::Fails,
            Ok(()) if self.0.causes.iter().all(is_never_visible) => Outcome::Succeeds,
            Ok(()) => Outcome::Unknown,
        }
    }

    /// Returns whether a check may be the cause.
    pub(crate) fn may_be(&self, reason: Reason) -> bool {
        let mut causes = self.0.causes.iter();
        causes.any(|cause| matches!(cause, Cause::Check(refusal) if refusal.reason == reason))
    }

    /// Describes the causes. The task that makes the call must be in the state in which it made it.
    pub(crate) fn describe(&self, request: &Request<'_>, task: &Task) -> Description {
        let describe = |cause| Described::new(cause, request, task);
        Description {
            errno: self.errno(),
            causes: self.0.causes.iter().map(describe).collect(),
        }
    }
}

/// The description of a refusal for the user.
pub(crate) struct Description {
    errno: Option<Errno>,
    pub(crate) causes: Vec<Described>,
}

impl fmt::Display for Description {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.errno.map_or_else(String::new, show))?;
        match &self.causes[..] {
            [] => f.write_str("\nreason: unknown: no check that user space can make refuses"),
            [cause] => write!(f, "\nreason: {}", cause.lines()),
            causes => causes
                .iter()
                .enumerate()
                .try_for_each(|(i, cause)| match i {
                    0 => write!(f, "\nreason: {}", cause.lines()),
                    _ => write!(f, "\nor else: {}", cause.lines()),
                }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::creation::{self, Creation};
    use nsproxy_uapi::Kind;

    fn answer(reasons: &[Reason]) -> Answer {
        let refusal = |reason: &Reason| Refusal {
            errno: Errno::NOSPC,
            reason: *reason,
            cap: None,
            count: 0,
            namespace: Some((Kind::User, 0)),
            limit: None,
        };
        Answer(Verdict {
            result: Err(Errno::NOSPC),
            not_tried: None,
            causes: reasons.iter().map(refusal).map(Cause::Check).collect(),
        })
    }

    fn text(answer: &Answer) -> String {
        let creation = Creation::new(creation::Call::Unshare, &[Kind::User], 0);
        let request = Request::Creation(creation);
        answer.describe(&request, &Task::current()).to_string()
    }

    #[test]
    fn all_possible_causes_are_described() {
        let both = answer(&[Reason::Limit, Reason::Nested]);
        let text = text(&both);
        assert!(text.starts_with("ENOSPC: "), "{text}");
        for line in ["\nreason: the limit", "\n  hint: ", "\nor else: namespaces"] {
            assert!(text.contains(line), "{text}");
        }
    }

    #[test]
    fn an_unknown_cause_is_called_unknown() {
        let none = answer(&[]);
        assert!(text(&none).contains("reason: unknown"), "{}", text(&none));
    }
}
