// SPDX-License-Identifier: GPL-2.0-only

//! The call that an explanation is about.

use crate::{creation::Creation, plan};
use nsproxy_diagnose::{Call, Descriptor, Task};
use nsproxy_uapi::{Kind, Member};
use std::{
    fmt,
    fs::File,
    os::fd::{AsRawFd as _, BorrowedFd, OwnedFd},
};

/// A call, as the user knows it: by options of this tool, or as a system call of a program.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Request<'a> {
    /// setns(2) by options.
    Setns {
        call: &'a plan::Call,
        /// The open file of the call: its path may refer to another file by now.
        file: BorrowedFd<'a>,
    },
    /// unshare(2) or clone3(2) by options.
    Creation(Creation),
    /// A call of a program.
    Program(Call),
}

impl Request<'_> {
    /// Returns the system call.
    pub(crate) fn as_call(&self) -> Call {
        match self {
            Self::Setns { call, file } => Call::Setns {
                fd: file.as_raw_fd(),
                nstype: call.nstype() as i32,
            },
            Self::Creation(creation) => creation.as_call(),
            Self::Program(call) => *call,
        }
    }

    /// Returns the flags of the system call.
    pub(crate) fn flags(&self) -> u64 {
        flags(self.as_call())
    }

    /// Returns the name of the system call.
    pub(crate) fn name(&self) -> &'static str {
        match self.as_call() {
            Call::Setns { .. } => "setns",
            Call::Unshare { .. } => "unshare",
            Call::Clone { .. } => "clone3",
        }
    }

    /// Returns the kinds that the call enters or creates.
    pub(crate) fn kinds(&self) -> Vec<Kind> {
        match self {
            Self::Setns { call, .. } => call.kinds.clone(),
            Self::Creation(creation) => creation.kinds(),
            Self::Program(_) => kinds(self.flags()),
        }
    }

    /// Describes a call that would succeed.
    pub(crate) fn success(&self) -> &'static str {
        match (self, self.kinds().is_empty()) {
            (Self::Setns { .. }, _) => "can be entered",
            (Self::Creation(_), false) => "can be created",
            (Self::Creation(_), true) | (Self::Program(_), _) => "would succeed",
        }
    }

    /// Returns `options` for a call by options of this tool, and `program` for one of a program.
    pub(crate) fn pick<'a>(&self, options: &'a str, program: &'a str) -> &'a str {
        match self {
            Self::Program(_) => program,
            Self::Setns { .. } | Self::Creation(_) => options,
        }
    }

    /// Returns the target process of setns(2). `task` makes the call.
    pub(crate) fn target(&self, task: &Task) -> Option<Task> {
        match self {
            Self::Setns { file, .. } => Task::of_pidfd(file).ok(),
            Self::Creation(_) => None,
            Self::Program(_) => match self.descriptor(task)? {
                Descriptor::Process(number) => Task::of(number?).ok(),
                _ => None,
            },
        }
    }

    /// Opens the namespace of a kind that setns(2) enters. `task` makes the call.
    pub(crate) fn entered(&self, task: &Task, kind: Kind) -> Option<OwnedFd> {
        match self {
            Self::Setns { call, file } => match call.source {
                plan::Source::Process(_) => {
                    let target = Task::of_pidfd(file).ok()?;
                    Some(target.namespace(Member::of(kind)).ok()?.into())
                }
                plan::Source::File(_) => file.try_clone_to_owned().ok(),
            },
            Self::Creation(_) => None,
            Self::Program(_) => match self.descriptor(task)? {
                Descriptor::Namespace(_, namespace) => Some(namespace.into()),
                Descriptor::Process(number) => {
                    let path = format!("/proc/{}/ns/{}", number?, kind.name());
                    File::open(path).ok().map(Into::into)
                }
                Descriptor::Other => None,
            },
        }
    }

    /// Returns the descriptor of setns(2) of a program.
    fn descriptor(&self, task: &Task) -> Option<Descriptor> {
        match self.as_call() {
            Call::Setns { fd, .. } => task.descriptor(fd).ok(),
            Call::Unshare { .. } | Call::Clone { .. } => None,
        }
    }
}

impl fmt::Display for Request<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Setns { call, .. } => write!(f, "{call}"),
            Self::Creation(creation) => write!(f, "{creation}"),
            Self::Program(_) => write!(f, "{}({:#x})", self.name(), self.flags()),
        }
    }
}

/// Returns the kinds among the flags of a call.
pub(crate) fn kinds(flags: u64) -> Vec<Kind> {
    let is_named = |kind: &Kind| flags & u64::from(kind.flag()) != 0;
    Kind::ALL.into_iter().filter(is_named).collect()
}

/// Returns the flags of a call: `nstype` for setns(2).
pub(crate) fn flags(call: Call) -> u64 {
    match call {
        Call::Setns { nstype, .. } => (nstype as u32).into(),
        Call::Unshare { flags } | Call::Clone { flags } => flags,
    }
}
