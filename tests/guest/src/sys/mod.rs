// SPDX-License-Identifier: GPL-2.0-only

//! System calls that no library offers safely. All `unsafe` of the tests is in here.

mod arch;
mod arena;
mod clock;
mod ipc;
mod keys;
mod memory;
mod mounts;
pub(crate) mod nsfs;
mod perf;
mod seccomp;
mod shared;
mod syscall;
mod task;

pub(crate) use arch::{ENTRIES, instructions, run_twice};
pub(crate) use arena::{Arena, ShakyPage};
pub(crate) use clock::{clock_by_syscall, clock_by_vdso};
pub(crate) use ipc::{Semaphore, SharedMemory, message_queue};
pub(crate) use keys::{assume_authority, instantiate, request_key};
pub(crate) use memory::{LastPage, PAGE, StuckPage, map_file};
pub(crate) use mounts::count_mounts;
pub(crate) use perf::{CallCounter, NAMESPACES_IN_ORDER, NamespacesWatch, Number};
pub(crate) use seccomp::{
    before_exec, seccomp_allow_all, seccomp_like_container, seccomp_no_setns,
};
pub(crate) use shared::Shared;
pub(crate) use syscall::{
    Call, outcome, setns_32, setns_32_wide, setns_64, setns_64_wide, trace_syscall,
    vfork_into_and_exit,
};
pub(crate) use task::{
    Fork, block_usr1, clone_task, exec, exit, fork, fork_by_clone3, fork_into, fork_sharing_files,
    fork_sharing_fs, fork_to_zombie, has_ended_within, ignore_children, keep_only, one_heap,
    queue_blocked_signal, sleep_forever, spawn_sharing_sighand, spawn_sharing_vm, vfork,
};

pub(crate) use nsproxy_uapi::{listns, setns_raw as setns};

use rustix::io::Errno;
use std::{
    ffi::{c_int, c_long, c_uint},
    mem,
    os::fd::{FromRawFd as _, OwnedFd},
};

/// Converts the return value of libc.
fn checked(result: c_long) -> Result<c_long, Errno> {
    if result == -1 {
        Err(last_error())
    } else {
        Ok(result)
    }
}

fn last_error() -> Errno {
    let errno = std::io::Error::last_os_error();
    Errno::from_io_error(&errno).unwrap_or(Errno::IO)
}

/// Disables address space layout randomization for programs that are executed from now on.
///
/// An emulator is faster with code at known addresses.
pub(crate) fn do_not_randomize_addresses() {
    // SAFETY: Always safe to call; what runs already stays where it is.
    unsafe { libc::personality(libc::ADDR_NO_RANDOMIZE as libc::c_ulong) };
}

/// `unshare()`.
pub(crate) fn unshare(flags: u32) -> Result<(), Errno> {
    // SAFETY: The memory of the process stays shared; file descriptors are not unshared by any
    // flag that the tests use.
    checked(unsafe { libc::unshare(flags as c_int) }.into()).map(drop)
}

/// `ioctl()` with any number and any address, for tests of bad input.
///
/// A driver can only write to memory of user space: tests pass addresses that are not mapped, or
/// those of buffers for this purpose.
pub(crate) fn ioctl(fd: c_int, command: c_uint, address: usize) -> Result<c_long, Errno> {
    // SAFETY: See above. The kernel must refuse all other addresses, which is under test.
    checked(unsafe { libc::syscall(libc::SYS_ioctl, fd, command, address) })
}

/// Returns a signalfd without any signal.
pub(crate) fn signalfd() -> Result<OwnedFd, Errno> {
    let mut none = mem::MaybeUninit::<libc::sigset_t>::zeroed();
    // SAFETY: `none` has room for a set, which is emptied and then only read. The kernel has just
    // returned the descriptor, and no other value owns it.
    unsafe {
        libc::sigemptyset(none.as_mut_ptr());
        let fd = checked(libc::signalfd(-1, none.as_ptr(), libc::SFD_CLOEXEC).into())?;
        Ok(OwnedFd::from_raw_fd(fd as c_int))
    }
}
