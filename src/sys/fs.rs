// SPDX-License-Identifier: GPL-2.0-only

//! Root and working directory that are being made: `struct fs_struct`.
//!
//! C header: `include/linux/fs_struct.h`.

use super::{
    bindings::layout,
    caller::Caller,
    symbols::static_call, //
};
use core::ptr::NonNull;
use kernel::{
    bindings::{fs_struct, path},
    prelude::*,
};

/// A copy of the caller's root and working directory that no task uses. It owns references to both.
///
/// Dropping it is `free_fs_struct()`.
///
/// # Invariants
///
/// The pointer comes from `copy_fs_struct()`, and nobody else knows it.
pub(crate) struct FsStruct(NonNull<fs_struct>);

impl FsStruct {
    /// Copies the caller's: `copy_fs_struct()`.
    ///
    /// # Errors
    ///
    /// [`ENOMEM`].
    #[doc(alias = "copy_fs_struct")]
    pub(crate) fn copy(caller: &Caller<'_>) -> Result<Self> {
        // SAFETY: `current->fs` is valid.
        let fs = NonNull::new(unsafe { static_call!(copy_fs_struct(caller.fs())) });
        // INVARIANT: Just made.
        fs.map(Self).ok_or(ENOMEM)
    }

    /// Looks as shared as the caller's own, in whose place it is shown to `install()`. Before 7.3
    /// that asks whether what it is shown is shared, and not what the caller has.
    pub(crate) fn pose_as_own(&mut self, caller: &Caller<'_>) {
        // SAFETY: By the type's invariants it is ours alone. Freeing it does not look at the count.
        unsafe { (*self.0.cast::<layout::fs_struct>().as_ptr()).users = caller.fs_users() as i32 };
    }

    /// The root, borrowed.
    pub(super) fn root(&self) -> *const path {
        // SAFETY: Valid by the type's invariants.
        unsafe { &raw const (*self.0.cast::<layout::fs_struct>().as_ptr()).root }
    }

    /// The working directory, borrowed.
    pub(super) fn pwd(&self) -> *const path {
        // SAFETY: Valid by the type's invariants.
        unsafe { &raw const (*self.0.cast::<layout::fs_struct>().as_ptr()).pwd }
    }
}

impl Drop for FsStruct {
    #[doc(alias = "free_fs_struct")]
    fn drop(&mut self) {
        // SAFETY: By the type's invariants it is ours alone.
        unsafe { static_call!(free_fs_struct(self.0.as_ptr())) };
    }
}

/// The root and working directory that a mount namespace is entered with: `nsset->fs`.
pub(crate) enum SetFs {
    /// No mount namespace is asked for.
    None,
    /// The task's own: `CLONE_NEWNS` and nothing else. What `install()` does is seen at once.
    Current,
    /// A copy, which the task gets when the whole set is committed.
    Copy(FsStruct),
}

impl SetFs {
    /// For `install()`. The pointer owns nothing, and is valid while both are borrowed.
    pub(super) fn as_ptr(&self, caller: &Caller<'_>) -> *mut fs_struct {
        match self {
            SetFs::None => core::ptr::null_mut(),
            SetFs::Current => caller.fs(),
            SetFs::Copy(fs) => fs.0.as_ptr(),
        }
    }
}
