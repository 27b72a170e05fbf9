// SPDX-License-Identifier: GPL-2.0-only

//! The eight kinds of namespace, defined by one table, and their reference counts.
//!
//! C headers: `include/linux/ns_common.h`, `include/linux/proc_ns.h`.

use super::{
    bindings::{self, layout},
    mnt_namespace,
    symbols::static_call,
};
use core::{ops::Deref, ptr::NonNull};
use kernel::{
    bindings::{ns_common, refcount_inc},
    sync::{
        aref::{ARef, AlwaysRefCounted},
        atomic::{Atomic, Relaxed, Release},
    },
    types::Opaque,
};

/// The reference counts of a namespace.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Counts {
    /// `__ns_ref`: references that keep the namespace in memory.
    pub(crate) ns_ref: u32,
    /// `__ns_ref_active`: references that keep the namespace visible.
    pub(crate) active: u32,
}

impl Counts {
    /// Stand-in for counts that the caller may not know. The counts of a live namespace differ.
    pub(crate) const UNKNOWN: Self = Self {
        ns_ref: 0,
        active: 0,
    };

    /// Returns the counts without the `own` references of the reader.
    pub(crate) fn without(self, own: u32) -> Self {
        Self {
            ns_ref: self.ns_ref.wrapping_sub(own),
            ..self
        }
    }
}

/// A namespace of any kind: `struct ns_common`, which all kinds embed.
///
/// A `&Ns` owns no reference: another object, such as an open file or an nsproxy, keeps the
/// namespace alive. An `ARef<Ns>`, and an `ARef` of each kind below, owns one `__ns_ref`.
///
/// # Invariants
///
/// The object is a valid `struct ns_common` with a `__ns_ref` of at least 1. It is embedded in a
/// namespace of the kind `ns_type`.
#[doc(alias = "ns_common")]
#[repr(transparent)]
pub(crate) struct Ns(Opaque<ns_common>);

impl Ns {
    /// Borrows the namespace at `ptr`.
    ///
    /// # Safety
    ///
    /// `ptr` must fulfil the type's invariants for all of `'a`.
    pub(super) unsafe fn from_raw<'a>(ptr: *mut ns_common) -> &'a Self {
        // SAFETY: The caller guarantees the invariants for `'a`; `Ns` is transparent.
        unsafe { &*ptr.cast() }
    }

    /// Returns the pointer for C functions, which take a reference if they keep it.
    pub(super) fn as_ptr(&self) -> *mut ns_common {
        self.0.get()
    }

    /// Returns the member at `offset`, which the kernel crate's `ns_common` does not have.
    fn hidden<T>(&self, offset: u32) -> *const T {
        self.as_ptr().wrapping_byte_add(offset as usize).cast()
    }

