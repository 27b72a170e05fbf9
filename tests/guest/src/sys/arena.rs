// SPDX-License-Identifier: GPL-2.0-only

//! Memory for pointers that tests pass to the kernel: some pages are accessible, some are not, and
//! some change.

use super::{PAGE, checked};
use rustix::io::Errno;
use std::{
    ffi::{c_int, c_void},
    ops::Range,
    ptr, slice,
    sync::atomic::{AtomicU32, Ordering::Relaxed},
};

/// Maps pages: at `at`, where it replaces a mapping, or anywhere if `at` is 0.
fn map(at: usize, pages: usize, protection: c_int) -> Result<usize, Errno> {
    let fixed = if at == 0 { 0 } else { libc::MAP_FIXED };
    // SAFETY: A new mapping, or the replacement of one that the caller owns and nothing refers to.
    let start = unsafe {
        libc::mmap(
            ptr::without_provenance_mut(at),
            pages * PAGE,
            protection,
            libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | fixed,
            -1,
            0,
        )
    };
    if start == libc::MAP_FAILED {
        return Err(Errno::NOMEM);
    }
    Ok(start.expose_provenance())
}

/// Returns a pointer into a mapping of this file.
fn at(address: usize) -> *mut c_void {
    ptr::with_exposed_provenance_mut(address)
}

fn protect(address: usize, pages: usize, protection: c_int) -> Result<(), Errno> {
    // SAFETY: The pages are of a mapping of this file, and nothing refers to them.
    checked(unsafe { libc::mprotect(at(address), pages * PAGE, protection) }.into()).map(drop)
}

/// Adjacent pages: some writable ones, an inaccessible one, a read-only one, another inaccessible
/// one, and an unmapped one.
pub(crate) struct Arena(usize);

impl Arena {
    const WRITABLE: usize = 6;
    const PAGES: usize = Self::WRITABLE + 4;

    /// The initial value of all bytes.
    pub(crate) const PATTERN: u8 = 0xa5;

    pub(crate) fn new() -> Result<Self, Errno> {
        let arena = Self(map(0, Self::PAGES, libc::PROT_READ | libc::PROT_WRITE)?);
        arena.fill(arena.writable());
        protect(arena.forbidden(), 1, libc::PROT_NONE)?;
        protect(arena.read_only().start, 1, libc::PROT_READ)?;
        protect(arena.read_only().end, 1, libc::PROT_NONE)?;
        // SAFETY: `arena` owns the page, and nothing refers to it.
        checked(unsafe { libc::munmap(at(arena.hole()), PAGE) }.into())?;
        Ok(arena)
    }

    /// Returns the addresses of the writable pages.
    pub(crate) fn writable(&self) -> Range<usize> {
        self.0..self.forbidden()
    }

    /// Returns the address of the inaccessible page after the writable ones.
    pub(crate) fn forbidden(&self) -> usize {
        self.0 + Self::WRITABLE * PAGE
    }

    /// Returns the addresses of the read-only page.
    pub(crate) fn read_only(&self) -> Range<usize> {
        let start = self.forbidden() + PAGE;
        start..start + PAGE
    }

    /// Returns the address of the unmapped page.
    pub(crate) fn hole(&self) -> usize {
        self.0 + (Self::PAGES - 1) * PAGE
    }

    fn owns(&self, range: &Range<usize>) -> bool {
        let is_in = |all: Range<usize>| all.start <= range.start && range.end <= all.end;
        range.start <= range.end && (is_in(self.writable()) || is_in(self.read_only()))
    }

