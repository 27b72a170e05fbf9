// SPDX-License-Identifier: GPL-2.0-only

//! The set of processes whose calls the module serves.

use crate::sys::bindings;
use core::ptr::NonNull;
use kernel::{
    bindings::{
        __xa_erase, __xa_store, gfp_t, module, module_put, try_module_get, xa_erase, xa_err,
        xa_load, xa_lock, xa_store, xa_unlock, xarray, GFP_ATOMIC, GFP_KERNEL,
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

/// The processes whose calls the module serves.
pub(crate) static SERVED_PROCESSES: ServedProcesses = ServedProcesses {
    count: Atomic::new(0),
};

/// A set of processes. Each of them pins the module.
///
/// `redirect.c` defines the xarray, since its ftrace handler reads it. The index is the tgid: a
/// process keeps it from its fork to the exit of its last thread, also when it executes another
/// program. An entry is a [`Threads`], and owns a [`ModuleRef`].
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
        let entry = Threads::default().into_entry();
        // SAFETY: `redirect.c` initialises the xarray, which does its own locking.
        let old = unsafe { xa_store(xarray(), process.index(), entry, gfp) };
        // SAFETY: `old` is the result of `xa_store()`.
        to_result(unsafe { xa_err(old) })?;
        if !old.is_null() {
            // The entry of an earlier call owns a reference already.
            return Ok(true);
        }
        module.forget();
        self.count.add(1, Relaxed);
        Ok(false)
    }

    /// Removes a process. Returns whether it was served. Takes no lock if it was not.
    pub(crate) fn remove(&self, process: Process) -> bool {
        if !self.contains(process) {
            return false;
        }
        // SAFETY: `redirect.c` initialises the xarray, which does its own locking.
        let entry = unsafe { xa_erase(xarray(), process.index()) };
        self.removed(entry)
    }

    /// Drops the reference of an entry that is not in the xarray any more. Returns whether there was
    /// one.
    fn removed(&self, entry: *mut c_void) -> bool {
        if entry.is_null() {
            return false;
        }
        self.count.add(-1, Relaxed);
        // SAFETY: The entry owned the reference.
        drop(unsafe { ModuleRef::adopt() });
        true
    }

    /// Notes that a thread of a process exits, and will call [`end_exit`](Self::end_exit); `is_last`
    /// if it is the last thread. Takes no lock if the process is not served.
    pub(super) fn begin_exit(&self, process: Process, is_last: bool) {
        self.update(process, |threads| Threads {
            leaving: threads.leaving + 1,
            all: threads.all | is_last,
        });
    }

    /// Notes that a thread has left its namespaces. Removes the process after its last thread, which
    /// is not always the last one to arrive here.
    pub(super) fn end_exit(&self, process: Process) {
        self.update(process, |threads| Threads {
            leaving: threads.leaving.saturating_sub(1),
            ..threads
        });
    }

    /// Changes the entry of a process, if there is one, and removes it when all threads have left.
    fn update(&self, process: Process, change: impl FnOnce(Threads) -> Threads) {
        if !self.contains(process) {
            return;
        }
        // SAFETY: `redirect.c` initialises the xarray. The functions are called with its lock held,
        // as they require. Replacing an entry allocates no memory.
        let removed = unsafe {
            xa_lock(xarray());
            let entry = xa_load(xarray(), process.index());
            let removed = if entry.is_null() {
                entry
            } else {
                let threads = change(Threads::of_entry(entry));
                if threads.have_left() {
                    __xa_erase(xarray(), process.index())
                } else {
                    let entry = threads.into_entry();
                    __xa_store(xarray(), process.index(), entry, GFP_ATOMIC);
                    core::ptr::null_mut()
                }
            };
            xa_unlock(xarray());
            removed
        };
        self.removed(removed);
    }
}

/// The threads of a served process that exit.
#[derive(Clone, Copy, Default)]
struct Threads {
    /// The number of threads that have begun to exit, and have not left their namespaces yet.
    leaving: usize,
    /// Whether all other threads have begun before.
    all: bool,
}

impl Threads {
    /// Returns whether all threads have left their namespaces.
    fn have_left(self) -> bool {
        self.all && self.leaving == 0
    }

    /// Returns the entry of the xarray: a number, not a pointer.
    #[doc(alias = "xa_mk_value")]
    fn into_entry(self) -> *mut c_void {
        let value = self.leaving << 1 | usize::from(self.all);
        core::ptr::without_provenance_mut(value << 1 | 1)
    }

    /// The reverse of [`into_entry`](Self::into_entry).
    #[doc(alias = "xa_to_value")]
    fn of_entry(entry: *mut c_void) -> Self {
        let value = entry.addr() >> 1;
        Self {
            leaving: value >> 1,
            all: value & 1 != 0,
        }
    }
}

/// Returns the xarray, whose entries are [`Threads`].
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

    /// Leaves the reference to an entry of the xarray.
    fn forget(self) {
        core::mem::forget(self);
    }

    /// Takes the reference of an entry.
    ///
    /// # Safety
    ///
    /// The entry must have a reference, and must not be in the xarray any more.
    unsafe fn adopt() -> Self {
        // SAFETY: `__this_module` is a variable.
        Self(unsafe { NonNull::new_unchecked(&raw mut kernel::bindings::__this_module) })
    }
}

impl Drop for ModuleRef {
    fn drop(&mut self) {
        // SAFETY: This value owns the reference.
        unsafe { module_put(self.0.as_ptr()) };
    }
}
