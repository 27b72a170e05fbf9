// SPDX-License-Identifier: GPL-2.0-only

//! Tasks, and what they share.

use super::{checked, last_error};
use rustix::{
    event::{PollFd, PollFlags, Timespec},
    io::Errno,
    pipe::PipeFlags,
    process::{Pid, PidfdFlags},
};
use std::{
    ffi::{CStr, c_int, c_long, c_void},
    mem,
    os::fd::{AsRawFd as _, BorrowedFd, FromRawFd as _, IntoRawFd as _, OwnedFd},
    ptr,
    time::Duration,
};

/// Which side of a `fork()` this is.
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
/// Whoever calls this has one thread, or a second one that only sleeps and holds no lock.
pub(crate) fn fork() -> Result<Fork, Errno> {
    // SAFETY: No other thread holds a lock that the child might wait for, see above.
    checked(unsafe { libc::fork() }.into()).map(Fork::from_raw)
}

/// Has all threads of this process, and of children that it forks, allocate from one heap.
///
/// To be called while there is one thread. Each has a heap of its own otherwise, with a lock that a
/// child of another thread was found to wait for, once in some hundred times: what `fork()` of libc
/// does about such locks, `clone()` does not.
pub(crate) fn one_heap() {
    // SAFETY: Always safe to call.
    unsafe { libc::mallopt(libc::M_ARENA_MAX, 1) };
}

/// `clone(CLONE_FS)`: as `fork()`, but the two share root and working directory.
pub(crate) fn fork_sharing_fs() -> Result<Fork, Errno> {
    fork_with(libc::CLONE_FS | libc::SIGCHLD)
}

/// As `fork()`, into new namespaces (`CLONE_NEW*`).
pub(crate) fn fork_into(kinds: u32) -> Result<Fork, Errno> {
    fork_with(kinds as c_int | libc::SIGCHLD)
}

/// As `fork()`, but the child's end is no `SIGCHLD` for its parent: even for one that ignores its
/// children it stays a zombie.
pub(crate) fn fork_to_zombie() -> Result<Fork, Errno> {
    fork_with(0)
}

/// `clone()` with flags that share no memory.
fn fork_with(flags: c_int) -> Result<Fork, Errno> {
    // SAFETY: Without CLONE_VM this is `fork()`. Of what libc does beside it, nobody here relies on
    // handlers of pthread_atfork, and the lock of the heap is free: see `fork` and `one_heap`.
    checked(unsafe { libc::syscall(libc::SYS_clone, c_long::from(flags), 0, 0, 0, 0) })
        .map(Fork::from_raw)
}

/// Whether children of this process leave nothing behind when they end (`SIGCHLD` is ignored), or
/// are there to be waited for, as usual. Inherited by children.
pub(crate) fn ignore_children(ignore: bool) {
    let how = if ignore { libc::SIG_IGN } else { libc::SIG_DFL };
    // SAFETY: No handler is installed that could run anywhere.
    unsafe { libc::signal(libc::SIGCHLD, how) };
}

/// Blocks `SIGUSR1` in this task, and so in its children and in executed programs.
pub(crate) fn block_usr1() -> Result<(), Errno> {
    let mut set = mem::MaybeUninit::<libc::sigset_t>::zeroed();
    // SAFETY: `set` has room for a set. It is emptied before a signal is added and before it is
    // read. The pointer to the old mask may be NULL. No thread here waits for the signal.
    unsafe {
        libc::sigemptyset(set.as_mut_ptr());
        libc::sigaddset(set.as_mut_ptr(), libc::SIGUSR1);
        checked(libc::sigprocmask(libc::SIG_BLOCK, set.as_ptr(), ptr::null_mut()).into()).map(drop)
    }
}

/// Big enough for an actor.
const STACK: usize = 1 << 20;

