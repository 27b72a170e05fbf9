// SPDX-License-Identifier: GPL-2.0-only

//! perf: records of a switch of namespaces (`PERF_RECORD_NAMESPACES`), and a counter of setns(2)
//! calls.

use super::{PAGE, arch, checked};
use crate::env::kernel;
use anyhow::{Context as _, Result, ensure};
use rustix::{io::Errno, process::Pid};
use std::{
    ffi::{CStr, c_int, c_uint, c_ulong, c_void},
    fs::{self, File},
    io::Read as _,
    mem,
    os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd},
    ptr,
    sync::atomic::{AtomicU64, Ordering},
};

/// The first version of `struct perf_event_attr`.
#[derive(Default)]
#[repr(C)]
struct Attr {
    kind: u32,
    size: u32,
    config: u64,
    sample_period: u64,
    sample_type: u64,
    read_format: u64,
    flags: u64,
    wakeup_events: u32,
    bp_type: u32,
    config1: u64,
}

const PERF_TYPE_SOFTWARE: u32 = 1;
const PERF_TYPE_TRACEPOINT: u32 = 2;
const PERF_COUNT_SW_DUMMY: u64 = 9;
/// The bit `namespaces` of the flags.
const NAMESPACES: u64 = 1 << 28;
const PERF_RECORD_NAMESPACES: u32 = 16;
/// The offset of `data_head` in `struct perf_event_mmap_page`. `data_tail` follows.
const DATA_HEAD: usize = 1024;
/// The size of the ring buffer, which follows that page.
const RING: usize = PAGE;

/// Inode numbers in the order of the kernel's `NET_NS_INDEX` and so on.
pub(crate) const NAMESPACES_IN_ORDER: [&str; 7] =
    ["net", "uts", "ipc", "pid", "user", "mnt", "cgroup"];

/// Opens an event that belongs to no group: `perf_event_open(2)`.
fn open(attr: Attr, task: c_int, cpu: c_int) -> Result<OwnedFd, Errno> {
    let attr = Attr {
        size: mem::size_of::<Attr>() as u32,
        ..attr
    };
    const NO_GROUP: c_int = -1;
    const PERF_FLAG_FD_CLOEXEC: c_ulong = 8;
    // SAFETY: `size` is the size of the attributes, which the kernel only reads.
    let event = checked(unsafe {
        libc::syscall(
            libc::SYS_perf_event_open,
            &raw const attr,
            task,
            cpu,
            NO_GROUP,
            PERF_FLAG_FD_CLOEXEC,
        )
    })?;
    // SAFETY: The kernel has just returned the descriptor, and no other value owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(event as c_int) })
}

/// Records the namespace switches of one task.
pub(crate) struct NamespacesWatch {
    task: Pid,
    _event: OwnedFd,
    pages: *mut c_void,
}

impl NamespacesWatch {
    /// Starts to record.
    pub(crate) fn new(task: Pid) -> Result<Self, Errno> {
        let attr = Attr {
            kind: PERF_TYPE_SOFTWARE,
            config: PERF_COUNT_SW_DUMMY,
            flags: NAMESPACES,
            ..Attr::default()
        };
        const ON_EVERY_CPU: c_int = -1;
        let event = open(attr, task.as_raw_pid(), ON_EVERY_CPU)?;
        // SAFETY: A new mapping, where nothing was.
        let pages = unsafe {
            libc::mmap(
                ptr::null_mut(),
                PAGE + RING,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_SHARED,
                event.as_raw_fd(),
                0,
            )
        };
        if pages == libc::MAP_FAILED {
            return Err(super::last_error());
        }
        Ok(Self {
            task,
            _event: event,
            pages,
        })
    }

