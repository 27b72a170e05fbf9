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
}

impl Reason {
    /// Returns the step that the check belongs to.
    pub(crate) fn step(self) -> Step {
        use Reason::*;
        match self {
            CapInit => Step::Capable,
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