    /// Returns the operations of the kind: `ns->ops`.
    #[doc(alias = "proc_ns_operations")]
    fn ops(&self) -> &'static layout::proc_ns_operations {
        // SAFETY: Valid by the type's invariants; never written after initialisation. The pointer
        // is to a constant of the kernel. It is not NULL, since the kernel has all kinds: see
        // `kinds!`.
        unsafe { &*(*self.as_ptr()).ops.cast() }
    }

    /// Returns the `CLONE_NEW*` of the kind.
    pub(crate) fn ns_type(&self) -> u32 {
        // SAFETY: Valid by the type's invariants; never written after initialisation.
        unsafe { (*self.as_ptr()).ns_type }
    }

    /// Returns the id, which is never reused: `NS_GET_ID`.
    pub(crate) fn id(&self) -> u64 {
        // SAFETY: Valid by the type's invariants; never written after initialisation.
        unsafe { self.hidden::<u64>(bindings::NSPROXY_RS_NS_ID).read() }
    }

    /// Returns the user namespace that owns the namespace, borrowed; [`None`] for the initial user
    /// namespace. The owner of a user namespace is its parent.
    pub(crate) fn owner(&self) -> Option<&UserNamespace> {
        // SAFETY: All kinds have the function. The namespace is valid, and owns a reference to its
        // owner.
        unsafe { UserNamespace::from_nullable(self.ops().owner.unwrap_unchecked()(self.as_ptr())) }
    }

    /// Returns the parent of a user or pid namespace; [`None`] for an initial namespace and for
    /// other kinds.
    pub(crate) fn parent(&self) -> Option<&Self> {
        // SAFETY: Valid by the type's invariants.
        let parent = unsafe { bindings::nsproxy_rs_ns_parent(self.as_ptr()) };
        // SAFETY: A namespace has a reference to its parent.
        (!parent.is_null()).then(|| unsafe { Self::from_raw(parent) })
    }

    /// Returns the inode number in nsfs.
    pub(crate) fn inum(&self) -> u32 {
        // SAFETY: Valid by the type's invariants; never written after initialisation.
        unsafe { (*self.as_ptr()).inum }
    }

    /// Returns whether the namespace was created at boot. Its references are not counted.
    #[doc(alias = "is_ns_init_id")]
    pub(crate) fn is_initial(&self) -> bool {
        self.id() <= bindings::NSPROXY_RS_NS_LAST_INIT_ID.into()
    }

    /// Returns the current reference counts.
    #[doc(alias = "__ns_ref_read")]
    #[doc(alias = "__ns_ref_active_read")]
    pub(crate) fn counts(&self) -> Counts {
        // SAFETY: Valid by the type's invariants.
        let ns_ref = unsafe { &raw const (*self.as_ptr()).__bindgen_anon_1.__ns_ref.refs.counter };
        let active = self.hidden::<i32>(bindings::NSPROXY_RS_NS_REF_ACTIVE);
        // SAFETY: Valid by the type's invariants. Other CPUs write concurrently, so the reads are
        // volatile.
        let (ns_ref, active) = unsafe { (ns_ref.read_volatile(), active.read_volatile()) };
        Counts {
            ns_ref: ns_ref as u32,
            active: active as u32,
        }
    }

    /// Returns whether the namespace is an anonymous mount namespace: `is_anon_ns()`.
    #[doc(alias = "is_anon_ns")]
    pub(crate) fn is_anonymous(&self) -> bool {
        // SAFETY: Valid by the type's invariants; never written after initialisation.
        unsafe { (*self.as_ptr()).inum == bindings::NSPROXY_RS_MNT_NS_ANON_INO }
    }

    /// Returns whether both are the same namespace.
    pub(crate) fn is(&self, other: &Self) -> bool {
        core::ptr::eq(self, other)
    }
}

// SAFETY: `__ns_ref` is the reference count of every namespace. It does not move for the initial
// namespaces, which live forever.
unsafe impl AlwaysRefCounted for Ns {
    /// Takes a reference, as `ns_ref_inc()` does for each kind.
    #[doc(alias = "ns_ref_inc")]
    #[doc(alias = "__ns_ref_inc")]
    #[doc(alias = "get_mnt_ns")]
    #[doc(alias = "get_uts_ns")]
    #[doc(alias = "get_ipc_ns")]
    #[doc(alias = "get_pid_ns")]
    #[doc(alias = "get_cgroup_ns")]
    #[doc(alias = "get_net")]
    #[doc(alias = "get_time_ns")]
    #[doc(alias = "get_user_ns")]
    fn inc_ref(&self) {
        if self.is_initial() {
            return;
        }
        // SAFETY: The shared reference means that the namespace is alive.
        unsafe { refcount_inc(&raw mut (*self.as_ptr()).__bindgen_anon_1.__ns_ref) };
    }

    /// Drops a reference. `ops->put()` of the kind drops the last one, which frees the namespace, and
    /// may sleep.
    #[doc(alias = "put_mnt_ns")]
    #[doc(alias = "put_uts_ns")]
    #[doc(alias = "put_ipc_ns")]
    #[doc(alias = "put_pid_ns")]
    #[doc(alias = "put_cgroup_ns")]
    #[doc(alias = "put_net")]
    #[doc(alias = "put_time_ns")]
    #[doc(alias = "put_user_ns")]
    unsafe fn dec_ref(obj: NonNull<Self>) {
        // SAFETY: The caller owns a reference, so the namespace is alive.
        let ns = unsafe { obj.as_ref() };
        // SAFETY: The caller passes its reference to this function.
        if ns.is_initial() || unsafe { ns.dec_not_one() } {
            return;
        }
        // SAFETY: All kinds have the function. The caller's reference passes to it.
        unsafe { ns.ops().put.unwrap_unchecked()(ns.as_ptr()) };
    }
}

