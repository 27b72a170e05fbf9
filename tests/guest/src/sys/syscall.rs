// SPDX-License-Identifier: GPL-2.0-only

//! System calls without libc, and traced ones.

use super::{Fork, arch, checked, exit, fork};
use anyhow::{Result, ensure};
use rustix::{
    io::Errno,
    process::{Pid, Signal, WaitOptions, WaitStatus},
};
use std::{mem, ptr};

/// A system call and its arguments, for the instruction itself: user space runs the same instructions
/// for each call.
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
        // SAFETY: Of the calls above, only ioctl() takes a pointer: see `ioctl`.
        unsafe { arch::system_call(self.number, self.arguments) }
    }
}

/// `clone()` with `CLONE_NEW*`, for a child that exits at once with status 0: as `vfork()`. Returns its
/// pid, which the caller must reap.
pub(crate) fn vfork_into_and_exit(kinds: u32) -> Result<Pid, Errno> {
    let flags = kinds as i32 | libc::CLONE_VM | libc::CLONE_VFORK | libc::SIGCHLD;
    // SAFETY: The flags contain both.
    let result = unsafe { arch::clone_and_exit(flags) };
    if result < 0 {
        return Err(Errno::from_raw_os_error(-result as i32));
    }
    Pid::from_raw(result as i32).ok_or(Errno::CHILD)
}

/// setns(2) by the instruction itself, without libc.
pub(crate) fn setns_64(fd: i32, nstype: i32) -> Result<(), Errno> {
    outcome(Call::setns(fd, nstype).make())
}

/// Makes setns(2) by the instruction itself, with the upper halves of both registers set.
pub(crate) fn setns_64_wide(fd: i32, nstype: i32) -> Result<(), Errno> {
    outcome(Call::setns_wide(wide(fd), wide(nstype)).make())
}

/// setns(2) by `int 0x80` of x86, as a 32-bit program calls it.
pub(crate) fn setns_32(fd: i32, nstype: i32) -> Result<(), Errno> {
    outcome(arch::setns_of_32_bit(
        u64::from(fd as u32),
        u64::from(nstype as u32),
    ))
}

/// Makes setns(2) by `int 0x80` of x86, with the upper halves of both registers set, as a 64-bit program
/// can do.
pub(crate) fn setns_32_wide(fd: i32, nstype: i32) -> Result<(), Errno> {
    outcome(arch::setns_of_32_bit(wide(fd), wide(nstype)))
}

/// Sets the upper half of an argument's register.
fn wide(argument: i32) -> u64 {
    0xdead_beef << 32 | u64::from(argument as u32)
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
            let _ = ptrace(libc::PTRACE_TRACEME, None);
            let _ = rustix::process::kill_process(rustix::process::getpid(), Signal::STOP);
            call();
            exit(0)
        }
        Fork::Parent(child) => child,
    };
    wait_for_stop(child)?;
    // Stops at the entry of the call, and then at its exit.
    ptrace(libc::PTRACE_SYSCALL, Some(child))?;
    wait_for_stop(child)?;
    let number = arch::number_of(&registers(child)?);
    ptrace(libc::PTRACE_SYSCALL, Some(child))?;
    wait_for_stop(child)?;
    let result = arch::result_of(&registers(child)?);
    ptrace(libc::PTRACE_CONT, Some(child))?;
    rustix::process::waitpid(Some(child), WaitOptions::empty())?;
    Ok((number, result))
}

fn registers(child: Pid) -> Result<libc::user_regs_struct> {
    // SAFETY: Integers; zeroes are a valid value.
    let mut registers: libc::user_regs_struct = unsafe { mem::zeroed() };
    let mut buffer = libc::iovec {
        iov_base: (&raw mut registers).cast(),
        iov_len: size_of_val(&registers),
    };
    let pid = child.as_raw_nonzero().get();
    // SAFETY: The kernel writes to the registers, at most their size.
    checked(unsafe {
        libc::ptrace(
            libc::PTRACE_GETREGSET,
            pid,
            libc::NT_PRSTATUS,
            &raw mut buffer,
        )
    })?;
    Ok(registers)
}

/// ptrace(2) with a request that writes to no memory of the caller.
fn ptrace(request: libc::c_uint, child: Option<Pid>) -> Result<(), Errno> {
    let pid = child.map_or(0, |pid| pid.as_raw_nonzero().get());
    // SAFETY: The requests of the callers write to no memory.
    checked(unsafe { libc::ptrace(request, pid, ptr::null_mut::<u8>(), 0_usize) }).map(drop)
}

fn wait_for_stop(child: Pid) -> Result<()> {
    let ended = rustix::process::waitpid(Some(child), WaitOptions::UNTRACED)?;
    let stopped = ended.is_some_and(|(_, status): (_, WaitStatus)| status.stopped());
    ensure!(stopped, "the traced child has not stopped: {ended:?}");
    Ok(())
}
