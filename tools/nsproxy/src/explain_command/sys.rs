// SPDX-License-Identifier: GPL-2.0-only

//! ptrace(2), the start of a traced program, and the signals of the tracer: the unsafe code of this
//! module.
//!
//! The wrappers of nix reject real-time signals, which glibc and Go use.

use crate::status::ExitCode;
use nix::unistd::ForkResult;
use rustix::{
    io::Errno,
    process::{Pid, PidfdFlags, pidfd_open},
};
use std::{
    ffi::{c_int, c_long, c_void},
    io::{self, Read as _, Write as _},
    mem,
    os::fd::IntoRawFd as _,
    ptr,
    sync::atomic::{AtomicBool, AtomicI32, Ordering},
};

/// The signal of the stop at the entry and at the exit of a system call: `PTRACE_O_TRACESYSGOOD`.
pub(super) const SYSTEM_CALL_STOP: c_int = libc::SIGTRAP | 0x80;

const OPTIONS: c_int = libc::PTRACE_O_TRACESYSGOOD
    | libc::PTRACE_O_TRACECLONE
    | libc::PTRACE_O_TRACEFORK
    | libc::PTRACE_O_TRACEVFORK
    | libc::PTRACE_O_TRACEEXEC
    | libc::PTRACE_O_EXITKILL;

/// `PTRACE_GET_SYSCALL_INFO`, since Linux 5.3.
const GET_SYSCALL_INFO: c_long = 0x420e;

/// A stop at a system call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SystemCallStop {
    Entry {
        /// `AUDIT_ARCH_*`
        arch: u32,
        number: u64,
        args: [u64; 6],
    },
    Exit(Result<i64, Errno>),
    /// The task is in no system call.
    Neither,
}

/// `struct ptrace_syscall_info`
#[repr(C)]
#[derive(Default)]
struct SystemCallInfo {
    op: u8,
    padding: [u8; 3],
    arch: u32,
    instruction_pointer: u64,
    stack_pointer: u64,
    /// At the entry the number and the arguments; at the exit the result, and a byte that is 1 for an
    /// error.
    words: [u64; 8],
}

impl SystemCallInfo {
    fn stop(&self) -> SystemCallStop {
        let [first, rest @ ..] = self.words;
        match self.op {
            1 => SystemCallStop::Entry {
                arch: self.arch,
                number: first,
                args: [rest[0], rest[1], rest[2], rest[3], rest[4], rest[5]],
            },
            2 => {
                let value = first.cast_signed();
                let is_error = rest[0].to_ne_bytes()[0] != 0;
                SystemCallStop::Exit(match is_error {
                    true => Err(Errno::from_raw_os_error(-value as i32)),
                    false => Ok(value),
                })
            }
            _ => SystemCallStop::Neither,
        }
    }
}

/// Makes a request that takes no pointer.
fn request(request: c_long, task: Pid, data: c_long) -> Result<(), Errno> {
    // SAFETY: The requests of the callers below interpret `data` as a number, and ignore the address.
    let result = unsafe { libc::syscall(libc::SYS_ptrace, request, task.as_raw_pid(), 0, data) };
    outcome(result)
}

fn outcome(result: c_long) -> Result<(), Errno> {
    match result {
        -1 => Err(Errno::from_io_error(&io::Error::last_os_error()).unwrap_or(Errno::PROTO)),
        _ => Ok(()),
    }
}

/// Starts to trace a process, which continues to run.
fn seize(process: Pid) -> Result<(), Errno> {
    request(libc::PTRACE_SEIZE as c_long, process, OPTIONS.into())
}

/// Lets a stopped task run to its next stop, and delivers a signal to it, unless that is 0.
///
/// # Errors
///
/// `ESRCH`: the task has been killed. Its status follows. So for all requests.
pub(super) fn resume(task: Pid, signal: c_int) -> Result<(), Errno> {
    request(libc::PTRACE_SYSCALL as c_long, task, signal.into())
}

/// Leaves a task in its group-stop, and waits for its end.
pub(super) fn listen(task: Pid) -> Result<(), Errno> {
    request(libc::PTRACE_LISTEN as c_long, task, 0)
}

