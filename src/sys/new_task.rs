// SPDX-License-Identifier: GPL-2.0-only

//! A task that clone(2) creates.

use super::{
    bindings::layout,
    create::Flags,
    fs::UnusedFs,
    namespace::UserNamespace,
    nsproxy::{NsProxy, Task},
};
use core::{marker::PhantomData, ptr::NonNull};
use kernel::{
    bindings::{task_struct, CLONE_NEWNS},
    sync::aref::ARef,
};

/// A task that the caller creates, before it runs for the first time.
///
/// # Invariants
///
/// - The pointer is to a copy of the caller's `struct task_struct`. Only the caller accesses it for
///   `'a`. It has credentials and an `fs_struct`.
/// - Its nsproxy is that of the caller, without a reference of its own.
pub(crate) struct NewTask<'a>(NonNull<task_struct>, PhantomData<&'a mut task_struct>);

impl NewTask<'_> {
    /// Creates the value for the call of `copy_namespaces()` or `get_cred_namespaces()`.
    ///
    /// # Safety
    ///
    /// `task` must be the argument of that function, for the lifetime of the result.
    pub(super) unsafe fn from_raw(task: NonNull<task_struct>) -> Self {
        // INVARIANT: `copy_process()` has created the task, and has copied its credentials and its
        // `fs_struct` before it calls the function.
        Self(task, PhantomData)
    }

    /// Returns the struct with its members.
    fn as_layout(&self) -> *mut layout::task_struct {
        self.0.as_ptr().cast()
    }

    /// Returns the user namespace of the task's credentials, borrowed.
    #[doc(alias = "task_cred_xxx")]
    pub(crate) fn user_ns(&self) -> &UserNamespace {
        // SAFETY: By the type's invariants the task has credentials, which nothing replaces.
        unsafe { UserNamespace::of_cred((*self.as_layout()).real_cred.cast()) }
    }

    /// Returns the user namespace, and with `CLONE_NEWNS` in `flags` the root and working directory,
    /// which clone(2) then refuses to share.
    pub(crate) fn user_ns_and_fs(
        &mut self,
        flags: Flags,
    ) -> (&UserNamespace, Option<UnusedFs<'_>>) {
        let fs = flags.has(CLONE_NEWNS).then(|| {
            // SAFETY: By the type's invariants the task has an `fs_struct`. `copy_process()` has
            // refused a shared one.
            unsafe { UnusedFs::from_raw(NonNull::new_unchecked((*self.as_layout()).fs.cast())) }
        });
        (self.user_ns(), fs)
    }

    /// Gives the task its nsproxy.
    #[doc(alias = "get_nsproxy")]
    pub(crate) fn set_nsproxy(&mut self, nsproxy: ARef<NsProxy>) {
        // SAFETY: Only the caller accesses the task, so no lock is needed. By the type's invariants
        // it owns no reference that would be lost.
        unsafe { (*self.as_layout()).nsproxy = ARef::into_raw(nsproxy).as_ptr().cast() };
    }
}

impl Task for NewTask<'_> {
    fn as_ptr(&self) -> *mut task_struct {
        self.0.as_ptr()
    }
}
