// SPDX-License-Identifier: GPL-2.0-only

//! The other entry into the module: the system call itself, for the processes that are served.

use super::{bindings, caller::Caller, served::Process, symbols::Symbols};
use kernel::{error::to_result, prelude::*};

/// What setns(2) does for a process that is served.
pub(crate) trait Serve {
    /// Serves one call.
    ///
    /// # Errors
    ///
    /// Those of setns(2).
    fn setns(caller: &mut Caller<'_>, fd: i32, flags: u32) -> Result;
}

/// Proof that the calls of served processes go to the module. Dropping it has them go to the
/// kernel again, for which it may sleep.
///
/// There is one: see [`REDIRECT`](static@REDIRECT).
struct Redirect(());

impl Redirect {
    /// Has the calls go to `T`. May sleep.
    ///
    /// # Errors
    ///
    /// [`EOPNOTSUPP`], [`EBUSY`], [`ENOMEM`].
    fn new<T: Serve>() -> Result<Self> {
        // SAFETY: The only call, made while there is none; the functions are as long as the
        // module is, which drops what is returned here when it is unloaded.
        to_result(unsafe {
            bindings::nsproxy_rs_redirect(Some(setns::<T>), Some(forks), Some(exits))
        })?;
        Ok(Self(()))
    }
}

impl Drop for Redirect {
    fn drop(&mut self) {
        // SAFETY: It was redirected.
        unsafe { bindings::nsproxy_rs_redirect_undo() };
    }
}

kernel::sync::global_lock! {
    // SAFETY: `Serving::new()` initialises it, before there is a device to ask for it.
    unsafe(uninit) static REDIRECT: Mutex<Option<Redirect>> = None;
}

/// That the module can serve setns(2): until the first process asks for it, nothing is changed in
/// the kernel. What was is undone when this is dropped.
pub(crate) struct Serving(());

impl Serving {
    /// To be called once, from the module's `init`, before the device exists.
    pub(crate) fn new(_symbols: Symbols) -> Self {
        // SAFETY: Called once.
        unsafe { REDIRECT.init() };
        Self(())
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        // Nobody is served: whoever is has a reference on the module.
        *REDIRECT.lock() = None;
    }
}

/// Has setns(2) of served processes go to `T`, from the first of them to the module's end. May
/// sleep.
///
/// # Errors
///
/// - [`EOPNOTSUPP`]: the kernel was built without `CONFIG_FUNCTION_TRACER`;
/// - [`EBUSY`]: livepatch or somebody like it has redirected the call;
/// - [`ENOMEM`];
/// - [`ENODEV`]: ftrace has given up, of which it has warned.
pub(crate) fn redirect<T: Serve>() -> Result {
    let mut redirect = REDIRECT.lock();
    if redirect.is_none() {
        *redirect = Some(Redirect::new::<T>()?);
    }
    Ok(())
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
