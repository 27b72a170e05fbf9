// SPDX-License-Identifier: GPL-2.0-only

//! Memory that stays shared across `fork()`.

use rustix::io::Errno;
use std::{ops::Deref, ptr, slice, sync::atomic::AtomicU64};

/// Numbers that a process and the children which it forks from now on see and change together.
/// They begin as 0.
pub(crate) struct Shared {
    start: *mut AtomicU64,
    len: usize,
}

// SAFETY: Memory without a thread of its own, and only atomics are made of it.
unsafe impl Send for Shared {}
// SAFETY: As above.
unsafe impl Sync for Shared {}

impl Shared {
    /// `len` of them.
    pub(crate) fn new(len: usize) -> Result<Self, Errno> {
        // SAFETY: A new mapping, where nothing was.
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
        // SAFETY: The mapping is that long, page aligned, and lives as long as `self`; zeroes are
        // a valid value, and whoever else has the memory has it as atomics, too.
        unsafe { slice::from_raw_parts(self.start, self.len) }
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        // SAFETY: The mapping is ours, and nothing borrows from it any more.
        unsafe { libc::munmap(self.start.cast(), self.len * size_of::<AtomicU64>()) };
    }
}
