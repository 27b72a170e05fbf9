// SPDX-License-Identifier: GPL-2.0-only

//! A set of namespaces on its way into a task: prepared, validated, committed.
//!
//! Mirrors `struct nsset` and `prepare_nsset()`, `validate_ns()`, `validate_nsset()`,
//! `commit_nsset()` of `kernel/nsproxy.c`. Each state is a type, and each step takes the set away
//! and gives it back as the next:
//!
//! ```text
//!   NsSet::prepare() ──> NsSet ──validate_ns()─────> ValidNsSet ──commit()──> the caller
//!                          │    ──validate_nsset()─>      │
//!                          └───────────── drop ───────────┘  put_nsset()
//! ```
//!
//! A set that was not validated cannot be committed, one that was committed cannot be used
//! again, and one that is dropped on the way releases what it holds. There is no `put_nsset()`:
//! C has to find out from `nsset->flags` what to release, and `prepare_nsset()`, which sets the
//! flags last, leaks the cred when the copy of the `fs_struct` fails. Here the cred has an owner.

use crate::{
    nsproxy::{create_new_namespaces, switch_task_namespaces},
    observer::{About, Record, Step},
    reason::{Reason, Refused},
    sys::{
        caller::Caller,
        cred::{PreparedCred, SetCred},
        fs::{FsStruct, SetFs},
        install::Installer,
        namespace::{Kind, Ns, PidNamespace, UserNamespace},
        nsproxy::{NewNsProxy, NsProxy},
        target::{Pid, PtraceMode},
    },
};
use kernel::{
    bindings::{CLONE_NEWIPC, CLONE_NEWNS, CLONE_NEWPID, CLONE_NEWTIME, CLONE_NEWUSER},
    prelude::*,
    sync::{aref::ARef, rcu},
};

/// A set that is prepared: it shares every namespace with the caller.
#[doc(alias = "nsset")]
#[doc(alias = "put_nsset")]
pub(crate) struct NsSet {
    /// `CLONE_NEW*` of what is asked for.
    flags: u32,
    cred: SetCred,
    fs: SetFs,
    nsproxy: NewNsProxy,
}

/// A set in which everything that was asked for is installed: only [`commit`](Self::commit) is
/// left, and cannot fail.
#[must_use = "what is not committed is released"]
pub(crate) struct ValidNsSet(NsSet);

