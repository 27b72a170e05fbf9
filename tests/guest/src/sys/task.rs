// SPDX-License-Identifier: GPL-2.0-only

//! Tasks, and the state that they share.

use super::{checked, last_error};
use rustix::{
    event::{PollFd, PollFlags, Timespec},
    io::Errno,
    pipe::PipeFlags,
    process::{Pid, PidfdFlags},
};
use std::{
    ffi::{CStr, c_char, c_int, c_long, c_void},
    mem,
    os::fd::{AsRawFd as _, BorrowedFd, FromRawFd as _, IntoRawFd as _, OwnedFd},
    ptr,
    time::Duration,
};

/// The return value of `fork()`.
pub(crate) enum Fork {
    Parent(Pid),
    Child,
}

impl Fork {
    fn from_raw(pid: c_long) -> Self {
        match Pid::from_raw(pid as i32) {
            Some(pid) => Self::Parent(pid),
            None => Self::Child,
        }
    }
}

/// `fork()`.
///
/// The caller must have one thread, or a second one that only sleeps and holds no lock.
pub(crate) fn fork() -> Result<Fork, Errno> {
    // SAFETY: By the requirement, no other thread holds a lock that the child could wait for.
    checked(unsafe { libc::fork() }.into()).map(Fork::from_raw)
}

/// Makes all threads of this process, and of its children, allocate from one heap. The caller must
/// be the only thread.
///
/// By default each thread has a heap with a lock. Unlike `fork()` of libc, `clone()` does not handle
/// such locks: in about 1 of 100 runs a child waited for the lock of another thread forever.
pub(crate) fn one_heap() {
    // SAFETY: Always safe to call.
    unsafe { libc::mallopt(libc::M_ARENA_MAX, 1) };
}

/// `clone(CLONE_FS)`: as `fork()`, but the two share root and working directory.
pub(crate) fn fork_sharing_fs() -> Result<Fork, Errno> {
    fork_with(libc::CLONE_FS | libc::SIGCHLD)
}

/// `clone(CLONE_FILES)`: as `fork()`, but the two share the table of file descriptors.
pub(crate) fn fork_sharing_files() -> Result<Fork, Errno> {
    fork_with(libc::CLONE_FILES | libc::SIGCHLD)
}

/// `clone()` with `CLONE_NEW*`: as `fork()`, but into new namespaces.
pub(crate) fn fork_into(kinds: u32) -> Result<Fork, Errno> {
    fork_with(kinds as c_int | libc::SIGCHLD)
}

/// As `fork()`, but the child sends no `SIGCHLD`: it becomes a zombie even if the parent ignores
/// its children.
pub(crate) fn fork_to_zombie() -> Result<Fork, Errno> {
    fork_with(0)
}

/// `clone()` with flags that share no memory.
fn fork_with(flags: c_int) -> Result<Fork, Errno> {
    // SAFETY: Without CLONE_VM this is `fork()`, except for the work of libc: the tests have no
    // handlers of pthread_atfork, and the lock of the heap is free: see `fork` and `one_heap`.
    checked(unsafe { libc::syscall(libc::SYS_clone, c_long::from(flags), 0, 0, 0, 0) })
        .map(Fork::from_raw)
}

/// Ignores `SIGCHLD`, so that children are reaped automatically, or restores the default. Children
/// inherit the setting.
pub(crate) fn ignore_children(ignore: bool) {
    let how = if ignore { libc::SIG_IGN } else { libc::SIG_DFL };
    // SAFETY: Installs no handler.
    unsafe { libc::signal(libc::SIGCHLD, how) };
}

/// Blocks `SIGUSR1` in this task, and so in its children and in executed programs.
pub(crate) fn block_usr1() -> Result<(), Errno> {
    block_signal(libc::SIGUSR1)
}

/// Blocks a real-time signal, and sends it to this process. The kernel queues it, or returns `EAGAIN` if
/// the user has too many.
pub(crate) fn queue_blocked_signal() -> Result<(), Errno> {
    let signal = libc::SIGRTMIN();
    block_signal(signal)?;
    let value = libc::sigval {
        sival_ptr: ptr::null_mut(),
    };
    // SAFETY: The signal is blocked, so that it has no effect.
    checked(unsafe { libc::sigqueue(libc::getpid(), signal, value) }.into()).map(drop)
}

