// SPDX-License-Identifier: GPL-2.0-only

//! `struct nsproxy`: one that tasks use, and one that is being made.
//!
//! C header: `include/linux/nsproxy.h`.

use super::{
    bindings,
    namespace::{self, *},
    symbols::static_call,
};
use core::ptr::NonNull;
use kernel::{
    prelude::*,
    sync::aref::{ARef, AlwaysRefCounted},
    types::Opaque,
};

/// An nsproxy that tasks use, or used.
///
/// A `&NsProxy` owns no reference, an `ARef<NsProxy>` owns one `count`. The last one gone, the
/// nsproxy gives up its active references and then what it holds: `put_nsproxy()`.
///
/// # Invariants
///
/// The object is a valid `struct nsproxy` with a `count` of at least 1 whose namespaces were made
/// active. Its members do not change any more.
#[repr(transparent)]
pub(crate) struct NsProxy(Opaque<kernel::bindings::nsproxy>);

impl NsProxy {
    /// The nsproxy at `ptr`, borrowed.
    ///
    /// # Safety
    ///
    /// `ptr` must fulfil the type's invariants for all of `'a`.
    pub(super) unsafe fn from_raw<'a>(ptr: *mut kernel::bindings::nsproxy) -> &'a Self {
        // SAFETY: By the requirements above; `NsProxy` is transparent.
        unsafe { &*ptr.cast() }
    }

    /// How many references there are, as it is at this moment.
    pub(crate) fn count(&self) -> u32 {
        // SAFETY: The shared reference means that the nsproxy is alive. Others write meanwhile.
        let count = unsafe { (&raw const (*self.0.get()).count.refs.counter).read_volatile() };
        count as u32
    }

    /// Drops a reference, and says how many there were. The last one may sleep.
    #[doc(alias = "put_nsproxy")]
    pub(crate) fn put(nsproxy: ARef<Self>) -> u32 {
        // SAFETY: The reference is given away.
        unsafe { Self::dec(ARef::into_raw(nsproxy)) }
    }

    /// [`put`](Self::put), for a reference that has no owner.
    ///
    /// # Safety
    ///
    /// A reference must be given away.
    #[doc(alias = "deactivate_nsproxy")]
    unsafe fn dec(obj: NonNull<Self>) -> u32 {
        let ptr = obj.cast::<kernel::bindings::nsproxy>();
        // SAFETY: By the requirements above.
        let before = unsafe { bindings::nsproxy_rs_nsproxy_dec(ptr.as_ptr()) };
        if before == 1 {
            // SAFETY: It was the last reference, so nobody else knows the nsproxy, and by the
            // type's invariants it is active.
            unsafe { static_call!(nsproxy_ns_active_put(ptr.as_ptr())) };
            // INVARIANT: Ours alone, and not active any more.
            drop(NewNsProxy(ptr));
        }
        before
    }
}

// SAFETY: `count` is the reference count of an nsproxy.
unsafe impl AlwaysRefCounted for NsProxy {
    #[doc(alias = "get_nsproxy")]
    fn inc_ref(&self) {
        // SAFETY: The shared reference means that the nsproxy is alive.
        unsafe { kernel::bindings::refcount_inc(&raw mut (*self.0.get()).count) };
    }

    unsafe fn dec_ref(obj: NonNull<Self>) {
        // SAFETY: The caller owns a reference and gives it away.
        unsafe { Self::dec(obj) };
    }
}

/// An nsproxy that no task uses: being made, or being freed.
///
/// Dropping it drops the namespaces that it holds and frees it: `nsproxy_free()`, see there
/// ([`Namespaces`]) for the order.
///
/// # Invariants
///
/// - The pointer is to a `struct nsproxy` from `nsproxy_cachep` that nobody else knows.
/// - Each member owns a reference to its namespace.
/// - It took no active references (`nsproxy_ns_active_get()`).
pub(crate) struct NewNsProxy(NonNull<kernel::bindings::nsproxy>);

impl NewNsProxy {
    /// A new nsproxy that holds `namespaces()`, which is asked only when there is memory.
    ///
    /// # Errors
    ///
    /// [`ENOMEM`].
    #[doc(alias = "create_nsproxy")]
    #[doc(alias = "kmem_cache_alloc")]
    pub(crate) fn new(namespaces: impl FnOnce() -> Namespaces) -> Result<Self> {
        // SAFETY: Has no requirements but a context that may sleep.
        let ptr = NonNull::new(unsafe { bindings::nsproxy_rs_nsproxy_alloc() }).ok_or(ENOMEM)?;
        // SAFETY: The allocation has the size of an nsproxy, and no other reference to it exists.
        unsafe { namespaces().write(ptr.as_ptr()) };
        // SAFETY: The allocation is valid, and no other reference to it exists.
        unsafe { kernel::bindings::refcount_set(&raw mut (*ptr.as_ptr()).count, 1) };
        // INVARIANT: Freshly allocated; `write()` gave each member its reference.
        Ok(Self(ptr))
    }

    /// For `install()` of a namespace, which replaces members.
    pub(super) fn as_ptr(&mut self) -> *mut kernel::bindings::nsproxy {
        self.0.as_ptr()
    }

