// SPDX-License-Identifier: GPL-2.0-only

//! Seccomp filters.

use super::{arch::AUDIT_ARCH, checked};
use rustix::io::Errno;
use std::{mem::offset_of, os::unix::process::CommandExt as _, process::Command};

/// Puts the caller under a filter that allows everything.
pub(crate) fn seccomp_allow_all() -> Result<(), Errno> {
    install(&mut [return_verdict(libc::SECCOMP_RET_ALLOW)])
}

/// Puts the caller under a filter that kills it by `SIGSYS` if it calls setns(2). Children and
/// executed programs inherit the filter.
pub(crate) fn seccomp_no_setns() -> Result<(), Errno> {
    install(&mut [
        load(offset_of!(libc::seccomp_data, arch)),
        // Another architecture's calls have other numbers.
        jump_unless(AUDIT_ARCH, 2),
        load(offset_of!(libc::seccomp_data, nr)),
        jump_unless(libc::SYS_setns as u32, 1),
        return_verdict(libc::SECCOMP_RET_KILL_PROCESS),
        return_verdict(libc::SECCOMP_RET_ALLOW),
    ])
}

/// Puts the caller under a filter that denies what container runtimes deny by default to containers
/// without `CAP_SYS_ADMIN`: setns(2), unshare(2), clone(2) with new namespaces, and clone3(2), whose
/// flags no filter can read.
pub(crate) fn seccomp_like_container() -> Result<(), Errno> {
    const NEW: i32 = libc::CLONE_NEWNS
        | libc::CLONE_NEWCGROUP
        | libc::CLONE_NEWUTS
        | libc::CLONE_NEWIPC
        | libc::CLONE_NEWUSER
        | libc::CLONE_NEWPID
        | libc::CLONE_NEWNET;
    install(&mut [
        load(offset_of!(libc::seccomp_data, arch)),
        jump_unless(AUDIT_ARCH, 11),
        load(offset_of!(libc::seccomp_data, nr)),
        jump_unless(libc::SYS_setns as u32, 1),
        return_errno(libc::EPERM),
        jump_unless(libc::SYS_unshare as u32, 1),
        return_errno(libc::EPERM),
        jump_unless(libc::SYS_clone3 as u32, 1),
        return_errno(libc::ENOSYS),
        jump_unless(libc::SYS_clone as u32, 3),
        load(offset_of!(libc::seccomp_data, args)),
        jump_unless_any(NEW as u32, 1),
        return_errno(libc::EPERM),
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

/// Skips the next `n` instructions unless the loaded value has one of these bits.
fn jump_unless_any(bits: u32, n: u8) -> libc::sock_filter {
    instruction(libc::BPF_JMP | libc::BPF_JSET | libc::BPF_K, bits, n)
}

fn return_errno(errno: i32) -> libc::sock_filter {
    return_verdict(libc::SECCOMP_RET_ERRNO | errno as u32)
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
