// SPDX-License-Identifier: GPL-2.0-only

//! The processes whose setns(2) the module serves.
//!
//! They are in an xarray, by their tgid: a process keeps that from its fork to the exit of its
//! last thread, whatever it executes.

use crate::sys::bindings;
use core::ptr::NonNull;
use kernel::{
    bindings::{
        gfp_t, module, module_put, try_module_get, xa_erase, xa_err, xa_load, xa_store, xarray,
        GFP_ATOMIC, GFP_KERNEL,
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
pub(crate) struct Process(pub(in crate::sys) i32);

/// A reference on this module, which is not unloaded while there is one.
#[doc(alias = "try_module_get")]
struct ModuleRef(NonNull<module>);

impl ModuleRef {
    /// Takes a reference, or returns [`None`] if the module is being unloaded.
    fn try_get() -> Option<Self> {
        let module = &raw mut kernel::bindings::__this_module;
        // SAFETY: `__this_module` is the module that this code is part of. It exists for as long
        // as its code can run. `try_module_get()` itself checks whether it is being unloaded.
        if unsafe { try_module_get(module) } {
            NonNull::new(module).map(Self)
        } else {
            None
        }
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
    /// [`ENOMEM`]; [`ENODEV`] if the module is being unloaded.
    pub(crate) fn serve(self) -> Result<bool> {
        self.store(ModuleRef::try_get().ok_or(ENODEV)?, GFP_KERNEL)
    }

    /// Has a new process be served if the one that made it is. Does not sleep.
    ///
    /// The reference of the parent's entry does not pin the module here: another thread of the
    /// parent may remove the entry meanwhile, and the module may be unloaded. Then the child is not
    /// served.
    ///
    /// # Errors
    ///
    /// [`ENOMEM`].
    pub(super) fn inherit(self, parent: Self) -> Result {
        if parent.is_served() {
            if let Some(module) = ModuleRef::try_get() {
                self.store(module, GFP_ATOMIC)?;
            }
        }
        Ok(())
    }

    /// Stores an entry that owns the reference. Returns whether an entry existed.
    fn store(self, module: ModuleRef, gfp: gfp_t) -> Result<bool> {
        let entry = module.into_entry();
        // SAFETY: `redirect.c` initialises the xarray, which does its own locking. The entry is a
        // pointer to a `struct module`, which is aligned as an entry must be.
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
    ///
    /// Called for every process that exits. Takes no lock if the process is not served.
    pub(crate) fn leave(self) -> bool {
        if !self.is_served() {
            return false;
        }
        // SAFETY: `redirect.c` initialises the xarray, which does its own locking. `xa_erase()`
        // returns NULL or an entry that `store()` stored, and has removed it from the xarray.
        let was = unsafe { ModuleRef::from_entry(xa_erase(table(), self.index())) }.is_some();
        if was {
            COUNT.add(-1, Relaxed);
        }
        was
    }
}
