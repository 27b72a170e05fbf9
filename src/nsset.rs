// SPDX-License-Identifier: GPL-2.0-only

//! A set of namespaces to enter: prepared, validated, committed.
//!
//! Mirrors `struct nsset` and `prepare_nsset()`, `validate_ns()`, `validate_nsset()`,
//! `commit_nsset()` of `kernel/nsproxy.c`. Each state is a type. Each step consumes the set and
//! returns it in the next state:
//!
//! ```text
//!   NsSet::prepare() ──> NsSet ──validate_ns()─────> ValidNsSet ──commit()──> the caller
//!                          │    ──validate_nsset()─>      │
//!                          └───────────── drop ───────────┘  put_nsset()
//! ```
//!
//! A set that was not validated cannot be committed. A committed set cannot be used again. A set
//! that is dropped releases its parts, so there is no `put_nsset()`. C derives from `nsset->flags`
//! which parts to release. `prepare_nsset()` sets these flags last, and therefore leaks the cred if
//! copying the `fs_struct` fails. Here the cred has an owner.

use crate::{
    install::Install,
    nsproxy::{create_new_namespaces, switch_task_namespaces},
    observer::{Observer, OrRefuse, Refused, RefusedInstall, Step, Subject},
    reason::Reason,
    setns::Mode,
    sys::{
        caller::Caller,
        create::Flags,
        cred::{PreparedCred, SetCred},
        fs::{FsStruct, SetFs},
        namespace::{Ns, OfKind, PidNamespace, UserNamespace},
        nsproxy::{NewNsProxy, NsProxy},
        target::{Pid, PtraceMode},
    },
};
use kernel::{
    bindings::{CLONE_NEWIPC, CLONE_NEWNS, CLONE_NEWPID, CLONE_NEWTIME, CLONE_NEWUSER},
    prelude::*,
    sync::{aref::ARef, rcu},
};

/// A prepared set: it has the same namespaces as the caller.
#[doc(alias = "nsset")]
#[doc(alias = "put_nsset")]
pub(crate) struct NsSet {
    /// `CLONE_NEW*` of the requested kinds.
    pub(crate) flags: u32,
    pub(crate) cred: SetCred,
    pub(crate) fs: SetFs,
    pub(crate) nsproxy: NewNsProxy,
}

/// A validated set: all requested namespaces are installed. [`commit`](Self::commit) cannot fail.
#[must_use = "a set that is not committed is released"]
pub(crate) struct ValidNsSet(NsSet);

impl NsSet {
    /// Allocates all parts of the set, so that no later step needs memory.
    ///
    /// `flags` are one or more `CLONE_NEW*`.
    ///
    /// # Errors
    ///
    /// [`ENOMEM`]; the parts allocated before are released.
    #[doc(alias = "prepare_nsset")]
    pub(crate) fn prepare(
        caller: &Caller<'_>,
        flags: u32,
        mode: Mode,
        observer: &mut impl Observer,
    ) -> Result<Self> {
        let nsproxy = create_new_namespaces(caller, Flags::NONE, caller.user_ns(), None, observer)?;

        let cred = if flags & CLONE_NEWUSER != 0 {
            let cred = PreparedCred::new(caller).or_refuse(Reason::NoCred, observer)?;
            observer.on_step(Step::Cred, Subject::Nothing);
            SetCred::Prepared(cred)
        } else {
            SetCred::Current
        };

        // Installing a mount namespace moves root and working directory of this `fs_struct`. The
        // caller's own may move at once only if no other kind can refuse afterwards, and not in a
        // dry run.
        let fs = if flags == CLONE_NEWNS && mode == Mode::Commit {
            SetFs::Current
        } else if flags & CLONE_NEWNS != 0 {
            let fs = FsStruct::copy(caller).or_refuse(Reason::NoFs, observer)?;
            observer.on_step(Step::Fs, Subject::Nothing);
            SetFs::Copy(fs)
        } else {
            SetFs::None
        };

        Ok(Self {
            flags,
            cred,
            fs,
            nsproxy,
        })
    }

    /// Installs the namespace of an nsfs file.
    ///
    /// # Errors
    ///
    /// Errors of the kind, see [`Install::install`].
    pub(crate) fn validate_ns(
        mut self,
        caller: &mut Caller<'_>,
        ns: &Ns,
        observer: &mut impl Observer,
    ) -> Result<ValidNsSet> {
        match ns.of_kind() {
            OfKind::UserNamespace(ns) => self.install(caller, ns, observer),
            OfKind::MntNamespace(ns) => self.install(caller, ns, observer),
            OfKind::UtsNamespace(ns) => self.install(caller, ns, observer),
            OfKind::IpcNamespace(ns) => self.install(caller, ns, observer),
            OfKind::PidNamespace(ns) => self.install(caller, ns, observer),
            OfKind::CgroupNamespace(ns) => self.install(caller, ns, observer),
            OfKind::NetNamespace(ns) => self.install(caller, ns, observer),
            OfKind::TimeNamespace(ns) => self.install(caller, ns, observer),
        }?;
        Ok(ValidNsSet(self))
    }

