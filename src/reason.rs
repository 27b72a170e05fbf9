// SPDX-License-Identifier: GPL-2.0-only

//! Reasons of a refused call: one for each check.

use crate::{
    observer::Step,
    sys::uapi::reason::*, //
};
use kernel::{
    bindings::EUSERS,
    prelude::*, //
};

macro_rules! reasons {
    ($($(#[$doc:meta])* $reason:ident = $number:ident => $errno:expr,)*) => {
        /// A check of the path.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u32)]
        pub(crate) enum Reason {
            $($(#[$doc])* $reason = $number,)*
        }

        impl Reason {
            /// Returns the errno of the check.
            #[inline(always)] // Folds to a constant where the reason is one.
            pub(crate) fn errno(self) -> Error {
                match self {
                    $(Self::$reason => $errno,)*
                }
            }
        }
    };
}

reasons! {
    /// The file descriptor is not open, or open with `O_PATH`.
    BadFd = NSPROXY_REASON_BADF => EBADF,
    /// The file is neither an nsfs file nor a pidfd.
    Neither = NSPROXY_REASON_NEITHER => EINVAL,
    /// The namespace is of another kind than `nstype`.
    NsType = NSPROXY_REASON_NSTYPE => EINVAL,
    /// No kind is requested for a pidfd.
    NoFlags = NSPROXY_REASON_NO_FLAGS => EINVAL,
    /// The flags for a pidfd have bits that are no kind.
    UnknownFlags = NSPROXY_REASON_UNKNOWN_FLAGS => EINVAL,
    /// Out of memory for a `struct nsproxy`.
    NoNsProxy = NSPROXY_REASON_NO_NSPROXY => ENOMEM,
    /// Out of memory for a `struct cred`.
    NoCred = NSPROXY_REASON_NO_CRED => ENOMEM,
    /// Out of memory for a `struct fs_struct`.
    NoFs = NSPROXY_REASON_NO_FS => ENOMEM,
    /// The target was reaped.
    Reaped = NSPROXY_REASON_REAPED => ESRCH,
    /// The caller may not access the target: `PTRACE_MODE_READ_REALCREDS`.
    Ptrace = NSPROXY_REASON_PTRACE => EPERM,
    /// The target is exiting and has released its namespaces.
    Exiting = NSPROXY_REASON_EXITING => ESRCH,
    /// The target has left its pid namespace.
    NoPidNs = NSPROXY_REASON_NO_PID_NS => ESRCH,
    /// 2011: `CAP_SYS_ADMIN` in the initial user namespace is missing.
    CapInit = NSPROXY_REASON_CAP_INIT => EPERM,
    /// 2011: the file is not a namespace of one of the three kinds of 2011.
    NoNs = NSPROXY_REASON_NO_NS => EINVAL,

    /// `CAP_SYS_ADMIN` is missing in the user namespace that owns the namespace.
    CapOwner = NSPROXY_REASON_CAP_OWNER => EPERM,
    /// `CAP_SYS_ADMIN` is missing in the user namespace of the set: the caller's, or the one that
    /// the call enters first.
    CapSet = NSPROXY_REASON_CAP_SET => EPERM,
    /// `CAP_SYS_CHROOT` is missing in the user namespace of the set.
    Chroot = NSPROXY_REASON_CHROOT => EPERM,
    /// `CAP_SYS_ADMIN` is missing in the user namespace to enter.
    CapUser = NSPROXY_REASON_CAP_USER => EPERM,
    /// The mount namespace is anonymous: `open_tree(2)` creates such namespaces.
    Anonymous = NSPROXY_REASON_ANONYMOUS => EINVAL,
    /// The caller shares root and working directory with another task: `CLONE_FS`.
    FsShared = NSPROXY_REASON_FS_SHARED => EINVAL,
    /// The lookup of the mount namespace's root failed: out of memory, or for another error, which
    /// the call then returns.
    Root = NSPROXY_REASON_ROOT => ENOMEM,
    /// The pid namespace is neither the caller's nor a descendant of it.
    NotBelow = NSPROXY_REASON_NOT_BELOW => EINVAL,
    /// The caller is in this user namespace already.
    SameUser = NSPROXY_REASON_SAME_USER => EINVAL,
    /// A process with several threads cannot enter a user namespace.
    Threads = NSPROXY_REASON_THREADS => EINVAL,
    /// The caller's user cannot be counted in the user namespace.
    Ucounts = NSPROXY_REASON_UCOUNTS => EINVAL,
    /// A caller that shares its memory with another task cannot enter a time namespace.
    MmShared = NSPROXY_REASON_MM_SHARED => Error::from_errno(-(EUSERS as c_int)),

    /// The flags for unshare(2) have unknown bits.
    UnshareFlags = NSPROXY_REASON_UNSHARE_FLAGS => EINVAL,
    /// A process with several threads cannot create a user namespace, or unshare its signal handlers
    /// or memory.
    UnshareThreads = NSPROXY_REASON_UNSHARE_THREADS => EINVAL,
    /// The caller shares its signal handlers with another task: `CLONE_SIGHAND`.
    SighandShared = NSPROXY_REASON_SIGHAND_SHARED => EINVAL,
    /// The caller shares its memory with another task: `CLONE_VM`.
    VmShared = NSPROXY_REASON_VM_SHARED => EINVAL,
    /// `kernel.unprivileged_userns_clone` is 0, and `CAP_SYS_ADMIN` in the initial user namespace is
    /// missing.
    UsernsOff = NSPROXY_REASON_USERNS_OFF => EPERM,
    /// The table of file descriptors cannot be copied: out of memory, or for another error, which
    /// the call then returns.
    NoFiles = NSPROXY_REASON_NO_FILES => ENOMEM,
    /// `CAP_SYS_ADMIN` is missing in the user namespace that would own the new namespaces: the
    /// caller's, or the one that the call creates first.
    CapNew = NSPROXY_REASON_CAP_NEW => EPERM,
    /// Out of memory to count the caller's user in the new user namespace.
    NewUcounts = NSPROXY_REASON_NEW_UCOUNTS => EAGAIN,
    /// The limit of namespaces of the kind is reached, in a user namespace or an ancestor of it.
    Limit = NSPROXY_REASON_LIMIT => ENOSPC,
    /// Namespaces of the kind are nested too deep.
    Nested = NSPROXY_REASON_NESTED => ENOSPC,
    /// The caller's root directory is not the root of its mount namespace.
    Chrooted = NSPROXY_REASON_CHROOTED => EPERM,
    /// The caller's effective user or group has no id in its user namespace.
    Unmapped = NSPROXY_REASON_UNMAPPED => EPERM,
    /// An LSM refused the user namespace. The call returns its errno.
    Lsm = NSPROXY_REASON_LSM => EPERM,
    /// The caller's children are in another pid namespace than the caller.
    PidForChildren = NSPROXY_REASON_PID_FOR_CHILDREN => EINVAL,
    /// The owner of the new pid namespace would not be below the owner of its parent.
    PidOwner = NSPROXY_REASON_PID_OWNER => EINVAL,
    /// The namespace cannot be created: out of memory, or for another error, which the call then
    /// returns.
    NoNewNs = NSPROXY_REASON_NO_NEW_NS => ENOMEM,

    /// The flags for clone3(2) have unknown bits, exclude each other, or require another one.
    CloneFlags = NSPROXY_REASON_CLONE_FLAGS => EINVAL,
    /// Tasks in different mount or user namespaces cannot share root and working directory:
    /// `CLONE_FS`.
    CloneFs = NSPROXY_REASON_CLONE_FS => EINVAL,
    /// The init of a pid namespace has no siblings: `CLONE_PARENT`.
    CloneParent = NSPROXY_REASON_CLONE_PARENT => EINVAL,
    /// The threads of a process are in one user namespace and in one pid namespace.
    CloneThread = NSPROXY_REASON_CLONE_THREAD => EINVAL,
    /// Tasks in different ipc namespaces cannot share semaphore undos: `CLONE_SYSVSEM`.
    CloneSysvsem = NSPROXY_REASON_CLONE_SYSVSEM => EINVAL,
}

impl Reason {
    /// Returns the step that the check belongs to.
    pub(crate) fn step(self) -> Step {
        use Reason::*;
        match self {
            CapInit => Step::Capable,
            UnshareFlags | UnshareThreads | SighandShared | VmShared | UsernsOff | CloneFlags
            | CloneFs | CloneParent | CloneThread => Step::Flags,
            NoFiles => Step::Files,
            CapNew | CloneSysvsem => Step::Create,
            Limit | Nested | Chrooted | Unmapped | Lsm | PidForChildren | PidOwner | NoNewNs => {
                Step::NewNs
            }
            NewUcounts => Step::Ucounts,
            BadFd => Step::Fget,
            Neither | NsType | NoFlags | UnknownFlags | NoNs => Step::Type,
            NoNsProxy => Step::Create,
            NoCred => Step::Cred,
            NoFs => Step::Fs,
            Reaped | Ptrace | Exiting | NoPidNs => Step::Target,
            CapOwner | CapSet | Chroot | CapUser | Anonymous | FsShared | Root | NotBelow
            | SameUser | Threads | Ucounts | MmShared => Step::Install,
        }
    }
}

/// A check that failed.
pub(crate) struct Refusal {
    /// The check.
    pub(crate) reason: Reason,
    /// The errno that the call returns.
    pub(crate) error: Error,
    /// The number of tasks that share an object that must not be shared, including the caller; 0
    /// for all other checks.
    pub(crate) count: u32,
}

impl From<Reason> for Refusal {
    fn from(reason: Reason) -> Self {
        Self {
            reason,
            error: reason.errno(),
            count: 0,
        }
    }
}

impl Reason {
    /// Returns the refusal by a check that an object is not shared. `count` tasks share it.
    #[cold]
    pub(crate) fn shared_by(self, count: u32) -> Refusal {
        Refusal {
            count,
            ..self.into()
        }
    }
}

/// Fails for `reason` unless `is_true`.
#[inline(always)]
pub(crate) fn ensure(is_true: bool, reason: Reason) -> Result<(), Refusal> {
    if is_true {
        Ok(())
    } else {
        Err(reason.into())
    }
}
