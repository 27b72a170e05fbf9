// SPDX-License-Identifier: GPL-2.0-only

//! Memory that stays shared across `fork()`.

use rustix::io::Errno;
use std::{ops::Deref, ptr, slice, sync::atomic::AtomicU64};

/// Numbers that a process shares with the children that it forks after their creation. The initial
/// values are 0.
pub(crate) struct Shared {
    start: *mut AtomicU64,
    len: usize,
}

// SAFETY: The memory belongs to no thread, and all accesses are atomic.
unsafe impl Send for Shared {}
// SAFETY: All accesses are atomic.
unsafe impl Sync for Shared {}

impl Shared {
    /// Maps `len` numbers.
    pub(crate) fn new(len: usize) -> Result<Self, Errno> {
        // SAFETY: A new mapping, which replaces none.
        let start = unsafe {
            libc::mmap(
                ptr::null_mut(),
                len * size_of::<AtomicU64>(),
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_SHARED | libc::MAP_ANONYMOUS,
                -1,
                0,
            )
        };
        if start == libc::MAP_FAILED {
            return Err(Errno::NOMEM);
        }
        Ok(Self {
            start: start.cast(),
            len,
        })
    }
}

impl Deref for Shared {
    type Target = [AtomicU64];

    fn deref(&self) -> &[AtomicU64] {
        // SAFETY: The mapping has `len` numbers, is page aligned, and lives as long as `self`. Zeroes
        // are a valid value, and other processes access the memory by atomics, too.
        unsafe { slice::from_raw_parts(self.start, self.len) }
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        // SAFETY: `self` owns the mapping, and nothing borrows from it.
        unsafe { libc::munmap(self.start.cast(), self.len * size_of::<AtomicU64>()) };
    }
}