fn block_signal(signal: c_int) -> Result<(), Errno> {
    let mut set = mem::MaybeUninit::<libc::sigset_t>::zeroed();
    // SAFETY: `set` has room for a set. It is emptied before a signal is added and before it is
    // read. The pointer to the old mask may be NULL. No thread here waits for the signal.
    unsafe {
        libc::sigemptyset(set.as_mut_ptr());
        libc::sigaddset(set.as_mut_ptr(), signal);
        checked(libc::sigprocmask(libc::SIG_BLOCK, set.as_ptr(), ptr::null_mut()).into()).map(drop)
    }
}

/// The stack size of an actor.
const STACK: usize = 1 << 20;

/// Starts a task that shares the memory of this one (`CLONE_VM`) and exits with it.
pub(crate) fn spawn_sharing_vm() -> Result<Pid, Errno> {
    spawn_sharing(libc::CLONE_VM)
}

/// As [`spawn_sharing_vm`], and shares the signal handlers as well (`CLONE_SIGHAND`).
pub(crate) fn spawn_sharing_sighand() -> Result<Pid, Errno> {
    spawn_sharing(libc::CLONE_VM | libc::CLONE_SIGHAND)
}

fn spawn_sharing(flags: c_int) -> Result<Pid, Errno> {
    extern "C" fn wait_for_exit(pipe: *mut c_void) -> c_int {
        // SAFETY: The array below is never freed. The file descriptors are copies of this task. Uses
        // rustix, since the state of libc belongs to the other task.
        unsafe {
            let [alive, keep_alive] = *pipe.cast::<[c_int; 2]>();
            rustix::io::close(keep_alive);
            let _ = rustix::io::read(BorrowedFd::borrow_raw(alive), &mut [0_u8]);
        }
        0
    }
    let (alive, keep_alive) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC)?;
    // Open for as long as the process lives.
    let pipe = Box::leak(Box::new([alive.into_raw_fd(), keep_alive.into_raw_fd()]));
    clone_on_new_stack(
        wait_for_exit,
        flags | libc::SIGCHLD,
        ptr::from_mut(pipe).cast(),
    )
}

/// Runs `f` in a child of `vfork()`: it shares the memory of this task, which is suspended until the
/// child exits. Returns the pid of the child, which the caller must reap.
pub(crate) fn vfork(mut f: impl FnMut() -> i32) -> Result<Pid, Errno> {
    extern "C" fn trampoline<F: FnMut() -> i32>(f: *mut c_void) -> c_int {
        // SAFETY: `f` below lives in the parent, which is suspended meanwhile.
        unsafe { (*f.cast::<F>())() }
    }
    fn trampoline_for<F: FnMut() -> i32>(_: &F) -> extern "C" fn(*mut c_void) -> c_int {
        trampoline::<F>
    }
    let entry = trampoline_for(&f);
    clone_on_new_stack(
        entry,
        libc::CLONE_VM | libc::CLONE_VFORK | libc::SIGCHLD,
        (&raw mut f).cast(),
    )
}

/// `clone3()`: runs `f` in a child, which exits with the result. Returns its pid, which the parent
/// must reap with `__WALL`. With `CLONE_VM` or `CLONE_FILES` the caller is suspended until the child
/// exits: it would overwrite the child's stack, or close its files.
pub(crate) fn clone_task(flags: u64, f: &mut impl FnMut() -> i32) -> Result<Pid, Errno> {
    let shares_memory = flags & libc::CLONE_VM as u64 != 0;
    if shares_memory {
        extern "C" fn run<F: FnMut() -> i32>(f: *mut c_void) -> c_int {
            // SAFETY: `f` lives in the parent, which is suspended meanwhile.
            unsafe { (*f.cast::<&mut F>())() }
        }
        fn entry_for<F: FnMut() -> i32>(_: &F) -> extern "C" fn(*mut c_void) -> c_int {
            run::<F>
        }
        let entry = entry_for(f);
        let mut f = f;
        let flags = flags as c_int | libc::CLONE_VFORK | libc::SIGCHLD;
        return clone_on_new_stack(entry, flags, (&raw mut f).cast());
    }
    let suspend = match flags & libc::CLONE_FILES as u64 {
        0 => 0,
        _ => libc::CLONE_VFORK as u64,
    };
    match fork_by_clone3(flags | suspend)? {
        Fork::Parent(pid) => Ok(pid),
        Fork::Child => exit(f()),
    }
}

