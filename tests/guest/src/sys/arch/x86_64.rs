// SPDX-License-Identifier: GPL-2.0-only

//! x86-64.

use std::{
    arch::{asm, x86_64::_rdtsc},
    ffi::CStr,
};

/// The kernel's functions of the system calls that the module redirects.
pub(crate) const ENTRIES: [&str; 3] = ["__x64_sys_setns", "__ia32_sys_setns", "__x64_sys_unshare"];

/// `AUDIT_ARCH_X86_64` of `linux/audit.h`.
pub(in crate::sys) const AUDIT_ARCH: u32 = 0xc000_003e;

/// The filters of a tracepoint for setns(2) and unshare(2): by the number of a 64-bit program, and by
/// that of a 32-bit one.
pub(in crate::sys) const SETNS_FILTER: &CStr = c"id == 308 || id == 346";
pub(in crate::sys) const UNSHARE_FILTER: &CStr = c"id == 272 || id == 310";

/// Makes a system call by the `syscall` instruction.
///
/// # Safety
///
/// The requirements of that call.
#[inline(always)]
pub(in crate::sys) unsafe fn system_call(number: i64, arguments: [usize; 3]) -> i64 {
    let [first, second, third] = arguments;
    let result;
    // SAFETY: By the requirements of this function. The instruction changes rcx and r11.
    unsafe {
        asm!(
            "syscall",
            inlateout("rax") number => result,
            in("rdi") first,
            in("rsi") second,
            in("rdx") third,
            out("rcx") _, out("r11") _,
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
    // The instruction changes rcx and r11.
    unsafe {
        asm!(
            "syscall",
            "test rax, rax",
            "jnz 2f",
            "mov eax, {exit}",
            "xor edi, edi",
            "syscall",
            "2:",
            exit = const libc::SYS_exit_group,
            inlateout("rax") libc::SYS_clone => result,
            in("rdi") i64::from(flags),
            in("rsi") 0_i64, in("rdx") 0_i64, in("r10") 0_i64, in("r8") 0_i64,
            out("rcx") _, out("r11") _,
        );
    }
    result
}

/// Makes setns(2) by `int 0x80`, with these values in the registers of its arguments.
pub(in crate::sys) fn setns_of_32_bit(fd: u64, nstype: u64) -> i64 {
    const SETNS: u64 = 346;
    let result: i64;
    // SAFETY: Takes no pointer. rbx is restored, since LLVM reserves it.
    unsafe {
        asm!(
            "xchg {fd:r}, rbx",
            "int 0x80",
            "xchg {fd:r}, rbx",
            fd = inout(reg) fd => _,
            inlateout("rax") SETNS => result,
            in("rcx") nstype,
            // The registers of the arguments of `syscall` have other values.
            in("rdi") -1_i64,
            in("rsi") -1_i64,
            out("r8") _, out("r9") _, out("r10") _, out("r11") _,
        );
    }
    // A 32-bit program would see the lower half.
    i64::from(result as i32)
}

/// Returns the number of the system call that a traced task makes.
pub(in crate::sys) fn number_of(registers: &libc::user_regs_struct) -> u64 {
    registers.orig_rax
}

/// Returns the result of the system call that a traced task made.
pub(in crate::sys) fn result_of(registers: &libc::user_regs_struct) -> i64 {
    registers.rax as i64
}

/// Reads the time stamp counter. In a guest that QEMU runs with `-icount shift=0` it counts the
/// instructions of kernel and user space.
#[inline(always)]
pub(crate) fn instructions() -> u64 {
    // SAFETY: Every x86-64 processor has it, and Linux allows user space to read it.
    unsafe { _rdtsc() }
}

/// Runs 2 `n` instructions. `n` must not be 0.
pub(crate) fn run_twice(n: u64) {
    // SAFETY: Counts a register down.
    unsafe {
        asm!(
            "2:",
            "dec {n}",
            "jnz 2b",
            n = inout(reg) n => _,
            options(nomem, nostack),
        );
    }
}