    /// `nsproxy->time_ns`, borrowed.
    pub(crate) fn time_ns(&self) -> &TimeNamespace {
        // SAFETY: The member owns a reference; only `&mut self` changes it.
        unsafe { TimeNamespace::from_raw((*self.0.as_ptr()).time_ns) }
    }

    /// Puts `ns` in the place of the namespace of its kind, which is dropped.
    pub(crate) fn replace<K: Sole>(&mut self, ns: &K) {
        let new = namespace::into_raw(ARef::from(ns));
        // SAFETY: The nsproxy is ours alone, and `Sole` says which member is of this kind.
        let old = unsafe { core::mem::replace(&mut *K::member(self.as_ptr()), new) };
        // SAFETY: The member owned a reference, which was just taken out.
        drop(unsafe { namespace::from_owned::<K>(old) });
    }

    /// Makes the namespaces active and the nsproxy one that a task can use.
    #[doc(alias = "nsproxy_ns_active_get")]
    pub(crate) fn activate(self) -> ARef<NsProxy> {
        let ptr = self.0;
        core::mem::forget(self);
        // SAFETY: The nsproxy holds references to all its namespaces.
        unsafe { static_call!(nsproxy_ns_active_get(ptr.as_ptr())) };
        // SAFETY: The `count` of 1 that the nsproxy was made with becomes that of the `ARef`. The
        // invariants of `NsProxy` hold: it is active, and with `self` gone it does not change.
        unsafe { ARef::from_raw(ptr.cast()) }
    }
}

impl Drop for NewNsProxy {
    #[doc(alias = "nsproxy_free")]
    fn drop(&mut self) {
        // SAFETY: By the type's invariants each member owns a reference, and nothing looks at
        // the members after this.
        drop(unsafe { Namespaces::read(self.0.as_ptr()) });
        // SAFETY: By the type's invariants it is from this cache, and nobody else knows it.
        unsafe {
            kernel::bindings::kmem_cache_free(
                bindings::nsproxy_rs_nsproxy_cachep,
                self.0.as_ptr().cast(),
            )
        };
    }
}

macro_rules! members {
    ($($member:ident: $kind:ident = $number:ident),* $(,)?) => {
        /// The references that an nsproxy holds, one to a namespace of each kind. Dropped in the
        /// order of `nsproxy_free()`.
        pub(crate) struct Namespaces {
            $(
                #[doc = concat!("`nsproxy->", stringify!($member), "`")]
                pub(crate) $member: ARef<$kind>,
            )*
        }

        // `write()` initialises all members: a kernel whose nsproxy has one more does not compile.
        const _: fn(kernel::bindings::nsproxy) =
            |kernel::bindings::nsproxy { count: _, $($member: _),* }| ();

        impl Namespaces {
            /// Moves the references into the nsproxy at `ptr`.
            ///
            /// # Safety
            ///
            /// `ptr` must be valid for writes and nobody else's. References that its members
            /// own are leaked.
            unsafe fn write(self, ptr: *mut kernel::bindings::nsproxy) {
                // SAFETY: By the requirements above.
                $(unsafe { (*ptr).$member = namespace::into_raw(self.$member) };)*
            }

            /// Moves the references out of the nsproxy at `ptr`, whose members are not to be
            /// used afterwards.
            ///
            /// # Safety
            ///
            /// `ptr` must be valid and nobody else's, and its members must own references.
            unsafe fn read(ptr: *mut kernel::bindings::nsproxy) -> Self {
                Self {
                    // SAFETY: By the requirements above.
                    $($member: unsafe { namespace::from_owned((*ptr).$member) },)*
                }
            }
        }

        impl NsProxy {
            /// All of them, by `NSPROXY_MEMBER_*`, borrowed.
            pub(crate) fn members(&self) -> [&Ns; 8] {
                let mut members: [&Ns; 8] = [self.mnt_ns(); 8];
                $(members[bindings::$number as usize] = self.$member();)*
                members
            }

            $(
                #[doc = concat!("`nsproxy->", stringify!($member), "`, borrowed.")]
                pub(crate) fn $member(&self) -> &$kind {
                    // SAFETY: By the type's invariants the member does not change, and the
                    // nsproxy owns a reference for as long as it lives.
                    unsafe { $kind::from_raw((*self.0.get()).$member) }
                }
            )*
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

/// A kind of which an nsproxy holds one namespace, and not a second one for children.
///
/// # Safety
///
/// `member` must return the address of that member, without looking at the nsproxy.
pub(crate) unsafe trait Sole: Kind {
    /// The address of the member.
    ///
    /// # Safety
    ///
    /// `nsproxy` must be valid.
    unsafe fn member(nsproxy: *mut kernel::bindings::nsproxy) -> *mut *mut Self::C;
}

macro_rules! sole {
    ($($member:ident: $kind:ident),* $(,)?) => { $(
        // SAFETY: It is the member of this kind.
        unsafe impl Sole for $kind {
            unsafe fn member(nsproxy: *mut kernel::bindings::nsproxy) -> *mut *mut Self::C {
                // SAFETY: Valid by the caller's promise.
                unsafe { &raw mut (*nsproxy).$member }
            }
        }
    )* };
}

sole! {
    net_ns: NetNamespace,
    uts_ns: UtsNamespace,
    ipc_ns: IpcNamespace,
}
