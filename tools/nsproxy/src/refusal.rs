// SPDX-License-Identifier: GPL-2.0-only

//! The refusal of a call in words: which check refused.

use crate::{cause::Described, errno::show, request::Request};
use nsproxy_diagnose::{Cause, Task};
use nsproxy_uapi::{Reason, Refusal};
use rustix::thread::CapabilitySet;
use std::fmt;

/// A refusal by the module, described for the user.
#[derive(Clone, Debug)]
pub(crate) struct Refused {
    pub(crate) refusal: Refusal,
    pub(crate) cause: Described,
}

impl Refused {
    /// Describes a refusal. This process must be in the state in which the call was made.
    pub(crate) fn new(refusal: Refusal, request: &Request<'_>) -> Self {
        let cause = Cause::Check(refusal);
        Self {
            refusal,
            cause: Described::new(&cause, request, &Task::current()),
        }
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (errno, cause) = (show(self.refusal.errno), self.cause.lines());
        write!(f, "{errno}\nreason: {cause}")
    }
}

/// The capability of [`Reason::CapInit`] and [`Reason::UsernsOff`], and the id of the initial user
/// namespace (`USER_NS_INIT_ID`). The module does not report the id.
const OF_INIT: (u32, u64) = (CapabilitySet::SYS_ADMIN.bits().trailing_zeros(), 3);

/// Adds the initial user namespace to a refusal that is about it.
pub(crate) fn with_init(mut refusal: Refusal) -> Refusal {
    if let Reason::CapInit | Reason::UsernsOff = refusal.reason {
        refusal.cap = Some(OF_INIT);
    }
    refusal
}

/// Formats each hint as a line, to be appended to other lines.
pub(crate) fn hint_lines(hints: &[String]) -> String {
    hints
        .iter()
        .map(|hint| format!("\n  hint: {hint}"))
        .collect()
}

/// Returns the name of a capability, such as `CAP_SYS_ADMIN`.
pub(crate) fn name_of(cap: u32) -> String {
    let set = 1_u64.checked_shl(cap).map(CapabilitySet::from_bits_retain);
    match set.and_then(|set| set.iter_names().next()) {
        Some((name, _)) => format!("CAP_{name}"),
        None => format!("capability {cap}"),
    }
}

