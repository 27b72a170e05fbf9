// SPDX-License-Identifier: GPL-2.0-only

//! The calling task: `current`, and operations that only `current` may perform.

use super::{
    bindings::{self, layout},
    cred::PreparedCred,
    files::FilesStruct,
    fs::FsStruct,
    namespace::{Kind, Ns, PidNamespace, TimeNamespace, UserNamespace},
    nsproxy::{swap_nsproxy, NsProxy, Task, NR_NSPROXY_MEMBERS},
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

/// The task that called into the module, for the duration of that call.
///
/// It expresses the access rules of `include/linux/nsproxy.h` in types. By rule 2, `current` may
/// access its own namespaces without precautions: methods with `&self` return borrows without a
/// reference of their own. By rule 1, only `current` changes its nsproxy: methods with `&mut self`
/// cannot be called while a borrow exists. The same applies to the credentials.
///
/// # Invariants
///
/// One value of this type exists for each call into the module.
pub(crate) struct Caller<'a>(&'a CurrentTask);

impl<'a> Caller<'a> {
    /// Creates the caller of one call.
    ///
    /// # Safety
    ///
    /// Must be called once for each call into the module, at its entry.
    pub(super) unsafe fn new(current: &'a CurrentTask) -> Self {
        // INVARIANT: The caller of this function calls it once for each call.
        Self(current)
    }

    /// Returns `current`.
    fn as_ptr(&self) -> *mut task_struct {
        self.0.as_ptr()
    }

    /// Returns `current` as the struct with its members.
    fn as_layout(&self) -> *mut layout::task_struct {
        self.as_ptr().cast()
    }

