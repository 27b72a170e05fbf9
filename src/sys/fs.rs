// SPDX-License-Identifier: GPL-2.0-only

//! `struct fs_struct`: the root and working directory of a set.
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

/// A copy of the caller's root and working directory that no task uses.
///
/// It owns references to both. Dropping it calls `free_fs_struct()`.
///
/// # Invariants
///
/// The pointer was returned by `copy_fs_struct()`, and no other pointer to the copy exists.
pub(crate) struct FsStruct(NonNull<fs_struct>);

impl FsStruct {
    /// Copies the caller's root and working directory.
    ///
    /// # Errors
    ///
    /// [`ENOMEM`].
    #[doc(alias = "copy_fs_struct")]
    pub(crate) fn copy(caller: &Caller<'_>) -> Result<Self> {
        // SAFETY: `current->fs` is valid.
        let fs = NonNull::new(unsafe { static_call!(copy_fs_struct(caller.fs())) });
        // INVARIANT: `copy_fs_struct()` returns a new object.
        fs.map(Self).ok_or(ENOMEM)
    }

    /// Copies the caller's root and working directory for a dry run, in which `install()` gets the
    /// copy instead of the caller's own.
    ///
    /// Before Linux 7.3, `mntns_install()` refuses if `nsset->fs` is shared with another task. The
    /// copy therefore has the same number of users as the original, so the check has the same
    /// result as without the dry run.
    ///
    /// # Errors
    ///
    /// [`ENOMEM`].
    pub(crate) fn copy_for_dry_run(caller: &Caller<'_>) -> Result<Self> {
        let copy = Self::copy(caller)?;
        // SAFETY: By the type's invariants no other pointer to the copy exists.
        // `free_fs_struct()` does not read the number of users.
        unsafe { (*copy.as_layout()).users = caller.fs_users() as i32 };
        Ok(copy)
    }

    /// Returns the pointer as the struct with its members.
    fn as_layout(&self) -> *mut layout::fs_struct {
        self.0.as_ptr().cast()
    }

    /// Returns the root, borrowed.
    pub(super) fn root(&self) -> *const path {
        // SAFETY: Valid by the type's invariants.
        unsafe { &raw const (*self.as_layout()).root }
    }

    /// Returns the working directory, borrowed.
    pub(super) fn pwd(&self) -> *const path {
        // SAFETY: Valid by the type's invariants.
        unsafe { &raw const (*self.as_layout()).pwd }
    }
}

impl Drop for FsStruct {
    #[doc(alias = "free_fs_struct")]
    fn drop(&mut self) {
        // SAFETY: By the type's invariants no other pointer to the copy exists.
        unsafe { static_call!(free_fs_struct(self.0.as_ptr())) };
    }
}

/// The root and working directory that `install()` of a mount namespace moves: `nsset->fs`.
pub(crate) enum SetFs {
    /// No mount namespace is requested.
    None,
    /// The caller's own, if `CLONE_NEWNS` is the only flag. `install()` moves the caller at once.
    Current,
    /// A copy, from which the caller's are set when the whole set is committed.
    Copy(FsStruct),
}

impl SetFs {
    /// Returns the pointer for `install()`. It owns no reference, and is valid while both
    /// parameters are borrowed.
    pub(super) fn as_ptr(&self, caller: &Caller<'_>) -> *mut fs_struct {
        match self {
            SetFs::None => core::ptr::null_mut(),
            SetFs::Current => caller.fs(),
            SetFs::Copy(fs) => fs.0.as_ptr(),
        }
    }
}