/// A task that shares this one's memory (and nothing else that namespaces care about), and lives
/// as long as this one.
pub(crate) fn spawn_sharing_vm() -> Result<Pid, Errno> {
    extern "C" fn live(pipe: *mut c_void) -> c_int {
        // SAFETY: It is the array of below, which is never freed. The file descriptors are this
        // task's own copies. By rustix, which goes past libc: libc's state is the other task's.
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
        live,
        libc::CLONE_VM | libc::SIGCHLD,
        ptr::from_mut(pipe).cast(),
    )
}

/// Runs `f` in a child of `vfork()`: it shares this task's memory, and this task stands still
/// until the child has ended. Returns the child's pid, to be waited for.
pub(crate) fn vfork(mut f: impl FnMut() -> i32) -> Result<Pid, Errno> {
    extern "C" fn trampoline<F: FnMut() -> i32>(f: *mut c_void) -> c_int {
        // SAFETY: It is the `f` of below, whose owner stands still meanwhile.
        unsafe { (*f.cast::<F>())() }
    }
    fn of<F: FnMut() -> i32>(_: &F) -> extern "C" fn(*mut c_void) -> c_int {
        trampoline::<F>
    }
    let entry = of(&f);
    clone_on_new_stack(
        entry,
        libc::CLONE_VM | libc::CLONE_VFORK | libc::SIGCHLD,
        (&raw mut f).cast(),
    )
}

fn clone_on_new_stack(
    entry: extern "C" fn(*mut c_void) -> c_int,
    flags: c_int,
    arg: *mut c_void,
) -> Result<Pid, Errno> {
    // Never freed: the child may run on it for as long as this process lives.
    let stack = Vec::leak(vec![0_u128; STACK / mem::size_of::<u128>()]);
    // SAFETY: `entry` gets a stack of its own, that ends where the slice ends.
    let pid = checked(
        unsafe { libc::clone(entry, stack.as_mut_ptr_range().end.cast(), flags, arg) }.into(),
    )?;
    Pid::from_raw(pid as i32).ok_or(Errno::CHILD)
}

/// Executes the program at `path` below `dir` with that one argument, its standard input and
/// output being those files. Returns only if that fails.
///
/// For a child of [`vfork`] or [`fork`]: the descriptors 0 and 1 are its own.
pub(crate) fn exec(
    dir: BorrowedFd<'_>,
    path: &CStr,
    argument: &CStr,
    input: BorrowedFd<'_>,
    output: BorrowedFd<'_>,
) -> Errno {
    let arguments = [path.as_ptr(), argument.as_ptr(), ptr::null()];
    let environment = [ptr::null::<i8>()];
    // SAFETY: Both descriptors are open, and nobody here counts on 0 and 1. The strings and the
    // arrays live until the program has replaced this one, and end as they must.
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

/// Closes all files but those and the standard ones, in a child that will not return to where
/// others are still known.
pub(crate) fn keep_only<const N: usize>(files: [OwnedFd; N]) -> Result<[OwnedFd; N], Errno> {
    const FIRST: c_int = 3;
    const OUT_OF_THE_WAY: c_int = 64;
    // SAFETY: The descriptors are open, and forgotten for new numbers. What else is closed
    // is not used any more, by the promise above.
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

/// Waits until a child has ended, zombie or not; false if it has not within that time.
pub(crate) fn has_ended_within(child: Pid, patience: Duration) -> Result<bool, Errno> {
    let pidfd = rustix::process::pidfd_open(child, PidfdFlags::empty())?;
    let mut fds = [PollFd::new(&pidfd, PollFlags::IN)];
    let timeout = Timespec::try_from(patience).map_err(|_| Errno::INVAL)?;
    Ok(rustix::event::poll(&mut fds, Some(&timeout))? > 0)
}

/// Sleeps until the process ends.
pub(crate) fn sleep_forever() -> ! {
    loop {
        let _ = rustix::event::poll(&mut [], None);
    }
}

/// Ends this process at once: no destructors, nothing that the parent's memory is behind.
pub(crate) fn exit(status: i32) -> ! {
    // SAFETY: Always safe to call.
    unsafe { libc::_exit(status) }
}
