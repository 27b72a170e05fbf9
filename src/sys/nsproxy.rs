// SPDX-License-Identifier: GPL-2.0-only

//! `struct nsproxy`: one that tasks use, and one that no task uses yet.
//!
//! C header: `include/linux/nsproxy.h`.

use super::{
    bindings::{self, layout},
    namespace::{self, *},
    symbols::static_call,
};
use core::ptr::NonNull;
use kernel::{
    macros::paste,
    prelude::*,
    sync::{
        aref::{ARef, AlwaysRefCounted},
        SpinLock, //
    },
    types::Opaque,
};

/// An nsproxy that tasks use or have used.
///
/// A `&NsProxy` owns no reference. An `ARef<NsProxy>` owns one `count`. Dropping the last one
/// releases the active references, then the references to the namespaces: `put_nsproxy()`.
///
/// # Invariants
///
/// The object is a valid `struct nsproxy` with a `count` of at least 1. It holds active references
/// to its namespaces. Its members do not change.
#[repr(transparent)]
pub(crate) struct NsProxy(Opaque<kernel::bindings::nsproxy>);

impl NsProxy {
    /// Borrows the nsproxy at `ptr`.
    ///
    /// # Safety
    ///
    /// `ptr` must fulfil the type's invariants for all of `'a`.
    pub(super) unsafe fn from_raw<'a>(ptr: *mut kernel::bindings::nsproxy) -> &'a Self {
        // SAFETY: The caller guarantees the invariants for `'a`; `NsProxy` is transparent.
        unsafe { &*ptr.cast() }
    }

    /// Returns the current number of references.
    pub(crate) fn count(&self) -> u32 {
        // SAFETY: The borrow keeps the nsproxy alive. Other CPUs write concurrently, so the read is
        // volatile.
        let count = unsafe { (&raw const (*self.0.get()).count.refs.counter).read_volatile() };
        count as u32
    }

    /// Drops a reference. Returns the number of references before. Dropping the last one may sleep.
    #[doc(alias = "put_nsproxy")]
    #[inline(always)]
    pub(crate) fn put(nsproxy: ARef<Self>) -> u32 {
        // SAFETY: `into_raw()` returns the reference, which passes to `dec()`.
        unsafe { Self::dec(ARef::into_raw(nsproxy)) }
    }

    /// Drops a reference that has no owner, see [`put`](Self::put).
    ///
    /// # Safety
    ///
    /// The caller must own a reference, and must not use it afterwards.
    #[doc(alias = "deactivate_nsproxy")]
    #[inline(always)]
    unsafe fn dec(obj: NonNull<Self>) -> u32 {
        let ptr = obj.cast::<kernel::bindings::nsproxy>();
        // SAFETY: The caller owns a reference, so the nsproxy is alive.
        let before = unsafe { bindings::nsproxy_rs_nsproxy_dec(ptr.as_ptr()) };
        if before == 1 {
            // SAFETY: This was the last reference, so no other pointer to the nsproxy is in use. By
            // the type's invariants it holds active references.
            unsafe { static_call!(nsproxy_ns_active_put(ptr.as_ptr())) };
            // INVARIANT: No other pointer to the nsproxy is in use, and it was just made inactive.
            // Its members own their references.
            drop(NewNsProxy(ptr));
        }
        before
    }
}

// SAFETY: `count` is the reference count of an nsproxy.
unsafe impl AlwaysRefCounted for NsProxy {
    #[doc(alias = "get_nsproxy")]
    fn inc_ref(&self) {
        // SAFETY: The borrow keeps the nsproxy alive.
        unsafe { kernel::bindings::refcount_inc(&raw mut (*self.0.get()).count) };
    }

    unsafe fn dec_ref(obj: NonNull<Self>) {
        // SAFETY: The caller owns a reference, which passes to the function.
        unsafe { Self::dec(obj) };
    }
}

/// A task that may get an nsproxy.
pub(crate) trait Task {
    /// Returns the pointer for C.
    fn as_ptr(&self) -> *mut kernel::bindings::task_struct;
}

/// Replaces `task->nsproxy` under `task_lock()`. Returns the old value.
///
/// The lock protects other tasks that read the pointer: rule 3 of `include/linux/nsproxy.h`.
///
/// # Safety
///
/// The task must be `current`, or one that does not run yet. No borrow of its nsproxy may exist. The
/// references of both pointers, if they are not NULL, pass to the task and to the caller.
#[doc(alias = "task_lock")]
#[inline(always)]
pub(super) unsafe fn swap_nsproxy(
    task: *mut kernel::bindings::task_struct,
    new: *mut kernel::bindings::nsproxy,
) -> *mut kernel::bindings::nsproxy {
    let task = task.cast::<layout::task_struct>();
    // SAFETY: `alloc_lock` is initialised in every task, and lives as long as the task.
    let lock = unsafe { SpinLock::<()>::from_raw(&raw mut (*task).alloc_lock) };
    let guard = lock.lock();
    // SAFETY: The caller guarantees that it may replace the pointer, and holds the lock.
    let old = unsafe { core::mem::replace(&mut (*task).nsproxy, new) };
    drop(guard);
    old
}

