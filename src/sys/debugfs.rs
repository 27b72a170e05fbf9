// SPDX-License-Identifier: GPL-2.0-only

//! The directory of debugfs. An open file of it pins the module: see `debugfs.c`.

use super::{bindings, symbols::Symbols};
use kernel::{
    bindings::{dentry, seq_file},
    seq_file::SeqFile,
};

/// The text of a file.
pub(crate) trait Show {
    /// Prints it, each time that the file is read from its beginning. May sleep.
    fn show(file: &SeqFile);
}

/// `/sys/kernel/debug/nsproxy_rs`. Dropping it removes the directory with its files, and waits for
/// tasks that read one at the moment.
///
/// # Invariants
///
/// The pointer comes from `debugfs_create_dir()`, which may have failed.
pub(crate) struct Directory(*mut dentry);

// SAFETY: Any thread may remove what another one created.
unsafe impl Send for Directory {}
// SAFETY: There is nothing to be done with a shared reference.
unsafe impl Sync for Directory {}

impl Directory {
    /// Creates the directory with its files: `symbols`, and `served`, which `T` prints.
    ///
    /// Where debugfs refuses, they are not there.
    #[doc(alias = "debugfs_create_dir")]
    #[doc(alias = "debugfs_create_file")]
    pub(crate) fn new<T: Show>(_symbols: Symbols) -> Self {
        // SAFETY: The symbols are resolved, and `show()` is there for as long as the module, which
        // an open file pins.
        // INVARIANT: That is what it returns.
        Self(unsafe { bindings::nsproxy_rs_debugfs_create(Some(show::<T>)) })
    }
}

impl Drop for Directory {
    #[doc(alias = "debugfs_remove")]
    fn drop(&mut self) {
        // SAFETY: By the type's invariants; it accepts the error of `debugfs_create_dir()`.
        unsafe { bindings::nsproxy_rs_debugfs_remove(self.0) };
    }
}

/// Prints a file.
///
/// # Safety
///
/// `file` must be valid, and no other thread's: to be called by `debugfs.c`.
unsafe extern "C" fn show<T: Show>(file: *mut seq_file) {
    // SAFETY: By the requirements above.
    T::show(unsafe { SeqFile::from_raw(file) });
}
