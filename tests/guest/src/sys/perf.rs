// SPDX-License-Identifier: GPL-2.0-only

//! What perf is told when a task changes its namespaces: `PERF_RECORD_NAMESPACES`.

use super::{PAGE, checked};
use rustix::{io::Errno, process::Pid};
use std::{
    ffi::{c_int, c_uint, c_ulong, c_void},
    mem,
    os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd},
    ptr,
    sync::atomic::{AtomicU64, Ordering},
};

/// The beginning of `struct perf_event_attr`, as long as it was in its first version.
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
const PERF_COUNT_SW_DUMMY: u64 = 9;
/// The bit `namespaces` of the flags.
const NAMESPACES: u64 = 1 << 28;
const PERF_RECORD_NAMESPACES: u32 = 16;
/// Where `struct perf_event_mmap_page` has `data_head`, and then `data_tail`.
const DATA_HEAD: usize = 1024;
/// Bytes of the ring buffer, after that page.
const RING: usize = PAGE;

/// Inode numbers in the order of the kernel's `NET_NS_INDEX` and so on.
pub(crate) const NAMESPACES_IN_ORDER: [&str; 7] =
    ["net", "uts", "ipc", "pid", "user", "mnt", "cgroup"];

/// Watches one task.
pub(crate) struct NamespacesWatch {
    task: Pid,
    _event: OwnedFd,
    pages: *mut c_void,
}

impl NamespacesWatch {
    /// Watches the task with that id from now on, and no other.
    pub(crate) fn new(task: Pid) -> Result<Self, Errno> {
        let attr = Attr {
            kind: PERF_TYPE_SOFTWARE,
            size: mem::size_of::<Attr>() as u32,
            config: PERF_COUNT_SW_DUMMY,
            sample_period: 0,
            sample_type: 0,
            read_format: 0,
            flags: NAMESPACES,
            wakeup_events: 0,
            bp_type: 0,
            config1: 0,
        };
        const ON_EVERY_CPU: c_int = -1;
        const NO_GROUP: c_int = -1;
        const PERF_FLAG_FD_CLOEXEC: c_ulong = 8;
        // SAFETY: The attributes are as long as they say.
        let event = checked(unsafe {
            libc::syscall(
                libc::SYS_perf_event_open,
                &raw const attr,
                task.as_raw_pid(),
                ON_EVERY_CPU,
                NO_GROUP,
                PERF_FLAG_FD_CLOEXEC,
            )
        })?;
        // SAFETY: The descriptor is new, and nobody else's.
        let event = unsafe { OwnedFd::from_raw_fd(event as c_int) };
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

    /// The records of the task since the last time: the inode numbers of each, in the order of
    /// [`NAMESPACES_IN_ORDER`].
    pub(crate) fn take(&mut self) -> Vec<Vec<u64>> {
        // SAFETY: Both members are there, are aligned, and the kernel writes them as whole words.
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
            // u32 pid, tid; u64 nr_namespaces; { u64 dev, inode } each. The task is told of its
            // children, too, when it makes them.
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

    /// The word at that position of the stream.
    fn word(&self, position: u64) -> u64 {
        let offset = position as usize % RING;
        // SAFETY: Inside of the ring; records are multiples of a word long. The kernel writes
        // behind `data_head` only.
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
        // SAFETY: The pages are ours, and nobody knows them after this.
        unsafe { libc::munmap(self.pages, PAGE + RING) };
    }
}
