// SPDX-License-Identifier: GPL-2.0-only

//! `struct files_struct`: a table of file descriptors.
//!
//! C header: `include/linux/fdtable.h`.

use super::{
    caller::Caller,
    symbols::static_call, //
};
use core::ptr::NonNull;
use kernel::{bindings::files_struct, error::from_err_ptr, prelude::*};

/// A table of file descriptors that the value owns a reference to.
///
/// Dropping the last reference closes the files: `put_files_struct()`.
///
/// # Invariants
///
/// The pointer is to a valid `struct files_struct`, and the value owns a reference to it.
pub(crate) struct FilesStruct(NonNull<files_struct>);

impl FilesStruct {
    /// Copies the caller's table.
    ///
    /// # Errors
    ///
    /// [`ENOMEM`]; [`EMFILE`]: the table is larger than the kernel allows by now.
    #[doc(alias = "dup_fd")]
    pub(crate) fn copy(caller: &Caller<'_>) -> Result<Self> {
        let whole = core::ptr::null_mut();
        // SAFETY: `current->files` is valid.
        let files = from_err_ptr(unsafe { static_call!(dup_fd(caller.files(), whole)) })?;
        // SAFETY: The function returned a new table, which is not NULL.
        // INVARIANT: The reference of the new table passes to the value.
        Ok(Self(unsafe { NonNull::new_unchecked(files) }))
    }

    /// Takes over a reference.
    ///
    /// # Safety
    ///
    /// The pointer must be valid, and the caller must own a reference, which passes to the result.
    pub(super) unsafe fn from_raw(files: NonNull<files_struct>) -> Self {
        // INVARIANT: The caller guarantees the invariants.
        Self(files)
    }

    /// Turns the value into the pointer, which owns the reference.
    pub(super) fn into_raw(self) -> NonNull<files_struct> {
        let files = self.0;
        core::mem::forget(self);
        files
    }
}

impl Drop for FilesStruct {
    #[doc(alias = "put_files_struct")]
    fn drop(&mut self) {
        // SAFETY: By the type's invariants the value owns a reference.
        unsafe { static_call!(put_files_struct(self.0.as_ptr())) };
    }
}
