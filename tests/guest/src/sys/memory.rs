// SPDX-License-Identifier: GPL-2.0-only

//! Memory that is not as memory usually is.

use super::{checked, ioctl};
use rustix::{
    event::{PollFd, PollFlags, Timespec},
    io::Errno,
};
use std::{
    ffi::{c_int, c_uint, c_void},
    os::fd::{AsRawFd as _, BorrowedFd},
    ptr,
    time::Duration,
};

/// Two pages. The first is an ordinary one. The first access to the second blocks until it is
/// [released](Self::release).
pub(crate) struct StuckPage {
    userfaultfd: c_int,
    before: *mut c_void,
}

/// Bytes that one page has on x86-64.
pub(crate) const PAGE: usize = 4096;

#[repr(C)]
struct UffdioApi {
    api: u64,
    features: u64,
    ioctls: u64,
}

#[repr(C)]
struct UffdioRange {
    start: u64,
    len: u64,
}

#[repr(C)]
struct UffdioRegister {
    range: UffdioRange,
    mode: u64,
    ioctls: u64,
}

#[repr(C)]
struct UffdioZeropage {
    range: UffdioRange,
    mode: u64,
    zeropage: i64,
}

impl StuckPage {
    const API: c_uint = 0xc018_aa3f;
    const REGISTER: c_uint = 0xc020_aa00;
    const ZEROPAGE: c_uint = 0xc020_aa04;

    /// A page that userfaultfd(2) watches.
    ///
    /// # Errors
    ///
    /// `ENOSYS` in a kernel without it.
    pub(crate) fn new() -> Result<Self, Errno> {
        // SAFETY: Always safe to call.
        let userfaultfd = checked(unsafe {
            libc::syscall(libc::SYS_userfaultfd, libc::O_CLOEXEC | libc::O_NONBLOCK)
        })? as c_int;
        let page = Self {
            userfaultfd,
            before: map_pages(2)?,
        };
        let mut api = UffdioApi {
            api: 0xaa,
            features: 0,
            ioctls: 0,
        };
        ioctl(userfaultfd, Self::API, (&raw mut api).addr())?;
        let mut register = UffdioRegister {
            range: page.range(),
            mode: 1,
            ioctls: 0,
        };
        ioctl(userfaultfd, Self::REGISTER, (&raw mut register).addr())?;
        Ok(page)
    }

    fn range(&self) -> UffdioRange {
        UffdioRange {
            start: self.address() as u64,
            len: PAGE as u64,
        }
    }

    /// Where the page is.
    pub(crate) fn address(&self) -> usize {
        self.before.addr() + PAGE
    }

    /// Makes the first page read-only.
    pub(crate) fn make_page_before_read_only(&self) -> Result<(), Errno> {
        // SAFETY: The page is ours; nothing refers to it.
        checked(unsafe { libc::mprotect(self.before, PAGE, libc::PROT_READ) }.into()).map(drop)
    }

    /// Waits until someone is stuck; false if nobody was within that time.
    pub(crate) fn wait_for_victim(&self, patience: Duration) -> Result<bool, Errno> {
        // SAFETY: The descriptor is open for as long as `self` lives.
        let userfaultfd = unsafe { BorrowedFd::borrow_raw(self.userfaultfd) };
        let mut fds = [PollFd::new(&userfaultfd, PollFlags::IN)];
        let timeout = Timespec::try_from(patience).map_err(|_| Errno::INVAL)?;
        Ok(rustix::event::poll(&mut fds, Some(&timeout))? > 0)
    }

    /// Lets whoever is stuck go on: the page is filled with zeroes.
    pub(crate) fn release(&self) -> Result<(), Errno> {
        let mut zeropage = UffdioZeropage {
            range: self.range(),
            mode: 0,
            zeropage: 0,
        };
        ioctl(self.userfaultfd, Self::ZEROPAGE, (&raw mut zeropage).addr()).map(drop)
    }
}

impl Drop for StuckPage {
    fn drop(&mut self) {
        // SAFETY: `self` owns the descriptor and the pages, and is not used after this.
        unsafe {
            libc::close(self.userfaultfd);
            libc::munmap(self.before, 2 * PAGE);
        }
    }
}

fn map_pages(count: usize) -> Result<*mut c_void, Errno> {
    // SAFETY: A new mapping, where nothing was.
    let pages = unsafe {
        libc::mmap(
            ptr::null_mut(),
            count * PAGE,
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
            -1,
            0,
        )
    };
    if pages == libc::MAP_FAILED {
        return Err(Errno::NOMEM);
    }
    Ok(pages)
}

/// A readable and writable page, with one after it that may not be touched at all.
pub(crate) struct LastPage(*mut c_void);

impl LastPage {
    /// Two pages, the second without any rights.
    pub(crate) fn new() -> Result<Self, Errno> {
        let start = map_pages(2)?;
        let pages = Self(start);
        // SAFETY: The second of the two pages, which nothing refers to.
        checked(unsafe { libc::mprotect(start.byte_add(PAGE), PAGE, libc::PROT_NONE) }.into())?;
        Ok(pages)
    }

    /// The address of the first byte that may not be touched.
    pub(crate) fn end(&self) -> usize {
        self.0.addr() + PAGE
    }

    /// Puts these bytes at the end of the first page.
    pub(crate) fn fill_end(&self, bytes: &[u8]) {
        assert!(bytes.len() <= PAGE);
        // SAFETY: As many bytes of the page, which is ours, are there and can be written.
        unsafe {
            let to = self.0.byte_add(PAGE - bytes.len());
            ptr::copy_nonoverlapping(bytes.as_ptr(), to.cast(), bytes.len());
        }
    }

    /// Returns the content of the first page.
    pub(crate) fn bytes(&self) -> [u8; PAGE] {
        // SAFETY: `self` owns the page, and any bytes are valid for the type.
        unsafe { self.0.cast::<[u8; PAGE]>().read() }
    }

    /// Takes the right to write from the first page.
    pub(crate) fn make_read_only(&self) -> Result<(), Errno> {
        // SAFETY: The page is ours; nothing refers to it.
        checked(unsafe { libc::mprotect(self.0, PAGE, libc::PROT_READ) }.into()).map(drop)
    }
}

impl Drop for LastPage {
    fn drop(&mut self) {
        // SAFETY: The pages are ours, and nobody knows them after this.
        unsafe { libc::munmap(self.0, 2 * PAGE) };
    }
}

/// Maps the first page of a file, shared, and unmaps it again.
pub(crate) fn map_file(file: BorrowedFd<'_>) -> Result<(), Errno> {
    // SAFETY: A new mapping, where nothing was, that nothing ever looks at.
    unsafe {
        let page = libc::mmap(
            ptr::null_mut(),
            PAGE,
            libc::PROT_READ,
            libc::MAP_SHARED,
            file.as_raw_fd(),
            0,
        );
        // MAP_FAILED is -1.
        checked(page as _)?;
        libc::munmap(page, PAGE);
    }
    Ok(())
}
