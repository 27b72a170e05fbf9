// SPDX-License-Identifier: GPL-2.0-only

//! Describes a refusal: which check refused, what it was about, and how to pass it.

use crate::{
    caller::{Caller, OVERFLOW_ID},
    denied_access,
    errno::show,
    lookup,
    plan::{Call, Source},
};
use nsproxy_diagnose::{AccessMode, Task};
use nsproxy_uapi::{Kind, Member, Reason, Refusal, nsfs};
use rustix::thread::CapabilitySet;
use std::{
    fmt,
    os::fd::{AsFd as _, AsRawFd as _, BorrowedFd, OwnedFd},
};

/// A refusal, described for the user.
#[derive(Clone, Debug)]
pub(crate) struct Refused {
    pub(crate) refusal: Refusal,
    /// The sentence that describes the check.
    pub(crate) says: String,
    /// The capability that is missing, and where.
    missing: Option<String>,
    /// The namespace that the check was about.
    about: Option<String>,
    /// Ways to pass the check, each of which is enough.
    pub(crate) hints: Vec<String>,
}

/// The capability of [`Reason::CapInit`] and [`Reason::UsernsOff`], and the id of the initial user
/// namespace (`USER_NS_INIT_ID`). The module does not report the id.
const OF_INIT: (u32, u64) = (CapabilitySet::SYS_ADMIN.bits().trailing_zeros(), 3);

impl Refused {
    /// Describes a refusal, as far as the caller and the target are visible to this process. The
    /// process must be in the state in which the call was made.
    pub(crate) fn new(refusal: Refusal, call: &Call, file: BorrowedFd<'_>) -> Self {
        let refusal = with_init(refusal);
        let (says, hints) = details(&refusal, call, file)
            .unwrap_or_else(|| (sentence(refusal.reason, refusal.count), Vec::new()));
        Self {
            about: refusal.namespace.map(|(kind, id)| lookup::name(kind, id)),
            ..Self::without_call(refusal, says, hints)
        }
    }

    /// Describes a refusal that is not about an existing namespace.
    pub(crate) fn without_call(refusal: Refusal, says: String, hints: Vec<String>) -> Self {
        let refusal = with_init(refusal);
        let missing = refusal.cap.map(|(cap, user_ns)| {
            let is_initial = matches!(refusal.reason, Reason::CapInit | Reason::UsernsOff);
            let place = match lookup::find(Kind::User, user_ns) {
                // On Linux 6.18 it has another id.
                None if is_initial => "the initial user namespace".to_owned(),
                _ => lookup::name(Kind::User, user_ns),
            };
            format!("{} in {place}", name_of(cap))
        });
        Self {
            refusal,
            says,
            missing,
            about: None,
            hints,
        }
    }
}

/// Adds the initial user namespace to a refusal that is about it.
pub(crate) fn with_init(mut refusal: Refusal) -> Refusal {
    if let Reason::CapInit | Reason::UsernsOff = refusal.reason {
        refusal.cap = Some(OF_INIT);
    }
    refusal
}

impl Refused {
    /// Describes the check, what it was about, and how to pass it: the lines below the errno.
    pub(crate) fn cause(&self) -> String {
        let lines = [("missing", &self.missing), ("about", &self.about)];
        let lines = lines.into_iter().filter_map(|(name, value)| {
            let value = value.as_ref()?;
            Some(format!("\n  {name}: {value}"))
        });
        let lines: String = lines.collect();
        format!("{}{lines}{}", self.says, hint_lines(&self.hints))
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\nreason: {}", show(self.refusal.errno), self.cause())
    }
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

/// Describes the check that refused, and returns hints how to pass it. Returns [`None`] if there is
/// nothing to add to [`sentence`].
fn details(refusal: &Refusal, call: &Call, file: BorrowedFd<'_>) -> Option<(String, Vec<String>)> {
    let &Refusal {
        reason, count, cap, ..
    } = refusal;
    let hints = match reason {
        Reason::Ptrace => {
            let target = Task::of_pidfd(file).ok()?;
            let caller = Task::current();
            return Some(denied_access::describe(
                &caller,
                &target,
                AccessMode::RealCreds,
            ));
        }
        Reason::Exiting => {
            let target = Task::of_pidfd(file).ok()?;
            let says = if target.status().has_exited() {
                "the process has exited: it is a zombie"
            } else {
                "the process is exiting, and has released its namespaces: the init of a pid \
                 namespace waits for the processes in it to end"
            };
            return Some((says.to_owned(), Vec::new()));
        }
        Reason::Neither => vec!["name a file in /proc/PID/ns, or a bind mount of one".to_owned()],
        Reason::NsType => {
            let kind = nsfs::kind(file).ok()?;
            let Source::File(path) = &call.source else {
                return None;
            };
            vec![format!(
                "name its kind: -{}={}",
                kind.letter(),
                path.display()
            )]
        }
        Reason::CapOwner | Reason::CapSet | Reason::Chroot | Reason::CapUser | Reason::CapInit => {
            let (cap, user_ns) = cap?;
            let at = At {
                call,
                file,
                caller: &Caller::current(),
            };
            at.ways_to(cap, user_ns, refusal)
        }
        Reason::FsShared => {
            vec!["call unshare(CLONE_FS) first, or call from a child made by fork(2)".to_owned()]
        }
        Reason::NotBelow => {
            vec!["run in that pid namespace, or in one above it: no process leaves its own".into()]
        }
        Reason::SameUser => vec!["omit -U".to_owned()],
        Reason::NoNs => vec!["omit --2011".to_owned()],
        _ => return None,
    };
    Some((sentence(reason, count), hints))
}

/// A refused call, and its caller.
struct At<'a> {
    call: &'a Call,
    /// The open file of the call: its path may refer to another file by now.
    file: BorrowedFd<'a>,
    caller: &'a Caller,
}

