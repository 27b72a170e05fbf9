// SPDX-License-Identifier: GPL-2.0-only

//! The task that called: `current`, and what only `current` may do.

use super::{
    bindings::{self, layout},
    cred::PreparedCred,
    fs::FsStruct,
    namespace::{Kind, Ns, PidNamespace, TimeNamespace, UserNamespace},
    nsproxy::NsProxy,
    redirect::processes::Process,
    symbols::static_call,
    target::TargetTask,
};
use core::ptr::NonNull;
use kernel::{
    bindings::task_struct,
    prelude::*,
    sync::{
        aref::ARef,
        rcu,
        SpinLock, //
    },
    task::CurrentTask,
};

/// The task that called into the module, for the time of that call.
///
/// The access rules of `include/linux/nsproxy.h` in types. Rule 2, that `current` needs no
/// precautions to look at its own namespaces, is `&self`: what is borrowed from here needs no
/// reference of its own. Rule 1, that only `current` changes its nsproxy, is `&mut self`: while
/// something is borrowed, nothing can be changed under it. The same goes for its credentials.
///
/// # Invariants
///
/// There is one value of this type for each call into the module.
pub(crate) struct Caller<'a>(&'a CurrentTask);

impl<'a> Caller<'a> {
    /// The caller of the module's entry point.
    ///
    /// # Safety
    ///
    /// To be called once for each call into the module, at its entry.
    pub(super) unsafe fn new(current: &'a CurrentTask) -> Self {
        // INVARIANT: By the requirements above.
        Self(current)
    }

    /// `current`.
    fn as_ptr(&self) -> *mut task_struct {
        self.0.as_ptr()
    }

    /// The same, where a member is wanted.
    fn as_layout(&self) -> *mut layout::task_struct {
        self.as_ptr().cast()
    }

