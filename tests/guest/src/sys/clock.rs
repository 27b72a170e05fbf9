// SPDX-License-Identifier: GPL-2.0-only

//! Clocks.

use std::mem;

/// Reads a clock by the system call `clock_gettime()`, in nanoseconds.
pub(crate) fn clock_by_syscall(clock: libc::clockid_t) -> i64 {
    let mut time = mem::MaybeUninit::<libc::timespec>::zeroed();
    // SAFETY: `time` has space for a `timespec`.
    unsafe { libc::syscall(libc::SYS_clock_gettime, clock, time.as_mut_ptr()) };
    // SAFETY: Zeroes are a valid value, and the call writes another one.
    nanoseconds(unsafe { time.assume_init() })
}

/// Reads a clock by libc, which uses the vDSO, in nanoseconds.
pub(crate) fn clock_by_vdso(clock: libc::clockid_t) -> i64 {
    let mut time = mem::MaybeUninit::<libc::timespec>::zeroed();
    // SAFETY: `time` has space for a `timespec`.
    unsafe { libc::clock_gettime(clock, time.as_mut_ptr()) };
    // SAFETY: Zeroes are a valid value, and the call writes another one.
    nanoseconds(unsafe { time.assume_init() })
}

fn nanoseconds(time: libc::timespec) -> i64 {
    time.tv_sec * 1_000_000_000 + time.tv_nsec
}
