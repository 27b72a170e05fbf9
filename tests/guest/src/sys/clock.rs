// SPDX-License-Identifier: GPL-2.0-only

//! Time, as clocks and as the processor has it.

use std::{arch, mem};

/// `clock_gettime()` by the system call proper, past the vDSO. In nanoseconds.
pub(crate) fn clock_by_syscall(clock: libc::clockid_t) -> i64 {
    let mut time = mem::MaybeUninit::<libc::timespec>::zeroed();
    // SAFETY: `time` has room for what is written.
    unsafe { libc::syscall(libc::SYS_clock_gettime, clock, time.as_mut_ptr()) };
    // SAFETY: Zeroes are a valid value, and so is what the call writes.
    nanoseconds(unsafe { time.assume_init() })
}

/// `clock_gettime()` as programs call it: libc asks the vDSO. In nanoseconds.
pub(crate) fn clock_by_vdso(clock: libc::clockid_t) -> i64 {
    let mut time = mem::MaybeUninit::<libc::timespec>::zeroed();
    // SAFETY: `time` has room for what is written.
    unsafe { libc::clock_gettime(clock, time.as_mut_ptr()) };
    // SAFETY: Zeroes are a valid value, and so is what the call writes.
    nanoseconds(unsafe { time.assume_init() })
}

fn nanoseconds(time: libc::timespec) -> i64 {
    time.tv_sec * 1_000_000_000 + time.tv_nsec
}

/// The time stamp counter. In a guest that QEMU runs with `-icount shift=0` it is how many
/// instructions have run, in kernel and user space.
#[inline(always)]
pub(crate) fn instructions() -> u64 {
    // SAFETY: Every x86-64 has it, and Linux lets user space read it.
    unsafe { arch::x86_64::_rdtsc() }
}

/// Runs 2 `n` instructions, `n` not 0.
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