    /// The caller as a task like any other.
    pub(crate) fn as_target<'rcu>(&self, _rcu: &'rcu rcu::Guard) -> &'rcu TargetTask {
        // SAFETY: The task that runs here stays for as long as it does.
        unsafe { TargetTask::from_raw(self.as_ptr()) }
    }

    /// The namespaces that the caller's nsproxy and credentials point at, by `NSPROXY_MEMBER_*`.
    pub(crate) fn members(&self) -> [&Ns; 9] {
        const { assert!(bindings::NSPROXY_MEMBER_USER == 8) };
        let mut members: [&Ns; 9] = [self.user_ns(); 9];
        members[..8].copy_from_slice(&self.nsproxy().members());
        members
    }

    /// The process that the caller is a thread of.
    pub(crate) fn process(&self) -> Process {
        // SAFETY: Never written after the task was made. (`Task::tgid()` reads another member in a
        // kernel without SCHEDSTATS: see Kbuild.)
        Process(unsafe { (*self.as_layout()).tgid })
    }

    /// `capable(CAP_SYS_ADMIN)`: whether the caller has the capability in the initial user
    /// namespace.
    #[doc(alias = "capable")]
    pub(crate) fn is_capable_of_sys_admin(&self) -> bool {
        // SAFETY: Always safe to call for `current`.
        unsafe { kernel::bindings::capable(kernel::bindings::CAP_SYS_ADMIN as c_int) }
    }

    /// `ns_capable()`: whether the caller has the capability in that user namespace. Not audited:
    /// this is not for deciding anything.
    #[doc(alias = "ns_capable")]
    #[doc(alias = "ns_capable_noaudit")]
    pub(crate) fn is_ns_capable(&self, user_ns: &UserNamespace, cap: u32) -> bool {
        // SAFETY: Always safe to call for `current`; the namespace is valid.
        unsafe { kernel::bindings::ns_capable_noaudit(user_ns.as_raw(), cap as c_int) }
    }

    /// `current_user_ns()`.
    #[doc(alias = "current_user_ns")]
    pub(crate) fn user_ns(&self) -> &UserNamespace {
        // SAFETY: Credentials in use do not change, own a reference to their user namespace, and
        // are replaced only by the task itself, for which `commit_creds()` wants `&mut self`.
        unsafe { UserNamespace::of_cred(self.cred()) }
    }

    /// Returns the pid namespace of the caller's own pid: `task_active_pid_ns(current)`.
    #[doc(alias = "task_active_pid_ns")]
    pub(crate) fn active_pid_ns(&self) -> &PidNamespace {
        // SAFETY: A task that makes system calls has a `struct pid`, which holds a reference to the
        // pid namespace. The task's own pid namespace never changes.
        unsafe { PidNamespace::from_raw(kernel::bindings::task_active_pid_ns(self.as_ptr())) }
    }

    /// How many tasks share the caller's root and working directory, the caller among them:
    /// `current->fs->users`, as it is at the moment.
    pub(crate) fn fs_users(&self) -> u32 {
        // SAFETY: `current->fs` is valid. Another task may write meanwhile: as C does, it is read
        // as it is.
        unsafe {
            (&raw const (*self.fs().cast::<layout::fs_struct>()).users).read_volatile() as u32
        }
    }

    /// Whether the caller's process has no other thread: `thread_group_empty()`.
    #[doc(alias = "thread_group_empty")]
    pub(crate) fn is_only_thread(&self) -> bool {
        // SAFETY: Always safe to call.
        unsafe { bindings::nsproxy_rs_current_is_only_thread() }
    }

    /// How many threads the caller's process has.
    #[doc(alias = "get_nr_threads")]
    pub(crate) fn threads(&self) -> u32 {
        // SAFETY: Always safe to call.
        unsafe { bindings::nsproxy_rs_current_threads() }
    }

    /// How many tasks use the caller's memory, or look into it at the moment: `mm_users`.
    pub(crate) fn mm_users(&self) -> u32 {
        // SAFETY: A task that makes system calls has memory.
        unsafe { bindings::nsproxy_rs_current_mm_users() }
    }

    /// Whether a seccomp filter watches the caller's system calls.
    #[doc(alias = "seccomp_mode")]
    pub(crate) fn is_under_seccomp(&self) -> bool {
        #[cfg(CONFIG_SECCOMP)]
        // SAFETY: The task is valid. Another of its threads may write meanwhile: as C does, it is
        // read as it is.
        let mode = unsafe { (&raw const (*self.as_layout()).seccomp.mode).read_volatile() };
        #[cfg(not(CONFIG_SECCOMP))]
        let mode = kernel::bindings::SECCOMP_MODE_DISABLED as i32;
        mode != kernel::bindings::SECCOMP_MODE_DISABLED as i32
    }

    /// `current->nsproxy`, borrowed: without a lock and without a reference, by rule 2.
    pub(crate) fn nsproxy(&self) -> &NsProxy {
        // SAFETY: A task that makes system calls has an nsproxy, it owns a reference, and only
        // the task itself replaces it, for which `replace_nsproxy()` wants `&mut self`. An
        // nsproxy that a task uses is active and does not change any more.
        unsafe { NsProxy::from_raw((*self.as_layout()).nsproxy) }
    }

    /// `current->fs`, without a reference. What it holds may change under its own lock.
    pub(super) fn fs(&self) -> *mut kernel::bindings::fs_struct {
        // SAFETY: Only the task itself replaces the pointer.
        unsafe { (*self.as_layout()).fs.cast() }
    }

    /// `current_cred()`, without a reference.
    #[doc(alias = "current_cred")]
    pub(super) fn cred(&self) -> *const kernel::bindings::cred {
        // SAFETY: Only the task itself replaces the pointer.
        unsafe { (*self.as_layout()).cred.cast() }
    }

    /// Swaps `current->nsproxy` under `task_lock()`; the old one is the caller's to drop.
    ///
    /// The lock is for those who look at the task from outside: rule 3.
    #[doc(alias = "task_lock")]
    pub(crate) fn replace_nsproxy(&mut self, new: ARef<NsProxy>) -> ARef<NsProxy> {
        // SAFETY: `alloc_lock` is initialised in every task, and lives as long as the task.
        let lock = unsafe { SpinLock::<()>::from_raw(&raw mut (*self.as_layout()).alloc_lock) };
        let new = ARef::into_raw(new).as_ptr().cast();

        let guard = lock.lock();
        // SAFETY: We are the task, hold its lock, and `&mut self` says that nothing of the old
        // nsproxy is borrowed. The task takes over the reference of `new`.
        let old = unsafe { core::mem::replace(&mut (*self.as_layout()).nsproxy, new) };
        drop(guard);

        // SAFETY: The reference that the task had is ours now; not NULL, see `nsproxy()`.
        unsafe { ARef::from_raw(NonNull::new_unchecked(old).cast()) }
    }

    /// Puts on new credentials: `commit_creds()`, which takes over the reference to `new` and drops
    /// that to the old ones. It moves the active reference from the old user namespace to the new
    /// one.
    pub(crate) fn commit_creds(&mut self, new: PreparedCred) {
        // SAFETY: `new` comes from `prepare_creds()` and is given away. `&mut self` says that
        // nothing of the old credentials is borrowed. It always returns 0.
        unsafe { kernel::bindings::commit_creds(new.into_raw().as_ptr()) };
    }

    /// Moves the caller's root and working directory to those of `fs`, with references of its own.
    ///
    /// For all tasks that share them with the caller, of which there are none: `install()` of a
    /// mount namespace sees to that. May sleep.
    #[doc(alias = "set_fs_root")]
    #[doc(alias = "set_fs_pwd")]
    pub(crate) fn set_fs_root_and_pwd(&mut self, fs: &FsStruct) {
        // SAFETY: Both are valid, and `fs` does not change while it is borrowed.
        unsafe {
            static_call!(set_fs_root(self.fs(), fs.root()));
            static_call!(set_fs_pwd(self.fs(), fs.pwd()));
        }
    }

    /// Gives up the caller's list of SysV semaphore undos. They are applied if no other task shares
    /// the list, in the ipc namespace that the caller is in. May sleep.
    pub(crate) fn exit_sem(&mut self) {
        // SAFETY: `current` may always do this; the kernel does when a task exits.
        unsafe { static_call!(exit_sem(self.as_ptr())) };
    }

    /// Points the caller's vvar page, which the vDSO reads the clocks from, at `ns`.
    ///
    /// The mapping takes no reference: `ns` is one that the caller holds from now on, by its
    /// nsproxy. Takes the `mmap_lock` of the caller's memory; may sleep.
    pub(crate) fn timens_commit(&mut self, ns: &TimeNamespace) {
        // SAFETY: `ns` is valid, and about to become the caller's.
        unsafe { static_call!(timens_commit(self.as_ptr(), ns.as_raw())) };
    }

    /// Tells perf that the caller is in other namespaces now.
    pub(crate) fn perf_event_namespaces(&self) {
        // SAFETY: Always safe to call for `current`.
        unsafe { static_call!(perf_event_namespaces(self.as_ptr())) };
    }
}
