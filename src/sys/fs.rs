// SPDX-License-Identifier: GPL-2.0-only

//! `struct fs_struct`: the root and working directory of a set.
//!
//! C header: `include/linux/fs_struct.h`.

use super::{
    bindings::{self, layout},
    caller::Caller,
    symbols::static_call, //
};
use core::{marker::PhantomData, ptr::NonNull};
use kernel::{
    bindings::{fs_struct, path},
    prelude::*,
};

/// A root and a working directory that no task uses, before its first or after its last use.
///
/// It owns references to both. Dropping it calls `free_fs_struct()`.
///
/// # Invariants
///
/// The pointer is to an object from `copy_fs_struct()`, and no other pointer to it exists.
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

    /// Returns the pointer as the struct with its members.
    fn as_layout(&self) -> *mut layout::fs_struct {
        self.0.as_ptr().cast()
    }

    /// Borrows the object.
    pub(crate) fn as_unused(&mut self) -> UnusedFs<'_> {
        // INVARIANT: By the type's invariants no task uses the object.
        UnusedFs(self.0, PhantomData)
    }

    /// Takes over an object that no task uses any more.
    ///
    /// # Safety
    ///
    /// The pointer must be to a valid `struct fs_struct`, and no other pointer to it may exist.
    pub(super) unsafe fn from_raw(fs: NonNull<fs_struct>) -> Self {
        // INVARIANT: The caller guarantees the invariants.
        Self(fs)
    }

    /// Turns the value into the pointer, which owns the object.
    pub(super) fn into_raw(self) -> NonNull<fs_struct> {
        let fs = self.0;
        core::mem::forget(self);
        fs
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
        // SAFETY: By the type's invariants no other pointer to the object exists.
        unsafe { static_call!(free_fs_struct(self.0.as_ptr())) };
    }
}

/// A root and a working directory that no task uses, borrowed.
///
/// # Invariants
///
/// The pointer is to a valid `struct fs_struct`, which only the borrower accesses for `'a`.
pub(crate) struct UnusedFs<'a>(NonNull<fs_struct>, PhantomData<&'a mut FsStruct>);

impl UnusedFs<'_> {
    /// Borrows the object at `fs`.
    ///
    /// # Safety
    ///
    /// The pointer must fulfil the type's invariants for the lifetime of the result.
    pub(super) unsafe fn from_raw(fs: NonNull<fs_struct>) -> Self {
        // INVARIANT: The caller guarantees the invariants.
        Self(fs, PhantomData)
    }

    /// Returns the pointer for C.
    pub(super) fn as_raw(&mut self) -> *mut fs_struct {
        self.0.as_ptr()
    }
}

/// The root and working directory that installing a mount namespace moves: `nsset->fs`.
pub(crate) enum SetFs {
    /// No mount namespace is requested.
    None,
    /// The caller's own, if `CLONE_NEWNS` is the only flag. The caller moves at once.
    Current,
    /// A copy, from which the caller's are set when the whole set is committed.
    Copy(FsStruct),
}

impl SetFs {
    /// Sets working directory and root of the set, and takes references to `root`. May sleep.
    #[doc(alias = "set_fs_pwd")]
    #[doc(alias = "set_fs_root")]
    #[inline(always)]
    pub(crate) fn set_pwd_and_root(&mut self, caller: &mut Caller<'_>, root: &Path) {
        let fs = match self {
            SetFs::None => {
                kernel::warn_on!(true);
                return;
            }
            SetFs::Current => caller.fs(),
            SetFs::Copy(fs) => fs.0.as_ptr(),
        };
        // SAFETY: `fs` is the caller's own or an exclusively borrowed copy. The path is valid.
        unsafe {
            static_call!(set_fs_pwd(fs, &raw const root.0));
            static_call!(set_fs_root(fs, &raw const root.0));
        }
    }
}

/// A location in the file system: a mount and a dentry.
///
/// # Invariants
///
/// The value owns a reference to both.
pub(crate) struct Path(pub(super) path);

impl Drop for Path {
    fn drop(&mut self) {
        // SAFETY: By the type's invariants this value owns the references.
        unsafe { bindings::path_put(&raw const self.0) };
    }
}
