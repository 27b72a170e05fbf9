// SPDX-License-Identifier: GPL-2.0-only

//! A task that loses its namespaces.

use super::{
    bindings::layout,
    namespace::UserNamespace,
    nsproxy::{swap_nsproxy, NsProxy},
};
use core::{marker::PhantomData, ptr::NonNull};
use kernel::{bindings::task_struct, sync::aref::ARef};

/// A task that exits, which is the caller, that is reaped, or that could not be created.
///
/// # Invariants
///
/// The pointer is to a valid `struct task_struct`, whose nsproxy nothing else replaces for `'a`.
pub(crate) struct LeavingTask<'a>(NonNull<task_struct>, PhantomData<&'a mut task_struct>);

impl LeavingTask<'_> {
    /// Creates the value for the call of `exit_nsproxy_namespaces()` or `exit_cred_namespaces()`.
    ///
    /// # Safety
    ///
    /// `task` must be the argument of that function, for the lifetime of the result.
    pub(super) unsafe fn from_raw(task: NonNull<task_struct>) -> Self {
        // INVARIANT: The callers of both functions pass `current`, or a task that does not run.
        Self(task, PhantomData)
    }

    /// Returns the user namespace of the task's credentials, borrowed.
    pub(crate) fn user_ns(&self) -> &UserNamespace {
        let task = self.0.as_ptr().cast::<layout::task_struct>();
        // SAFETY: The task has credentials until it is freed, and nothing replaces them.
        unsafe { UserNamespace::of_cred((*task).real_cred.cast()) }
    }

    /// Takes the nsproxy away. Returns it, if the task had one.
    pub(crate) fn take_nsproxy(&mut self) -> Option<ARef<NsProxy>> {
        // SAFETY: By the type's invariants nothing else replaces the nsproxy. A task that exits does
        // not use its namespaces any more.
        let old = unsafe { swap_nsproxy(self.0.as_ptr(), core::ptr::null_mut()) };
        // SAFETY: The task owned a reference, which passes to the result.
        NonNull::new(old).map(|old| unsafe { ARef::from_raw(old.cast()) })
    }
}
