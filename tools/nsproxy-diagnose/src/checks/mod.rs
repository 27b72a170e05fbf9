// SPDX-License-Identifier: GPL-2.0-only

//! The checks of the kernel, asked again from user space, in its order: `docs/checks.md`.

mod clone;
mod create;
mod install;
mod setns;
mod unshare;

pub(crate) use clone::attempted;

use crate::{
    Call,
    namespace::{Namespace, Relative},
    task::Task,
    verdict::Cause,
};
use nsproxy_uapi::{Kind, Limit, Reason, Refusal};
use rustix::{io::Errno, thread::CapabilitySet};

/// The answer to the question of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Passes,
    Refuses,
    /// User space cannot know it.
    Unknown,
}

impl Answer {
    /// Converts a condition that must hold.
    fn must(holds: bool) -> Self {
        match holds {
            true => Self::Passes,
            false => Self::Refuses,
        }
    }

    /// Converts a condition that must hold, and that is not known in all cases.
    fn must_if_known(holds: Option<bool>) -> Self {
        holds.map_or(Self::Unknown, Self::must)
    }
}

/// The check that refuses is found: later checks are not made.
pub(crate) struct Refused;

/// The result of asking a check.
pub(crate) type Asked = Result<(), Refused>;

/// A check that may refuse, and what it is about: a [`Refusal`] without its errno.
#[derive(Clone, Copy)]
pub(crate) struct Because {
    reason: Reason,
    cap: Option<(u32, u64)>,
    count: u32,
    namespace: Option<(Kind, u64)>,
    limit: Option<Limit>,
}

impl From<Reason> for Because {
    fn from(reason: Reason) -> Self {
        Self {
            reason,
            cap: None,
            count: 0,
            namespace: None,
            limit: None,
        }
    }
}

impl Because {
    /// Names the capability that is missing, and the user namespace.
    fn lacks(self, cap: CapabilitySet, user_ns: &Relative) -> Self {
        Self {
            cap: Some((cap.bits().trailing_zeros(), user_ns.id())),
            ..self
        }
    }

    /// Names the number of tasks that share what must not be shared.
    fn shared_by(self, count: u32) -> Self {
        Self { count, ..self }
    }

    /// Names the namespace to enter, or the kind to create, with id 0.
    fn about(self, kind: Kind, id: u64) -> Self {
        Self {
            namespace: Some((kind, id)),
            ..self
        }
    }

    fn with(self, errno: Errno) -> Refusal {
        let Self {
            reason,
            cap,
            count,
            namespace,
            limit,
        } = self;
        Refusal {
            errno,
            reason,
            cap,
            count,
            namespace,
            limit,
        }
    }
}

/// Asks the checks of a call, and collects those that may have refused it.
pub(crate) struct Checks<'a> {
    task: &'a Task,
    /// The errno of the call; [`None`] if it was not made.
    errno: Option<Errno>,
    causes: Vec<Cause>,
}

impl<'a> Checks<'a> {
    pub(crate) fn new(task: &'a Task, errno: Option<Errno>) -> Self {
        let mut causes = Vec::new();
        // A filter may return any errno; those of container runtimes return these.
        if matches!(errno, Some(Errno::PERM | Errno::NOSYS)) && task.status().is_filtered {
            causes.push(Cause::Seccomp);
        }
        Self {
            task,
            errno,
            causes,
        }
    }

    /// Asks all checks of a call. Returns whether one certainly refuses, and all that may.
    pub(crate) fn ask(mut self, call: Call) -> (bool, Vec<Cause>) {
        let asked = match call {
            Call::Setns { fd, nstype } => self.setns(fd, nstype),
            Call::Unshare { flags } => self.unshare(flags),
            Call::Clone { flags } => self.clone3(flags),
        };
        (asked.is_err(), self.causes)
    }

    /// Returns the errno of the first check of clone3(2) that refuses because of its flags alone.
    pub(crate) fn of_clone_flags(task: &'a Task, flags: u64) -> Option<Errno> {
        let mut checks = Self::new(task, None);
        match (checks.clone_flags(flags), checks.causes.last()) {
            (Err(Refused), Some(Cause::Check(refusal))) => Some(refusal.errno),
            _ => None,
        }
    }

    /// Adds a check. One with another errno than that of the call has not refused it: what decides it
    /// has changed since, or is not what it seems.
    fn check(&mut self, because: impl Into<Because>, answer: Answer) -> Asked {
        let because = because.into();
        // Some return the errno of what they called.
        let errno = because.reason.errno().or(self.errno);
        let errno = errno.filter(|errno| self.errno.is_none_or(|made| made == *errno));
        let (Some(errno), Answer::Refuses | Answer::Unknown) = (errno, answer) else {
            return Ok(());
        };
        self.causes.push(Cause::Check(because.with(errno)));
        match answer {
            Answer::Refuses => Err(Refused),
            _ => Ok(()),
        }
    }

    /// Adds a check that refuses only when memory is short, or for another reason that nothing shows.
    /// It is a cause if the call has returned its errno.
    fn check_rare(&mut self, because: impl Into<Because>) -> Asked {
        match self.errno {
            Some(_) => self.check(because, Answer::Unknown),
            None => Ok(()),
        }
    }

    /// Asks whether the task has a capability in a user namespace.
    fn capable(&self, user_ns: &Relative, cap: CapabilitySet) -> Answer {
        Answer::must_if_known(match user_ns {
            Relative::Within(user_ns) => self.task.is_capable(user_ns, cap),
            // Its own is ours, or below it.
            Relative::Outside => self.task.user_ns().map(|_| false),
            Relative::Unknown => None,
        })
    }

    /// Asks whether the task has a capability in its own user namespace, which may be any.
    fn capable_in_own(&self, cap: CapabilitySet) -> Answer {
        Answer::must(self.task.status().effective.contains(cap))
    }

    /// Returns the user namespace of the task.
    fn own_user_ns(&self) -> Relative {
        let own = self.task.user_ns().map(Namespace::try_clone);
        own.and_then(Result::ok).into()
    }
}
