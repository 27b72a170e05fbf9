// SPDX-License-Identifier: GPL-2.0-only

//! System calls without a safe wrapper, and the child that makes a call to see its result.

use rustix::{io::Errno, process::Pid};
use std::{
    ffi::{c_int, c_long, c_void},
    mem,
    os::fd::{AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd},
    ptr,
    sync::atomic::{AtomicI32, Ordering},
};

/// A resource that tasks may share, as `kcmp(2)` numbers it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub(crate) enum Shared {
    /// `CLONE_VM`
    Memory = 1,
    /// `CLONE_FS`
    Fs = 3,
    /// `CLONE_SIGHAND`
    SignalHandlers = 4,
}

impl Shared {
    /// Returns the flags of clone(2) with which two tasks share it.
    const fn flags(self) -> c_int {
        match self {
            Self::Memory => libc::CLONE_VM,
            Self::Fs => libc::CLONE_FS,
            Self::SignalHandlers => libc::CLONE_SIGHAND | libc::CLONE_VM,
        }
    }
}

/// Returns whether two tasks share a resource: kcmp(2).
///
/// # Errors
///
/// `EPERM` if ptrace(2) denies the caller access to one of them (`PTRACE_MODE_READ_REALCREDS`);
/// `ESRCH` if one has been reaped; `ENOSYS` without `CONFIG_KCMP`.
pub(crate) fn are_sharing(tasks: [Pid; 2], what: Shared) -> Result<bool, Errno> {
    let [one, other] = tasks.map(Pid::as_raw_nonzero);
    // SAFETY: Takes no pointer.
    let order = unsafe { libc::syscall(libc::SYS_kcmp, one, other, what as c_int, 0, 0) };
    match order {
        -1 => Err(last_error()),
        order => Ok(order == 0),
    }
}

/// Returns the real, effective and saved users and groups of this task.
pub(crate) fn users_and_groups() -> [[u32; 3]; 2] {
    let mut ids = [[0; 3]; 2];
    let [uids, gids] = &mut ids;
    // SAFETY: All pointers are valid for one id. The calls cannot fail.
    unsafe {
        libc::getresuid(&raw mut uids[0], &raw mut uids[1], &raw mut uids[2]);
        libc::getresgid(&raw mut gids[0], &raw mut gids[1], &raw mut gids[2]);
    }
    ids
}

/// Duplicates a descriptor of this task, which may be any number.
///
/// # Errors
///
/// `EBADF`: it is not open.
pub(crate) fn duplicate(fd: c_int) -> Result<OwnedFd, Errno> {
    // SAFETY: Takes no pointer.
    new_descriptor(unsafe { libc::fcntl(fd, libc::F_DUPFD_CLOEXEC, 0) })
}

/// Duplicates a descriptor of another process: `pidfd_getfd(2)`.
///
/// # Errors
///
/// `EBADF`: it is not open there; `EPERM`: ptrace(2) denies access.
pub(crate) fn duplicate_of(pidfd: BorrowedFd<'_>, fd: c_int) -> Result<OwnedFd, Errno> {
    // SAFETY: Takes no pointer.
    let new = unsafe { libc::syscall(libc::SYS_pidfd_getfd, pidfd.as_raw_fd(), fd, 0) };
    new_descriptor(new as c_int)
}

/// Takes ownership of a descriptor that a call has created, or returns the error.
fn new_descriptor(result: c_int) -> Result<OwnedFd, Errno> {
    match result {
        -1 => Err(last_error()),
        // SAFETY: The call has created it, and nothing else owns it.
        fd => Ok(unsafe { OwnedFd::from_raw_fd(fd) }),
    }
}

/// A call that a child makes.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Call {
    Setns { fd: c_int, nstype: c_int },
    Unshare { flags: u64 },
    Clone { flags: u64 },
}

/// Makes a call in a child, and returns its result. The child exits at once.
///
/// The child shares with another task what `sharing` names, and has another thread with `threads`, as
/// the caller has: a child of fork(2) would share nothing. The caller is not changed: it gets no
/// signal, and no child that it could wait for by accident.
///
/// `memory` says whether the child needs memory of its own. Otherwise it uses that of the caller, which
/// is suspended meanwhile: copying is most of the work.
///
/// # Errors
///
/// The child could not be created.
pub(crate) fn attempt(
    call: Call,
    sharing: &[Shared],
    threads: bool,
    memory: Memory,
) -> Result<Result<(), Errno>, Errno> {
    let mut flags = sharing.iter().fold(0, |flags, what| flags | what.flags());
    if threads {
        flags |= libc::CLONE_THREAD | libc::CLONE_SIGHAND | libc::CLONE_VM;
    }
    let mut stack = vec![0_u128; STACK / size_of::<u128>()];
    let result = SharedResult::new()?;
    let mut child = Child {
        call,
        flags,
        stack: stack.as_mut_ptr_range().end.cast(),
        result: result.cell(),
    };
    let blocked = BlockedSignals::block_all();
    let pid = if memory == Memory::OfCaller && child.flags == 0 {
        // SAFETY: Nothing else uses the stack.
        unsafe { child.spawn(libc::CLONE_VM) }.into()
    } else {
        // SAFETY: Without CLONE_VM this is fork(2) that sends no signal when the child exits.
        unsafe { libc::syscall(libc::SYS_clone, 0, 0, 0, 0, 0) }
    };
    if pid == 0 {
        // SAFETY: The child has a copy of the memory, and ends here.
        unsafe {
            child.run();
            libc::_exit(0)
        }
    }
    let error = last_error();
    if pid > 0 {
        wait(pid);
    }
    drop(blocked);
    if pid < 0 {
        return Err(error);
    }
    result.get().ok_or(Errno::CHILD)
}

