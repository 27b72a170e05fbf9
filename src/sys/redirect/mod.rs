// SPDX-License-Identifier: GPL-2.0-only

//! The redirect of calls of served processes into the module: of the system calls setns(2) and
//! unshare(2), and of the functions of `kernel/nsproxy.c` that other files of the kernel call.

pub(crate) mod processes;

use super::{
    bindings::{self, nsproxy_rs_served_calls},
    caller::Caller,
    create::Flags,
    leaving_task::LeavingTask,
    namespace::UserNamespace,
    new_task::NewTask,
    symbols::Symbols,
};
use core::ptr::NonNull;
use kernel::{
    bindings::{cred, task_struct},
    error::to_result,
    prelude::*,
};
use processes::{Process, SERVED_PROCESSES};

/// The implementation of the calls of served processes.
pub(crate) trait ServedCalls {
    /// Handles setns(2).
    ///
    /// # Errors
    ///
    /// Errors of setns(2).
    fn setns(caller: &mut Caller<'_>, fd: i32, flags: u32) -> Result;

    /// Handles unshare(2).
    ///
    /// # Errors
    ///
    /// Errors of unshare(2).
    fn unshare(caller: &mut Caller<'_>, flags: Flags) -> Result;

    /// Handles `copy_namespaces()`, for clone(2) and fork(2).
    ///
    /// # Errors
    ///
    /// Errors of `copy_namespaces()`.
    fn copy_namespaces(caller: &Caller<'_>, flags: Flags, task: &mut NewTask<'_>) -> Result;

    /// Handles `exec_task_namespaces()`, for execve(2).
    ///
    /// # Errors
    ///
    /// Errors of `exec_task_namespaces()`.
    fn exec_task_namespaces(caller: &mut Caller<'_>) -> Result;

    /// Handles `exit_nsproxy_namespaces()`, for exit(2).
    fn exit_nsproxy_namespaces(task: &mut LeavingTask<'_>);

    /// Handles `switch_cred_namespaces()`, for new credentials.
    fn switch_cred_namespaces(old: &UserNamespace, new: &UserNamespace);

    /// Handles `get_cred_namespaces()`, for clone(2).
    fn get_cred_namespaces(task: &NewTask<'_>);

    /// Handles `exit_cred_namespaces()`, for a task that is reaped.
    fn exit_cred_namespaces(task: &LeavingTask<'_>);
}

/// The owner of the redirects. They are installed when the first process asks, and removed when this
/// value is dropped, which may sleep.
///
/// The registered device owns one: see [`Registration`](super::chardev::Registration).
pub(crate) struct RedirectGuard(());

impl RedirectGuard {
    /// Creates the guard. Requires the symbols, since the redirects need the addresses of functions.
    pub(crate) fn new(_symbols: Symbols) -> Self {
        Self(())
    }
}

impl Drop for RedirectGuard {
    fn drop(&mut self) {
        // SAFETY: May be called at any time: it removes the redirects if they are installed. After
        // that, only calls that hold a reference to the module are still inside it.
        unsafe { bindings::nsproxy_rs_redirect_undo() };
    }
}

/// Redirects the calls of served processes to `C`, unless they are redirected already. May sleep.
///
/// The [`Caller`] proves that the redirects may be installed. Its call arrived by the device or by a
/// redirected system call. It pins the module, and so the device's [`RedirectGuard`], until it
/// returns.
///
/// # Errors
///
/// - [`EOPNOTSUPP`]: the kernel was built without `CONFIG_FUNCTION_TRACER`;
/// - [`EBUSY`]: livepatch or another module has redirected one of the functions;
/// - [`ENOMEM`];
/// - [`ENODEV`]: ftrace has disabled itself, after a warning.
pub(crate) fn enable<C: ServedCalls>(_caller: &Caller<'_>) -> Result {
    // SAFETY: The functions exist for as long as the module. The `RedirectGuard` exists while a
    // call is inside the module, and removes the redirects before the module is freed.
    to_result(unsafe { bindings::nsproxy_rs_redirect(Functions::<C>::TABLE) })
}

/// The functions that `redirect.c` calls.
struct Functions<C>(C);

impl<C: ServedCalls> Functions<C> {
    const TABLE: &'static nsproxy_rs_served_calls = &nsproxy_rs_served_calls {
        setns: Some(Self::setns),
        unshare: Some(Self::unshare),
        copy_namespaces: Some(Self::copy_namespaces),
        exec_task_namespaces: Some(Self::exec_task_namespaces),
        exit_nsproxy_namespaces: Some(Self::exit_nsproxy_namespaces),
        switch_cred_namespaces: Some(Self::switch_cred_namespaces),
        get_cred_namespaces: Some(Self::get_cred_namespaces),
        exit_cred_namespaces: Some(Self::exit_cred_namespaces),
        on_fork: Some(on_fork),
        on_exit: Some(on_exit),
    };

    /// Handles the system call of a served process.
    ///
    /// # Safety
    ///
    /// Must be called by `redirect.c`, once for each system call.
    unsafe extern "C" fn setns(fd: c_int, flags: c_int) -> c_long {
        let current = kernel::current!();
        // SAFETY: By the requirements of this function, it is the only entry of this call.
        let mut caller = unsafe { Caller::new(current) };
        returned(C::setns(&mut caller, fd, flags as u32))
    }

    /// Handles the system call of a served process.
    ///
    /// # Safety
    ///
    /// Must be called by `redirect.c`, once for each system call.
    unsafe extern "C" fn unshare(flags: c_ulong) -> c_long {
        let current = kernel::current!();
        // SAFETY: By the requirements of this function, it is the only entry of this call.
        let mut caller = unsafe { Caller::new(current) };
        returned(C::unshare(&mut caller, Flags(flags as u64)))
    }

    /// Handles the call of a served process, in the parent.
    ///
    /// # Safety
    ///
    /// Must be called by `redirect.c` instead of the kernel's function, with its arguments.
    unsafe extern "C" fn copy_namespaces(flags: u64, task: *mut task_struct) -> c_long {
        let current = kernel::current!();
        // SAFETY: By the requirements of this function, it is the only entry of this call, and the
        // pointer is the argument of the kernel's function. It is not NULL.
        let (caller, mut task) = unsafe {
            let task = NewTask::from_raw(NonNull::new_unchecked(task));
            (Caller::new(current), task)
        };
        returned(C::copy_namespaces(&caller, Flags(flags), &mut task))
    }

    /// Handles the call of a served process.
    ///
    /// # Safety
    ///
    /// Must be called by `redirect.c` instead of the kernel's function.
    unsafe extern "C" fn exec_task_namespaces() -> c_long {
        let current = kernel::current!();
        // SAFETY: By the requirements of this function, it is the only entry of this call.
        let mut caller = unsafe { Caller::new(current) };
        returned(C::exec_task_namespaces(&mut caller))
    }

    /// Handles the call of a thread of a served process.
    ///
    /// # Safety
    ///
    /// Must be called by `redirect.c` instead of the kernel's function, with its argument.
    unsafe extern "C" fn exit_nsproxy_namespaces(task: *mut task_struct) -> c_long {
        let current = kernel::current!();
        let is_exit = core::ptr::eq(current.as_ptr(), task);
        // SAFETY: By the requirements of this function, the pointer is the argument of the kernel's
        // function. It is not NULL.
        let mut leaving = unsafe { LeavingTask::from_raw(NonNull::new_unchecked(task)) };
        C::exit_nsproxy_namespaces(&mut leaving);
        if is_exit {
            // SAFETY: The id never changes.
            let tgid = unsafe { (*task.cast::<bindings::layout::task_struct>()).tgid };
            SERVED_PROCESSES.end_exit(Process(tgid));
        }
        0
    }

    /// Handles the call of a served process.
    ///
    /// # Safety
    ///
    /// Must be called by `redirect.c` instead of the kernel's function, with its arguments.
    unsafe extern "C" fn switch_cred_namespaces(old: *const cred, new: *const cred) -> c_long {
        // SAFETY: By the requirements of this function, the pointers are the arguments of the
        // kernel's: credentials that are committed, and those that they replace.
        let (old, new) = unsafe { (UserNamespace::of_cred(old), UserNamespace::of_cred(new)) };
        C::switch_cred_namespaces(old, new);
        0
    }

    /// Handles the call of a served process, in the parent.
    ///
    /// # Safety
    ///
    /// Must be called by `redirect.c` instead of the kernel's function, with its argument.
    unsafe extern "C" fn get_cred_namespaces(task: *mut task_struct) -> c_long {
        // SAFETY: By the requirements of this function, the pointer is the argument of the kernel's
        // function. It is not NULL.
        C::get_cred_namespaces(unsafe { &NewTask::from_raw(NonNull::new_unchecked(task)) });
        0
    }

    /// Handles the call of a served process, which reaps the task or could not create it.
    ///
    /// # Safety
    ///
    /// Must be called by `redirect.c` instead of the kernel's function, with its argument.
    unsafe extern "C" fn exit_cred_namespaces(task: *mut task_struct) -> c_long {
        // SAFETY: By the requirements of this function, the pointer is the argument of the kernel's
        // function. It is not NULL.
        C::exit_cred_namespaces(unsafe { &LeavingTask::from_raw(NonNull::new_unchecked(task)) });
        0
    }
}

/// Returns the value of a C function.
fn returned(result: Result) -> c_long {
    result.map_or_else(|error| error.to_errno() as c_long, |()| 0)
}

/// Makes a new process served if its parent is.
///
/// A tracepoint calls this in the parent, before the child runs. Must not sleep. If this returns an
/// errno, `redirect.c` kills the child.
extern "C" fn on_fork(parent: c_int, child: c_int) -> c_int {
    match SERVED_PROCESSES.inherit(Process(parent), Process(child)) {
        Ok(()) => 0,
        Err(error) => error.to_errno(),
    }
}

/// Notes that a thread exits, the last one of its process if `is_last`.
///
/// A tracepoint calls this in that thread, before it leaves its namespaces.
extern "C" fn on_exit(tgid: c_int, is_last: bool) {
    SERVED_PROCESSES.begin_exit(Process(tgid), is_last);
}
