// SPDX-License-Identifier: GPL-2.0-only

//! Memory that is made to be pointed at: some of it can be used, some not, and some of it changes.

use super::{PAGE, checked};
use rustix::io::Errno;
use std::{
    ffi::{c_int, c_void},
    ops::Range,
    ptr, slice,
    sync::atomic::{AtomicU32, Ordering::Relaxed},
};

/// Maps pages, at `at` in the place of what is there, or anywhere if it is 0.
fn map(at: usize, pages: usize, protection: c_int) -> Result<usize, Errno> {
    let fixed = if at == 0 { 0 } else { libc::MAP_FIXED };
    // SAFETY: A new mapping where nothing was, or in the place of one that is the caller's and
    // nothing refers to.
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

/// Memory by its address: of a mapping of this file.
fn at(address: usize) -> *mut c_void {
    ptr::with_exposed_provenance_mut(address)
}

fn protect(address: usize, pages: usize, protection: c_int) -> Result<(), Errno> {
    // SAFETY: The pages are of a mapping of this file, and nothing refers to them.
    checked(unsafe { libc::mprotect(at(address), pages * PAGE, protection) }.into()).map(drop)
}

/// Pages side by side: some that can be written, one that cannot be touched, one that can be read,
/// another that cannot be touched, and nothing.
pub(crate) struct Arena(usize);

impl Arena {
    const WRITABLE: usize = 6;
    const PAGES: usize = Self::WRITABLE + 4;

    /// What is in it until something is written.
    pub(crate) const PATTERN: u8 = 0xa5;

    pub(crate) fn new() -> Result<Self, Errno> {
        let arena = Self(map(0, Self::PAGES, libc::PROT_READ | libc::PROT_WRITE)?);
        arena.fill(arena.writable());
        protect(arena.forbidden(), 1, libc::PROT_NONE)?;
        protect(arena.read_only().start, 1, libc::PROT_READ)?;
        protect(arena.read_only().end, 1, libc::PROT_NONE)?;
        // SAFETY: The last page is ours, and nothing refers to it.
        checked(unsafe { libc::munmap(at(arena.hole()), PAGE) }.into())?;
        Ok(arena)
    }

    /// The addresses of what can be written.
    pub(crate) fn writable(&self) -> Range<usize> {
        self.0..self.forbidden()
    }

    /// The address of a page that cannot be touched, right behind.
    pub(crate) fn forbidden(&self) -> usize {
        self.0 + Self::WRITABLE * PAGE
    }

    /// The addresses of what can only be read.
    pub(crate) fn read_only(&self) -> Range<usize> {
        let start = self.forbidden() + PAGE;
        start..start + PAGE
    }

    /// An address at which there is no memory.
    pub(crate) fn hole(&self) -> usize {
        self.0 + (Self::PAGES - 1) * PAGE
    }

    fn owns(&self, range: &Range<usize>) -> bool {
        let is_in = |all: Range<usize>| all.start <= range.start && range.end <= all.end;
        range.start <= range.end && (is_in(self.writable()) || is_in(self.read_only()))
    }

    /// Writes to it; also to what can only be read.
    pub(crate) fn write(&self, address: usize, bytes: &[u8]) -> Result<(), Errno> {
        let range = address..address + bytes.len();
        assert!(self.owns(&range), "{range:x?} is not of the arena");
        let locked = self.read_only().contains(&address);
        let page = self.read_only().start;
        if locked {
            protect(page, 1, libc::PROT_READ | libc::PROT_WRITE)?;
        }
        // SAFETY: The bytes are the arena's, which is mapped, and nothing else refers to them.
        unsafe { ptr::copy_nonoverlapping(bytes.as_ptr(), at(address).cast(), bytes.len()) };
        if locked {
            protect(page, 1, libc::PROT_READ)?;
        }
        Ok(())
    }

    /// Puts the pattern there.
    pub(crate) fn fill(&self, range: Range<usize>) {
        assert!(self.owns(&range) && range.end <= self.forbidden());
        // SAFETY: As for `write()`.
        unsafe { ptr::write_bytes(at(range.start).cast::<u8>(), Self::PATTERN, range.len()) };
    }

    /// Whether these bytes are there now.
    pub(crate) fn holds(&self, address: usize, bytes: &[u8]) -> bool {
        self.with(address..address + bytes.len(), |is| is == bytes)
    }

    /// Whether there is nothing but the pattern.
    pub(crate) fn is_untouched(&self, range: Range<usize>) -> bool {
        self.with(range, |is| is.iter().all(|byte| *byte == Self::PATTERN))
    }

    /// Looks at what is there now.
    pub(crate) fn with<T>(&self, range: Range<usize>, look: impl FnOnce(&[u8]) -> T) -> T {
        assert!(self.owns(&range), "{range:x?} is not of the arena");
        // SAFETY: The bytes are the arena's and mapped; nobody writes while this thread, which is
        // the only one, is here.
        look(unsafe { slice::from_raw_parts(at(range.start).cast::<u8>(), range.len()) })
    }
}

impl Drop for Arena {
    fn drop(&mut self) {
        // SAFETY: The pages are ours, and nobody knows them after this.
        unsafe { libc::munmap(at(self.0), Self::PAGES * PAGE) };
    }
}

/// A page that one thread changes, forbids and replaces while the kernel is told to use it.
/// Nothing but the kernel looks at it.
pub(crate) struct ShakyPage(usize);

impl ShakyPage {
    const USABLE: c_int = libc::PROT_READ | libc::PROT_WRITE;

    pub(crate) fn new() -> Result<Self, Errno> {
        Ok(Self(map(0, 1, Self::USABLE)?))
    }

    pub(crate) fn address(&self) -> usize {
        self.0
    }

    /// Writes numbers to the beginning of it. For the one thread that changes it.
    pub(crate) fn put(&self, words: &[u32]) {
        assert!(words.len() * 4 <= PAGE);
        for (i, word) in words.iter().enumerate() {
            // SAFETY: Mapped and writable except within the calls below, which are the same
            // thread's; aligned; and in this process only atomics are made of it.
            unsafe { AtomicU32::from_ptr(at(self.0 + 4 * i).cast()) }.store(*word, Relaxed);
        }
    }

    /// Forbids to touch it while `f` runs.
    pub(crate) fn forbidden(&self, f: impl FnOnce()) -> Result<(), Errno> {
        protect(self.0, 1, libc::PROT_NONE)?;
        f();
        protect(self.0, 1, Self::USABLE)
    }

    /// Forbids to write to it while `f` runs.
    pub(crate) fn read_only(&self, f: impl FnOnce()) -> Result<(), Errno> {
        protect(self.0, 1, libc::PROT_READ)?;
        f();
        protect(self.0, 1, Self::USABLE)
    }

    /// Puts a new page in its place.
    pub(crate) fn replace(&self) -> Result<(), Errno> {
        map(self.0, 1, Self::USABLE).map(drop)
    }
}

impl Drop for ShakyPage {
    fn drop(&mut self) {
        // SAFETY: The page is ours, and nobody knows it after this.
        unsafe { libc::munmap(at(self.0), PAGE) };
    }
}