impl Ns {
    /// Drops a reference unless it is the last one. Returns whether it did.
    ///
    /// # Safety
    ///
    /// The caller must own a reference. It does not any more if the result is `true`.
    #[doc(alias = "refcount_dec_not_one")]
    #[inline(always)]
    unsafe fn dec_not_one(&self) -> bool {
        // SAFETY: The caller's reference keeps the namespace alive. All accesses to the count are
        // atomic.
        let count = unsafe {
            Atomic::<i32>::from_ptr(
                &raw mut (*self.as_ptr()).__bindgen_anon_1.__ns_ref.refs.counter,
            )
        };
        let mut old = count.load(Relaxed);
        // A saturated count is negative. `ops->put()` handles it.
        while old > 1 {
            match count.cmpxchg(old, old - 1, Release) {
                Ok(_) => return true,
                Err(current) => old = current,
            }
        }
        false
    }
}

/// A kind of namespace, for which C has a separate struct.
///
/// # Safety
///
/// `Self` must be a transparent wrapper of the C struct `Self::C`. `NS_TYPE` must be the `ns_type`
/// of this kind and of no other. `ns_offset` must return the offset of the `struct ns_common` in
/// the C struct.
pub(crate) unsafe trait Kind: Deref<Target = Ns> + AlwaysRefCounted {
    /// The C struct.
    type C;

    /// The `CLONE_NEW*` of the kind: its `ns_type`.
    const NS_TYPE: u32;

    /// Returns the offset of the member `ns`, in bytes.
    fn ns_offset() -> usize;

    /// Borrows the namespace at `ptr`.
    ///
    /// # Safety
    ///
    /// `ptr` must point at a namespace that stays alive for all of `'a`.
    unsafe fn from_raw<'a>(ptr: *mut Self::C) -> &'a Self
    where
        Self: Sized,
    {
        // SAFETY: The caller guarantees a live namespace; `Self` is transparent by the trait.
        unsafe { &*ptr.cast::<Self>() }
    }

    /// Borrows the namespace at `ptr`; returns [`None`] for NULL.
    ///
    /// # Safety
    ///
    /// If not NULL, `ptr` must point at a namespace that stays alive for all of `'a`.
    unsafe fn from_nullable<'a>(ptr: *mut Self::C) -> Option<&'a Self>
    where
        Self: Sized,
    {
        // SAFETY: The caller guarantees NULL or a live namespace; `Self` is transparent by the
        // trait.
        unsafe { ptr.cast::<Self>().as_ref() }
    }

    /// Borrows the namespace that `ns` is embedded in.
    ///
    /// # Safety
    ///
    /// `ns` must be of this kind.
    unsafe fn container_of(ns: &Ns) -> &Self
    where
        Self: Sized,
    {
        // SAFETY: By its invariants `ns` is embedded in a namespace of its kind, which the caller
        // guarantees to be this one. `ns_offset()` is the offset of that member.
        unsafe { Self::from_raw(ns.as_ptr().byte_sub(Self::ns_offset()).cast()) }
    }

    /// Returns the address of the C struct.
    fn as_raw(&self) -> *mut Self::C
    where
        Self: Sized,
    {
        core::ptr::from_ref(self).cast_mut().cast()
    }

    /// Returns the address of the member at an offset, which must be that of such a member.
    fn member<T>(&self, offset: u32) -> *mut T
    where
        Self: Sized,
    {
        self.as_raw().wrapping_byte_add(offset as usize).cast()
    }
}

/// Turns a reference into a pointer that owns it, for a member of a C struct.
pub(super) fn into_raw<K: Kind>(ns: ARef<K>) -> *mut K::C {
    ARef::into_raw(ns).as_ptr().cast()
}

/// Turns a pointer that owns a reference into that reference: the reverse of [`into_raw`].
///
/// # Safety
///
/// `ptr` must be the member of an nsproxy, and must not be used as the owner of its reference
/// afterwards.
pub(super) unsafe fn from_owned<K: Kind>(ptr: *mut K::C) -> ARef<K> {
    // SAFETY: The member of an nsproxy points at a live namespace and owns a reference to it, which
    // passes to the result.
    unsafe { ARef::from_raw(NonNull::from(K::from_raw(ptr))) }
}

