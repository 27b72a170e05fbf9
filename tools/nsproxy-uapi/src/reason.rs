// SPDX-License-Identifier: GPL-2.0-only

//! The reason of a refusal: `NSPROXY_REASON_*`.

use crate::abi_enum::abi_enum;
use rustix::io::Errno;

abi_enum! {
    /// The check that refused a call.
    Reason;

    /// The file descriptor is not open, or open with `O_PATH`.
    BadFd = NSPROXY_REASON_BADF, "bad-fd";
    /// The file is neither an nsfs file nor a pidfd.
    Neither = NSPROXY_REASON_NEITHER, "neither";
    /// The namespace is of another kind than `nstype`.
    NsType = NSPROXY_REASON_NSTYPE, "nstype";
    /// No kind is requested for a pidfd.
    NoFlags = NSPROXY_REASON_NO_FLAGS, "no-flags";
    /// The flags for a pidfd have bits that are no kind.
    UnknownFlags = NSPROXY_REASON_UNKNOWN_FLAGS, "unknown-flags";
    /// The kernel was built without the kind. No longer returned: the module requires all kinds.
    Unsupported = NSPROXY_REASON_UNSUPPORTED, "unsupported";
    /// Out of memory for a `struct nsproxy`.
    NoNsProxy = NSPROXY_REASON_NO_NSPROXY, "no-nsproxy";
    /// Out of memory for a `struct cred`.
    NoCred = NSPROXY_REASON_NO_CRED, "no-cred";
    /// Out of memory for a `struct fs_struct`.
    NoFs = NSPROXY_REASON_NO_FS, "no-fs";
    /// The target was reaped.
    Reaped = NSPROXY_REASON_REAPED, "reaped";
    /// The caller may not access the target.
    Ptrace = NSPROXY_REASON_PTRACE, "ptrace";
    /// The target is exiting and has released its namespaces.
    Exiting = NSPROXY_REASON_EXITING, "exiting";
    /// The target has left its pid namespace.
    NoPidNs = NSPROXY_REASON_NO_PID_NS, "no-pid-ns";
    /// `CAP_SYS_ADMIN` is missing in the user namespace that owns the namespace.
    CapOwner = NSPROXY_REASON_CAP_OWNER, "cap-owner";
    /// `CAP_SYS_ADMIN` is missing in the caller's user namespace, or in the one that the call
    /// enters first.
    CapSet = NSPROXY_REASON_CAP_SET, "cap-set";
    /// `CAP_SYS_CHROOT` is missing in the same user namespace.
    Chroot = NSPROXY_REASON_CHROOT, "chroot";
    /// `CAP_SYS_ADMIN` is missing in the user namespace to enter.
    CapUser = NSPROXY_REASON_CAP_USER, "cap-user";
    /// The mount namespace is anonymous.
    Anonymous = NSPROXY_REASON_ANONYMOUS, "anonymous";
    /// The caller shares root and working directory with another task.
    FsShared = NSPROXY_REASON_FS_SHARED, "fs-shared";
    /// The lookup of the mount namespace's root failed.
    Root = NSPROXY_REASON_ROOT, "root";
    /// The pid namespace is neither the caller's nor a descendant of it.
    NotBelow = NSPROXY_REASON_NOT_BELOW, "not-below";
    /// The caller is in this user namespace already.
    SameUser = NSPROXY_REASON_SAME_USER, "same-user";
    /// A process with several threads cannot enter a user namespace.
    Threads = NSPROXY_REASON_THREADS, "threads";
    /// The caller's user cannot be counted in the user namespace.
    Ucounts = NSPROXY_REASON_UCOUNTS, "ucounts";
    /// A caller that shares its memory with another task cannot enter a time namespace.
    MmShared = NSPROXY_REASON_MM_SHARED, "mm-shared";
    /// 2011: `CAP_SYS_ADMIN` in the initial user namespace is missing.
    CapInit = NSPROXY_REASON_CAP_INIT, "cap-init";
    /// 2011: the file is not a namespace of one of the three kinds of 2011.
    NoNs = NSPROXY_REASON_NO_NS, "no-ns";
    /// `kernel.unprivileged_userns_clone` is 0, and `CAP_SYS_ADMIN` in the initial user namespace is
    /// missing.
    UsernsOff = NSPROXY_REASON_USERNS_OFF, "userns-off";
    /// The flags have bits that unshare(2) does not know.
    UnshareFlags = NSPROXY_REASON_UNSHARE_FLAGS, "unshare-flags";
    /// The process has several threads.
    UnshareThreads = NSPROXY_REASON_UNSHARE_THREADS, "unshare-threads";
    /// The caller shares its signal handlers with another task.
    SighandShared = NSPROXY_REASON_SIGHAND_SHARED, "sighand-shared";
    /// The caller shares its memory with another task.
    VmShared = NSPROXY_REASON_VM_SHARED, "vm-shared";
    /// The table of file descriptors cannot be copied.
    NoFiles = NSPROXY_REASON_NO_FILES, "no-files";
    /// Out of memory to count the caller's user in the new user namespace.
    NewUcounts = NSPROXY_REASON_NEW_UCOUNTS, "new-ucounts";
    /// `CAP_SYS_ADMIN` is missing in the user namespace that would own the new namespaces.
    CapNew = NSPROXY_REASON_CAP_NEW, "cap-new";
    /// The limit of namespaces of the kind is reached.
    Limit = NSPROXY_REASON_LIMIT, "limit";
    /// Namespaces of the kind are nested too deep.
    Nested = NSPROXY_REASON_NESTED, "nested";
    /// The caller's root directory is not the root of its mount namespace.
    Chrooted = NSPROXY_REASON_CHROOTED, "chrooted";
    /// The caller's effective user or group has no id in its user namespace.
    Unmapped = NSPROXY_REASON_UNMAPPED, "unmapped";
    /// An LSM refused the user namespace.
    Lsm = NSPROXY_REASON_LSM, "lsm";
    /// The caller's children are in another pid namespace than the caller.
    PidForChildren = NSPROXY_REASON_PID_FOR_CHILDREN, "pid-for-children";
    /// The owner of the new pid namespace would not be below the owner of its parent.
    PidOwner = NSPROXY_REASON_PID_OWNER, "pid-owner";
    /// Out of memory for the namespace, or another error of its kind.
    NoNewNs = NSPROXY_REASON_NO_NEW_NS, "no-new-ns";
    /// clone3(2) does not know a flag, or flags exclude each other, or one requires another one.
    CloneFlags = NSPROXY_REASON_CLONE_FLAGS, "clone-flags";
    /// Tasks in different mount or user namespaces cannot share root and working directory.
    CloneFs = NSPROXY_REASON_CLONE_FS, "clone-fs";
    /// The init of a pid namespace cannot have siblings.
    CloneParent = NSPROXY_REASON_CLONE_PARENT, "clone-parent";
    /// The threads of a process are in one user namespace and in one pid namespace.
    CloneThread = NSPROXY_REASON_CLONE_THREAD, "clone-thread";
    /// Tasks in different ipc namespaces cannot share semaphore undos.
    CloneSysvsem = NSPROXY_REASON_CLONE_SYSVSEM, "clone-sysvsem";
}

