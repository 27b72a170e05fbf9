// SPDX-License-Identifier: GPL-2.0-only

//! A case: a state, a call and what is to come of it, as data. How it is run: [`crate::trial`].

use crate::{
    actor::{command::Source, state::Step},
    errno::Code,
    via::Entry,
    world::{Process, Target},
};
use anyhow::{Context as _, Result};

/// What the file descriptor of a call refers to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Handle {
    /// `/proc/<target>/ns/<link>`.
    Target(&'static str),
    /// The same, opened with `O_PATH`.
    TargetByPath(&'static str),
    /// `/proc/self/ns/<link>` of the test: where it all started.
    Home(&'static str),
    /// `/proc/self/ns/<link>` of the caller, opened when it is in its state.
    Own(&'static str),
    /// A pidfd of the target.
    Pidfd,
    /// A pidfd of the caller, opened when it is in its state.
    OwnPidfd,
    /// `/proc/<target>`.
    ProcDirectory,
    /// A file that has nothing to do with any of this.
    Regular,
    Pipe,
    Socket,
    /// A number, with no file behind it.
    Number(i32),
}

/// What is to come of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Expect {
    /// Success: the caller is in the namespaces of these kinds that the handle refers to, and
    /// everywhere else where it was.
    Moved(u32),
    /// An error, and nothing has changed.
    Fails(Code),
    /// Whatever the reference does.
    AsReference,
}

/// A state, a call and what is to come of it.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    /// What it is called in the report; the filter on the command line looks here.
    pub(crate) name: String,
    /// The process that the handle refers to, if it does.
    pub(crate) target: Option<Target>,
    /// The steps that the callers take before the call.
    pub(crate) caller: Vec<Step>,
    pub(crate) handle: Handle,
    pub(crate) nstype: i32,
    pub(crate) expect: Expect,
    /// Which allocation of the call is to fail, counted from 1, if one is: see [`crate::fault`].
    pub(crate) fail_allocation: Option<u32>,
    /// What is tested.
    pub(crate) subject: Entry,
    /// What it is compared with, if with anything.
    pub(crate) reference: Option<Entry>,
}

impl Case {
    /// A call through the device, made by root, to be compared with setns(2).
    pub(crate) fn new(name: impl Into<String>, handle: Handle, nstype: i32) -> Self {
        Self {
            name: name.into(),
            target: None,
            caller: Vec::new(),
            handle,
            nstype,
            expect: Expect::AsReference,
            fail_allocation: None,
            subject: Entry::Device,
            reference: Some(Entry::Syscall),
        }
    }

    pub(crate) fn target(mut self, target: Target) -> Self {
        self.target = Some(target);
        self
    }

    pub(crate) fn caller(mut self, steps: impl Into<Vec<Step>>) -> Self {
        self.caller = steps.into();
        self
    }

    pub(crate) fn moves(mut self, kinds: u32) -> Self {
        self.expect = Expect::Moved(kinds);
        self
    }

    pub(crate) fn fails(mut self, code: Code) -> Self {
        self.expect = Expect::Fails(code);
        self
    }
}

impl Handle {
    /// Whether it leads to the case's target.
    pub(crate) fn is_of_target(&self) -> bool {
        matches!(self, Self::Target(_) | Self::Pidfd)
    }

    /// Whether it can only be opened when the caller is in its state.
    pub(crate) fn is_of_caller(&self) -> bool {
        matches!(self, Self::Own(_) | Self::OwnPidfd)
    }

    /// How an actor opens it.
    pub(crate) fn source(&self, target: Option<&Process>) -> Result<Source> {
        let pid = || Ok::<_, anyhow::Error>(target.context("a case without a target")?.pid);
        let path = |path: String| Source::Path {
            path,
            o_path: false,
        };
        Ok(match self {
            Self::Target(link) => path(format!("/proc/{}/ns/{link}", pid()?)),
            Self::TargetByPath(link) => Source::Path {
                path: format!("/proc/{}/ns/{link}", pid()?),
                o_path: true,
            },
            Self::Home(link) => path(format!("/proc/{}/ns/{link}", std::process::id())),
            Self::Own(link) => Source::Own {
                link: (*link).to_owned(),
            },
            Self::Pidfd => Source::Pidfd { pid: Some(pid()?) },
            Self::OwnPidfd => Source::Pidfd { pid: None },
            Self::ProcDirectory => path(format!("/proc/{}", pid()?)),
            Self::Regular => path("/proc/self/exe".to_owned()),
            Self::Pipe => Source::Pipe,
            Self::Socket => Source::Socket,
            Self::Number(n) => Source::Number(*n),
        })
    }
}