impl NsSet {
    /// Everything that may need memory, so that nothing after this does.
    ///
    /// `flags` are one or more `CLONE_NEW*`. Like the next steps, it tells `record` why it fails.
    ///
    /// # Errors
    ///
    /// [`ENOMEM`]; what was made before is released.
    #[doc(alias = "prepare_nsset")]
    pub(crate) fn prepare(
        caller: &Caller<'_>,
        flags: u32,
        record: &mut impl Record,
    ) -> Result<Self> {
        let nsproxy = create_new_namespaces(caller.nsproxy())
            .map_err(|_| record.refuse(Reason::NoNsProxy, None))?;
        record.step(Step::Create, About::NsProxy([0, 1]));

        let cred = if flags & CLONE_NEWUSER != 0 {
            let cred =
                PreparedCred::new(caller).map_err(|_| record.refuse(Reason::NoCred, None))?;
            record.step(Step::Cred, About::Nothing);
            SetCred::Prepared(cred)
        } else {
            SetCred::Current
        };

        // A copy only where one is needed: with other kinds beside it, a mount namespace must
        // not show before all of them are installed, and in a dry run not at all.
        let fs = if flags == CLONE_NEWNS && !record.is_dry_run() {
            SetFs::Current
        } else if flags & CLONE_NEWNS != 0 {
            let mut fs = FsStruct::copy(caller).map_err(|_| record.refuse(Reason::NoFs, None))?;
            record.step(Step::Fs, About::Nothing);
            // A dry run, in which it stands for the caller's.
            if flags == CLONE_NEWNS {
                fs.pose_as_own(caller);
            }
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

    /// Installs the one namespace that was asked for, the one of an nsfs file.
    ///
    /// # Errors
    ///
    /// Those of the kind, see [`Installer::install`].
    pub(crate) fn validate_ns(
        self,
        caller: &mut Caller<'_>,
        ns: &Ns,
        record: &mut impl Record,
    ) -> Result<ValidNsSet> {
        self.validate(caller, record, |installer, record| {
            installer.install(ns).map_err(|error| (ns, error))?;
            record.step(Step::Install, About::Namespace(ns));
            Ok(())
        })
    }

    /// Installs those namespaces of the task behind a pidfd that were asked for: all or none.
    ///
    /// # Errors
    ///
    /// - [`ESRCH`]: the task is gone, or going: it has no namespaces any more;
    /// - [`EPERM`]: the caller may not look into the task;
    /// - those of the kinds, see [`Installer::install`]; the first one counts.
    pub(crate) fn validate_nsset(
        self,
        caller: &mut Caller<'_>,
        pid: &Pid,
        record: &mut impl Record,
    ) -> Result<ValidNsSet> {
        let target = Snapshot::take(pid, self.flags, record)
            .map_err(|reason| record.refuse(reason, None))?;
        record.step(Step::Target, About::Seen(&target.nsproxy));

        let nsproxy = &target.nsproxy;
        let valid = self.validate(caller, record, |installer, record| {
            // User first: it decides what the caller may do with the others.
            install_asked(installer, target.user_ns.as_deref(), record)?;
            install_asked(installer, nsproxy.mnt_ns(), record)?;
            install_asked(installer, nsproxy.uts_ns(), record)?;
            install_asked(installer, nsproxy.ipc_ns(), record)?;
            install_asked(installer, target.pid_ns.as_deref(), record)?;
            install_asked(installer, nsproxy.cgroup_ns(), record)?;
            install_asked(installer, nsproxy.net_ns(), record)?;
            install_asked(installer, nsproxy.time_ns(), record)
        })?;
        target.put(record);
        Ok(valid)
    }

    /// Has `install` put into the set what it has to, and tells `record` which kind refused.
    #[inline(always)]
    fn validate<'a, R: Record>(
        mut self,
        caller: &mut Caller<'_>,
        record: &mut R,
        install: impl FnOnce(&mut Installer<'_>, &mut R) -> Result<(), (&'a Ns, Error)>,
    ) -> Result<ValidNsSet> {
        let Self {
            flags,
            cred,
            fs,
            nsproxy,
        } = &mut self;
        let mut installer = Installer::new(caller, *flags, nsproxy, cred, fs);
        if let Err((ns, error)) = install(&mut installer, record) {
            record.refuse_install(&Refused {
                caller,
                ns,
                cred,
                error,
            });
            return Err(error);
        }
        Ok(ValidNsSet(self))
    }
}

/// Installs `ns` if its kind is requested, and returns it with an error. [`None`] stands for a
/// namespace whose kind is not requested.
#[inline(always)]
fn install_asked<'a, K: Kind + 'a>(
    installer: &mut Installer<'_>,
    ns: impl Into<Option<&'a K>>,
    record: &mut impl Record,
) -> Result<(), (&'a Ns, Error)> {
    let Some(ns) = ns.into() else { return Ok(()) };
    let Some(installed) = installer.install_asked(ns) else {
        return Ok(());
    };
    installed.map_err(|error| (&**ns, error))?;
    record.step(Step::Install, About::Namespace(ns));
    Ok(())
}

/// The namespaces of another task at one moment, with a reference to each.
struct Snapshot {
    pid_ns: Option<ARef<PidNamespace>>,
    nsproxy: ARef<NsProxy>,
    user_ns: Option<ARef<UserNamespace>>,
}

impl Snapshot {
    /// Looks at the task with the id `pid`; the pid and the user namespace only if `flags` ask.
    fn take(pid: &Pid, flags: u32, record: &mut impl Record) -> Result<Self, Reason> {
        // Declared before the RCU guard and so dropped after it, whichever way this returns:
        // dropping the last reference may sleep.
        let nsproxy;

        let rcu = rcu::read_lock();
        let task = pid.task(&rcu).ok_or(Reason::Reaped)?;
        if !task.ptrace_may_access(PtraceMode::ReadRealcreds) {
            return Err(Reason::Ptrace);
        }
        nsproxy = task.nsproxy().ok_or(Reason::Exiting)?;
        for ns in nsproxy.members() {
            if flags & ns.ns_type() & !CLONE_NEWPID != 0 {
                record.meet(ns);
            }
        }

        let pid_ns = if flags & CLONE_NEWPID != 0 {
            let pid_ns = task.active_pid_ns(&rcu).ok_or(Reason::NoPidNs)?;
            record.meet(pid_ns);
            Some(pid_ns.into())
        } else {
            None
        };
        let user_ns = if flags & CLONE_NEWUSER != 0 {
            let user_ns = task.user_ns(&rcu);
            record.meet(user_ns);
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

    /// Lets go of it. Dropping it does the same, and nobody hears of it.
    #[inline(always)]
    fn put(self, record: &mut impl Record) {
        let Self {
            pid_ns,
            nsproxy,
            user_ns,
        } = self;
        drop(pid_ns);
        let count = NsProxy::put(nsproxy);
        drop(user_ns);
        record.step(Step::TargetPut, About::NsProxy([count, count - 1]));
    }
}

impl ValidNsSet {
    /// The point of no return: the caller takes over the set.
    ///
    /// Each step gives what it commits away: the cred to the task, the nsproxy to the task. What
    /// is left at the end, the temporary `fs_struct`, is dropped.
    #[doc(alias = "commit_nsset")]
    pub(crate) fn commit(self, caller: &mut Caller<'_>, record: &mut impl Record) {
        let NsSet {
            flags,
            cred,
            fs,
            nsproxy,
        } = self.0;

        if let SetCred::Prepared(cred) = cred {
            caller.commit_creds(cred);
            record.step(Step::CommitCreds, About::Nothing);
        }

        if let SetFs::Copy(fs) = &fs {
            caller.set_fs_root_and_pwd(fs);
            record.step(Step::SetFs, About::Nothing);
        }

        // While the caller is still in the old ipc namespace, which the undo belongs to.
        if flags & CLONE_NEWIPC != 0 {
            caller.exit_sem();
            record.step(Step::ExitSem, About::Nothing);
        }

        if flags & CLONE_NEWTIME != 0 {
            caller.timens_commit(nsproxy.time_ns());
            record.step(Step::Timens, About::Nothing);
        }

        switch_task_namespaces(caller, nsproxy, record);
    }
}
