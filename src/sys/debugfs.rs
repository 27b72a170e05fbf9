// SPDX-License-Identifier: GPL-2.0-only

//! The debugfs directory of the module. An open file of it pins the module: see `debugfs.c`.

use super::{bindings, symbols::Symbols};
use kernel::{
    bindings::{dentry, seq_file},
    seq_file::SeqFile,
};

/// The text of a file.
pub(crate) trait Show {
    /// Prints the text each time that a task reads the file from its beginning. May sleep.
    fn show(file: &SeqFile);
}

/// `/sys/kernel/debug/nsproxy_rs`. Dropping this removes the directory and its files, and waits for
/// tasks that are reading one.
///
/// # Invariants
///
/// The pointer was returned by `debugfs_create_dir()`; it may be an error pointer.
pub(crate) struct Directory(*mut dentry);

// SAFETY: debugfs lets any thread remove a directory that another one created.
unsafe impl Send for Directory {}
// SAFETY: No method takes a shared reference.
unsafe impl Sync for Directory {}

impl Directory {
    /// Creates the directory with the files `symbols` and `served`. `T` prints the latter.
    ///
    /// If debugfs refuses, the files do not exist. That is not an error.
    #[doc(alias = "debugfs_create_dir")]
    #[doc(alias = "debugfs_create_file")]
    pub(crate) fn new<T: Show>(_symbols: Symbols) -> Self {
        // SAFETY: The symbols are resolved. `show()` exists for as long as the module, which an
        // open file pins.
        // INVARIANT: The function returns the result of `debugfs_create_dir()`.
        Self(unsafe { bindings::nsproxy_rs_debugfs_create(Some(show::<T>)) })
    }
}

impl Drop for Directory {
    #[doc(alias = "debugfs_remove")]
    fn drop(&mut self) {
        // SAFETY: By the type's invariants, `debugfs_create_dir()` returned the pointer.
        // `debugfs_remove()` accepts an error pointer.
        unsafe { bindings::nsproxy_rs_debugfs_remove(self.0) };
    }
}

/// Prints a file.
///
/// # Safety
///
/// `file` must be valid, and in use by no other thread. Called by `debugfs.c`.
unsafe extern "C" fn show<T: Show>(file: *mut seq_file) {
    // SAFETY: The caller guarantees a valid file that no other thread uses.
    T::show(unsafe { SeqFile::from_raw(file) });
}