/// The memory of the child that makes a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Memory {
    /// A copy.
    Own,
    /// That of the caller. The call must change neither credentials nor clocks, which belong to the
    /// memory as well, and must not ask whether it is shared.
    OfCaller,
}

/// The stack of the task that makes the call.
const STACK: usize = 64 << 10;

/// The child that makes the call. If the caller shares something, the child creates a task with which it
/// shares the same, which makes the call instead.
struct Child<'a> {
    call: Call,
    /// The flags of what the two share; 0 for nothing.
    flags: c_int,
    stack: *mut c_void,
    result: &'a AtomicI32,
}

impl Child<'_> {
    /// Makes the call. Allocates nothing: another thread of the parent may have held the lock of the
    /// heap.
    ///
    /// # Safety
    ///
    /// `stack` is the end of memory that nothing else uses.
    unsafe fn run(&mut self) {
        if self.flags == 0 {
            return self.make();
        }
        // SAFETY: By the requirement.
        let pid = unsafe { self.spawn(self.flags) };
        if pid > 0 && self.flags & libc::CLONE_THREAD == 0 {
            wait(pid.into());
        }
    }

    /// Creates a task that makes the call, and is suspended until it exits. Returns its number, or -1.
    ///
    /// # Safety
    ///
    /// `stack` is the end of memory that nothing else uses.
    unsafe fn spawn(&mut self, flags: c_int) -> c_int {
        extern "C" fn make(child: *mut c_void) -> c_int {
            // SAFETY: The creator waits, and does not use it meanwhile.
            unsafe { &*child.cast::<Child<'_>>() }.make();
            0
        }
        let child = ptr::from_mut(self).cast();
        // SAFETY: By the requirement. The creator is suspended until the task exits.
        unsafe { libc::clone(make, self.stack, flags | libc::CLONE_VFORK, child) }
    }
}

impl Child<'_> {
    /// Makes the call, and writes the result to memory that all tasks share.
    fn make(&self) {
        let errno = self.call.make().err().map_or(0, Errno::raw_os_error);
        self.result.store(errno, Ordering::Relaxed);
    }
}

impl Call {
    /// Makes the call.
    fn make(self) -> Result<(), Errno> {
        match self {
            Self::Setns { fd, nstype } => nsproxy_uapi::setns_raw(fd, nstype),
            Self::Unshare { flags } => nsproxy_uapi::unshare_raw(flags),
            Self::Clone { flags } => clone(flags),
        }
    }
}

/// Creates a child by clone3(2), or by clone(2) where there is no other, and reaps it.
fn clone(flags: u64) -> Result<(), Errno> {
    // SAFETY: All members are numbers, for which 0 is valid.
    let mut args: libc::clone_args = unsafe { mem::zeroed() };
    args.flags = flags;
    // SAFETY: `flags` has no CLONE_VM, so this is fork(2). The struct has the given size.
    let mut pid = unsafe { libc::syscall(libc::SYS_clone3, &raw const args, size_of_val(&args)) };
    if pid < 0 && last_error() == Errno::NOSYS && flags >> u32::BITS == 0 {
        // SAFETY: As before.
        pid = unsafe { libc::syscall(libc::SYS_clone, flags, 0, 0, 0, 0) };
    }
    match pid {
        // SAFETY: The new task ends here.
        0 => unsafe { libc::_exit(0) },
        -1 => Err(last_error()),
        pid => {
            wait(pid);
            Ok(())
        }
    }
}

/// Waits for a child that sends no signal.
fn wait(pid: c_long) {
    // SAFETY: The pointers may be NULL.
    unsafe { libc::waitpid(pid as c_int, ptr::null_mut(), libc::__WALL) };
}

/// A result in memory that the child shares.
struct SharedResult(*mut AtomicI32);

impl SharedResult {
    /// No task has written a result.
    const NONE: i32 = -1;

