// SPDX-License-Identifier: GPL-2.0-only

//! Creating a `struct nsproxy`, giving it to a task, and taking it away.
//!
//! Mirrors the functions of `kernel/nsproxy.c` that all calls use, and those of clone(2), execve(2)
//! and exit(2). Dropping a [`NewNsProxy`] mirrors `nsproxy_free()`.

use crate::{
    observer::{Observer, OrRefuse, Refused, RefusedCreation, Step, Subject},
    reason::Reason,
    sys::{
        caller::Caller,
        create::{CopyNs, Flags},
        fs::UnusedFs,
        leaving_task::LeavingTask,
        namespace::{Kind, MntNamespace, UserNamespace},
        new_task::NewTask,
        nsproxy::{Namespaces, NewNsProxy, NsProxy, NsProxyMemory},
    },
};
use kernel::{
    bindings::{CAP_SYS_ADMIN, CLONE_NEWIPC, CLONE_SYSVSEM, CLONE_VM},
    prelude::*,
    sync::aref::ARef,
    task::might_sleep,
};

/// Creates an nsproxy: with a new namespace of each kind in `flags`, and the caller's of the others.
///
/// `user_ns` becomes the owner of the new namespaces. `fs` is [`Some`] exactly with `CLONE_NEWNS`,
/// and moves into the new mount namespace. With no flags, only references are taken.
///
/// In C, seven `goto` labels release what was created before a failure. Here each namespace has an
/// owner from the moment that it exists, and `?` drops them in the reverse order.
///
/// # Errors
///
/// - [`ENOMEM`];
/// - errors of [`CopyNs::copy`].
#[inline(always)]
pub(crate) fn create_new_namespaces(
    caller: &Caller<'_>,
    flags: Flags,
    user_ns: &UserNamespace,
    fs: Option<UnusedFs<'_>>,
    observer: &mut impl Observer,
) -> Result<NewNsProxy> {
    let old = caller.nsproxy();
    let memory = NsProxyMemory::new().or_refuse(Reason::NoNsProxy, observer)?;
    let mut copy = Copy {
        caller,
        flags,
        user_ns,
        observer,
    };
    let new = memory.write(Namespaces {
        mnt_ns: copy.mnt_ns(old.mnt_ns(), fs)?,
        uts_ns: copy.of(old.uts_ns())?,
        ipc_ns: copy.of(old.ipc_ns())?,
        pid_ns_for_children: copy.of(old.pid_ns_for_children())?,
        cgroup_ns: copy.of(old.cgroup_ns())?,
        net_ns: copy.of(old.net_ns())?,
        time_ns_for_children: copy.of(old.time_ns_for_children())?,
        time_ns: old.time_ns().into(),
    });
    observer.on_step(Step::Create, Subject::NsProxy([0, 1]));
    Ok(new)
}

/// The arguments of `copy_*()`, which are the same for all kinds.
struct Copy<'a, O> {
    caller: &'a Caller<'a>,
    flags: Flags,
    user_ns: &'a UserNamespace,
    observer: &'a mut O,
}

impl<O: Observer> Copy<'_, O> {
    /// Returns a copy of `old` if the flags contain its kind, else a reference to `old` itself.
    #[inline(always)]
    fn of<K: CopyNs>(&mut self, old: &K) -> Result<ARef<K>> {
        if !self.flags.has(K::NS_TYPE) {
            return Ok(old.into());
        }
        let new = old.copy(self.user_ns);
        self.report(old, new)
    }

    /// Returns a copy of the caller's mount namespace if a root and working directory move into it,
    /// else a reference.
    #[inline(always)]
    fn mnt_ns(
        &mut self,
        old: &MntNamespace,
        fs: Option<UnusedFs<'_>>,
    ) -> Result<ARef<MntNamespace>> {
        let Some(fs) = fs else {
            return Ok(old.into());
        };
        let new = old.copy(self.flags, self.user_ns, fs);
        self.report(old, new)
    }

    /// Reports the step or the refusal.
    fn report<K: Kind>(&mut self, old: &K, new: Result<ARef<K>>) -> Result<ARef<K>> {
        match &new {
            Ok(new) => self.observer.on_step(Step::NewNs, Subject::Namespace(new)),
            Err(error) => {
                let refused = Refused::Creation(RefusedCreation {
                    caller: self.caller,
                    old,
                    user_ns: self.user_ns,
                    error: *error,
                });
                self.observer.on_refusal(&refused);
            }
        }
        new
    }
}

