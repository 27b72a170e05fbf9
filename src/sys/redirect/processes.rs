// SPDX-License-Identifier: GPL-2.0-only

//! The set of processes whose setns(2) the module serves.

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

/// A process, identified by its tgid in the initial pid namespace.
#[doc(alias = "task_tgid_nr")]
#[derive(Clone, Copy)]
pub(crate) struct Process(pub(in crate::sys) i32);

impl Process {
    /// Returns the index of the process in the xarray.
    fn index(self) -> usize {
        self.0 as usize
    }
}

/// The processes whose setns(2) the module serves.
pub(crate) static SERVED_PROCESSES: ServedProcesses = ServedProcesses {
    count: Atomic::new(0),
};

/// A set of processes. Each of them pins the module.
///
/// `redirect.c` defines the xarray, since its ftrace handler reads it. The index is the tgid: a
/// process keeps it from its fork to the exit of its last thread, also when it executes another
/// program. An entry is a [`ModuleRef`]. The xarray does its own locking.
pub(crate) struct ServedProcesses {
    /// The number of entries.
    count: Atomic<i64>,
}

impl ServedProcesses {
    /// Returns the number of served processes.
    pub(crate) fn count(&self) -> i64 {
        self.count.load(Relaxed)
    }

    /// Returns whether a process is served.
    pub(crate) fn contains(&self, process: Process) -> bool {
        // SAFETY: `redirect.c` initialises the xarray, which does its own locking.
        !unsafe { xa_load(xarray(), process.index()) }.is_null()
    }

    /// Adds a process. Returns whether it was served before. May sleep.
    ///
    /// # Errors
    ///
    /// [`ENOMEM`]; [`ENODEV`] if the module is being unloaded.
    pub(crate) fn insert(&self, process: Process) -> Result<bool> {
        let module = ModuleRef::try_get().ok_or(ENODEV)?;
        self.store(process, module, GFP_KERNEL)
    }

    /// Adds a new process if its parent is served. Does not sleep.
    ///
    /// The parent's entry does not pin the module here: another thread of the parent may remove it
    /// meanwhile, and the module may be unloaded. Then the child is not served.
    ///
    /// # Errors
    ///
    /// [`ENOMEM`].
    pub(super) fn inherit(&self, parent: Process, child: Process) -> Result {
        if self.contains(parent) {
            if let Some(module) = ModuleRef::try_get() {
                self.store(child, module, GFP_ATOMIC)?;
            }
        }
        Ok(())
    }

    /// Stores an entry that owns the reference. Returns whether an entry existed.
    fn store(&self, process: Process, module: ModuleRef, gfp: gfp_t) -> Result<bool> {
        let entry = module.into_entry();
        // SAFETY: `redirect.c` initialises the xarray, which does its own locking. The entry is a
        // pointer to a `struct module`, which is aligned as an entry must be.
        let old = unsafe { xa_store(xarray(), process.index(), entry, gfp) };
        // SAFETY: `old` is the result of `xa_store()`.
        if let Err(error) = to_result(unsafe { xa_err(old) }) {
            // SAFETY: `xa_store()` failed, so the entry is not in the xarray.
            drop(unsafe { ModuleRef::from_entry(entry) });
            return Err(error);
        }
        // SAFETY: `old` is NULL or an entry of an earlier call, which `xa_store()` has replaced.
        let existed = unsafe { ModuleRef::from_entry(old) }.is_some();
        if !existed {
            self.count.add(1, Relaxed);
        }
        Ok(existed)
    }

    /// Removes a process. Returns whether it was served.
    ///
    /// Called for each process that exits. Takes no lock if the process is not served.
    pub(crate) fn remove(&self, process: Process) -> bool {
        if !self.contains(process) {
            return false;
        }
        // SAFETY: `redirect.c` initialises the xarray, which does its own locking. `xa_erase()`
        // returns NULL or an entry that `store()` stored, and has removed it from the xarray.
        let existed =
            unsafe { ModuleRef::from_entry(xa_erase(xarray(), process.index())) }.is_some();
        if existed {
            self.count.add(-1, Relaxed);
        }
        existed
    }
}

/// Returns the xarray, whose entries are [`ModuleRef`]s.
fn xarray() -> *mut xarray {
    &raw mut bindings::nsproxy_rs_served
}

/// A reference to this module, which cannot be unloaded while one exists.
#[doc(alias = "try_module_get")]
struct ModuleRef(NonNull<module>);

impl ModuleRef {
    /// Takes a reference; returns [`None`] if the module is being unloaded.
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

    /// Turns the reference into an entry of the xarray, which owns it.
    fn into_entry(self) -> *mut c_void {
        core::mem::ManuallyDrop::new(self).0.as_ptr().cast()
    }

    /// Takes the reference out of an entry; returns [`None`] for NULL.
    ///
    /// # Safety
    ///
    /// `entry` must be NULL or a result of [`Self::into_entry`], and must not be in the xarray.
    unsafe fn from_entry(entry: *mut c_void) -> Option<Self> {
        NonNull::new(entry.cast()).map(Self)
    }
}

impl Drop for ModuleRef {
    fn drop(&mut self) {
        // SAFETY: This value owns the reference.
        unsafe { module_put(self.0.as_ptr()) };
    }
}