/// Returns the sentence that describes a failed check. `count` tasks share what may not be shared; 0 or 1
/// if the number of others is not known.
pub(crate) fn sentence(reason: Reason, count: u32) -> String {
    let sentence = match reason {
        Reason::BadFd => "the descriptor is not open, or was opened with O_PATH",
        Reason::Neither => "the file is neither a namespace nor a pidfd",
        Reason::NsType => "the file is a namespace of another kind",
        Reason::NoFlags => "a pidfd needs the kinds to enter",
        Reason::UnknownFlags => "nstype has bits other than the eight kinds",
        Reason::Unsupported => "the kernel was built without one of the kinds",
        Reason::NoNsProxy => "no memory for a struct nsproxy",
        Reason::NoCred => "no memory for a struct cred",
        Reason::NoFs => "no memory for a struct fs_struct",
        Reason::Reaped => "the process has exited and been reaped",
        Reason::Ptrace => "ptrace(2) denies access to the process",
        Reason::Exiting => "the process is exiting, and has released its namespaces",
        Reason::NoPidNs => "the process is being reaped: it is in no pid namespace",
        Reason::CapOwner => "missing capability in the user namespace that owns the namespace",
        Reason::CapSet => "missing capability in the caller's user namespace",
        Reason::Chroot => {
            "missing capability: entering a mount namespace changes the root directory"
        }
        Reason::CapUser => "missing capability in the user namespace to be entered",
        Reason::Anonymous => "an anonymous mount namespace cannot be entered",
        Reason::FsShared => {
            "{count} tasks share root and working directory (CLONE_FS), including the caller"
        }
        Reason::Root => "the root of the mount namespace cannot be found",
        Reason::NotBelow => "the pid namespace is neither the caller's nor a descendant of it",
        Reason::SameUser => "the caller is already in that user namespace",
        Reason::Threads => "the caller is one of {count} threads, which share their user namespace",
        Reason::Ucounts => "the ucounts of the user in that namespace cannot be allocated",
        Reason::MmShared => {
            "{count} tasks share the caller's memory, which maps the clocks of the vDSO"
        }
        Reason::CapInit => {
            "in 2011 setns(2) required CAP_SYS_ADMIN in the initial user namespace, before any \
             other check"
        }
        Reason::NoNs => "in 2011 only net, uts and ipc had namespace files",
        Reason::UsernsOff => {
            "users without privileges may not create user namespaces: \
             kernel.unprivileged_userns_clone is 0"
        }
        Reason::UnshareFlags => "the flags have bits that unshare(2) does not know",
        Reason::UnshareThreads => {
            "the caller is one of {count} threads, which cannot be unshared, and which a new user \
             namespace would not include"
        }
        Reason::SighandShared => "{count} tasks share the caller's signal handlers",
        Reason::VmShared => "{count} tasks share the caller's memory",
        Reason::NoFiles => "the table of file descriptors cannot be copied",
        Reason::NewUcounts => "no memory to count the user in the new user namespace",
        Reason::CapNew => "missing capability in the user namespace that would own the namespace",
        Reason::Limit => "the limit of namespaces of this kind is reached",
        Reason::Nested => "namespaces of this kind are nested too deep",
        Reason::Chrooted => {
            "the caller's root directory is not the root of its mount namespace: a new user \
             namespace would let it leave that directory"
        }
        Reason::Unmapped => "the caller's user or group has no id in its user namespace",
        Reason::Lsm => "a security module refuses to create the user namespace",
        Reason::PidForChildren => {
            "an earlier call has set another pid namespace for the caller's children"
        }
        Reason::PidOwner => {
            "the owner of the caller's pid namespace is not the caller's user namespace or above it"
        }
        Reason::NoNewNs => "the namespace cannot be created",
        Reason::CloneFlags => {
            "clone3(2) does not know one of the flags, or they exclude or require each other"
        }
        Reason::CloneFs => {
            "tasks in different mount or user namespaces cannot share root and working directory \
             (CLONE_FS)"
        }
        Reason::CloneParent => {
            "the caller is the init of a pid namespace, which cannot have siblings (CLONE_PARENT)"
        }
        Reason::CloneThread => {
            "the threads of a process are in one user namespace and in one pid namespace \
             (CLONE_THREAD)"
        }
        Reason::CloneSysvsem => {
            "tasks in different ipc namespaces cannot share semaphore undos (CLONE_SYSVSEM)"
        }
    };
    match count {
        // The number of others is not known.
        0 | 1 => sentence
            .replace("{count} tasks", "other tasks")
            .replace("{count} threads", "several threads")
            .replace(", including the caller", ""),
        count => sentence.replace("{count}", &count.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn capabilities_have_names() {
        assert_eq!(name_of(18), "CAP_SYS_CHROOT");
        assert_eq!(name_of(63), "capability 63");
        assert_eq!(name_of(u32::MAX), "capability 4294967295");
    }

    #[test]
    fn each_reason_has_its_own_sentence() {
        let mut all: Vec<_> = Reason::ALL
            .iter()
            .map(|reason| sentence(*reason, 3))
            .collect();
        all.sort();
        all.dedup();
        assert_eq!(all.len(), Reason::ALL.len());
    }

    #[test]
    fn an_unknown_number_of_tasks_is_not_printed() {
        let shared = |count| sentence(Reason::FsShared, count);
        assert!(shared(2).starts_with("2 tasks share root"), "{}", shared(2));
        let unknown = "other tasks share root and working directory (CLONE_FS)";
        assert_eq!(shared(1), unknown);
    }
}
