// SPDX-License-Identifier: GPL-2.0-only

//! The other entry into the module: the system call itself, for the processes that are served.

use super::{bindings, caller::Caller, symbols::Symbols};
use kernel::{error::to_result, prelude::*};

pub(crate) mod processes;

use processes::Process;

/// What setns(2) does for a process that is served.
pub(crate) trait Serve {
    /// Serves one call.
    ///
    /// # Errors
    ///
    /// Those of setns(2).
    fn setns(caller: &mut Caller<'_>, fd: i32, flags: u32) -> Result;
}

/// Owner of the redirect of setns(2). The redirect is installed when the first process asks, and
/// removed when this value is dropped, which may sleep.
///
/// The registered device owns one: see [`Registration`](super::chardev::Registration).
pub(crate) struct Serving(());

impl Serving {
    /// Requires the symbols, since the redirect needs the address of the system call.
    pub(crate) fn new(_symbols: Symbols) -> Self {
        Self(())
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        // SAFETY: May be called at any time: it undoes what `redirect()` did, if anything. After
        // that, only calls that hold a reference on the module are still inside it.
        unsafe { bindings::nsproxy_rs_redirect_undo() };
    }
}

/// Has setns(2) of served processes go to `T`, from the first of them to the module's end. May
/// sleep.
///
/// The [`Caller`] proves that the redirect may be installed. Its call arrived by the device or by
/// the redirected system call. It pins the module, and so the device's [`Serving`], until it
/// returns.
///
/// # Errors
///
/// - [`EOPNOTSUPP`]: the kernel was built without `CONFIG_FUNCTION_TRACER`;
/// - [`EBUSY`]: livepatch or somebody like it has redirected the call;
/// - [`ENOMEM`];
/// - [`ENODEV`]: ftrace has given up, of which it has warned.
pub(crate) fn redirect<T: Serve>(_caller: &Caller<'_>) -> Result {
    // SAFETY: The functions exist for as long as the module. `Serving` exists while a call is
    // inside the module, and undoes the redirect before the module is freed.
    to_result(unsafe { bindings::nsproxy_rs_redirect(Some(setns::<T>), Some(forks), Some(exits)) })
}

/// The system call, of a process that is served.
///
/// # Safety
///
/// To be called once for each of them, by `redirect.c`.
unsafe extern "C" fn setns<T: Serve>(fd: c_int, flags: c_int) -> c_long {
    let current = kernel::current!();
    // SAFETY: This is the entry of the call, by the requirements above the only one.
    let mut caller = unsafe { Caller::new(current) };
    match T::setns(&mut caller, fd, flags as u32) {
        Ok(()) => 0,
        Err(error) => error.to_errno() as c_long,
    }
}

/// A process was made: it is served if the one that made it is.
///
/// Called in the parent, which has not let the child run yet, by a tracepoint: must not sleep. An
/// errno has the child killed.
extern "C" fn forks(parent: c_int, child: c_int) -> c_int {
    match Process(child).inherit(Process(parent)) {
        Ok(()) => 0,
        Err(error) => error.to_errno(),
    }
}

/// The last thread of a process exits. Called in it, by a tracepoint: must not sleep.
extern "C" fn exits(tgid: c_int) {
    Process(tgid).leave();
}
