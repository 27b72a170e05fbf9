// SPDX-License-Identifier: GPL-2.0-only

//! The checks of the kinds when a namespace is entered: `proc_ns_operations.install()`.

use super::{Answer, Asked, Because, Checks};
use crate::{
    namespace::{Namespace, Relative},
    sys::Shared,
};
use nsproxy_uapi::{Kind, Member, Reason};
use rustix::thread::CapabilitySet;

const SYS_ADMIN: CapabilitySet = CapabilitySet::SYS_ADMIN;

/// A namespace to enter.
pub(super) struct Target {
    pub(super) kind: Kind,
    /// [`None`] if it cannot be opened.
    pub(super) namespace: Option<Namespace>,
}

/// The user namespace of the credentials after the call.
enum Set {
    /// That of the task.
    Own,
    Entered(Relative),
}

impl Target {
    fn owner(&self) -> Relative {
        let namespace = self.namespace.as_ref();
        namespace.map_or(Relative::Unknown, Namespace::owner)
    }

    fn because(&self, reason: Reason) -> Because {
        let id = self.namespace.as_ref().map_or(0, Namespace::id);
        Because::from(reason).about(self.kind, id)
    }

    fn is(&self, other: Option<&Namespace>) -> Option<bool> {
        Some(self.namespace.as_ref()?.is(other?))
    }
}

impl Checks<'_> {
    /// Asks the checks of all namespaces of a call, in the order in which they are installed.
    pub(super) fn install(&mut self, targets: &[Target]) -> Asked {
        let mut set = Set::Own;
        for target in targets {
            let owner = target.owner();
            match target.kind {
                Kind::User => {
                    self.install_user(target)?;
                    let entered = target.namespace.as_ref().map(Namespace::try_clone);
                    set = Set::Entered(entered.and_then(Result::ok).into());
                }
                Kind::Mnt => {
                    self.check_cap(target, Reason::CapOwner, &owner, SYS_ADMIN)?;
                    self.check_set(target, Reason::Chroot, &set, CapabilitySet::SYS_CHROOT)?;
                    self.check_set(target, Reason::CapSet, &set, SYS_ADMIN)?;
                    // No file descriptor leads to an anonymous namespace.
                    self.check_fs(target)?;
                    self.check_rare(target.because(Reason::Root))?;
                }
                Kind::Cgroup => {
                    self.check_set(target, Reason::CapSet, &set, SYS_ADMIN)?;
                    self.check_cap(target, Reason::CapOwner, &owner, SYS_ADMIN)?;
                }
                Kind::Time => {
                    self.check_shared(target.because(Reason::MmShared), Shared::Memory)?;
                    self.check_owner_and_set(target, &owner, &set)?;
                }
                Kind::Pid => {
                    self.check_owner_and_set(target, &owner, &set)?;
                    self.check(target.because(Reason::NotBelow), self.is_below(target))?;
                }
                Kind::Uts | Kind::Ipc | Kind::Net => {
                    self.check_owner_and_set(target, &owner, &set)?;
                }
            }
        }
        Ok(())
    }

    /// Asks the checks of `userns_install()`.
    fn install_user(&mut self, target: &Target) -> Asked {
        let is_own = target.is(self.task.user_ns());
        self.check(
            target.because(Reason::SameUser),
            Answer::must_if_known(is_own.map(|is| !is)),
        )?;
        let threads = self.task.status().threads;
        self.check(
            target
                .because(Reason::Threads)
                .shared_by(threads.unwrap_or(0)),
            Answer::must_if_known(threads.map(|threads| threads == 1)),
        )?;
        self.check_fs(target)?;
        let namespace = target.namespace.as_ref().map(Namespace::try_clone);
        let user_ns = namespace.and_then(Result::ok).into();
        self.check_cap(target, Reason::CapUser, &user_ns, SYS_ADMIN)?;
        self.check_rare(target.because(Reason::Ucounts))
    }

    /// Asks for the rights in the user namespace that owns the target, and in that of the credentials
    /// after the call.
    fn check_owner_and_set(&mut self, target: &Target, owner: &Relative, set: &Set) -> Asked {
        self.check_cap(target, Reason::CapOwner, owner, SYS_ADMIN)?;
        self.check_set(target, Reason::CapSet, set, SYS_ADMIN)
    }

    fn check_set(
        &mut self,
        target: &Target,
        reason: Reason,
        set: &Set,
        cap: CapabilitySet,
    ) -> Asked {
        match set {
            Set::Entered(user_ns) => self.check_cap(target, reason, user_ns, cap),
            Set::Own => {
                let because = target.because(reason).lacks(cap, &self.own_user_ns());
                self.check(because, self.capable_in_own(cap))
            }
        }
    }

    fn check_cap(
        &mut self,
        target: &Target,
        reason: Reason,
        user_ns: &Relative,
        cap: CapabilitySet,
    ) -> Asked {
        let because = target.because(reason).lacks(cap, user_ns);
        self.check(because, self.capable(user_ns, cap))
    }

    /// Asks whether another task has the same root and working directory.
    fn check_fs(&mut self, target: &Target) -> Asked {
        self.check_shared(target.because(Reason::FsShared), Shared::Fs)
    }

    /// Asks whether another task shares a resource with the task.
    pub(super) fn check_shared(&mut self, because: Because, what: Shared) -> Asked {
        let sharing = self.task.sharing(what);
        let passes = sharing.is_shared().map(|is| !is);
        self.check(
            because.shared_by(sharing.tasks),
            Answer::must_if_known(passes),
        )
    }

    /// Asks whether a pid namespace is that of the task, or below it.
    fn is_below(&self, target: &Target) -> Answer {
        let own = self.task.namespace(Member::Pid).ok();
        let (Some(namespace), Some(own)) = (&target.namespace, own) else {
            return Answer::Unknown;
        };
        let Ok(namespace) = namespace.try_clone() else {
            return Answer::Unknown;
        };
        let mut at = Relative::Within(namespace);
        loop {
            match at {
                Relative::Within(namespace) if namespace.is(&own) => return Answer::Passes,
                Relative::Within(namespace) => at = namespace.parent(),
                // This process sees what is below its own pid namespace only.
                Relative::Outside => return self.outside_pid_ns(own),
                Relative::Unknown => return Answer::Unknown,
            }
        }
    }

    /// Asks whether a pid namespace that this process cannot open is below `own`, that of the task. It
    /// is not if `own` is that of this process, or below it.
    fn outside_pid_ns(&self, own: Namespace) -> Answer {
        let Ok(ours) = self.task.asking().namespace(Member::Pid) else {
            return Answer::Unknown;
        };
        let mut at = own;
        while !at.is(&ours) {
            match at.parent() {
                Relative::Within(parent) => at = parent,
                Relative::Outside | Relative::Unknown => return Answer::Unknown,
            }
        }
        Answer::Refuses
    }
}