macro_rules! kinds {
    ($(
        $(#[$doc:meta])*
        $kind:ident { $name:literal, $c:ident, $flag:ident, $option:ident, $offset:expr }
    )*) => {
        /// All kinds: the name in `/proc/PID/ns` and the `CLONE_NEW*`.
        pub(crate) const KINDS: &[(&str, u32)] = &[$(($name, kernel::bindings::$flag)),*];

        /// The `CLONE_NEW*` of all kinds.
        #[doc(alias = "CLONE_NS_ALL")]
        pub(crate) const ALL: u32 = 0 $(| kernel::bindings::$flag)*;

        // In a kernel without a kind, its member of the nsproxy and its operations may be NULL.
        $(const _: () = assert!(
            cfg!($option),
            concat!("nsproxy_rs requires a kernel with ", stringify!($option), "=y")
        );)*

        /// A namespace as one of its kind.
        #[expect(clippy::enum_variant_names, reason = "the names of the types")]
        pub(crate) enum OfKind<'a> {
            $($(#[$doc])* $kind(&'a $kind),)*
        }

        impl Ns {
            /// Returns the namespace as one of its kind.
            ///
            /// Mirrors the `to_*_ns()` functions of the kernel, which leave it to their callers to
            /// know the kind.
            #[doc(alias = "container_of")]
            #[inline(always)]
            pub(crate) fn of_kind(&self) -> OfKind<'_> {
                $(if self.ns_type() == $kind::NS_TYPE {
                    // SAFETY: The namespace is of this kind.
                    return OfKind::$kind(unsafe { $kind::container_of(self) });
                })*
                // SAFETY: By the type's invariants `ns_type` is that of a kind, and the table has
                // all kinds of the kernel: see the assertion below.
                unsafe { core::hint::unreachable_unchecked() }
            }
        }

        $(
            $(#[$doc])*
            #[repr(transparent)]
            pub(crate) struct $kind(Opaque<kernel::bindings::$c>);

            // SAFETY: The type is transparent, and `$flag` belongs to this kind only. The table has
            // the offset of the member.
            unsafe impl Kind for $kind {
                type C = kernel::bindings::$c;

                const NS_TYPE: u32 = kernel::bindings::$flag;

                #[inline(always)]
                fn ns_offset() -> usize {
                    $offset as usize
                }
            }

            impl Deref for $kind {
                type Target = Ns;

                #[inline(always)]
                fn deref(&self) -> &Ns {
                    // SAFETY: `self` is a valid namespace, which has the member at this offset. The
                    // member is valid for as long as `self` is borrowed.
                    unsafe { Ns::from_raw(self.as_raw().byte_add(Self::ns_offset()).cast()) }
                }
            }

            // SAFETY: The reference count of a namespace is that of its `ns_common`.
            unsafe impl AlwaysRefCounted for $kind {
                fn inc_ref(&self) {
                    Ns::inc_ref(self)
                }

                unsafe fn dec_ref(obj: NonNull<Self>) {
                    // SAFETY: The caller owns a reference, so the namespace is alive.
                    let ns: NonNull<Ns> = NonNull::from(&**unsafe { obj.as_ref() });
                    // SAFETY: The caller's reference passes to the function.
                    unsafe { Ns::dec_ref(ns) }
                }
            }
        )*
    };
}

kinds! {
    /// `struct mnt_namespace`: mounts.
    MntNamespace {
        "mnt", mnt_namespace, CLONE_NEWNS, CONFIG_NAMESPACES, mnt_namespace::ns_offset()
    }
    /// `struct uts_namespace`: host and domain name.
    UtsNamespace {
        "uts", uts_namespace, CLONE_NEWUTS, CONFIG_UTS_NS, bindings::NSPROXY_RS_NS_OF_uts_namespace
    }
    /// `struct ipc_namespace`: SysV objects and POSIX message queues.
    IpcNamespace {
        "ipc", ipc_namespace, CLONE_NEWIPC, CONFIG_IPC_NS, bindings::NSPROXY_RS_NS_OF_ipc_namespace
    }
    /// `struct pid_namespace`: process ids.
    PidNamespace {
        "pid", pid_namespace, CLONE_NEWPID, CONFIG_PID_NS, bindings::NSPROXY_RS_NS_OF_pid_namespace
    }
    /// `struct cgroup_namespace`: the visible root of the cgroup tree.
    CgroupNamespace {
        "cgroup", cgroup_namespace, CLONE_NEWCGROUP, CONFIG_CGROUPS,
        bindings::NSPROXY_RS_NS_OF_cgroup_namespace
    }
    /// `struct net`: network stack and interfaces.
    NetNamespace {
        "net", net, CLONE_NEWNET, CONFIG_NET_NS, bindings::NSPROXY_RS_NS_OF_net
    }
    /// `struct time_namespace`: offsets of the monotonic and the boottime clock.
    TimeNamespace {
        "time", time_namespace, CLONE_NEWTIME, CONFIG_TIME_NS,
        bindings::NSPROXY_RS_NS_OF_time_namespace
    }
    /// `struct user_namespace`: ids and capabilities; owns all other kinds.
    UserNamespace {
        "user", user_namespace, CLONE_NEWUSER, CONFIG_USER_NS,
        bindings::NSPROXY_RS_NS_OF_user_namespace
    }
}

/// A kind that a user namespace owns: all but the user namespace, whose owner is its parent.
pub(crate) trait Owned: Kind {
    /// Returns `ns->user_ns`, borrowed: the user namespace that owns the namespace.
    fn user_ns(&self) -> &UserNamespace;
}

macro_rules! owned {
    ($($kind:ident at $offset:ident),* $(,)?) => { $(
        impl Owned for $kind {
            #[inline(always)]
            fn user_ns(&self) -> &UserNamespace {
                let owner = self.member::<*mut <UserNamespace as Kind>::C>(bindings::$offset);
                // SAFETY: The member at this offset is valid, and never changes.
                let owner = unsafe { owner.read() };
                // SAFETY: The namespace owns a reference to its owner.
                unsafe { UserNamespace::from_raw(owner) }
            }
        }
    )* };
}

owned! {
    UtsNamespace at NSPROXY_RS_USER_NS_OF_uts_namespace,
    IpcNamespace at NSPROXY_RS_USER_NS_OF_ipc_namespace,
    PidNamespace at NSPROXY_RS_USER_NS_OF_pid_namespace,
    CgroupNamespace at NSPROXY_RS_USER_NS_OF_cgroup_namespace,
    NetNamespace at NSPROXY_RS_USER_NS_OF_net,
    TimeNamespace at NSPROXY_RS_USER_NS_OF_time_namespace,
}

impl PidNamespace {
    /// The level of a pid namespace that can have no child.
    #[doc(alias = "MAX_PID_NS_LEVEL")]
    pub(crate) const MAX_LEVEL: u32 = kernel::bindings::MAX_PID_NS_LEVEL;

    /// Returns the level: 0 for the initial pid namespace.
    pub(crate) fn level(&self) -> u32 {
        // SAFETY: The member at this offset is valid; never written after initialisation.
        unsafe {
            self.member::<u32>(bindings::NSPROXY_RS_NS_LEVEL_OF_pid_namespace)
                .read()
        }
    }

    /// Returns whether `ancestor` is the namespace itself or an ancestor of it.
    #[doc(alias = "pidns_is_ancestor")]
    pub(crate) fn has_ancestor(&self, ancestor: &Self) -> bool {
        // SAFETY: Both are valid. A pid namespace owns a reference to its parent.
        unsafe { static_call!(pidns_is_ancestor(self.as_raw(), ancestor.as_raw())) }
    }
}

impl UserNamespace {
    /// The highest level of a user namespace that can have a child, see `create_user_ns()`.
    pub(crate) const MAX_LEVEL: u32 = 32;

    /// Takes an active reference, which makes the namespace visible to user space.
    #[doc(alias = "ns_ref_active_get")]
    pub(crate) fn active_get(&self) {
        // SAFETY: Valid by the type's invariants.
        unsafe { static_call!(__ns_ref_active_get(Ns::as_ptr(self))) };
    }

    /// Drops an active reference, which the caller must account for: it belongs to credentials.
    #[doc(alias = "ns_ref_active_put")]
    pub(crate) fn active_put(&self) {
        // SAFETY: Valid by the type's invariants.
        unsafe { static_call!(__ns_ref_active_put(Ns::as_ptr(self))) };
    }

    /// Returns the level: 0 for the initial user namespace.
    pub(crate) fn level(&self) -> u32 {
        // SAFETY: The member at this offset is valid; never written after initialisation.
        unsafe {
            self.member::<u32>(bindings::NSPROXY_RS_NS_LEVEL_OF_user_namespace)
                .read()
        }
    }

    /// Returns the user namespace of credentials, borrowed.
    ///
    /// # Safety
    ///
    /// `cred` must be valid and must not change its user namespace for all of `'a`.
    pub(super) unsafe fn of_cred<'a>(cred: *const kernel::bindings::cred) -> &'a Self {
        // SAFETY: The caller guarantees valid credentials. They own a reference to their user
        // namespace.
        unsafe { &*(*cred.cast::<bindings::layout::cred>()).user_ns.cast() }
    }
}

// The module does not build for a kernel with a ninth kind, which it would not mirror.
const _: () = assert!(ALL == bindings::NSPROXY_RS_CLONE_NS_ALL);