impl At<'_> {
    /// Returns the ways to gain `CAP_*` number `cap` in a user namespace.
    fn ways_to(&self, cap: u32, user_ns: u64, refusal: &Refusal) -> Vec<String> {
        let caller = self.caller;
        let mut hints = Vec::new();
        if matches!(refusal.reason, Reason::CapSet | Reason::Chroot)
            && let Some(option) = self.user_ns_first()
        {
            hints.push(format!("enter the user namespace as well, with {option}"));
        }
        if user_ns != 0 && caller.user_ns == Some(user_ns) {
            hints.push(caller.gain(cap));
            return hints;
        }
        let Some(below) = self.below_ours(refusal) else {
            hints.push(format!(
                "run outside of the caller's user namespace: in {}, or in one above it",
                lookup::name(Kind::User, user_ns)
            ));
            return hints;
        };
        // The owner has all capabilities there, and none in its own user namespace, which the other
        // kinds check next.
        let option = match refusal.reason {
            Reason::CapUser => Some(String::new()),
            _ => self
                .option(user_ns)
                .map(|option| format!(", with {option}")),
        };
        if let (Some(option), Ok(uid)) = (option, nsfs::owner_uid(below))
            && ![caller.euid, OVERFLOW_ID].contains(&uid)
        {
            hints.push(format!("run as its owner, uid {uid}{option}"));
        }
        hints.push(caller.gain(cap));
        hints
    }

    /// Returns the option that also enters the target's user namespace, if an attempt by a child shows
    /// that it helps.
    fn user_ns_first(&self) -> Option<String> {
        let owner;
        let (file, nstype, option) = match self.call.source {
            Source::Process(_) if self.call.kinds.contains(&Kind::User) => return None,
            Source::Process(_) => (self.file, self.call.nstype(), "-U".to_owned()),
            Source::File(_) => {
                owner = nsfs::owner(self.file).ok()?;
                let option = self.option(nsfs::id_or_inode(&owner).ok()?)?;
                (owner.as_fd(), 0, option)
            }
        };
        let call = nsproxy_diagnose::Call::Setns {
            fd: file.as_raw_fd(),
            nstype: (nstype | Kind::User.flag()) as i32,
        };
        let verdict = nsproxy_diagnose::explain(&Task::current(), call);
        verdict.result.is_ok().then_some(option)
    }

    /// Returns the option that makes the call enter this user namespace as well.
    fn option(&self, user_ns: u64) -> Option<String> {
        match self.call.source {
            Source::Process(_) => {
                let theirs = nsfs::of_process(self.file, Member::User).ok()?;
                let is_new = !self.call.kinds.contains(&Kind::User);
                (is_new && nsfs::id_or_inode(theirs) == Ok(user_ns)).then(|| "-U".to_owned())
            }
            Source::File(_) => {
                let known = lookup::find(Kind::User, user_ns)?;
                Some(format!("-U=/proc/{}/ns/user", known.pid))
            }
        }
    }

    /// Returns the user namespace that a refusal is about, or the one above it that is a child of
    /// the caller's; [`None`] if it is not below the caller's.
    fn below_ours(&self, refusal: &Refusal) -> Option<OwnedFd> {
        let (kind, _) = refusal.namespace?;
        let mut user_ns = match self.call.source {
            Source::Process(_) => nsfs::of_process(self.file, Member::of(kind)).ok()?,
            Source::File(_) => self.file.try_clone_to_owned().ok()?,
        };
        if refusal.reason != Reason::CapUser {
            user_ns = nsfs::owner(user_ns).ok()?;
        }
        loop {
            let parent = nsfs::owner(&user_ns).ok()?;
            if nsfs::id_or_inode(&parent).ok() == self.caller.user_ns {
                return Some(user_ns);
            }
            user_ns = parent;
        }
    }
}

/// Returns the sentence that describes a failed check. `count` tasks share what may not be shared.
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
    sentence.replace("{count}", &count.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::io::Errno;

    #[test]
    fn a_missing_capability_names_the_user_namespace() {
        let refusal = Refusal {
            errno: Errno::PERM,
            reason: Reason::CapOwner,
            cap: Some((21, 99)),
            count: 0,
            namespace: Some((Kind::Net, 12)),
            limit: None,
        };
        let call = Call {
            source: Source::File("/proc/self/ns/net".into()),
            kinds: vec![Kind::Net],
        };
        let file = std::fs::File::open("/proc/self/ns/net").unwrap();
        let text = Refused::new(refusal, &call, file.as_fd()).to_string();
        assert!(
            text.contains("\n  missing: CAP_SYS_ADMIN in user namespace 99"),
            "{text}"
        );
        assert!(text.contains("\n  about: net namespace 12"), "{text}");
    }

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
}