    /// Removes and returns the records: the inode numbers of each, in the order of
    /// [`NAMESPACES_IN_ORDER`].
    pub(crate) fn take(&mut self) -> Vec<Vec<u64>> {
        // SAFETY: Both members are mapped and aligned, and the kernel writes them as whole words.
        let (head, tail) = unsafe {
            let head = self.pages.byte_add(DATA_HEAD).cast::<u64>();
            (AtomicU64::from_ptr(head), AtomicU64::from_ptr(head.add(1)))
        };
        let end = head.load(Ordering::Acquire);
        let mut at = tail.load(Ordering::Relaxed);
        let mut records = Vec::new();
        while at < end {
            // struct perf_event_header { u32 type; u16 misc; u16 size; }
            let header = self.word(at);
            let (kind, size) = (header as c_uint, (header >> 48) as usize);
            // u32 pid, tid; u64 nr_namespaces; { u64 dev, inode } each. There are records of new
            // children, too.
            let tid = (self.word(at + 8) >> 32) as i32;
            if kind == PERF_RECORD_NAMESPACES && tid == self.task.as_raw_pid() {
                let n = self.word(at + 16);
                records.push((0..n).map(|i| self.word(at + 24 + 16 * i + 8)).collect());
            }
            at += size.max(8) as u64;
        }
        tail.store(end, Ordering::Release);
        records
    }

    /// Returns the word at a position of the stream.
    fn word(&self, position: u64) -> u64 {
        let offset = position as usize % RING;
        // SAFETY: The word is in the ring, since the length of a record is a multiple of a word. The
        // kernel writes only after `data_head`.
        unsafe {
            self.pages
                .byte_add(PAGE + offset)
                .cast::<u64>()
                .read_volatile()
        }
    }
}

impl Drop for NamespacesWatch {
    fn drop(&mut self) {
        // SAFETY: `self` owns the pages, and is not used after this.
        unsafe { libc::munmap(self.pages, PAGE + RING) };
    }
}

/// A system call, by the filter of its numbers.
#[derive(Clone, Copy)]
pub(crate) struct Number(&'static CStr);

impl Number {
    pub(crate) const SETNS: Self = Self(arch::SETNS_FILTER);
    pub(crate) const UNSHARE: Self = Self(arch::UNSHARE_FILTER);
}

/// A counter of the calls of all tasks: one event per CPU.
///
/// The tracepoint at the entry of system calls comes after ptrace and seccomp. So a call is counted
/// exactly if the kernel continues to the function that implements it.
pub(crate) struct CallCounter(Vec<File>);

impl CallCounter {
    /// Starts to count, until the counter is dropped.
    ///
    /// # Errors
    ///
    /// The kernel is built without perf, or without this tracepoint.
    pub(crate) fn new(number: Number) -> Result<Self> {
        const ID: &str = "events/raw_syscalls/sys_enter/id";
        let id = fs::read_to_string(kernel::tracefs()?.join(ID)).context(ID)?;
        let id = id.trim().parse().context(ID)?;
        const EVERY_TASK: c_int = -1;
        let mut events = Vec::new();
        for cpu in 0.. {
            let attr = Attr {
                kind: PERF_TYPE_TRACEPOINT,
                config: id,
                ..Attr::default()
            };
            match open(attr, EVERY_TASK, cpu) {
                Ok(event) => events.push(File::from(event)),
                // Beyond the last CPU.
                Err(Errno::NODEV | Errno::INVAL) if cpu > 0 => break,
                Err(errno) => return Err(errno).context("perf_event_open(2)"),
            }
        }
        for event in &events {
            Self::set_filter(event, number.0).context("the filter of a system call")?;
        }
        Ok(Self(events))
    }

    fn set_filter(event: &File, filter: &CStr) -> Result<(), Errno> {
        const PERF_EVENT_IOC_SET_FILTER: c_ulong = 0x4008_2406;
        // SAFETY: The kernel reads a string, which lives until the call returns.
        let set = unsafe {
            libc::ioctl(
                event.as_raw_fd(),
                PERF_EVENT_IOC_SET_FILTER,
                filter.as_ptr(),
            )
        };
        checked(set.into()).map(drop)
    }

    /// Returns the number of calls since the counter was created.
    pub(crate) fn count(&self) -> Result<u64> {
        let mut sum = 0;
        for mut event in &self.0 {
            let mut count = [0; mem::size_of::<u64>()];
            let n = event.read(&mut count).context("reading a perf counter")?;
            ensure!(n == count.len(), "a perf counter is {n} bytes long");
            sum += u64::from_ne_bytes(count);
        }
        Ok(sum)
    }
}
