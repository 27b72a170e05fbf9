// SPDX-License-Identifier: GPL-2.0-only

//! Why a call is refused: a reason for each check of the path.
//!
//! What is decided here, in Rust, knows its reason. What `install()` of a kind decides is the
//! kernel's, and returns an errno that several checks can give: [`diagnose`] asks the same
//! questions again, in the same order, until one has that answer.

use crate::{
    observer::Step,
    sys::{
        caller::Caller,
        cred::SetCred,
        namespace::{Ns, UserNamespace},
        uapi::reason::*,
    },
    visibility::related_id,
};
use kernel::{
    bindings::{
        CAP_SYS_ADMIN, CAP_SYS_CHROOT, CLONE_NEWCGROUP, CLONE_NEWIPC, CLONE_NEWNET, CLONE_NEWNS,
        CLONE_NEWPID, CLONE_NEWTIME, CLONE_NEWUSER, CLONE_NEWUTS, EUSERS,
    },
    prelude::*,
};

macro_rules! reasons {
    ($($(#[$doc:meta])* $reason:ident = $code:ident => $errno:expr,)*) => {
        /// A check, for who failed it.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u32)]
        pub(crate) enum Reason {
            $($(#[$doc])* $reason = $code,)*
        }

        impl Reason {
            /// The errno that the check gives; [`None`] if that is not always the same.
            #[inline(always)] // Of most it is known when it is compiled.
            pub(crate) fn errno(self) -> Option<Error> {
                match self {
                    $(Self::$reason => $errno,)*
                }
            }
        }
    };
}

reasons! {
    /// The file descriptor is not open, or open with `O_PATH`.
    BadFd = NSPROXY_REASON_BADF => Some(EBADF),
    /// Neither nsfs file nor pidfd.
    Neither = NSPROXY_REASON_NEITHER => Some(EINVAL),
    /// The namespace is of another kind than `nstype` says.
    NsType = NSPROXY_REASON_NSTYPE => Some(EINVAL),
    /// A pidfd, and no kind is asked for.
    NoFlags = NSPROXY_REASON_NO_FLAGS => Some(EINVAL),
    /// A pidfd, and more is asked for than kinds.
    UnknownFlags = NSPROXY_REASON_UNKNOWN_FLAGS => Some(EINVAL),
    /// No memory for a `struct nsproxy`.
    NoNsProxy = NSPROXY_REASON_NO_NSPROXY => Some(ENOMEM),
    /// No memory for a `struct cred`.
    NoCred = NSPROXY_REASON_NO_CRED => Some(ENOMEM),
    /// No memory for a `struct fs_struct`.
    NoFs = NSPROXY_REASON_NO_FS => Some(ENOMEM),
    /// The process is gone.
    Reaped = NSPROXY_REASON_REAPED => Some(ESRCH),
    /// The process may not be looked into: `PTRACE_MODE_READ_REALCREDS`.
    Ptrace = NSPROXY_REASON_PTRACE => Some(EPERM),
    /// The process has given up its namespaces.
    Exiting = NSPROXY_REASON_EXITING => Some(ESRCH),
    /// The process is in no pid namespace any more.
    NoPidNs = NSPROXY_REASON_NO_PID_NS => Some(ESRCH),
    /// `CAP_SYS_ADMIN` in the user namespace that owns the namespace.
    CapOwner = NSPROXY_REASON_CAP_OWNER => Some(EPERM),
    /// `CAP_SYS_ADMIN` in the user namespace of the set: the caller's, or the one that the call
    /// enters first.
    CapSet = NSPROXY_REASON_CAP_SET => Some(EPERM),
    /// `CAP_SYS_CHROOT` in the user namespace of the set.
    Chroot = NSPROXY_REASON_CHROOT => Some(EPERM),
    /// `CAP_SYS_ADMIN` in the user namespace to enter.
    CapUser = NSPROXY_REASON_CAP_USER => Some(EPERM),
    /// An anonymous mount namespace: what `open_tree(2)` makes.
    Anonymous = NSPROXY_REASON_ANONYMOUS => Some(EINVAL),
    /// Root and working directory are shared with another task: `CLONE_FS`.
    FsShared = NSPROXY_REASON_FS_SHARED => Some(EINVAL),
    /// The root of the mount namespace cannot be looked up.
    Root = NSPROXY_REASON_ROOT => None,
    /// The pid namespace is neither the caller's nor a descendant of it.
    NotBelow = NSPROXY_REASON_NOT_BELOW => Some(EINVAL),
    /// The user namespace that the caller is in.
    SameUser = NSPROXY_REASON_SAME_USER => Some(EINVAL),
    /// A user namespace, and the caller is one of several threads.
    Threads = NSPROXY_REASON_THREADS => Some(EINVAL),
    /// A user namespace in which the caller's user cannot be counted.
    Ucounts = NSPROXY_REASON_UCOUNTS => Some(EINVAL),
    /// A time namespace, and the caller shares its memory with another task.
    MmShared = NSPROXY_REASON_MM_SHARED => Some(Error::from_errno(-(EUSERS as c_int))),
    /// 2011: `CAP_SYS_ADMIN` in the initial user namespace.
    CapInit = NSPROXY_REASON_CAP_INIT => Some(EPERM),
    /// 2011: no file of a namespace of one of the kinds of then.
    NoNs = NSPROXY_REASON_NO_NS => Some(EINVAL),
    /// The kernel refused, and none of the checks above would.
    Unexplained = NSPROXY_REASON_UNEXPLAINED => None,
}

impl Reason {
    /// The step that refuses for it.
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
            _ => Step::Install,
        }
    }
}

/// What a check found that a caller failed.
pub(crate) struct Finding {
    /// The check.
    pub(crate) reason: Reason,
    /// The missing capability, as `CAP_*`, and the id of the user namespace in which it is missing;
    /// id 0 if the caller may not know it.
    pub(crate) cap: Option<(u32, u64)>,
    /// How many share what may not be shared, the caller among them; 0 if that is not the reason.
    pub(crate) count: u32,
}

impl From<Reason> for Finding {
    fn from(reason: Reason) -> Self {
        Self {
            reason,
            cap: None,
            count: 0,
        }
    }
}

/// An `install()` that was refused, while all that it was asked with is still there.
///
/// Everything is borrowed: nothing is changed, and no reference taken, by asking again.
pub(crate) struct Refused<'a> {
    /// Who wanted to enter.
    pub(crate) caller: &'a Caller<'a>,
    /// What.
    pub(crate) ns: &'a Ns,
    /// The credentials of the set, in a user namespace that may have been installed before.
    pub(crate) cred: &'a SetCred,
    /// What `install()` said.
    pub(crate) error: Error,
}

/// What `install()` of a kind asks, in its order.
fn checks(kind: u32) -> &'static [Reason] {
    use Reason::*;
    match kind {
        CLONE_NEWNS => &[CapOwner, Chroot, CapSet, Anonymous, FsShared, Root],
        CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWNET => &[CapOwner, CapSet],
        CLONE_NEWPID => &[CapOwner, CapSet, NotBelow],
        CLONE_NEWUSER => &[SameUser, Threads, FsShared, CapUser, Ucounts],
        CLONE_NEWCGROUP => &[CapSet, CapOwner],
        CLONE_NEWTIME => &[MmShared, CapOwner, CapSet],
        _ => &[],
    }
}

