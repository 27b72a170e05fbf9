// SPDX-License-Identifier: GPL-2.0-only

//! System calls without libc, and traced ones.

use super::{Fork, checked, exit, fork};
use anyhow::{Result, ensure};
use rustix::{
    io::Errno,
    process::{Pid, Signal, WaitOptions, WaitStatus},
};
use std::{arch::asm, mem, ptr};

/// A system call and its arguments, for the `syscall` instruction: user space runs the same
/// instructions for each call.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Call {
    number: i64,
    arguments: [usize; 3],
}

impl Call {
    /// A system call without work: `sched_get_priority_max()`, which returns a constant.
    pub(crate) const LEAST: Self = Self {
        number: libc::SYS_sched_get_priority_max,
        arguments: [libc::SCHED_OTHER as usize, 0, 0],
    };

    /// `setns()`.
    pub(crate) fn setns(fd: i32, nstype: i32) -> Self {
        Self {
            number: libc::SYS_setns,
            arguments: [fd as usize, nstype as usize, 0],
        }
    }

    /// `unshare()`.
    pub(crate) fn unshare(flags: u32) -> Self {
        Self {
            number: libc::SYS_unshare,
            arguments: [flags as usize, 0, 0],
        }
    }

    /// Returns `setns()` with these values in the registers. The kernel reads the lower halves.
    fn setns_wide(fd: u64, nstype: u64) -> Self {
        Self {
            number: libc::SYS_setns,
            arguments: [fd as usize, nstype as usize, 0],
        }
    }

    /// `ioctl()`, with any address: see [`ioctl`](super::ioctl).
    pub(crate) fn ioctl(fd: i32, command: u32, address: usize) -> Self {
        Self {
            number: libc::SYS_ioctl,
            arguments: [fd as usize, command as usize, address],
        }
    }

    /// Makes the call. [`outcome`] converts the return value.
    #[inline(always)]
    pub(crate) fn make(&self) -> i64 {
        let [first, second, third] = self.arguments;
        let result;
        // SAFETY: Of the calls above, only ioctl() takes a pointer: see `ioctl`. The instruction
        // changes rcx and r11.
        unsafe {
            asm!(
                "syscall",
                inlateout("rax") self.number => result,
                in("rdi") first,
                in("rsi") second,
                in("rdx") third,
                out("rcx") _, out("r11") _,
            );
        }
        result
    }
}

/// `clone()` with `CLONE_NEW*`, for a child that exits at once with status 0: as `vfork()`. Returns its
/// pid, which the caller must reap.
pub(crate) fn vfork_into_and_exit(kinds: u32) -> Result<Pid, Errno> {
    let flags = kinds as i32 | libc::CLONE_VM | libc::CLONE_VFORK | libc::SIGCHLD;
    let result: i64;
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
    if result < 0 {
        return Err(Errno::from_raw_os_error(-result as i32));
    }
    Pid::from_raw(result as i32).ok_or(Errno::CHILD)
}

/// setns(2) by the `syscall` instruction.
pub(crate) fn setns_64(fd: i32, nstype: i32) -> Result<(), Errno> {
    outcome(Call::setns(fd, nstype).make())
}

/// Makes setns(2) by the `syscall` instruction, with the upper halves of both registers set.
pub(crate) fn setns_64_wide(fd: i32, nstype: i32) -> Result<(), Errno> {
    outcome(Call::setns_wide(wide(fd), wide(nstype)).make())
}

/// setns(2) by `int 0x80`, as a 32-bit program calls it.
pub(crate) fn setns_32(fd: i32, nstype: i32) -> Result<(), Errno> {
    int_80(u64::from(fd as u32), u64::from(nstype as u32))
}

/// Makes setns(2) by `int 0x80`, with the upper halves of both registers set, as a 64-bit program
/// can do.
pub(crate) fn setns_32_wide(fd: i32, nstype: i32) -> Result<(), Errno> {
    int_80(wide(fd), wide(nstype))
}

/// Sets the upper half of an argument's register.
fn wide(argument: i32) -> u64 {
    0xdead_beef << 32 | u64::from(argument as u32)
}

fn int_80(fd: u64, nstype: u64) -> Result<(), Errno> {
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
    outcome(i64::from(result as i32))
}

/// Converts the return value of a system call that returns 0 or a negative errno.
pub(crate) fn outcome(result: i64) -> Result<(), Errno> {
    match result {
        0 => Ok(()),
        errno => Err(Errno::from_raw_os_error(-errno as i32)),
    }
}

/// Traces a system call of a child by `ptrace(2)`. Returns its number and its return value.
pub(crate) fn trace_syscall(call: impl FnOnce()) -> Result<(u64, i64)> {
    let child = match fork()? {
        Fork::Child => {
            let _ = ptrace(libc::PTRACE_TRACEME, None, 0);
            let _ = rustix::process::kill_process(rustix::process::getpid(), Signal::STOP);
            call();
            exit(0)
        }
        Fork::Parent(child) => child,
    };
    wait_for_stop(child)?;
    // Stops at the entry of the call, and then at its exit.
    ptrace(libc::PTRACE_SYSCALL, Some(child), 0)?;
    wait_for_stop(child)?;
    let number = registers(child)?.orig_rax;
    ptrace(libc::PTRACE_SYSCALL, Some(child), 0)?;
    wait_for_stop(child)?;
    let result = registers(child)?.rax as i64;
    ptrace(libc::PTRACE_CONT, Some(child), 0)?;
    rustix::process::waitpid(Some(child), WaitOptions::empty())?;
    Ok((number, result))
}

fn registers(child: Pid) -> Result<libc::user_regs_struct> {
    // SAFETY: Integers; zeroes are a valid value.
    let mut registers: libc::user_regs_struct = unsafe { mem::zeroed() };
    let address = (&raw mut registers).addr();
    ptrace(libc::PTRACE_GETREGS, Some(child), address)?;
    Ok(registers)
}

/// `data` is 0, or for `PTRACE_GETREGS` the address of the registers.
fn ptrace(request: libc::c_uint, child: Option<Pid>, data: usize) -> Result<(), Errno> {
    let pid = child.map_or(0, |pid| pid.as_raw_nonzero().get());
    // SAFETY: Only `PTRACE_GETREGS` writes to memory, which has space for the registers.
    checked(unsafe { libc::ptrace(request, pid, ptr::null_mut::<u8>(), data) }).map(drop)
}

fn wait_for_stop(child: Pid) -> Result<()> {
    let ended = rustix::process::waitpid(Some(child), WaitOptions::UNTRACED)?;
    let stopped = ended.is_some_and(|(_, status): (_, WaitStatus)| status.stopped());
    ensure!(stopped, "the traced child has not stopped: {ended:?}");
    Ok(())
}
