// SPDX-License-Identifier: GPL-2.0-only

//! Why a call was refused: `NSPROXY_REASON_*`.

use crate::sys;
use rustix::io::Errno;

macro_rules! reasons {
    ($($(#[$doc:meta])* $reason:ident = $code:ident, $name:literal, $errno:expr;)*) => {
        /// The check that was failed.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Reason {
            $($(#[$doc])* $reason,)*
        }

        impl Reason {
            /// Every reason, by its number.
            pub const ALL: &[Self] = &[$(Self::$reason,)*];

            /// The number that the module gives it.
            pub const fn number(self) -> u32 {
                match self {
                    $(Self::$reason => sys::$code,)*
                }
            }

            /// Its name, for reports and for programs: stable.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$reason => $name,)*
                }
            }

            /// The errno that setns(2) gives then; [`None`] if that is not always the same.
            pub const fn errno(self) -> Option<Errno> {
                match self {
                    $(Self::$reason => $errno,)*
                }
            }
        }
    };
}

reasons! {
    /// Not open, or open with `O_PATH`.
    BadFd = NSPROXY_REASON_BADF, "bad-fd", Some(Errno::BADF);
    /// Neither nsfs file nor pidfd.
    Neither = NSPROXY_REASON_NEITHER, "neither", Some(Errno::INVAL);
    /// A namespace of another kind than was asked for.
    NsType = NSPROXY_REASON_NSTYPE, "nstype", Some(Errno::INVAL);
    /// A pidfd, and no kind is asked for.
    NoFlags = NSPROXY_REASON_NO_FLAGS, "no-flags", Some(Errno::INVAL);
    /// A pidfd, and more is asked for than kinds.
    UnknownFlags = NSPROXY_REASON_UNKNOWN_FLAGS, "unknown-flags", Some(Errno::INVAL);
    /// A kind that the kernel was built without. Modules that require all kinds never return it.
    Unsupported = NSPROXY_REASON_UNSUPPORTED, "unsupported", Some(Errno::INVAL);
    /// No memory for a `struct nsproxy`.
    NoNsProxy = NSPROXY_REASON_NO_NSPROXY, "no-nsproxy", Some(Errno::NOMEM);
    /// No memory for a `struct cred`.
    NoCred = NSPROXY_REASON_NO_CRED, "no-cred", Some(Errno::NOMEM);
    /// No memory for a `struct fs_struct`.
    NoFs = NSPROXY_REASON_NO_FS, "no-fs", Some(Errno::NOMEM);
    /// The process is gone.
    Reaped = NSPROXY_REASON_REAPED, "reaped", Some(Errno::SRCH);
    /// The process may not be looked into.
    Ptrace = NSPROXY_REASON_PTRACE, "ptrace", Some(Errno::PERM);
    /// The process has given up its namespaces.
    Exiting = NSPROXY_REASON_EXITING, "exiting", Some(Errno::SRCH);
    /// The process is in no pid namespace any more.
    NoPidNs = NSPROXY_REASON_NO_PID_NS, "no-pid-ns", Some(Errno::SRCH);
    /// A capability in the user namespace that owns the namespace.
    CapOwner = NSPROXY_REASON_CAP_OWNER, "cap-owner", Some(Errno::PERM);
    /// A capability in the user namespace of who enters.
    CapSet = NSPROXY_REASON_CAP_SET, "cap-set", Some(Errno::PERM);
    /// `CAP_SYS_CHROOT` there.
    Chroot = NSPROXY_REASON_CHROOT, "chroot", Some(Errno::PERM);
    /// A capability in the user namespace to enter.
    CapUser = NSPROXY_REASON_CAP_USER, "cap-user", Some(Errno::PERM);
    /// A mount namespace without a name.
    Anonymous = NSPROXY_REASON_ANONYMOUS, "anonymous", Some(Errno::INVAL);
    /// Root and working directory are shared with another task.
    FsShared = NSPROXY_REASON_FS_SHARED, "fs-shared", Some(Errno::INVAL);
    /// The root of the mount namespace cannot be looked up.
    Root = NSPROXY_REASON_ROOT, "root", None;
    /// A pid namespace that is neither the caller's nor a descendant of it.
    NotBelow = NSPROXY_REASON_NOT_BELOW, "not-below", Some(Errno::INVAL);
    /// The user namespace that the caller is in.
    SameUser = NSPROXY_REASON_SAME_USER, "same-user", Some(Errno::INVAL);
    /// A user namespace, and the caller has other threads.
    Threads = NSPROXY_REASON_THREADS, "threads", Some(Errno::INVAL);
    /// A user namespace in which the caller's user cannot be counted.
    Ucounts = NSPROXY_REASON_UCOUNTS, "ucounts", Some(Errno::INVAL);
    /// A time namespace, and the caller shares its memory.
    MmShared = NSPROXY_REASON_MM_SHARED, "mm-shared", Some(Errno::USERS);
    /// 2011: a capability in the initial user namespace.
    CapInit = NSPROXY_REASON_CAP_INIT, "cap-init", Some(Errno::PERM);
    /// 2011: no file of a namespace of then.
    NoNs = NSPROXY_REASON_NO_NS, "no-ns", Some(Errno::INVAL);
    /// The kernel refused, and no known check would.
    Unexplained = NSPROXY_REASON_UNEXPLAINED, "unexplained", None;
}

impl Reason {
    /// The reason of that number.
    pub fn of(number: u32) -> Option<Self> {
        let mut all = Self::ALL.iter().copied();
        all.find(|reason| reason.number() == number)
    }
}

#[cfg(test)]
mod tests {
    use super::Reason;

    #[test]
    fn numbers_are_those_that_were_published() {
        let numbers: Vec<_> = Reason::ALL.iter().map(|reason| reason.number()).collect();
        assert!(numbers.iter().copied().eq(1..=28), "{numbers:?}");
    }

    #[test]
    fn each_is_found_by_its_number() {
        for reason in Reason::ALL {
            assert_eq!(Reason::of(reason.number()), Some(*reason));
        }
        assert_eq!((Reason::of(0), Reason::of(u32::MAX)), (None, None));
    }
}
