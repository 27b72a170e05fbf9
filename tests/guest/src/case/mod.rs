// SPDX-License-Identifier: GPL-2.0-only

//! A case: a state, a call and the expected outcome, as data. [`run`] runs it.

pub(crate) mod effort;
pub(crate) mod fd_source;
pub(crate) mod fixtures;
pub(crate) mod implementation;
pub(crate) mod record;
pub(crate) mod run;
pub(crate) mod target;

use crate::{
    case::{
        implementation::{Entry, Kind, SystemCall},
        target::Target,
    },
    env::kernel::{self, Feature},
    errno::Code,
    process::setup::Setup,
};
use nsproxy_uapi::{Reason, clone_flags};

/// The file that the descriptor of a call refers to. [`fd_source`] opens it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum FdSource {
    /// `/proc/<target>/ns/<link>`.
    Target(&'static str),
    /// The namespace of this kind of the target, by another path.
    TargetBy(NsPath, Kind),
    /// `/proc/self/ns/<link>` of the test, which is in the initial namespaces.
    Home(&'static str),
    /// `/proc/self/ns/<link>` of the caller, opened after its setups.
    Own(&'static str),
    /// `/proc/<child>/ns/<link>` of the caller's child, see [`Setup::Child`].
    Child(&'static str),
    /// A pidfd of the target.
    Pidfd,
    /// A pidfd of the test, which is the parent of the caller.
    HomePidfd,
    /// A pidfd of the caller, opened after its setups.
    OwnPidfd,
    /// A pidfd of the caller's child, see [`Setup::Child`].
    ChildPidfd,
    /// `/proc/<target>`.
    ProcDirectory,
    /// A file that is neither a namespace nor a process.
    Unrelated(Unrelated),
    /// A number, usually without an open file.
    Number(i32),
    /// No file: the call is not setns(2).
    Nothing,
}

/// A path to a namespace of a target other than its file in `/proc`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum NsPath {
    /// The file in `/proc`, opened with `O_PATH`.
    OPath,
    /// A bind mount of the file in `/proc`.
    BindMount,
    /// A file handle: `open_by_handle_at(2)`.
    FileHandle,
    /// `PIDFD_GET_*_NAMESPACE` of a pidfd of the target.
    PidfdIoctl,
    /// `NS_GET_USERNS`: the user namespace that owns the namespace.
    Owner,
    /// `NS_GET_PARENT`: the parent of a user or pid namespace.
    Parent,
    /// `SIOCGSKNS` of a socket in the network namespace.
    Socket,
}

/// Files that setns(2) does not accept.
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

/// The expectation about a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Expect {
    /// Success: the caller is in the namespaces of these kinds that the file refers to, and its
    /// other namespaces are unchanged.
    Moved(u32),
    /// Success of unshare(2) or clone(2): the caller, or the new task, is in a new namespace of each of
    /// these kinds, and its other namespaces are unchanged.
    Created(u32),
    /// An error without any effect.
    Fails(Code),
    /// The same as the reference.
    AsReference,
}

/// Processes that take a snapshot after the call, in addition to the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Witnesses {
    /// A child that is forked after the call, one that executes a program, and perf.
    All,
    /// A child that is forked after the call. In an emulator that is twice as fast.
    Child,
}

/// A state, a call and the expected outcome.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    /// The name in the report, and for the filter on the command line.
    pub(crate) name: String,
    /// The target, if the file refers to one.
    pub(crate) target: Option<Target>,
    /// The setups of the callers.
    pub(crate) caller: Vec<Setup>,
    pub(crate) fd: FdSource,
    pub(crate) nstype: i32,
    /// The system call. Only that of setns(2) has a file.
    pub(crate) call: SystemCall,
    pub(crate) expect: Expect,
    /// The check that must refuse the call, if a certain one must.
    pub(crate) reason: Option<Reason>,
    pub(crate) witnesses: Witnesses,
    /// The allocation of the call that fails, counted from 1: see
    /// [`crate::checks::fault_injection`].
    pub(crate) fail_allocation: Option<u32>,
    /// `true` to explain the call from user space, too.
    pub(crate) diagnose: bool,
    /// The entry under test.
    pub(crate) subject: Entry,
    /// The entry that the subject is compared with.
    pub(crate) reference: Option<Entry>,
}

impl Case {
    /// Creates a case: a call by root through the device, compared with setns(2).
    pub(crate) fn new(name: impl Into<String>, fd: FdSource, nstype: i32) -> Self {
        Self {
            name: name.into(),
            target: None,
            caller: Vec::new(),
            fd,
            nstype,
            call: SystemCall::Setns,
            expect: Expect::AsReference,
            reason: None,
            witnesses: Witnesses::All,
            fail_allocation: None,
            diagnose: true,
            subject: Entry::Device,
            reference: Some(Entry::Syscall),
        }
    }