/// Stops a task.
pub(super) fn interrupt(task: Pid) -> Result<(), Errno> {
    request(libc::PTRACE_INTERRUPT as c_long, task, 0)
}

/// Stops tracing a stopped task, and delivers a signal to it, unless that is 0.
pub(super) fn detach(task: Pid, signal: c_int) -> Result<(), Errno> {
    request(libc::PTRACE_DETACH as c_long, task, signal.into())
}

/// Returns the system call at whose entry or exit the task is stopped.
///
/// # Errors
///
/// `EIO` before Linux 5.3.
pub(super) fn system_call(task: Pid) -> Result<SystemCallStop, Errno> {
    let mut info = SystemCallInfo::default();
    let size = size_of_val(&info);
    // SAFETY: The kernel writes at most `size` bytes. All values of the fields are valid.
    let result = unsafe {
        let info = &raw mut info;
        libc::syscall(
            libc::SYS_ptrace,
            GET_SYSCALL_INFO,
            task.as_raw_pid(),
            size,
            info,
        )
    };
    outcome(result).map(|()| info.stop())
}

/// Returns the number that belongs to the stop of a task: after execve(2) the former number of the task,
/// and for the creator of a task that of the new one.
pub(super) fn related_task(task: Pid) -> Result<Option<Pid>, Errno> {
    let mut message: libc::c_ulong = 0;
    let request = libc::PTRACE_GETEVENTMSG as c_long;
    // SAFETY: The kernel writes an unsigned long.
    let result = unsafe {
        let message = &raw mut message;
        libc::syscall(libc::SYS_ptrace, request, task.as_raw_pid(), 0, message)
    };
    outcome(result).map(|()| Pid::from_raw(message as i32))
}

/// Reads a number from the memory of a stopped task.
pub(super) fn read_u64(task: Pid, address: u64) -> Result<u64, Errno> {
    let mut word: c_long = 0;
    let request = libc::PTRACE_PEEKDATA as c_long;
    // SAFETY: The system call, unlike the function of libc, writes the word to its last argument. The
    // address is one of the other task.
    let result = unsafe {
        let word = &raw mut word;
        libc::syscall(libc::SYS_ptrace, request, task.as_raw_pid(), address, word)
    };
    outcome(result).map(|()| word as u64)
}

/// Starts a child, which is traced before it calls `execute`. That function returns only if it cannot
/// execute a program. The first system call that stops the child is the first one of the program.
///
/// Must be called by a process of one thread.
///
/// # Errors
///
/// The child cannot be created or traced.
pub(super) fn start(execute: impl FnOnce() -> ExitCode) -> io::Result<Pid> {
    let (mut is_traced, mut tracer) = io::pipe()?;
    // SAFETY: This process has one thread, so no lock is held that the child would wait for.
    match unsafe { nix::unistd::fork() }? {
        ForkResult::Child => {
            drop(tracer);
            // Without a byte, the parent has failed or exited.
            let status = match is_traced.read(&mut [0]) {
                Ok(1) => execute(),
                _ => ExitCode::FAILURE,
            };
            // SAFETY: Ends the child without the exit handlers of the parent.
            unsafe { libc::_exit(status.into()) }
        }
        ForkResult::Parent { child } => {
            let child = Pid::from_raw(child.as_raw()).expect("the pid of a child is positive");
            seize(child)?;
            tracer.write_all(&[0])?;
            Ok(child)
        }
    }
}

/// The signals by which users and other programs end a program.
const ENDING: [c_int; 4] = [libc::SIGHUP, libc::SIGINT, libc::SIGQUIT, libc::SIGTERM];