/// `clone3()`: as `fork()`, with flags that do not contain `CLONE_VM`.
pub(crate) fn fork_by_clone3(flags: u64) -> Result<Fork, Errno> {
    assert!(flags & libc::CLONE_VM as u64 == 0);
    // A sibling sends the signal of this process to their parent.
    let exit_signal = match flags & libc::CLONE_PARENT as u64 {
        0 => libc::SIGCHLD as u64,
        _ => 0,
    };
    let args = libc::clone_args {
        flags,
        exit_signal,
        // SAFETY: All members are numbers, for which 0 is valid.
        ..unsafe { mem::zeroed() }
    };
    // SAFETY: Without CLONE_VM this is `fork()`, see `fork_with`. The struct has the given size.
    let pid = unsafe { libc::syscall(libc::SYS_clone3, &raw const args, mem::size_of_val(&args)) };
    checked(pid).map(Fork::from_raw)
}

fn clone_on_new_stack(
    entry: extern "C" fn(*mut c_void) -> c_int,
    flags: c_int,
    arg: *mut c_void,
) -> Result<Pid, Errno> {
    // Never freed: the child may use it until this process exits.
    let stack = Vec::leak(vec![0_u128; STACK / mem::size_of::<u128>()]);
    // SAFETY: `entry` gets a new stack, which grows down from the end of the slice.
    let pid = checked(
        unsafe { libc::clone(entry, stack.as_mut_ptr_range().end.cast(), flags, arg) }.into(),
    )?;
    Pid::from_raw(pid as i32).ok_or(Errno::CHILD)
}

/// Executes the program at `path` below `dir` with one argument and with these files as standard
/// input and output. Returns only on failure.
///
/// The caller must be a child of [`vfork`] or [`fork`], and must not use descriptors 0 and 1.
pub(crate) fn exec(
    dir: BorrowedFd<'_>,
    path: &CStr,
    argument: &CStr,
    input: BorrowedFd<'_>,
    output: BorrowedFd<'_>,
) -> Errno {
    let arguments = [path.as_ptr(), argument.as_ptr(), ptr::null()];
    let environment = [ptr::null::<c_char>()];
    // SAFETY: Both descriptors are open, and the child does not use 0 and 1 otherwise. The strings
    // and the arrays are terminated, and live until the call returns.
    unsafe {
        if libc::dup2(input.as_raw_fd(), 0) != -1 && libc::dup2(output.as_raw_fd(), 1) != -1 {
            libc::syscall(
                libc::SYS_execveat,
                dir.as_raw_fd(),
                path.as_ptr(),
                arguments.as_ptr(),
                environment.as_ptr(),
                0,
            );
        }
    }
    last_error()
}

/// Closes all files except these and the standard ones. The caller must be a child that does not use
/// other files.
pub(crate) fn keep_only<const N: usize>(files: [OwnedFd; N]) -> Result<[OwnedFd; N], Errno> {
    const FIRST: c_int = 3;
    const OUT_OF_THE_WAY: c_int = 64;
    // SAFETY: The descriptors are open, and get new numbers. By the requirement, no other descriptor
    // is used.
    unsafe {
        let mut moved = [0; N];
        for (to, file) in moved.iter_mut().zip(files) {
            let fd = libc::fcntl(file.as_raw_fd(), libc::F_DUPFD_CLOEXEC, OUT_OF_THE_WAY);
            *to = checked(fd.into())? as c_int;
        }
        let mut kept = FIRST..;
        for (fd, number) in moved.into_iter().zip(&mut kept) {
            checked(libc::dup3(fd, number, libc::O_CLOEXEC).into())?;
        }
        checked(libc::close_range((FIRST + N as c_int) as u32, u32::MAX, 0).into())?;
        Ok(std::array::from_fn(|i| {
            OwnedFd::from_raw_fd(FIRST + i as c_int)
        }))
    }
}

/// Waits until a child has exited. Returns `false` after the timeout.
pub(crate) fn has_ended_within(child: Pid, timeout: Duration) -> Result<bool, Errno> {
    let pidfd = rustix::process::pidfd_open(child, PidfdFlags::empty())?;
    let mut fds = [PollFd::new(&pidfd, PollFlags::IN)];
    let timeout = Timespec::try_from(timeout).map_err(|_| Errno::INVAL)?;
    Ok(rustix::event::poll(&mut fds, Some(&timeout))? > 0)
}

/// Sleeps until the process ends.
pub(crate) fn sleep_forever() -> ! {
    loop {
        let _ = rustix::event::poll(&mut [], None);
    }
}

/// Exits without running destructors, whose values belong to the parent.
pub(crate) fn exit(status: i32) -> ! {
    // SAFETY: Always safe to call.
    unsafe { libc::_exit(status) }
}