/// Which check it was.
///
/// Others may change meanwhile what was asked about. Then the answer is the next check that has the
/// errno, or [`Reason::Unexplained`]: it informs, and decides nothing.
pub(crate) fn diagnose(refused: &Refused<'_>) -> Finding {
    checks(refused.ns.ns_type())
        .iter()
        .filter(|reason| reason.errno().is_none_or(|errno| errno == refused.error))
        .find_map(|reason| refused.by(*reason))
        .unwrap_or(Reason::Unexplained.into())
}

impl Refused<'_> {
    /// Asks once more.
    fn by(&self, reason: Reason) -> Option<Finding> {
        let caller = self.caller;
        let shared_by = |count| Finding {
            count,
            ..reason.into()
        };
        match reason {
            Reason::CapOwner => self.lacks(reason, CAP_SYS_ADMIN, self.ns.owner()?),
            Reason::CapSet => self.lacks(reason, CAP_SYS_ADMIN, self.cred.user_ns(caller)),
            Reason::Chroot => self.lacks(reason, CAP_SYS_CHROOT, self.cred.user_ns(caller)),
            Reason::CapUser => self.lacks(reason, CAP_SYS_ADMIN, self.ns.downcast()?),
            Reason::Anonymous => self.ns.is_anonymous().then(|| reason.into()),
            Reason::FsShared => (caller.fs_users() != 1).then(|| shared_by(caller.fs_users())),
            Reason::SameUser => self.ns.is(caller.user_ns()).then(|| reason.into()),
            Reason::Threads => (!caller.is_only_thread()).then(|| shared_by(caller.threads())),
            Reason::MmShared => Some(shared_by(caller.threads().max(caller.mm_users()))),
            // The last question of its kind, or the only one with its errno.
            Reason::Root | Reason::NotBelow | Reason::Ucounts => Some(reason.into()),
            _ => None,
        }
    }

    /// Whether it is this capability that the caller has not, as `ns_capable()` of each kind asks.
    fn lacks(&self, reason: Reason, cap: u32, user_ns: &UserNamespace) -> Option<Finding> {
        (!self.caller.is_ns_capable(user_ns, cap)).then(|| {
            // The caller has a file of the namespace to be entered, so it may know the id.
            let id = if user_ns.is(self.ns) {
                self.ns.id()
            } else {
                related_id(self.caller, Some(user_ns))
            };
            Finding {
                cap: Some((cap, id)),
                ..reason.into()
            }
        })
    }
}