/// Switches the caller to the nsproxy `new`, and puts the old one.
///
/// The active references of `new` are acquired first, so that a namespace in both is never inactive
/// in between. The old nsproxy is put last and outside of the lock, since that may sleep.
#[inline(always)]
pub(crate) fn switch_task_namespaces(
    caller: &mut Caller<'_>,
    new: NewNsProxy,
    observer: &mut impl Observer,
) {
    might_sleep();

    let new = new.activate();
    observer.on_step(Step::Activate, Subject::Nothing);

    let old = caller.replace_nsproxy(new);
    observer.on_step(Step::Switch, Subject::Nothing);

    let before = NsProxy::put(old);
    let after = before - 1;
    observer.on_step(Step::PutNsproxy, Subject::NsProxy([before, after]));
}

/// Gives the nsproxy of the caller, or a new one, to a task that the caller creates: clone(2).
///
/// # Errors
///
/// Errors of [`new_for_task`].
pub(crate) fn copy_namespaces(
    caller: &Caller<'_>,
    flags: Flags,
    task: &mut NewTask<'_>,
    observer: &mut impl Observer,
) -> Result {
    let (user_ns, fs) = task.user_ns_and_fs(flags);
    let nsproxy = match new_for_task(caller, flags, user_ns, fs, observer)? {
        None => caller.nsproxy().into(),
        Some(mut new) => {
            if !flags.has(CLONE_VM) {
                new.timens_on_fork(task);
            }
            new.activate()
        }
    };
    task.set_nsproxy(nsproxy);
    Ok(())
}

/// Returns the nsproxy of a new task in `user_ns`; [`None`] if it shares that of the caller.
///
/// This is `copy_namespaces()` without the task, which a dry run does not have. `fs` is as for
/// [`create_new_namespaces`].
///
/// # Errors
///
/// - [`EPERM`]: `CAP_SYS_ADMIN` is missing in the user namespace of the new task;
/// - [`EINVAL`]: an ipc namespace is requested, and the list of semaphore undos is to be shared;
/// - errors of [`create_new_namespaces`].
pub(crate) fn new_for_task(
    caller: &Caller<'_>,
    flags: Flags,
    user_ns: &UserNamespace,
    fs: Option<UnusedFs<'_>>,
    observer: &mut impl Observer,
) -> Result<Option<NewNsProxy>> {
    let old = caller.nsproxy();
    if !flags.has(Flags::NSPROXY_KINDS) {
        // A task that shares memory keeps the clocks that are mapped there.
        if flags.has(CLONE_VM) || old.time_ns_for_children().is(old.time_ns()) {
            return Ok(None);
        }
    } else if !caller.ns_capable(user_ns, CAP_SYS_ADMIN) {
        return Err(Reason::CapNew.refuse(Some(user_ns), observer));
    }
    // The semaphores to undo would be unreachable from the new ipc namespace.
    if flags.has_all(CLONE_NEWIPC | CLONE_SYSVSEM) {
        return Err(Reason::CloneSysvsem.refuse(None, observer));
    }
    create_new_namespaces(caller, flags, user_ns, fs, observer).map(Some)
}

/// Moves the caller to the time namespace of its children: execve(2).
///
/// # Errors
///
/// Errors of [`create_new_namespaces`].
pub(crate) fn exec_task_namespaces(
    caller: &mut Caller<'_>,
    observer: &mut impl Observer,
) -> Result {
    let old = caller.nsproxy();
    if old.time_ns_for_children().is(old.time_ns()) {
        return Ok(());
    }
    let mut new = create_new_namespaces(caller, Flags::NONE, caller.user_ns(), None, observer)?;
    new.timens_on_fork(caller);
    switch_task_namespaces(caller, new, observer);
    Ok(())
}

/// Takes the nsproxy away from a task: exit(2), or a task that could not be created. May sleep.
///
/// In C this is `switch_task_namespaces(p, NULL)`.
pub(crate) fn exit_nsproxy_namespaces(task: &mut LeavingTask<'_>) {
    might_sleep();
    if let Some(nsproxy) = task.take_nsproxy() {
        NsProxy::put(nsproxy);
    }
}

/// Makes the user namespace of new credentials active, then that of the old ones inactive, unless
/// others use them: `commit_creds()`.
pub(crate) fn switch_cred_namespaces(old: &UserNamespace, new: &UserNamespace) {
    new.active_get();
    old.active_put();
}

/// Makes the user namespace of a new task active: clone(2).
pub(crate) fn get_cred_namespaces(task: &NewTask<'_>) {
    task.user_ns().active_get();
}

/// The reverse, when a task is reaped, or could not be created.
pub(crate) fn exit_cred_namespaces(task: &LeavingTask<'_>) {
    task.user_ns().active_put();
}