/// A pidfd of the traced program, for the handler.
static PROGRAM: AtomicI32 = AtomicI32::new(-1);
/// `true` after a signal that the program could not get.
static WAS_INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// Forwards the signals that end programs to the traced program, if another process sends them to this
/// one. The terminal sends them to both. They interrupt wait(2).
///
/// Ignores SIGPIPE: a closed standard error must not end the program.
///
/// # Errors
///
/// There is no descriptor left for the program.
pub(super) fn forward_signals(program: Pid) -> Result<(), Errno> {
    let pidfd = pidfd_open(program, PidfdFlags::empty())?;
    PROGRAM.store(pidfd.into_raw_fd(), Ordering::Relaxed);
    let handler: extern "C" fn(c_int, *mut libc::siginfo_t, *mut c_void) = forward_signal;
    for signal in ENDING {
        // A program that is started with an ignored signal expects it to end nothing.
        if action(signal, None)?.sa_sigaction != libc::SIG_IGN {
            action(
                signal,
                Some((handler as libc::sighandler_t, libc::SA_SIGINFO)),
            )?;
        }
    }
    action(libc::SIGPIPE, Some((libc::SIG_IGN, 0)))?;
    Ok(())
}

/// Returns whether a signal to end has arrived after the end of the program.
pub(super) fn was_interrupted() -> bool {
    WAS_INTERRUPTED.load(Ordering::Relaxed)
}

extern "C" fn forward_signal(signal: c_int, info: *mut libc::siginfo_t, _: *mut c_void) {
    // SAFETY: The kernel passes a pointer to the information of the signal.
    let code = unsafe { (*info).si_code };
    // The kernel has SI_KERNEL; SI_USER, SI_QUEUE and SI_TKILL are of processes. 0 sends nothing.
    let signal = if code <= 0 { signal } else { 0 };
    let program = PROGRAM.load(Ordering::Relaxed);
    // SAFETY: Each thread has its errno, which the interrupted code may be about to read.
    let errno = unsafe { *libc::__errno_location() };
    // SAFETY: NULL is allowed. The call is safe in handlers, as kill(2) is.
    let sent = unsafe {
        let info = ptr::null_mut::<libc::siginfo_t>();
        libc::syscall(libc::SYS_pidfd_send_signal, program, signal, info, 0)
    };
    // SAFETY: Each thread has its errno.
    let is_gone = sent == -1 && unsafe { *libc::__errno_location() } == libc::ESRCH;
    if is_gone {
        WAS_INTERRUPTED.store(true, Ordering::Relaxed);
    }
    // SAFETY: Each thread has its errno.
    unsafe { *libc::__errno_location() = errno };
}

/// Sets the handler and the flags of a signal, if they are given. Returns the action before.
fn action(
    signal: c_int,
    new: Option<(libc::sighandler_t, c_int)>,
) -> Result<libc::sigaction, Errno> {
    // SAFETY: All members are numbers or NULL.
    let mut before: libc::sigaction = unsafe { mem::zeroed() };
    let new = new.map(|(handler, flags)| {
        let mut action = before;
        (action.sa_sigaction, action.sa_flags) = (handler, flags);
        action
    });
    let new = new.as_ref().map_or(ptr::null(), ptr::from_ref);
    // SAFETY: `new` is NULL or a valid action, whose handler is SIG_IGN or `forward_signal`: that calls
    // only functions that are safe in handlers. `before` has room for an action.
    let result = unsafe { libc::sigaction(signal, new, &raw mut before) };
    outcome(result.into()).map(|()| before)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_size_is_that_of_the_kernel() {
        assert_eq!(size_of::<SystemCallInfo>(), 88);
    }

    #[test]
    fn stops_are_decoded() {
        let mut info = SystemCallInfo {
            op: 1,
            arch: 7,
            words: [308, 1, 2, 3, 4, 5, 6, 0],
            ..Default::default()
        };
        let expected = SystemCallStop::Entry {
            arch: 7,
            number: 308,
            args: [1, 2, 3, 4, 5, 6],
        };
        assert_eq!(info.stop(), expected);
        info.op = 2;
        info.words = [
            (-22_i64).cast_unsigned(),
            u64::from_ne_bytes([1, 9, 9, 9, 9, 9, 9, 9]),
            0,
            0,
            0,
            0,
            0,
            0,
        ];
        assert_eq!(info.stop(), SystemCallStop::Exit(Err(Errno::INVAL)));
        // A large result, such as an address, is no error.
        info.words[1] = 0;
        assert_eq!(info.stop(), SystemCallStop::Exit(Ok(-22)));
        info.op = 3;
        assert_eq!(info.stop(), SystemCallStop::Neither);
    }
}