    /// Creates a case of unshare(2): a call by root through the device, compared with unshare(2).
    pub(crate) fn unshare(name: impl Into<String>, flags: u64) -> Self {
        Self {
            call: SystemCall::Unshare(flags),
            ..Self::new(name, FdSource::Nothing, 0)
        }
    }

    /// Creates a case of clone(2): a call by root in a process that the module serves, compared with
    /// one in a process that it does not.
    pub(crate) fn clone_task(name: impl Into<String>, flags: u64) -> Self {
        Self {
            call: SystemCall::Clone(flags),
            subject: Entry::Lifelong,
            ..Self::new(name, FdSource::Nothing, 0)
        }
    }

    /// Returns the same call by the system call, without a reference: for a guest without the module.
    pub(crate) fn by_kernel_alone(self) -> Self {
        Self {
            subject: Entry::Syscall,
            reference: None,
            ..self
        }
    }

    /// Returns the features of the kernel that the case requires.
    pub(crate) fn features(&self) -> impl Iterator<Item = Feature> {
        let sets_exec_bits = |setup: &Setup| match setup {
            Setup::SecureBits(bits) => bits & kernel::SECBIT_EXEC != 0,
            _ => false,
        };
        let empty_mntns = match self.call {
            SystemCall::Setns => 0,
            SystemCall::Unshare(_) => clone_flags::UNSHARE_EMPTY_MNTNS,
            SystemCall::Clone(_) => clone_flags::EMPTY_MNTNS,
        };
        let shares_memory = match self.call {
            SystemCall::Clone(flags) => flags & libc::CLONE_VM as u64 != 0,
            _ => false,
        };
        let has_time_for_children = |setup: &Setup| *setup == Setup::Unshare(Kind::Time.flag());
        let required = [
            (
                shares_memory && self.caller.iter().any(has_time_for_children),
                Feature::TimeAtExec,
            ),
            (
                matches!(self.fd, FdSource::TargetBy(NsPath::PidfdIoctl, _)),
                Feature::PidfdNamespaces,
            ),
            (
                matches!(self.fd, FdSource::TargetBy(NsPath::FileHandle, _)),
                Feature::NsfsHandles,
            ),
            (
                self.caller.iter().any(sets_exec_bits),
                Feature::SecureBitsOfExec,
            ),
            (
                self.call.flags() & empty_mntns != 0,
                Feature::EmptyMountNamespaces,
            ),
        ];
        let required = required.into_iter().filter(|(is_required, _)| *is_required);
        required.map(|(_, feature)| feature)
    }

    pub(crate) fn target(mut self, target: Target) -> Self {
        self.target = Some(target);
        self
    }

    pub(crate) fn caller(mut self, setups: impl Into<Vec<Setup>>) -> Self {
        self.caller = setups.into();
        self
    }

    pub(crate) fn moves(mut self, kinds: u32) -> Self {
        self.expect = Expect::Moved(kinds);
        self
    }

    pub(crate) fn creates(mut self, kinds: u32) -> Self {
        self.expect = Expect::Created(kinds);
        self
    }

    /// Expects that this check refuses the call.
    pub(crate) fn refused(mut self, reason: Reason) -> Self {
        self.reason = Some(reason);
        match reason.errno() {
            Some(errno) => self.fails(errno.into()),
            None => self,
        }
    }

    /// Expects a refusal because `fs_struct` is shared, although the `nsset` has a copy. On a kernel
    /// that checks the copy, expects `with_copy`.
    pub(crate) fn refused_despite_the_copy(self, with_copy: Expect) -> Self {
        if kernel::checks_fs_copy() {
            Self {
                expect: with_copy,
                reason: None,
                ..self
            }
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
        match self.fd {
            FdSource::Target(link)
            | FdSource::Home(link)
            | FdSource::Own(link)
            | FdSource::Child(link) => {
                let name = link.trim_end_matches("_for_children");
                Kind::ALL.into_iter().find(|kind| kind.name() == name)
            }
            FdSource::TargetBy(_, kind) => Some(kind),
            _ => {
                let mut kinds =
                    implementation::kinds_of(self.nstype as u32 | self.call.flags() as u32);
                let kind = kinds.next();
                kind.filter(|_| kinds.next().is_none())
            }
        }
    }
}

impl FdSource {
    /// Returns whether the file refers to a namespace of the target.
    pub(crate) fn is_of_target(&self) -> bool {
        matches!(
            self,
            Self::Target(_)
                | Self::Pidfd
                | Self::TargetBy(
                    NsPath::OPath
                        | NsPath::BindMount
                        | NsPath::FileHandle
                        | NsPath::PidfdIoctl
                        | NsPath::Socket,
                    _
                )
        )
    }
}
