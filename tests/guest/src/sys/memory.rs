// SPDX-License-Identifier: GPL-2.0-only

//! Memory that stops or refuses accesses.

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

/// The size of a page: that of x86-64, and that of most arm64 kernels.
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

    /// Maps two pages, and registers the second one with userfaultfd(2).
    ///
    /// # Errors
    ///
    /// `ENOSYS` on a kernel without userfaultfd(2).
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

    /// Returns the address of the second page.
    pub(crate) fn address(&self) -> usize {
        self.before.addr() + PAGE
    }

    /// Makes the first page read-only.
    pub(crate) fn make_page_before_read_only(&self) -> Result<(), Errno> {
        // SAFETY: `self` owns the page, and nothing refers to it.
        checked(unsafe { libc::mprotect(self.before, PAGE, libc::PROT_READ) }.into()).map(drop)
    }

    /// Waits for an access to the second page. Returns `false` after the timeout.
    pub(crate) fn wait_for_access(&self, timeout: Duration) -> Result<bool, Errno> {
        // SAFETY: The descriptor is open for as long as `self` lives.
        let userfaultfd = unsafe { BorrowedFd::borrow_raw(self.userfaultfd) };
        let mut fds = [PollFd::new(&userfaultfd, PollFlags::IN)];
        let timeout = Timespec::try_from(timeout).map_err(|_| Errno::INVAL)?;
        Ok(rustix::event::poll(&mut fds, Some(&timeout))? > 0)
    }

    /// Resumes the access, after filling the page with zeroes.
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
    // SAFETY: A new mapping, which replaces none.
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

/// A readable and writable page that is followed by an inaccessible one.
pub(crate) struct LastPage(*mut c_void);

impl LastPage {
    /// Maps two pages, and makes the second one inaccessible.
    pub(crate) fn new() -> Result<Self, Errno> {
        let start = map_pages(2)?;
        let pages = Self(start);
        // SAFETY: The second of the two pages, which nothing refers to.
        checked(unsafe { libc::mprotect(start.byte_add(PAGE), PAGE, libc::PROT_NONE) }.into())?;
        Ok(pages)
    }

    /// Returns the address of the first inaccessible byte.
    pub(crate) fn end(&self) -> usize {
        self.0.addr() + PAGE
    }

    /// Writes these bytes to the end of the first page.
    pub(crate) fn fill_end(&self, bytes: &[u8]) {
        assert!(bytes.len() <= PAGE);
        // SAFETY: `self` owns the page, which is writable and has at least as many bytes.
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

    /// Makes the first page read-only.
    pub(crate) fn make_read_only(&self) -> Result<(), Errno> {
        // SAFETY: `self` owns the page, and nothing refers to it.
        checked(unsafe { libc::mprotect(self.0, PAGE, libc::PROT_READ) }.into()).map(drop)
    }
}

impl Drop for LastPage {
    fn drop(&mut self) {
        // SAFETY: `self` owns the pages, and is not used after this.
        unsafe { libc::munmap(self.0, 2 * PAGE) };
    }
}

/// Maps the first page of a file, shared, and unmaps it again.
pub(crate) fn map_file(file: BorrowedFd<'_>) -> Result<(), Errno> {
    // SAFETY: A new mapping, which replaces none and is never accessed.
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
