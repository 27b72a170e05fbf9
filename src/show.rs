// SPDX-License-Identifier: GPL-2.0-only

//! `NSPROXY_SHOW`: reports the namespaces of a task and their reference counts.

use crate::{
    sys::{
        caller::Caller,
        file::{pidfd_pid, Fd},
        namespace::{Counts, Ns, PidNamespace, UserNamespace},
        nsproxy::NsProxy,
        target::{PtraceMode, TargetTask},
        uapi::{
            nsproxy_ns, nsproxy_show, NSPROXY_MEMBER_PID, NSPROXY_MEMBER_USER,
            NSPROXY_STEP_F_CONSTANT,
        },
    },
    visibility::{may_know, related_id, Fact},
};
use kernel::{
    prelude::*,
    sync::{aref::ARef, rcu},
};

/// Fills in the namespaces of the process that `args` select.
///
/// # Errors
///
/// - [`EINVAL`]: unknown flags; the file is not a pidfd;
/// - [`EBADF`]: the file descriptor is not open, or open with `O_PATH`;
/// - [`ESRCH`]: the process was reaped, or is exiting and has no namespaces;
/// - [`EACCES`]: the caller may not access the process;
/// - [`EINTR`]: the caller is being killed.
pub(crate) fn show(caller: &Caller<'_>, args: &mut nsproxy_show) -> Result {
    if args.flags != 0 || args.reserved != 0 {
        return Err(EINVAL);
    }
    let held = Held::take(&*find(caller, args.pidfd)?)?;

    let counted = may_know(caller, Fact::Counts);
    let describe = |ns, own| describe(caller, ns, counted.then_some(own));
    args.count = if counted { held.nsproxy.count() - 1 } else { 0 };
    for (to, ns) in args.ns.iter_mut().zip(held.nsproxy.members()) {
        // For most tasks, the pid namespace of their children is their own one, which is held too.
        *to = describe(ns, ns.is(&held.pid_ns).into());
    }
    args.ns[NSPROXY_MEMBER_USER as usize] = describe(&held.user_ns, 1);
    args.ns[NSPROXY_MEMBER_PID as usize] = describe(&held.pid_ns, 1);
    Ok(())
}

/// Returns the task of a pidfd, or the caller for -1.
///
/// # Errors
///
/// [`EBADF`], [`EINVAL`], [`ESRCH`]: see [`show`].
fn find(caller: &Caller<'_>, pidfd: i32) -> Result<ARef<TargetTask>> {
    let file = match pidfd {
        -1 => return Ok(caller.as_target(&rcu::read_lock()).into()),
        fd => Fd::get(fd as u32)?,
    };
    let pid = pidfd_pid(&file).ok_or(EINVAL)?;
    let task = pid.task(&rcu::read_lock()).map(ARef::from);
    task.ok_or(ESRCH)
}

/// References to the nsproxy of a task, and to the namespaces that its nsproxy does not hold.
struct Held {
    nsproxy: ARef<NsProxy>,
    /// The user namespace of the task's objective credentials.
    user_ns: ARef<UserNamespace>,
    /// The pid namespace of the task's own pid.
    pid_ns: ARef<PidNamespace>,
}

impl Held {
    /// Takes references to the namespaces of the task.
    ///
    /// The task cannot execute another program between the access check and the references, as for
    /// `/proc/PID/ns` and for the ioctls of a pidfd.
    ///
    /// # Errors
    ///
    /// [`EACCES`], [`ESRCH`], [`EINTR`]: see [`show`].
    #[doc(alias = "proc_ns_get_link")]
    #[doc(alias = "pidfd_ioctl")]
    fn take(task: &TargetTask) -> Result<Self> {
        let _no_exec = task.no_exec()?;
        if !task.ptrace_may_access(PtraceMode::ReadFscreds) {
            return Err(EACCES);
        }
        // Declared before the RCU guard, so it is dropped after the guard. Dropping it may sleep.
        let nsproxy = task.nsproxy().ok_or(ESRCH)?;
        let rcu = rcu::read_lock();
        let pid_ns = task.active_pid_ns(&rcu).ok_or(ESRCH)?.into();
        let user_ns = task.user_ns(&rcu).into();
        drop(rcu);

        Ok(Self {
            nsproxy,
            user_ns,
            pid_ns,
        })
    }
}

/// Describes a namespace. `own` is the number of references that this module holds to it, or
/// [`None`] if the caller may not know counts.
fn describe(caller: &Caller<'_>, ns: &Ns, own: Option<u32>) -> nsproxy_ns {
    let (counts, flags) = if ns.is_initial() {
        (ns.counts(), NSPROXY_STEP_F_CONSTANT)
    } else {
        let counts = own.map(|own| ns.counts().without(own));
        (counts.unwrap_or(Counts::UNKNOWN), 0)
    };
    nsproxy_ns {
        ns_id: ns.id(),
        owner_id: related_id(caller, ns.owner().map(|owner| &**owner)),
        parent_id: related_id(caller, ns.parent()),
        inum: ns.inum(),
        kind: ns.ns_type(),
        ns_ref: counts.ns_ref,
        active: counts.active,
        flags,
        reserved: 0,
    }
}
