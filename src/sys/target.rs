// SPDX-License-Identifier: GPL-2.0-only

//! The target: the task of a pidfd, which may exit at any time.

use super::{
    bindings::{self, layout},
    namespace::{Kind, PidNamespace, UserNamespace},
    nsproxy::NsProxy,
    returned,
    symbols::static_call,
};
use core::ptr::NonNull;
use kernel::{
    bindings::{pid, pid_task, pid_type_PIDTYPE_PID as PIDTYPE_PID, task_struct},
    prelude::*,
    sync::{
        aref::{ARef, AlwaysRefCounted},
        rcu, SpinLock,
    },
    types::{NotThreadSafe, Opaque},
};

/// A process id: `struct pid`. Its task may have exited.
///
/// # Invariants
///
/// The object is a valid `struct pid`.
#[repr(transparent)]
pub(crate) struct Pid(Opaque<pid>);

impl Pid {
    /// Borrows the pid at `ptr`.
    ///
    /// # Safety
    ///
    /// `ptr` must point at a pid that stays alive for all of `'a`.
    pub(super) unsafe fn from_raw<'a>(ptr: *mut pid) -> &'a Self {
        // SAFETY: The caller guarantees a valid pid for `'a`; `Pid` is transparent.
        unsafe { &*ptr.cast() }
    }

    /// Returns the task with this id; [`None`] if it was reaped.
    #[doc(alias = "pid_task")]
    #[doc(alias = "get_pid_task")]
    pub(crate) fn task<'rcu>(&self, _rcu: &'rcu rcu::Guard) -> Option<&'rcu TargetTask> {
        // SAFETY: The pid is valid, and the caller is in an RCU read-side critical section, which
        // keeps the task from being freed; `TargetTask` is transparent.
        unsafe {
            pid_task(self.0.get(), PIDTYPE_PID)
                .cast::<TargetTask>()
                .as_ref()
        }
    }
}

/// The credentials of the caller that an access check uses: `PTRACE_MODE_READ_*`.
#[derive(Clone, Copy)]
#[repr(u32)]
pub(crate) enum PtraceMode {
    /// The real uid and gid, as for setns(2).
    ReadRealcreds = bindings::NSPROXY_RS_PTRACE_MODE_READ_REALCREDS,
    /// The filesystem uid and gid, as for `/proc`.
    ReadFscreds = bindings::NSPROXY_RS_PTRACE_MODE_READ_FSCREDS,
}

/// A task that may be exiting: borrowed for an RCU read-side critical section, or owned as an
/// `ARef<TargetTask>`.
///
/// # Invariants
///
/// The object is a valid `struct task_struct`. It may be any task, the caller included.
#[repr(transparent)]
pub(crate) struct TargetTask(Opaque<task_struct>);

// SAFETY: `usage` is the reference count of a task.
unsafe impl AlwaysRefCounted for TargetTask {
    #[doc(alias = "get_task_struct")]
    fn inc_ref(&self) {
        // SAFETY: The shared reference means that the task exists.
        unsafe { kernel::bindings::get_task_struct(self.0.get()) };
    }

    #[doc(alias = "put_task_struct")]
    unsafe fn dec_ref(obj: NonNull<Self>) {
        // SAFETY: The caller owns a reference, which passes to the function.
        unsafe { kernel::bindings::put_task_struct(obj.cast().as_ptr()) };
    }
}

/// A guard that keeps the task from executing another program, so that the result of an access
/// check stays valid.
///
/// # Invariants
///
/// `exec_update_lock` of the task is held for reading.
pub(crate) struct NoExec<'a> {
    task: &'a TargetTask,
    _not_send: NotThreadSafe,
}

impl Drop for NoExec<'_> {
    fn drop(&mut self) {
        // SAFETY: By the type's invariants the lock is held. The guard is not `Send`, so this task
        // acquired it.
        unsafe { bindings::nsproxy_rs_exec_update_unlock(self.task.0.get()) };
    }
}