    fn new() -> Result<Self, Errno> {
        let protection = libc::PROT_READ | libc::PROT_WRITE;
        let flags = libc::MAP_SHARED | libc::MAP_ANONYMOUS;
        let size = size_of::<AtomicI32>();
        // SAFETY: A new mapping, which replaces none.
        let start = unsafe { libc::mmap(ptr::null_mut(), size, protection, flags, -1, 0) };
        if start == libc::MAP_FAILED {
            return Err(last_error());
        }
        let result = Self(start.cast());
        result.cell().store(Self::NONE, Ordering::Relaxed);
        Ok(result)
    }

    fn cell(&self) -> &AtomicI32 {
        // SAFETY: The mapping is page aligned, zeroed, and lives as long as `self`.
        unsafe { &*self.0 }
    }

    fn get(&self) -> Option<Result<(), Errno>> {
        match self.cell().load(Ordering::Relaxed) {
            Self::NONE => None,
            0 => Some(Ok(())),
            errno => Some(Err(Errno::from_raw_os_error(errno))),
        }
    }
}

impl Drop for SharedResult {
    fn drop(&mut self) {
        // SAFETY: `self` owns the mapping, and nothing borrows from it.
        unsafe { libc::munmap(self.0.cast(), size_of::<AtomicI32>()) };
    }
}

/// Signals are blocked while this lives: a child would run the handlers of its parent.
struct BlockedSignals(libc::sigset_t);

impl BlockedSignals {
    fn block_all() -> Self {
        let mut before = mem::MaybeUninit::<libc::sigset_t>::zeroed();
        let mut all = mem::MaybeUninit::<libc::sigset_t>::zeroed();
        // SAFETY: Both have room for a set. `before` is zeroed, which is a set, should the call fail.
        unsafe {
            libc::sigfillset(all.as_mut_ptr());
            libc::pthread_sigmask(libc::SIG_SETMASK, all.as_ptr(), before.as_mut_ptr());
            Self(before.assume_init())
        }
    }
}

impl Drop for BlockedSignals {
    fn drop(&mut self) {
        // SAFETY: A set that the kernel returned. The old one is not wanted.
        unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &raw const self.0, ptr::null_mut()) };
    }
}

fn last_error() -> Errno {
    Errno::from_io_error(&std::io::Error::last_os_error()).unwrap_or(Errno::PROTO)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::process::getpid;

    const EVERYTHING: [Shared; 3] = [Shared::Memory, Shared::Fs, Shared::SignalHandlers];

    #[test]
    fn an_attempt_returns_the_errno() {
        let call = Call::Setns { fd: -1, nstype: 0 };
        for sharing in [&[][..], &EVERYTHING] {
            for threads in [false, true] {
                assert_eq!(
                    attempt(call, sharing, threads, Memory::Own),
                    Ok(Err(Errno::BADF))
                );
            }
        }
    }

    /// CLONE_THREAD, CLONE_SIGHAND and CLONE_VM fail exactly if it is shared.
    #[test]
    fn an_attempt_shares_what_the_caller_shares() {
        let attempt = |flag: c_int, sharing: &[Shared], threads| {
            let flags = flag as u64;
            attempt(Call::Unshare { flags }, sharing, threads, Memory::Own).unwrap()
        };
        assert_eq!(attempt(libc::CLONE_THREAD, &EVERYTHING, false), Ok(()));
        assert_eq!(attempt(libc::CLONE_THREAD, &[], true), Err(Errno::INVAL));
        assert_eq!(attempt(libc::CLONE_VM, &[], false), Ok(()));
        assert_eq!(
            attempt(libc::CLONE_VM, &[Shared::Memory], false),
            Err(Errno::INVAL)
        );
        assert_eq!(
            attempt(libc::CLONE_SIGHAND, &[Shared::SignalHandlers], false),
            Err(Errno::INVAL)
        );
    }

    #[test]
    fn an_attempt_in_the_memory_of_the_caller() {
        let bad = Call::Setns { fd: -1, nstype: 0 };
        let good = Call::Unshare { flags: 0 };
        for _ in 0..100 {
            assert_eq!(
                attempt(bad, &[], false, Memory::OfCaller),
                Ok(Err(Errno::BADF))
            );
            assert_eq!(attempt(good, &[], false, Memory::OfCaller), Ok(Ok(())));
        }
    }

    #[test]
    fn a_new_task_is_reaped() {
        let call = Call::Clone { flags: 0 };
        assert_eq!(attempt(call, &[], false, Memory::Own), Ok(Ok(())));
    }

    #[test]
    fn a_process_shares_with_itself() {
        for what in EVERYTHING {
            match are_sharing([getpid(); 2], what) {
                Ok(is) => assert!(is),
                // Without CONFIG_KCMP, or where a container forbids it.
                Err(errno) => assert!([Errno::NOSYS, Errno::PERM].contains(&errno)),
            }
        }
    }
}
