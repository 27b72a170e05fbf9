// SPDX-License-Identifier: GPL-2.0-only

//! The redirect of the system call setns(2) into the module, for served processes.

pub(crate) mod processes;

use super::{bindings, caller::Caller, symbols::Symbols};
use kernel::{error::to_result, prelude::*};
use processes::{Process, SERVED_PROCESSES};

/// The implementation of setns(2) for served processes.
pub(crate) trait SetnsHandler {
    /// Handles one system call.
    ///
    /// # Errors
    ///
    /// Errors of setns(2).
    fn setns(caller: &mut Caller<'_>, fd: i32, flags: u32) -> Result;
}

/// The owner of the redirect. The redirect is installed when the first process asks, and removed
/// when this value is dropped, which may sleep.
///
/// The registered device owns one: see [`Registration`](super::chardev::Registration).
pub(crate) struct RedirectGuard(());

impl RedirectGuard {
    /// Creates the guard. Requires the symbols, since the redirect needs the address of the system
    /// call.
    pub(crate) fn new(_symbols: Symbols) -> Self {
        Self(())
    }
}

impl Drop for RedirectGuard {
    fn drop(&mut self) {
        // SAFETY: May be called at any time: it removes the redirect if one is installed. After
        // that, only calls that hold a reference to the module are still inside it.
        unsafe { bindings::nsproxy_rs_redirect_undo() };
    }
}

/// Redirects the setns(2) of served processes to `H`, unless it is redirected already. May sleep.
///
/// The [`Caller`] proves that the redirect may be installed. Its call arrived by the device or by
/// the redirected system call. It pins the module, and so the device's [`RedirectGuard`], until it
/// returns.
///
/// # Errors
///
/// - [`EOPNOTSUPP`]: the kernel was built without `CONFIG_FUNCTION_TRACER`;
/// - [`EBUSY`]: livepatch or another module has redirected the system call;
/// - [`ENOMEM`];
/// - [`ENODEV`]: ftrace has disabled itself, after a warning.
pub(crate) fn enable<H: SetnsHandler>(_caller: &Caller<'_>) -> Result {
    // SAFETY: The functions exist for as long as the module. The `RedirectGuard` exists while a
    // call is inside the module, and removes the redirect before the module is freed.
    to_result(unsafe {
        bindings::nsproxy_rs_redirect(Some(setns::<H>), Some(on_fork), Some(on_exit))
    })
}

/// Handles the system call of a served process.
///
/// # Safety
///
/// Must be called by `redirect.c`, once for each system call.
unsafe extern "C" fn setns<H: SetnsHandler>(fd: c_int, flags: c_int) -> c_long {
    let current = kernel::current!();
    // SAFETY: By the requirements of this function, it is the only entry of this call.
    let mut caller = unsafe { Caller::new(current) };
    match H::setns(&mut caller, fd, flags as u32) {
        Ok(()) => 0,
        Err(error) => error.to_errno() as c_long,
    }
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

/// Removes a process whose last thread exits.
///
/// A tracepoint calls this in that thread. Must not sleep.
extern "C" fn on_exit(tgid: c_int) {
    SERVED_PROCESSES.remove(Process(tgid));
}