impl TargetTask {
    /// Returns the task as the struct with its members.
    fn as_layout(&self) -> *mut layout::task_struct {
        self.0.get().cast()
    }

    /// Borrows the task at `ptr`.
    ///
    /// # Safety
    ///
    /// `ptr` must point at a task that stays alive for all of `'a`.
    pub(super) unsafe fn from_raw<'a>(ptr: *mut task_struct) -> &'a Self {
        // SAFETY: The caller guarantees a valid task for `'a`; `TargetTask` is transparent.
        unsafe { &*ptr.cast() }
    }

    /// Keeps the task from executing another program. May sleep.
    ///
    /// # Errors
    ///
    /// [`EINTR`]: the caller is being killed.
    #[doc(alias = "exec_update_lock")]
    #[doc(alias = "down_read_killable")]
    pub(crate) fn no_exec(&self) -> Result<NoExec<'_>> {
        // SAFETY: The task is valid, and so is its `struct signal_struct`, which contains the lock.
        returned(unsafe { bindings::nsproxy_rs_exec_update_lock(self.0.get()) })?;
        // INVARIANT: The lock was just acquired for reading.
        Ok(NoExec {
            task: self,
            _not_send: NotThreadSafe,
        })
    }

    /// Returns whether the caller may access the task.
    pub(crate) fn ptrace_may_access(&self, mode: PtraceMode) -> bool {
        // SAFETY: The task is valid.
        unsafe { static_call!(ptrace_may_access(self.0.get(), mode as u32)) }
    }

    /// Acquires a reference to the task's nsproxy; returns [`None`] if the task is exiting and has
    /// none.
    ///
    /// Rule 3 of `include/linux/nsproxy.h`: the pointer is read under the task's lock, and may be
    /// NULL.
    #[doc(alias = "task_lock")]
    pub(crate) fn nsproxy(&self) -> Option<ARef<NsProxy>> {
        // SAFETY: `alloc_lock` is initialised in every task, and lives as long as the task.
        let lock = unsafe { SpinLock::<()>::from_raw(&raw mut (*self.as_layout()).alloc_lock) };
        let _guard = lock.lock();
        // SAFETY: Under the lock the pointer does not change.
        let nsproxy = unsafe { (*self.as_layout()).nsproxy };
        if nsproxy.is_null() {
            return None;
        }
        // SAFETY: Under the lock, the task's own reference keeps the nsproxy alive. The nsproxy of
        // a task is active, and its members do not change.
        Some(ARef::from(unsafe { NsProxy::from_raw(nsproxy) }))
    }

    /// Returns the pid namespace of the task's own pid, borrowed; [`None`] if the task was reaped.
    ///
    /// The pids of its children may be in another one: `pid_ns_for_children`.
    #[doc(alias = "task_active_pid_ns")]
    pub(crate) fn active_pid_ns<'rcu>(&self, _rcu: &'rcu rcu::Guard) -> Option<&'rcu PidNamespace> {
        // SAFETY: The task is valid. RCU keeps its `struct pid` alive, which holds the namespace.
        unsafe { PidNamespace::from_nullable(kernel::bindings::task_active_pid_ns(self.0.get())) }
    }

    /// Returns the user namespace of the task's objective credentials, borrowed.
    #[doc(alias = "__task_cred")]
    pub(crate) fn user_ns<'rcu>(&self, _rcu: &'rcu rcu::Guard) -> &'rcu UserNamespace {
        // SAFETY: Every task has objective credentials. Another CPU may replace them, so this is
        // one volatile read, as in `rcu_dereference()`. RCU keeps the credentials alive.
        let cred = unsafe { (&raw const (*self.as_layout()).real_cred).read_volatile() };
        // SAFETY: Credentials that were in use do not change. RCU keeps them alive, and with them
        // their reference to the user namespace.
        unsafe { UserNamespace::of_cred(cred.cast()) }
    }
}