    /// Returns the caller as a target.
    pub(crate) fn as_target<'rcu>(&self, _rcu: &'rcu rcu::Guard) -> &'rcu TargetTask {
        // SAFETY: The running task exists at least until it leaves this RCU read-side critical
        // section.
        unsafe { TargetTask::from_raw(self.as_ptr()) }
    }

    /// Returns the namespaces of the caller's nsproxy and the user namespace of its credentials,
    /// borrowed. The index is `NSPROXY_MEMBER_*`.
    pub(crate) fn members(&self) -> [&Ns; NR_NSPROXY_MEMBERS + 1] {
        const { assert!(bindings::NSPROXY_MEMBER_USER as usize == NR_NSPROXY_MEMBERS) };
        let mut members: [&Ns; NR_NSPROXY_MEMBERS + 1] = [self.user_ns(); _];
        members[..NR_NSPROXY_MEMBERS].copy_from_slice(&self.nsproxy().members());
        members
    }

    /// Returns the process that the caller is a thread of.
    pub(crate) fn process(&self) -> Process {
        // SAFETY: Never written after the task was created. (`Task::tgid()` reads another member in
        // a kernel without SCHEDSTATS: see Kbuild.)
        Process(unsafe { (*self.as_layout()).tgid })
    }

    /// Returns whether the caller has `CAP_SYS_ADMIN` in the initial user namespace:
    /// `capable(CAP_SYS_ADMIN)`.
    #[doc(alias = "capable")]
    pub(crate) fn is_capable_of_sys_admin(&self) -> bool {
        // SAFETY: Always safe to call for `current`.
        unsafe { kernel::bindings::capable(kernel::bindings::CAP_SYS_ADMIN as c_int) }
    }

    /// Returns whether the caller has a capability in a user namespace. This is audited, and sets
    /// `PF_SUPERPRIV` of a caller that has it.
    pub(crate) fn ns_capable(&self, user_ns: &UserNamespace, cap: u32) -> bool {
        // SAFETY: Always safe to call for `current`; the namespace is valid.
        unsafe { kernel::bindings::ns_capable(user_ns.as_raw(), cap as c_int) }
    }

    /// Returns whether the caller has a capability in a user namespace, without an audit record:
    /// for a result that is only information.
    pub(crate) fn ns_capable_noaudit(&self, user_ns: &UserNamespace, cap: u32) -> bool {
        // SAFETY: Always safe to call for `current`; the namespace is valid.
        unsafe { kernel::bindings::ns_capable_noaudit(user_ns.as_raw(), cap as c_int) }
    }

    /// Returns the user namespace of the caller's credentials: `current_user_ns()`.
    #[doc(alias = "current_user_ns")]
    pub(crate) fn user_ns(&self) -> &UserNamespace {
        // SAFETY: Credentials in use do not change, and own a reference to their user namespace.
        // Only the task itself replaces them, in `commit_creds()`, which requires `&mut self`.
        unsafe { UserNamespace::of_cred(self.cred()) }
    }

    /// Returns the effective user id: `current_euid()`.
    #[doc(alias = "current_euid")]
    pub(super) fn euid(&self) -> kernel::bindings::kuid_t {
        // SAFETY: Credentials in use do not change.
        unsafe { (*self.cred().cast::<layout::cred>()).euid }
    }

    /// Returns whether the caller's effective user and group have an id in a user namespace.
    #[doc(alias = "kuid_has_mapping")]
    #[doc(alias = "kgid_has_mapping")]
    pub(crate) fn has_ids_in(&self, user_ns: &UserNamespace) -> bool {
        const NONE: u32 = u32::MAX;
        // SAFETY: Credentials in use do not change.
        let gid = unsafe { (*self.cred().cast::<layout::cred>()).egid };
        // SAFETY: The namespace is valid.
        unsafe {
            kernel::bindings::from_kuid(user_ns.as_raw(), self.euid()) != NONE
                && kernel::bindings::from_kgid(user_ns.as_raw(), gid) != NONE
        }
    }

    /// Returns whether the caller's root directory is not the root of its mount namespace. May
    /// sleep.
    #[doc(alias = "current_chrooted")]
    pub(crate) fn is_chrooted(&self) -> bool {
        // SAFETY: The function reads `fs` and the nsproxy of `current`.
        unsafe { static_call!(current_chrooted()) }
    }

    /// Returns the pid namespace of the caller's own pid: `task_active_pid_ns(current)`.
    #[doc(alias = "task_active_pid_ns")]
    pub(crate) fn active_pid_ns(&self) -> &PidNamespace {
        // SAFETY: A task that makes system calls has a `struct pid`, which holds a reference to the
        // pid namespace. The task's own pid namespace never changes.
        unsafe { PidNamespace::from_raw(kernel::bindings::task_active_pid_ns(self.as_ptr())) }
    }

    /// Returns the current number of tasks that share the caller's root and working directory,
    /// including the caller: `current->fs->users`.
    pub(crate) fn fs_users(&self) -> u32 {
        // SAFETY: `current->fs` is valid. Another task may write concurrently, so the read is
        // volatile. C reads it without the lock as well.
        unsafe {
            (&raw const (*self.fs().cast::<layout::fs_struct>()).users).read_volatile() as u32
        }
    }

    /// Returns the current number of tasks that share the caller's table of file descriptors,
    /// including the caller, and of other references to it: `current->files->count`.
    pub(crate) fn files_users(&self) -> u32 {
        // SAFETY: The function reads members of `current` only.
        unsafe { bindings::nsproxy_rs_current_files_users() }
    }

    /// Returns the current number of tasks that share the caller's signal handlers, including the
    /// caller: `current->sighand->count`.
    pub(crate) fn sighand_users(&self) -> u32 {
        // SAFETY: The function reads members of `current` only.
        unsafe { bindings::nsproxy_rs_current_sighand_users() }
    }

    /// Returns whether the caller is the only thread of its process: `thread_group_empty()`.
    #[doc(alias = "thread_group_empty")]
    pub(crate) fn is_only_thread(&self) -> bool {
        // SAFETY: The function reads members of `current` only.
        unsafe { bindings::nsproxy_rs_current_is_only_thread() }
    }

    /// Returns the number of threads of the caller's process.
    #[doc(alias = "get_nr_threads")]
    pub(crate) fn threads(&self) -> u32 {
        // SAFETY: The function reads members of `current` only.
        unsafe { bindings::nsproxy_rs_current_threads() }
    }

    /// Returns whether the caller's process is the init of a pid namespace: `SIGNAL_UNKILLABLE`.
    pub(crate) fn is_init(&self) -> bool {
        // SAFETY: The function reads members of `current` only.
        unsafe { bindings::nsproxy_rs_current_is_init() }
    }

    /// Returns whether no other task shares the caller's memory: `current_is_single_threaded()`.
    #[doc(alias = "current_is_single_threaded")]
    pub(crate) fn is_single_threaded(&self) -> bool {
        // SAFETY: The function is for `current`, which has memory.
        unsafe { static_call!(current_is_single_threaded()) }
    }

    /// Returns the number of references to the caller's memory, by tasks that share it or access it
    /// at the moment: `mm_users`.
    pub(crate) fn mm_users(&self) -> u32 {
        // SAFETY: A task that makes system calls has memory.
        unsafe { bindings::nsproxy_rs_current_mm_users() }
    }

    /// Returns whether a seccomp filter checks the caller's system calls.
    #[doc(alias = "seccomp_mode")]
    pub(crate) fn is_under_seccomp(&self) -> bool {
        #[cfg(CONFIG_SECCOMP)]
        // SAFETY: The task is valid. Another thread of the process may write concurrently, so the
        // read is volatile, as in C.
        let mode = unsafe { (&raw const (*self.as_layout()).seccomp.mode).read_volatile() };
        #[cfg(not(CONFIG_SECCOMP))]
        let mode = kernel::bindings::SECCOMP_MODE_DISABLED as i32;
        mode != kernel::bindings::SECCOMP_MODE_DISABLED as i32
    }

    /// Returns `current->nsproxy`, borrowed without a lock and without a reference: rule 2.
    pub(crate) fn nsproxy(&self) -> &NsProxy {
        // SAFETY: A task that makes system calls has an nsproxy and owns a reference to it. Only
        // the task itself replaces it, in `replace_nsproxy()`, which requires `&mut self`. The
        // nsproxy of a task is active, and its members do not change.
        unsafe { NsProxy::from_raw((*self.as_layout()).nsproxy) }
    }

    /// Returns `current->fs` without a reference. Its members are protected by its own lock.
    pub(super) fn fs(&self) -> *mut kernel::bindings::fs_struct {
        // SAFETY: Only the task itself replaces the pointer.
        unsafe { (*self.as_layout()).fs.cast() }
    }

    /// Returns `current->files` without a reference. Its members are protected by its own lock.
    pub(super) fn files(&self) -> *mut kernel::bindings::files_struct {
        // SAFETY: Only the task itself replaces the pointer.
        unsafe { (*self.as_layout()).files.cast() }
    }

    /// Returns `current_cred()` without a reference.
    #[doc(alias = "current_cred")]
    pub(super) fn cred(&self) -> *const kernel::bindings::cred {
        // SAFETY: Only the task itself replaces the pointer.
        unsafe { (*self.as_layout()).cred.cast() }
    }

    /// Replaces `current->nsproxy`. Returns the old nsproxy.
    #[inline(always)]
    pub(crate) fn replace_nsproxy(&mut self, new: ARef<NsProxy>) -> ARef<NsProxy> {
        let new = ARef::into_raw(new).as_ptr().cast();
        // SAFETY: By `&mut self` no borrow of the old nsproxy exists. The task takes over the
        // reference to `new`.
        let old = unsafe { swap_nsproxy(self.as_ptr(), new) };
        // SAFETY: The task owned a reference to the old nsproxy, which the result takes over. The
        // pointer is not NULL, since a task that makes system calls has an nsproxy.
        unsafe { ARef::from_raw(NonNull::new_unchecked(old).cast()) }
    }

    /// Replaces the caller's credentials: `commit_creds()`.
    ///
    /// It takes over the reference to `new` and drops the one to the old credentials. It moves the
    /// active reference from the old user namespace to the new one.
    pub(crate) fn commit_creds(&mut self, new: PreparedCred) {
        // SAFETY: `prepare_creds()` returned `new`, and its reference passes to the function. By
        // `&mut self` no borrow of the old credentials exists. The function always returns 0.
        unsafe { kernel::bindings::commit_creds(new.into_raw().as_ptr()) };
    }

    /// Sets the caller's root and working directory to those of `fs`, and takes references to them.
    ///
    /// This also moves tasks that share them with the caller. Since Linux 7.3 there are none:
    /// installing a mount namespace refuses such callers. May sleep.
    #[doc(alias = "set_fs_root")]
    #[doc(alias = "set_fs_pwd")]
    pub(crate) fn set_fs_root_and_pwd(&mut self, fs: &FsStruct) {
        // SAFETY: `current->fs` and `fs` are valid, and `fs` does not change while it is borrowed.
        unsafe {
            static_call!(set_fs_root(self.fs(), fs.root()));
            static_call!(set_fs_pwd(self.fs(), fs.pwd()));
        }
    }

    /// Replaces the caller's root and working directory by `new`.
    ///
    /// Returns the old ones if the caller was the last task that used them.
    #[doc(alias = "switch_fs_struct")]
    pub(crate) fn replace_fs(&mut self, new: FsStruct) -> Option<FsStruct> {
        let new = new.into_raw().as_ptr();
        #[cfg(not(nsproxy_rs_before_7_3))]
        // SAFETY: No task uses `new`, which passes to `current`.
        let old = unsafe { static_call!(switch_fs_struct(new)) };
        #[cfg(nsproxy_rs_before_7_3)]
        // SAFETY: No task uses `new`, which passes to `current`.
        let old = unsafe { bindings::nsproxy_rs_switch_fs_struct(new) };
        // SAFETY: The function returns the old object if no task uses it any more.
        NonNull::new(old).map(|old| unsafe { FsStruct::from_raw(old) })
    }

    /// Replaces `current->files` under `task_lock()`. Returns the old table.
    ///
    /// The lock protects other tasks that read the pointer.
    #[doc(alias = "task_lock")]
    pub(crate) fn replace_files(&mut self, new: FilesStruct) -> FilesStruct {
        // SAFETY: `alloc_lock` is initialised in every task, and lives as long as the task.
        let lock = unsafe { SpinLock::<()>::from_raw(&raw mut (*self.as_layout()).alloc_lock) };
        let new = new.into_raw().as_ptr().cast();

        let guard = lock.lock();
        // SAFETY: This is the task itself, and it holds its lock. The task takes over the reference
        // to `new`.
        let old = unsafe { core::mem::replace(&mut (*self.as_layout()).files, new) };
        drop(guard);

        // SAFETY: The task owned a reference to the old table, which the result takes over. The
        // pointer is not NULL, since a task that makes system calls has a table.
        unsafe { FilesStruct::from_raw(NonNull::new_unchecked(old).cast()) }
    }

    /// Releases the caller's list of SysV shared memory segments that it created. They stay, or are
    /// removed if no task uses them and `kernel.shm_rmid_forced` is set. May sleep.
    #[doc(alias = "shm_init_task")]
    pub(crate) fn exit_shm(&mut self) {
        // SAFETY: The function is for `current`; the kernel also calls it when a task exits.
        unsafe { static_call!(exit_shm(self.as_ptr())) };
        // SAFETY: The function writes a member of `current` only, which no other task uses since
        // `exit_shm()`.
        unsafe { bindings::nsproxy_rs_shm_init_task(self.as_ptr()) };
    }

    /// Releases the caller's list of SysV semaphore undos. If no other task shares the list, the
    /// undos are applied in the caller's ipc namespace. May sleep.
    pub(crate) fn exit_sem(&mut self) {
        // SAFETY: The function is for `current`; the kernel also calls it when a task exits.
        unsafe { static_call!(exit_sem(self.as_ptr())) };
    }

    /// Maps the vvar page of `ns`, from which the vDSO reads the clocks.
    ///
    /// The mapping takes no reference to `ns`: the caller's new nsproxy holds one. Takes the
    /// `mmap_lock` of the caller's memory; may sleep.
    pub(crate) fn timens_commit(&mut self, ns: &TimeNamespace) {
        // SAFETY: `ns` is valid, and becomes the caller's time namespace next.
        unsafe { static_call!(timens_commit(self.as_ptr(), ns.as_raw())) };
    }

    /// Notifies perf of the caller's new namespaces.
    pub(crate) fn perf_event_namespaces(&self) {
        // SAFETY: Always safe to call for `current`.
        unsafe { static_call!(perf_event_namespaces(self.as_ptr())) };
    }
}

impl Task for Caller<'_> {
    fn as_ptr(&self) -> *mut task_struct {
        Self::as_ptr(self)
    }
}
