// SPDX-License-Identifier: GPL-2.0-only

//! arm64.

use std::{arch::asm, ffi::CStr};

/// The kernel's functions of the system calls that the module redirects. The kernel calls the same
/// ones for 32-bit programs.
pub(crate) const ENTRIES: [&str; 2] = ["__arm64_sys_setns", "__arm64_sys_unshare"];

/// `AUDIT_ARCH_AARCH64` of `linux/audit.h`.
pub(in crate::sys) const AUDIT_ARCH: u32 = 0xc000_00b7;

/// The filters of a tracepoint for setns(2) and unshare(2): by the number of a 64-bit program, and by
/// that of a 32-bit one.
pub(in crate::sys) const SETNS_FILTER: &CStr = c"id == 268 || id == 375";
pub(in crate::sys) const UNSHARE_FILTER: &CStr = c"id == 97 || id == 337";

/// Makes a system call by the `svc` instruction.
///
/// # Safety
///
/// The requirements of that call.
#[inline(always)]
pub(in crate::sys) unsafe fn system_call(number: i64, arguments: [usize; 3]) -> i64 {
    let [first, second, third] = arguments;
    let result;
    // SAFETY: By the requirements of this function. The kernel changes no register but x0.
    unsafe {
        asm!(
            "svc #0",
            in("x8") number,
            inlateout("x0") first => result,
            in("x1") second,
            in("x2") third,
            options(nostack),
        );
    }
    result
}

/// Makes clone(2) with these flags. The child exits at once with status 0. Returns the result of the
/// call in the parent.
///
/// # Safety
///
/// The flags must contain `CLONE_VM` and `CLONE_VFORK`.
pub(in crate::sys) unsafe fn clone_and_exit(flags: i32) -> i64 {
    let result;
    // SAFETY: The child shares the stack with this task, which is suspended until the child exits. The
    // child writes no memory, and leaves only by exit_group(). NULL is valid for the other arguments.
    // The kernel changes no register of the parent but x0.
    unsafe {
        asm!(
            "svc #0",
            "cbnz x0, 2f",
            "mov x8, {exit}",
            "svc #0",
            "2:",
            exit = const libc::SYS_exit_group,
            in("x8") libc::SYS_clone,
            inlateout("x0") i64::from(flags) => result,
            in("x1") 0_i64, in("x2") 0_i64, in("x3") 0_i64, in("x4") 0_i64,
        );
    }
    result
}

/// Fails with `ENOSYS`: a 64-bit program has no instruction for the system calls of 32-bit ones.
pub(in crate::sys) fn setns_of_32_bit(_fd: u64, _nstype: u64) -> i64 {
    -i64::from(libc::ENOSYS)
}

/// Returns the number of the system call that a traced task makes.
pub(in crate::sys) fn number_of(registers: &libc::user_regs_struct) -> u64 {
    registers.regs[8]
}

/// Returns the result of the system call that a traced task made.
pub(in crate::sys) fn result_of(registers: &libc::user_regs_struct) -> i64 {
    registers.regs[0] as i64
}

/// Reads the virtual counter. In a guest that QEMU runs with `-icount shift=0`, where the counter has a
/// rate of 1 GHz, it counts the instructions of kernel and user space.
#[inline(always)]
pub(crate) fn instructions() -> u64 {
    let count;
    // SAFETY: Every arm64 processor has it, and Linux allows user space to read it.
    unsafe { asm!("isb", "mrs {}, cntvct_el0", out(reg) count, options(nostack)) }
    count
}

/// Runs 2 `n` instructions. `n` must not be 0.
pub(crate) fn run_twice(n: u64) {
    // SAFETY: Counts a register down.
    unsafe {
        asm!(
            "2:",
            "subs {n}, {n}, #1",
            "b.ne 2b",
            n = inout(reg) n => _,
            options(nomem, nostack),
        );
    }
}