    /// Installs the requested namespaces of the target, the process of a pidfd: all or none.
    ///
    /// # Errors
    ///
    /// - [`ESRCH`]: the target was reaped, or is exiting and has no namespaces;
    /// - [`EPERM`]: the caller may not access the target;
    /// - errors of the kinds, see [`Install::install`]; the first one is returned.
    pub(crate) fn validate_nsset(
        mut self,
        caller: &mut Caller<'_>,
        pid: &Pid,
        observer: &mut impl Observer,
    ) -> Result<ValidNsSet> {
        let target = TargetNamespaces::get(pid, self.flags, observer)
            .map_err(|reason| reason.refuse(None, observer))?;
        observer.on_step(Step::Target, Subject::Target(&target.nsproxy));

        let nsproxy = &target.nsproxy;
        // User first: it determines the caller's capabilities in the checks of the others.
        self.install_requested(caller, target.user_ns.as_deref(), observer)?;
        self.install_requested(caller, nsproxy.mnt_ns(), observer)?;
        self.install_requested(caller, nsproxy.uts_ns(), observer)?;
        self.install_requested(caller, nsproxy.ipc_ns(), observer)?;
        self.install_requested(caller, target.pid_ns.as_deref(), observer)?;
        self.install_requested(caller, nsproxy.cgroup_ns(), observer)?;
        self.install_requested(caller, nsproxy.net_ns(), observer)?;
        self.install_requested(caller, nsproxy.time_ns(), observer)?;
        target.put(observer);
        Ok(ValidNsSet(self))
    }

    /// Installs `ns` if its kind is requested. [`None`] stands for a namespace whose kind is not.
    #[inline(always)]
    fn install_requested<'a, K: Install + 'a>(
        &mut self,
        caller: &mut Caller<'_>,
        ns: impl Into<Option<&'a K>>,
        observer: &mut impl Observer,
    ) -> Result {
        match ns.into() {
            Some(ns) if self.flags & K::NS_TYPE != 0 => self.install(caller, ns, observer),
            _ => Ok(()),
        }
    }

    /// Installs `ns`, and reports the step or the refusal.
    #[inline(always)]
    fn install(
        &mut self,
        caller: &mut Caller<'_>,
        ns: &impl Install,
        observer: &mut impl Observer,
    ) -> Result {
        if let Err(refusal) = ns.install(self, caller) {
            observer.on_refusal(&Refused::Install(RefusedInstall {
                caller,
                ns,
                cred: &self.cred,
                refusal: &refusal,
            }));
            return Err(refusal.error);
        }
        observer.on_step(Step::Install, Subject::Namespace(ns));
        Ok(())
    }
}

/// The namespaces of the target at one moment, with a reference to each.
struct TargetNamespaces {
    pid_ns: Option<ARef<PidNamespace>>,
    nsproxy: ARef<NsProxy>,
    user_ns: Option<ARef<UserNamespace>>,
}

impl TargetNamespaces {
    /// Acquires references to the namespaces of the task with the id `pid`: to its nsproxy, and to
    /// its pid and user namespace if `flags` request them.
    ///
    /// # Errors
    ///
    /// [`Reason::Reaped`], [`Reason::Ptrace`], [`Reason::Exiting`], [`Reason::NoPidNs`].
    fn get(pid: &Pid, flags: u32, observer: &mut impl Observer) -> Result<Self, Reason> {
        // Declared before the RCU guard, so it is dropped after the guard on each return. Dropping
        // the last reference may sleep.
        let nsproxy;

        let rcu = rcu::read_lock();
        let task = pid.task(&rcu).ok_or(Reason::Reaped)?;
        if !task.ptrace_may_access(PtraceMode::ReadRealcreds) {
            return Err(Reason::Ptrace);
        }
        nsproxy = task.nsproxy().ok_or(Reason::Exiting)?;
        for ns in nsproxy.members() {
            if flags & ns.ns_type() & !CLONE_NEWPID != 0 {
                observer.on_namespace(ns);
            }
        }

        let pid_ns = if flags & CLONE_NEWPID != 0 {
            let pid_ns = task.active_pid_ns(&rcu).ok_or(Reason::NoPidNs)?;
            observer.on_namespace(pid_ns);
            Some(pid_ns.into())
        } else {
            None
        };
        let user_ns = if flags & CLONE_NEWUSER != 0 {
            let user_ns = task.user_ns(&rcu);
            observer.on_namespace(user_ns);
            Some(user_ns.into())
        } else {
            None
        };
        drop(rcu);

        Ok(Self {
            pid_ns,
            nsproxy,
            user_ns,
        })
    }

    /// Releases the references and reports it. Dropping the value releases them without a report.
    #[inline(always)]
    fn put(self, observer: &mut impl Observer) {
        let Self {
            pid_ns,
            nsproxy,
            user_ns,
        } = self;
        drop(pid_ns);
        let before = NsProxy::put(nsproxy);
        drop(user_ns);
        let after = before - 1;
        observer.on_step(Step::TargetPut, Subject::NsProxy([before, after]));
    }
}

impl ValidNsSet {
    /// Moves the set into the caller. This is the point of no return.
    ///
    /// The task takes over the cred and the nsproxy. The temporary `fs_struct` is dropped at the
    /// end.
    #[doc(alias = "commit_nsset")]
    pub(crate) fn commit(self, caller: &mut Caller<'_>, observer: &mut impl Observer) {
        let NsSet {
            flags,
            cred,
            fs,
            nsproxy,
        } = self.0;

        if let SetCred::Prepared(cred) = cred {
            caller.commit_creds(cred);
            observer.on_step(Step::CommitCreds, Subject::Nothing);
        }

        if let SetFs::Copy(fs) = &fs {
            caller.set_fs_root_and_pwd(fs);
            observer.on_step(Step::SetFs, Subject::Nothing);
        }

        // Before the switch: the semaphores to undo are in the old ipc namespace.
        if flags & CLONE_NEWIPC != 0 {
            caller.exit_sem();
            observer.on_step(Step::ExitSem, Subject::Nothing);
        }

        if flags & CLONE_NEWTIME != 0 {
            caller.timens_commit(nsproxy.time_ns());
            observer.on_step(Step::Timens, Subject::Nothing);
        }

        switch_task_namespaces(caller, nsproxy, observer);
    }
}