impl Reason {
    /// Returns the errno of the call for the reason; [`None`] if the check has more than one.
    pub const fn errno(self) -> Option<Errno> {
        Some(match self {
            Self::BadFd => Errno::BADF,
            Self::NoNsProxy | Self::NoCred | Self::NoFs => Errno::NOMEM,
            Self::Reaped | Self::Exiting | Self::NoPidNs => Errno::SRCH,
            Self::Ptrace
            | Self::CapOwner
            | Self::CapSet
            | Self::Chroot
            | Self::CapUser
            | Self::CapInit
            | Self::UsernsOff
            | Self::CapNew
            | Self::Chrooted
            | Self::Unmapped => Errno::PERM,
            Self::Limit | Self::Nested => Errno::NOSPC,
            Self::NewUcounts => Errno::AGAIN,
            Self::MmShared => Errno::USERS,
            Self::Neither
            | Self::NsType
            | Self::NoFlags
            | Self::UnknownFlags
            | Self::Unsupported
            | Self::Anonymous
            | Self::FsShared
            | Self::NotBelow
            | Self::SameUser
            | Self::Threads
            | Self::Ucounts
            | Self::NoNs
            | Self::UnshareFlags
            | Self::UnshareThreads
            | Self::SighandShared
            | Self::VmShared
            | Self::PidForChildren
            | Self::PidOwner
            | Self::CloneFlags
            | Self::CloneFs
            | Self::CloneParent
            | Self::CloneThread
            | Self::CloneSysvsem => Errno::INVAL,
            Self::Root | Self::NoFiles | Self::Lsm | Self::NoNewNs => return None,
        })
    }
}
