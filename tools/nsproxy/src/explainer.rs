// SPDX-License-Identifier: GPL-2.0-only

//! The source of explanations: the module, or user space.

use crate::{cause::Described, dry_run, errno::show, open, request::Request, target_args::usage};
use anyhow::Result;
use clap::ValueEnum;
use nsproxy_diagnose::{Call, Cause, Task, Verdict};
use nsproxy_uapi::{Device, Reason, Refusal, Shown, setns_raw};
use rustix::io::Errno;
use std::{fmt, os::fd::BorrowedFd};

/// The description of the two sources in the help of commands.
pub(crate) const HELP: &str = "\
The module knows which check refuses. Without it, a child
makes the call to get the error, and nsproxy asks the
questions of the kernel again. A last line says so. Checks
that cannot be told apart are all printed.";

/// The limits of an explanation from user space.
const UNKNOWN_TO_USER_SPACE: &str = "\
explained from user space; not visible: counts and limits of namespaces above the caller's, security \
modules, and tasks that ptrace(2) denies access to";

/// Why no child makes the call.
const NOT_TRIED: &str = "\
predicted, not tried: a child would be in the new pid or time namespace of the caller's children; \
limits are not known";

/// The option that selects the source.
#[derive(Clone, Copy, Debug, clap::Args)]
pub(crate) struct ViaArg {
    /// Source of the answer [default: the module if loaded]
    #[arg(long, value_enum, value_name = "SOURCE")]
    via: Option<Via>,
}

/// The name of a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Via {
    /// /dev/nsproxy of the module
    KernelModule,
    /// Public interfaces of any kernel
    UserSpace,
}

impl ViaArg {
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
    /// Explains a call in the current state. `by_module` makes a dry run by the module. Returns
    /// [`None`] if the call would succeed.
    ///
    /// # Errors
    ///
    /// The module does not answer; with a hint.
    pub(crate) fn explain(
        &self,
        request: &Request<'_>,
        by_module: impl FnOnce(&Device) -> Result<Option<Refusal>, Errno>,
    ) -> Result<Option<Answer>> {
        match self {
            Self::KernelModule(device) => {
                let refusal = by_module(device).map_err(dry_run::no_answer)?;
                Ok(refusal.map(Answer::of_module))
            }
            Self::UserSpace => {
                let verdict = nsproxy_diagnose::explain(&Task::current(), request.as_call());
                if !verdict.was_tried {
                    eprintln!("nsproxy: {NOT_TRIED}");
                }
                Ok(Answer::of_user_space(verdict))
            }
        }
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
            return Answer::of_module(refusal);
        }
        let verdict = nsproxy_diagnose::explain_failure(&Task::current(), request.as_call(), errno);
        Answer {
            errno,
            causes: verdict.causes,
        }
    }

    /// Makes a call of setns(2), and explains it if it fails. See [`explain`](Self::explain).
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
            _ => self.explain(request, by_module),
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

    /// Prints what the source cannot know, if there is something.
    pub(crate) fn print_unknown(&self) {
        if let Self::UserSpace = self {
            println!("{UNKNOWN_TO_USER_SPACE}");
        }
    }
}

/// The refusal of a call, and its possible causes.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) errno: Errno,
    causes: Vec<Cause>,
}

impl Answer {
    pub(crate) fn of_module(refusal: Refusal) -> Self {
        Self {
            errno: refusal.errno,
            causes: vec![Cause::Check(refusal)],
        }
    }

    fn of_user_space(verdict: Verdict) -> Option<Self> {
        Some(Self {
            errno: verdict.result.err()?,
            causes: verdict.causes,
        })
    }

    /// Returns whether a check may be the cause.
    pub(crate) fn may_be(&self, reason: Reason) -> bool {
        self.causes
            .iter()
            .any(|cause| matches!(cause, Cause::Check(refusal) if refusal.reason == reason))
    }

    /// Returns the names of the possible checks, joined by `|`.
    pub(crate) fn names(&self) -> String {
        let names = self.causes.iter().map(|cause| match cause {
            Cause::Check(refusal) => refusal.reason.name(),
            Cause::Seccomp => "seccomp",
        });
        match &names.collect::<Vec<_>>()[..] {
            [] => "unknown".to_owned(),
            names => names.join("|"),
        }
    }

    /// Describes the causes. This process must be in the state in which the call was made.
    pub(crate) fn describe(&self, request: &Request<'_>) -> Description {
        let task = Task::current();
        let describe = |cause| Described::new(cause, request, &task);
        Description {
            errno: self.errno,
            causes: self.causes.iter().map(describe).collect(),
        }
    }
}

/// The description of a refusal for the user.
pub(crate) struct Description {
    errno: Errno,
    causes: Vec<Described>,
}

impl fmt::Display for Description {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&show(self.errno))?;
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
        Answer {
            errno: Errno::NOSPC,
            causes: reasons.iter().map(refusal).map(Cause::Check).collect(),
        }
    }

    fn text(answer: &Answer) -> String {
        let creation = Creation::new(creation::Call::Unshare, &[Kind::User], 0);
        answer.describe(&Request::Creation(creation)).to_string()
    }

    #[test]
    fn all_possible_causes_are_described() {
        let both = answer(&[Reason::Limit, Reason::Nested]);
        assert_eq!(both.names(), "limit|nested");
        let text = text(&both);
        assert!(text.starts_with("ENOSPC: "), "{text}");
        for line in ["\nreason: the limit", "\n  hint: ", "\nor else: namespaces"] {
            assert!(text.contains(line), "{text}");
        }
    }

    #[test]
    fn an_unknown_cause_is_called_unknown() {
        let none = answer(&[]);
        assert_eq!(none.names(), "unknown");
        assert!(text(&none).contains("reason: unknown"), "{}", text(&none));
    }
}
