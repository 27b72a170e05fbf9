// SPDX-License-Identifier: GPL-2.0-only

//! A case: a state, a call and what is to come of it, as data. How it is run: [`crate::case::run`].

pub(crate) mod fd_source;
pub(crate) mod implementation;
pub(crate) mod run;
pub(crate) mod target;

use crate::{
    case::{
        implementation::{Entry, Kind},
        target::Target,
    },
    env::kernel,
    errno::Code,
    process::setup::Step,
};
use nsproxy_uapi::Reason;

/// What the file descriptor of a call refers to. How it comes about: [`crate::case::fd_source`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Handle {
    /// `/proc/<target>/ns/<link>`.
    Target(&'static str),
    /// The same namespace, by another way.
    TargetBy(Way, Kind),
    /// `/proc/self/ns/<link>` of the test: where it all started, and the caller's parent is.
    Home(&'static str),
    /// `/proc/self/ns/<link>` of the caller, opened when it is in its state.
    Own(&'static str),
    /// `/proc/<child>/ns/<link>` of the caller's child, see [`Step::Child`].
    Child(&'static str),
    /// A pidfd of the target.
    Pidfd,
    /// A pidfd of the test, the caller's parent.
    HomePidfd,
    /// A pidfd of the caller, opened when it is in its state.
    OwnPidfd,
    /// A pidfd of the caller's child, see [`Step::Child`].
    ChildPidfd,
    /// `/proc/<target>`.
    ProcDirectory,
    /// A file that has nothing to do with any of this.
    Unrelated(Unrelated),
    /// A number, with no file behind it.
    Number(i32),
}

/// A way to the namespace of a target other than its file in `/proc`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Way {
    /// That file, opened with `O_PATH`.
    OPath,
    /// That file, bind mounted elsewhere and opened there.
    BindMount,
    /// Its file handle: `open_by_handle_at(2)`.
    FileHandle,
    /// `PIDFD_GET_*_NAMESPACE` of a pidfd of the target.
    PidfdIoctl,
    /// `NS_GET_USERNS`: not the namespace itself but the user namespace that owns it.
    Owner,
    /// `NS_GET_PARENT`: the parent of a user or pid namespace.
    Parent,
    /// `SIOCGSKNS` of a socket in the network namespace.
    Socket,
}

/// Files that setns(2) has no use for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Unrelated {
    Regular,
    Directory,
    CharDevice,
    Pipe,
    Socket,
    Epoll,
    EventFd,
    MemFd,
    /// `/dev/nsproxy` itself.
    Nsproxy,
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

/// Who looks at what came of a call, besides the caller itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Witnesses {
    /// A child that is forked afterwards, one that executes a program, and perf.
    All,
    /// A child that is forked afterwards. In an emulator that is twice as fast.
    Child,
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
    /// The check that it fails, if it is to be a certain one.
    pub(crate) reason: Option<Reason>,
    /// Who looks, besides the caller itself.
    pub(crate) witnesses: Witnesses,
    /// Which allocation of the call is to fail, counted from 1, if one is: see [`crate::checks::fault_injection`].
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
            reason: None,
            witnesses: Witnesses::All,
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

    /// It fails, for this reason.
    pub(crate) fn refused(mut self, reason: Reason) -> Self {
        self.reason = Some(reason);
        match reason.errno() {
            Some(errno) => self.fails(errno.into()),
            None => self,
        }
    }

    /// It fails since root and working directory are shared, though the set has a copy of them; or
    /// whatever the reference does, where the kernel asks the copy.
    pub(crate) fn refused_despite_the_copy(self) -> Self {
        if kernel::asks_the_copy() {
            self
        } else {
            self.refused(Reason::FsShared)
        }
    }

    pub(crate) fn fails(mut self, code: Code) -> Self {
        self.expect = Expect::Fails(code);
        self
    }

    /// Returns the kind of namespace that the call is about, if it is about one.
    pub(crate) fn kind(&self) -> Option<Kind> {
        match self.handle {
            Handle::Target(link) | Handle::Home(link) | Handle::Own(link) | Handle::Child(link) => {
                let name = link.trim_end_matches("_for_children");
                Kind::ALL.into_iter().find(|kind| kind.name() == name)
            }
            Handle::TargetBy(_, kind) => Some(kind),
            _ => {
                let mut kinds = implementation::kinds_of(self.nstype as u32);
                let kind = kinds.next();
                kind.filter(|_| kinds.next().is_none())
            }
        }
    }
}

impl Handle {
    /// Whether it leads to a namespace that the case's target is in.
    pub(crate) fn is_of_target(&self) -> bool {
        matches!(
            self,
            Self::Target(_)
                | Self::Pidfd
                | Self::TargetBy(
                    Way::OPath | Way::BindMount | Way::FileHandle | Way::PidfdIoctl | Way::Socket,
                    _
                )
        )
    }
}
