// SPDX-License-Identifier: GPL-2.0-only

//! The processes whose setns(2) the module serves.
//!
//! They are in an xarray, by their tgid: a process keeps that from its fork to the exit of its
//! last thread, whatever it executes.

use super::bindings;
use core::ptr::NonNull;
use kernel::{
    bindings::{
        gfp_t, module, module_put, xa_erase, xa_err, xa_load, xa_store, xarray, GFP_ATOMIC,
        GFP_KERNEL,
    },
    error::to_result,
    prelude::*,
    sync::atomic::{Atomic, Relaxed},
};

/// Counts the entries of the xarray.
static COUNT: Atomic<i64> = Atomic::new(0);

/// How many processes are served, at the moment.
pub(crate) fn count() -> i64 {
    COUNT.load(Relaxed)
}

/// A process, by its tgid in the initial pid namespace.
#[doc(alias = "task_tgid_nr")]
#[derive(Clone, Copy)]
pub(crate) struct Process(pub(super) i32);

/// A reference on this module, which is not unloaded while there is one.
#[doc(alias = "__module_get")]
struct ModuleRef(NonNull<module>);

impl ModuleRef {
    /// For who is served, and who may call the module has one already.
    fn get() -> Self {
        let module = &raw mut kernel::bindings::__this_module;
        // SAFETY: The caller's code is the module's, and whoever called that keeps it: an open
        // file of the device, or a process that is served.
        unsafe { kernel::bindings::__module_get(module) };
        // SAFETY: The module is loaded.
        Self(unsafe { NonNull::new_unchecked(module) })
    }

    /// Gives the reference to an entry of the xarray.
    fn into_entry(self) -> *mut c_void {
        core::mem::ManuallyDrop::new(self).0.as_ptr().cast()
    }

    /// Takes it back; [`None`] if there was no entry.
    ///
    /// # Safety
    ///
    /// `entry` must be NULL or come from [`Self::into_entry`], and be in the xarray no more.
    unsafe fn from_entry(entry: *mut c_void) -> Option<Self> {
        NonNull::new(entry.cast()).map(Self)
    }
}

impl Drop for ModuleRef {
    fn drop(&mut self) {
        // SAFETY: The reference is ours.
        unsafe { module_put(self.0.as_ptr()) };
    }
}

/// The xarray: by tgid, a [`ModuleRef`].
fn table() -> *mut xarray {
    &raw mut bindings::nsproxy_rs_served
}

impl Process {
    /// Where it is in the xarray.
    fn index(self) -> usize {
        self.0 as usize
    }

    /// Whether it is served.
    pub(crate) fn is_served(self) -> bool {
        // SAFETY: `redirect.c` initialises the xarray, which takes care of its own locking.
        !unsafe { xa_load(table(), self.index()) }.is_null()
    }

    /// Has it be served. Returns whether it was; may sleep.
    ///
    /// # Errors
    ///
    /// [`ENOMEM`].
    pub(crate) fn serve(self) -> Result<bool> {
        self.store(GFP_KERNEL)
    }

    /// Has a new process be served if the one that made it is. Does not sleep.
    ///
    /// # Errors
    ///
    /// [`ENOMEM`].
    pub(super) fn inherit(self, parent: Self) -> Result {
        if parent.is_served() {
            self.store(GFP_ATOMIC)?;
        }
        Ok(())
    }

    /// Makes the entry, which owns a reference on the module. Returns whether there was one.
    fn store(self, gfp: gfp_t) -> Result<bool> {
        let entry = ModuleRef::get().into_entry();
        // SAFETY: As above; the entry is aligned as a pointer in an xarray must be.
        let old = unsafe { xa_store(table(), self.index(), entry, gfp) };
        // SAFETY: `old` is what `xa_store()` returned.
        if let Err(error) = to_result(unsafe { xa_err(old) }) {
            // SAFETY: The entry was not stored.
            drop(unsafe { ModuleRef::from_entry(entry) });
            return Err(error);
        }
        // SAFETY: What was there before is there no more.
        let was = unsafe { ModuleRef::from_entry(old) }.is_some();
        if !was {
            COUNT.add(1, Relaxed);
        }
        Ok(was)
    }

    /// Has it be served no more. Returns whether it was.
    pub(crate) fn leave(self) -> bool {
        // SAFETY: As above; what was there is there no more.
        let was = unsafe { ModuleRef::from_entry(xa_erase(table(), self.index())) }.is_some();
        if was {
            COUNT.add(-1, Relaxed);
        }
        was
    }
}