    /// Writes to the writable or the read-only pages.
    pub(crate) fn write(&self, address: usize, bytes: &[u8]) -> Result<(), Errno> {
        let range = address..address + bytes.len();
        assert!(self.owns(&range), "{range:x?} is not of the arena");
        let locked = self.read_only().contains(&address);
        let page = self.read_only().start;
        if locked {
            protect(page, 1, libc::PROT_READ | libc::PROT_WRITE)?;
        }
        // SAFETY: The bytes are mapped and belong to the arena, and nothing else refers to them.
        unsafe { ptr::copy_nonoverlapping(bytes.as_ptr(), at(address).cast(), bytes.len()) };
        if locked {
            protect(page, 1, libc::PROT_READ)?;
        }
        Ok(())
    }

    /// Fills a range with the pattern.
    pub(crate) fn fill(&self, range: Range<usize>) {
        assert!(self.owns(&range) && range.end <= self.forbidden());
        // SAFETY: The bytes are writable and belong to the arena, and nothing else refers to them.
        unsafe { ptr::write_bytes(at(range.start).cast::<u8>(), Self::PATTERN, range.len()) };
    }

    /// Returns whether the memory at `address` contains these bytes.
    pub(crate) fn holds(&self, address: usize, bytes: &[u8]) -> bool {
        self.with(address..address + bytes.len(), |is| is == bytes)
    }

    /// Returns whether a range contains only the pattern.
    pub(crate) fn is_untouched(&self, range: Range<usize>) -> bool {
        self.with(range, |is| is.iter().all(|byte| *byte == Self::PATTERN))
    }

    /// Calls `read` with the bytes of a range.
    pub(crate) fn with<T>(&self, range: Range<usize>, read: impl FnOnce(&[u8]) -> T) -> T {
        assert!(self.owns(&range), "{range:x?} is not of the arena");
        // SAFETY: The bytes are mapped and belong to the arena. This thread is the only one, and
        // does not write meanwhile.
        read(unsafe { slice::from_raw_parts(at(range.start).cast::<u8>(), range.len()) })
    }
}

impl Drop for Arena {
    fn drop(&mut self) {
        // SAFETY: `self` owns the pages, and is not used after this.
        unsafe { libc::munmap(at(self.0), Self::PAGES * PAGE) };
    }
}

/// A page that one thread changes, protects and replaces while the kernel accesses it. Only the
/// kernel reads it.
pub(crate) struct ShakyPage(usize);

impl ShakyPage {
    const USABLE: c_int = libc::PROT_READ | libc::PROT_WRITE;

    pub(crate) fn new() -> Result<Self, Errno> {
        Ok(Self(map(0, 1, Self::USABLE)?))
    }

    pub(crate) fn address(&self) -> usize {
        self.0
    }

    /// Writes numbers to the start of the page. Only one thread may change the page.
    pub(crate) fn put(&self, words: &[u32]) {
        assert!(words.len() * 4 <= PAGE);
        for (i, word) in words.iter().enumerate() {
            // SAFETY: The page is aligned. It is mapped and writable except during the calls below,
            // which the same thread makes. All accesses of this process are atomic.
            unsafe { AtomicU32::from_ptr(at(self.0 + 4 * i).cast()) }.store(*word, Relaxed);
        }
    }

    /// Makes the page inaccessible while `f` runs.
    pub(crate) fn forbidden(&self, f: impl FnOnce()) -> Result<(), Errno> {
        protect(self.0, 1, libc::PROT_NONE)?;
        f();
        protect(self.0, 1, Self::USABLE)
    }

    /// Makes the page read-only while `f` runs.
    pub(crate) fn read_only(&self, f: impl FnOnce()) -> Result<(), Errno> {
        protect(self.0, 1, libc::PROT_READ)?;
        f();
        protect(self.0, 1, Self::USABLE)
    }

    /// Replaces the page by a new one.
    pub(crate) fn replace(&self) -> Result<(), Errno> {
        map(self.0, 1, Self::USABLE).map(drop)
    }
}

impl Drop for ShakyPage {
    fn drop(&mut self) {
        // SAFETY: `self` owns the page, and is not used after this.
        unsafe { libc::munmap(at(self.0), PAGE) };
    }
}
