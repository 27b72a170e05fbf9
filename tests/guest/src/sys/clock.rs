// SPDX-License-Identifier: GPL-2.0-only

//! Clocks and the time stamp counter.

use std::{arch, mem};

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

/// Reads the time stamp counter. In a guest that QEMU runs with `-icount shift=0` it counts the
/// instructions of kernel and user space.
#[inline(always)]
pub(crate) fn instructions() -> u64 {
    // SAFETY: Every x86-64 processor has it, and Linux allows user space to read it.
    unsafe { arch::x86_64::_rdtsc() }
}

/// Runs 2 `n` instructions. `n` must not be 0.
pub(crate) fn run_twice(n: u64) {
    // SAFETY: Counts a register down.
    unsafe {
        arch::asm!(
            "2:",
            "dec {n}",
            "jnz 2b",
            n = inout(reg) n => _,
            options(nomem, nostack),
        );
    }
}