/// An nsproxy that no task uses, before its first or after its last use.
///
/// Dropping it drops its namespaces and frees it: `nsproxy_free()`. [`Namespaces`] defines the
/// order.
///
/// # Invariants
///
/// - The pointer is to a `struct nsproxy` from `nsproxy_cachep`, and no other pointer to it is in
///   use.
/// - Each member owns a reference to its namespace.
/// - It holds no active references (`nsproxy_ns_active_get()`).
pub(crate) struct NewNsProxy(NonNull<kernel::bindings::nsproxy>);

/// The memory of an nsproxy that has no namespaces yet. Dropping it frees the memory.
///
/// # Invariants
///
/// The pointer is to an allocation from `nsproxy_cachep`, and no other pointer to it exists.
pub(crate) struct NsProxyMemory(NonNull<kernel::bindings::nsproxy>);

impl NsProxyMemory {
    /// Allocates the memory.
    ///
    /// # Errors
    ///
    /// [`ENOMEM`].
    #[doc(alias = "create_nsproxy")]
    #[doc(alias = "kmem_cache_alloc")]
    pub(crate) fn new() -> Result<Self> {
        // SAFETY: Calls into the module run in a context that may sleep.
        let ptr = NonNull::new(unsafe { bindings::nsproxy_rs_nsproxy_alloc() });
        // INVARIANT: The allocation is new.
        ptr.map(Self).ok_or(ENOMEM)
    }

    /// Makes the memory an nsproxy with these namespaces.
    pub(crate) fn write(self, namespaces: Namespaces) -> NewNsProxy {
        let ptr = self.0;
        core::mem::forget(self);
        // SAFETY: The allocation has the size of an nsproxy, and no other pointer to it exists.
        unsafe { namespaces.write(ptr.as_ptr()) };
        // SAFETY: The allocation is valid, and no other pointer to it exists.
        unsafe { kernel::bindings::refcount_set(&raw mut (*ptr.as_ptr()).count, 1) };
        // INVARIANT: The object is new, and `write()` moved a reference into each member.
        NewNsProxy(ptr)
    }
}

impl Drop for NsProxyMemory {
    #[doc(alias = "kmem_cache_free")]
    fn drop(&mut self) {
        // SAFETY: By the type's invariants the allocation is from this cache, and no other pointer
        // to it exists.
        unsafe {
            kernel::bindings::kmem_cache_free(
                bindings::nsproxy_rs_nsproxy_cachep,
                self.0.as_ptr().cast(),
            )
        };
    }
}

impl NewNsProxy {
    /// Returns `nsproxy->time_ns`, borrowed.
    pub(crate) fn time_ns(&self) -> &TimeNamespace {
        // SAFETY: The member owns a reference, and changes only with `&mut self`.
        unsafe { TimeNamespace::from_raw((*self.0.as_ptr()).time_ns) }
    }

    /// Returns `nsproxy->cgroup_ns`, borrowed.
    pub(crate) fn cgroup_ns(&self) -> &CgroupNamespace {
        // SAFETY: The member owns a reference, and changes only with `&mut self`.
        unsafe { CgroupNamespace::from_raw((*self.0.as_ptr()).cgroup_ns) }
    }

    /// Makes the time namespace for children that of a task which does not run yet, or which
    /// executes another program, and maps its clocks. May sleep.
    pub(crate) fn timens_on_fork(&mut self, task: &impl Task) {
        // SAFETY: No other pointer to the nsproxy is in use. The task has memory, in which no code
        // reads clocks meanwhile.
        unsafe { static_call!(timens_on_fork(self.0.as_ptr(), task.as_ptr())) };
    }

    /// Acquires active references to the namespaces. A task can use the result.
    #[doc(alias = "nsproxy_ns_active_get")]
    pub(crate) fn activate(self) -> ARef<NsProxy> {
        let ptr = self.0;
        core::mem::forget(self);
        // SAFETY: The nsproxy holds references to all its namespaces.
        unsafe { static_call!(nsproxy_ns_active_get(ptr.as_ptr())) };
        // SAFETY: The initial `count` of 1 passes to the `ARef`. The invariants of `NsProxy` hold:
        // the nsproxy has active references, and without `self` its members cannot change.
        unsafe { ARef::from_raw(ptr.cast()) }
    }
}

