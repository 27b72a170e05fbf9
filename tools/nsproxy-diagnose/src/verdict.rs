// SPDX-License-Identifier: GPL-2.0-only

//! The answer to a question: the result of a call, and its cause.

use nsproxy_uapi::Refusal;
use rustix::io::Errno;

/// The result of a call, and the check that refused it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// The result of the call: of an attempt of a child, or predicted if it is
    /// [`not_tried`](Self::not_tried).
    pub result: Result<(), Errno>,
    /// The reason why the call was not made; [`None`] if it was.
    pub not_tried: Option<NotTried>,
    /// The checks that may have refused the call, in the order of the kernel. One is certain. Several
    /// cannot be told apart from user space. None: the cause is unknown. For a predicted success, these
    /// may refuse all the same.
    pub causes: Vec<Cause>,
}

/// The reason why no child makes the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotTried {
    /// The call is that of another task.
    OtherTask,
    /// The children of the task are in another pid or time namespace than the task.
    OtherChildren,
    /// No child can be created.
    NoChild(Errno),
}

/// A possible cause of a refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// A check of the kernel.
    Check(Refusal),
    /// A filter of seccomp(2), before the call.
    Seccomp,
}

impl Cause {
    /// Returns the errno of a check. A filter may return any.
    pub(crate) fn errno(&self) -> Option<Errno> {
        match self {
            Self::Check(refusal) => Some(refusal.errno),
            Self::Seccomp => None,
        }
    }
}

impl Verdict {
    /// Returns the checks that may have refused the call.
    pub fn refusals(&self) -> impl Iterator<Item = &Refusal> {
        self.causes.iter().filter_map(|cause| match cause {
            Cause::Check(refusal) => Some(refusal),
            Cause::Seccomp => None,
        })
    }
}
