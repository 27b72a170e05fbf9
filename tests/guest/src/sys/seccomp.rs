// SPDX-License-Identifier: GPL-2.0-only

//! Seccomp filters.

use super::checked;
use rustix::io::Errno;
use std::{mem::offset_of, os::unix::process::CommandExt as _, process::Command};

/// Puts the caller under a filter that allows everything.
pub(crate) fn seccomp_allow_all() -> Result<(), Errno> {
    install(&mut [return_verdict(libc::SECCOMP_RET_ALLOW)])
}

/// Puts the caller under a filter that kills it by `SIGSYS` if it calls setns(2). Children and
/// executed programs inherit the filter.
pub(crate) fn seccomp_no_setns() -> Result<(), Errno> {
    /// `AUDIT_ARCH_X86_64` of `linux/audit.h`.
    const X86_64: u32 = 0xc000_003e;
    install(&mut [
        load(offset_of!(libc::seccomp_data, arch)),
        // Another architecture's calls have other numbers.
        jump_unless(X86_64, 2),
        load(offset_of!(libc::seccomp_data, nr)),
        jump_unless(libc::SYS_setns as u32, 1),
        return_verdict(libc::SECCOMP_RET_KILL_PROCESS),
        return_verdict(libc::SECCOMP_RET_ALLOW),
    ])
}

/// Registers `f` to run in the new process of a command, before it executes the program.
///
/// `f` must only make system calls: it must not allocate or wait for other threads.
pub(crate) fn before_exec(command: &mut Command, f: fn() -> Result<(), Errno>) {
    // SAFETY: `f` only makes system calls, by the requirement above.
    unsafe { command.pre_exec(move || Ok(f()?)) };
}

fn load(offset: usize) -> libc::sock_filter {
    instruction(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, offset as u32, 0)
}

/// Skips the next `n` instructions unless the loaded value is `value`.
fn jump_unless(value: u32, n: u8) -> libc::sock_filter {
    instruction(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, value, n)
}

fn return_verdict(verdict: u32) -> libc::sock_filter {
    instruction(libc::BPF_RET | libc::BPF_K, verdict, 0)
}

fn instruction(code: u32, k: u32, jf: u8) -> libc::sock_filter {
    libc::sock_filter {
        code: code as u16,
        jt: 0,
        jf,
        k,
    }
}

fn install(filter: &mut [libc::sock_filter]) -> Result<(), Errno> {
    let program = libc::sock_fprog {
        len: filter.len() as u16,
        filter: filter.as_mut_ptr(),
    };
    // SAFETY: The program has `len` instructions, and the kernel copies it.
    checked(
        unsafe {
            libc::prctl(
                libc::PR_SET_SECCOMP,
                libc::SECCOMP_MODE_FILTER,
                &raw const program,
            )
        }
        .into(),
    )
    .map(drop)
}