impl Drop for NewNsProxy {
    #[doc(alias = "nsproxy_free")]
    #[inline(always)] // A call would take the address of the pointer, and keep it in memory.
    fn drop(&mut self) {
        // INVARIANT: By the type's invariants the object is from this cache, and no other pointer
        // to it is in use.
        let memory = NsProxyMemory(self.0);
        // SAFETY: By the type's invariants each member owns a reference. The members are not used
        // afterwards.
        unsafe { Namespaces::free(memory) };
    }
}

macro_rules! members {
    ($($member:ident: $kind:ident = $number:ident),* $(,)?) => {
        /// The references of an nsproxy to its namespaces. They are dropped in the order of
        /// `nsproxy_free()`.
        pub(crate) struct Namespaces {
            $(
                #[doc = concat!("`nsproxy->", stringify!($member), "`")]
                pub(crate) $member: ARef<$kind>,
            )*
        }

        // Does not compile if the kernel's nsproxy has another member, which `write()` would leave
        // uninitialised.
        const _: fn(kernel::bindings::nsproxy) =
            |kernel::bindings::nsproxy { count: _, $($member: _),* }| ();

        impl Namespaces {
            /// Moves the references into the nsproxy at `ptr`.
            ///
            /// # Safety
            ///
            /// `ptr` must be valid for writes, and no other pointer to the nsproxy may be in use.
            /// References that its members own are leaked.
            unsafe fn write(self, ptr: *mut kernel::bindings::nsproxy) {
                // SAFETY: The caller guarantees a pointer that is valid for writes.
                $(unsafe { (*ptr).$member = namespace::into_raw(self.$member) };)*
            }

            /// Drops the references of an nsproxy in the same order, and frees its memory.
            ///
            /// # Safety
            ///
            /// The members must own references.
            unsafe fn free(memory: NsProxyMemory) {
                let ptr = memory.0.as_ptr();
                // SAFETY: The caller guarantees that the member owns a reference. The memory has no
                // other user.
                $(drop(unsafe { namespace::from_owned::<$kind>((*ptr).$member) });)*
            }
        }

        /// The number of namespaces that an nsproxy holds.
        pub(crate) const NR_NSPROXY_MEMBERS: usize = [$(bindings::$number),*].len();

        impl NsProxy {
            /// Returns all namespaces, borrowed. The index is `NSPROXY_MEMBER_*`.
            pub(crate) fn members(&self) -> [&Ns; NR_NSPROXY_MEMBERS] {
                let mut members: [&Ns; NR_NSPROXY_MEMBERS] = [self.mnt_ns(); _];
                $(members[bindings::$number as usize] = self.$member();)*
                members
            }

            $(
                #[doc = concat!("Returns `nsproxy->", stringify!($member), "`, borrowed.")]
                pub(crate) fn $member(&self) -> &$kind {
                    // SAFETY: By the type's invariants the member does not change. The nsproxy
                    // owns a reference to it for as long as it lives.
                    unsafe { $kind::from_raw((*self.0.get()).$member) }
                }
            )*
        }

        paste! {
            impl NewNsProxy { $(
                #[doc = concat!(
                    "Replaces `nsproxy->", stringify!($member), "`, and drops the old one."
                )]
                #[inline(always)]
                pub(crate) fn [<replace_ $member>](&mut self, ns: &$kind) {
                    let new = namespace::into_raw(ARef::from(ns));
                    // SAFETY: By the type's invariants no other pointer to the nsproxy is in use.
                    let old = unsafe {
                        core::mem::replace(&mut (*self.0.as_ptr()).$member, new)
                    };
                    // SAFETY: The member owned a reference, and has a new value.
                    drop(unsafe { namespace::from_owned::<$kind>(old) });
                }
            )* }
        }
    };
}

members! {
    mnt_ns: MntNamespace = NSPROXY_MEMBER_MNT,
    uts_ns: UtsNamespace = NSPROXY_MEMBER_UTS,
    ipc_ns: IpcNamespace = NSPROXY_MEMBER_IPC,
    pid_ns_for_children: PidNamespace = NSPROXY_MEMBER_PID_FOR_CHILDREN,
    time_ns: TimeNamespace = NSPROXY_MEMBER_TIME,
    time_ns_for_children: TimeNamespace = NSPROXY_MEMBER_TIME_FOR_CHILDREN,
    cgroup_ns: CgroupNamespace = NSPROXY_MEMBER_CGROUP,
    net_ns: NetNamespace = NSPROXY_MEMBER_NET,
}
