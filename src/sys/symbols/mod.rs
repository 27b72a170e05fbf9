// SPDX-License-Identifier: GPL-2.0-only

//! Kernel symbols that are not exported to modules, looked up when the module is loaded.

use super::{bindings, caller::Caller, mnt_namespace};
#[cfg(CONFIG_HAVE_STATIC_CALL_INLINE)]
use kernel::bindings::static_call_key;
use kernel::{
    prelude::*,
    str::CStrExt,
    sync::atomic::{Atomic, Relaxed},
};

/// Proof that every symbol of `symbols.def` was found, that its static call points at it, and that
/// the layout of `struct mnt_namespace` is known.
///
/// This remains true for the life of the module. Registering the device requires the proof, so code
/// that uses a static call cannot be called without it.
#[derive(Clone, Copy)]
pub(crate) struct Symbols(());

/// Not 0 if the lookup has begun.
static BEGUN: Atomic<i32> = Atomic::new(0);

/// Calls a function of `symbols.def`: `static_call()` of C.
///
/// This calls the trampoline of the static call, with the prototype in the kernel's header. On x86,
/// objtool records each such call, and the kernel patches it into a direct call of the function.
#[cfg(CONFIG_HAVE_STATIC_CALL)]
macro_rules! static_call {
    ($name:ident($($argument:expr),* $(,)?)) => {
        ::kernel::macros::paste! {{
            // objtool requires the key in the object file of the call. C emits it the same way.
            #[cfg(CONFIG_HAVE_STATIC_CALL_INLINE)]
            #[used]
            #[link_section = ".discard.addressable"]
            static KEY: $crate::sys::symbols::Key = $crate::sys::symbols::Key(
                &raw const $crate::sys::bindings::[<__SCK__nsproxy_rs_ $name>]
            );
            $crate::sys::bindings::[<__SCT__nsproxy_rs_ $name>]($($argument),*)
        }}
    };
}

/// Calls a function of `symbols.def`: `static_call()` of C.
///
/// On arm64 without CFI, static calls have no trampolines: C declares them for their prototypes only,
/// and calls the function by the pointer in the key.
#[cfg(not(CONFIG_HAVE_STATIC_CALL))]
macro_rules! static_call {
    (@type_of $argument:expr) => { _ };
    ($name:ident($($argument:expr),* $(,)?)) => {
        ::kernel::macros::paste! {{
            let function = $crate::sys::symbols::with_type_of(
                || {
                    let prototype: unsafe extern "C" fn(
                        $($crate::sys::symbols::static_call!(@type_of $argument)),*
                    ) -> _ = $crate::sys::bindings::[<__SCT__nsproxy_rs_ $name>];
                    prototype
                },
                $crate::sys::bindings::[<__SCK__nsproxy_rs_ $name>].func,
            );
            function($($argument),*)
        }}
    };
}
pub(super) use static_call;

/// Returns a pointer as a function of the type that `_prototype` returns. `_prototype` is never called,
/// so the module does not link to the function that it names.
///
/// # Safety
///
/// The pointer must be the address of a function of that type.
#[cfg(not(CONFIG_HAVE_STATIC_CALL))]
#[inline(always)]
pub(super) unsafe fn with_type_of<F: Copy>(
    _prototype: impl FnOnce() -> F,
    function: *mut c_void,
) -> F {
    const { assert!(size_of::<F>() == size_of::<*mut c_void>()) };
    // SAFETY: The sizes are equal, and the caller guarantees that the address is that of a function of
    // this type.
    unsafe { core::mem::transmute_copy(&function) }
}

/// The address of a static call's key: `STATIC_CALL_KEY()`.
#[cfg(CONFIG_HAVE_STATIC_CALL_INLINE)]
#[doc(alias = "__ADDRESSABLE")]
#[expect(dead_code, reason = "only the relocation in the object file is used")]
pub(super) struct Key(pub(super) *const static_call_key);

// SAFETY: The pointer is never dereferenced.
#[cfg(CONFIG_HAVE_STATIC_CALL_INLINE)]
unsafe impl Sync for Key {}

/// A line of `symbols.def`, which is an element of an array in C.
struct Symbol<'a>(&'a bindings::nsproxy_rs_symbol);

impl Symbol<'_> {
    /// Returns the name in the kernel's symbol table.
    fn name(&self) -> &CStr {
        // SAFETY: `symbols.c` initialises the field with a string literal.
        unsafe { CStr::from_char_ptr(self.0.name) }
    }

    /// Returns the kernel option that provides the symbol, without the `CONFIG_`.
    fn option(&self) -> &CStr {
        // SAFETY: `symbols.c` initialises the field with a string literal.
        unsafe { CStr::from_char_ptr(self.0.option) }
    }

    /// Returns whether a symbol that the module requires was not found, although the kernel has the
    /// option.
    fn is_missing(&self) -> bool {
        self.0.enabled && !self.0.optional && self.0.address == 0
    }
}

/// Returns all lines of `symbols.def` in order.
///
/// # Safety
///
/// The lookup of the symbols must be over: nothing writes to the table after it.
unsafe fn table() -> impl Iterator<Item = Symbol<'static>> {
    // SAFETY: `symbols.c` defines the array with that many elements. Only
    // `nsproxy_rs_symbols_look_up()` writes to them. The caller guarantees that it has returned.
    unsafe {
        core::slice::from_raw_parts(
            (&raw const bindings::nsproxy_rs_symbols).cast::<bindings::nsproxy_rs_symbol>(),
            bindings::nsproxy_rs_nr_symbols as usize,
        )
    }
    .iter()
    .map(Symbol)
}

impl Symbols {
    /// Looks up every symbol and installs the static calls. Must be called once, when the module is
    /// loaded.
    ///
    /// # Errors
    ///
    /// - [`ENOENT`]: a symbol is missing; the log names each one and the option that provides it;
    /// - errors of [`mnt_namespace::find`];
    /// - the error of the kprobe that finds `kallsyms_lookup_name()`: `EOPNOTSUPP` in a kernel
    ///   without kprobes;
    /// - [`EBUSY`]: the function was called before.
    pub(crate) fn resolve() -> Result<Self> {
        if BEGUN.xchg(1, Relaxed) != 0 {
            return Err(EBUSY);
        }
        // SAFETY: `BEGUN` ensures that this is the only call. Nothing reads the table yet, since
        // `table()` requires that the lookup is over.
        let err = unsafe { bindings::nsproxy_rs_symbols_look_up() };
        if err != 0 {
            pr_err!("cannot find kallsyms_lookup_name() (needs CONFIG_KPROBES, CONFIG_KALLSYMS)\n");
            return Err(Error::from_errno(err));
        }

        let mut missing = 0;
        // SAFETY: `nsproxy_rs_symbols_look_up()` has returned.
        for symbol in unsafe { table() }.filter(Symbol::is_missing) {
            missing += 1;
            pr_err!(
                "missing symbol {}: needs CONFIG_{}, or another version of this module\n",
                symbol.name(),
                symbol.option()
            );
        }
        if missing != 0 {
            pr_err!("{missing} symbols missing, not loaded\n");
            return Err(ENOENT);
        }

        // SAFETY: Every symbol that the kernel should have was found. `symbols.c` uses the
        // prototypes in the kernel's headers, so the types are right.
        unsafe { bindings::nsproxy_rs_symbols_install() };
        let symbols = Self(());
        mnt_namespace::find(symbols)?;
        Ok(symbols)
    }
}

/// Returns the number of symbols that were found.
///
/// The [`Caller`] proves that the symbols are resolved.
pub(crate) fn count(_caller: &Caller<'_>) -> u32 {
    // SAFETY: A call arrives by the device, and registering that requires resolved symbols.
    let table = unsafe { table() };
    table.filter(|symbol| symbol.0.address != 0).count() as u32
}

/// Returns whether users without privileges may create user namespaces: the sysctl
/// `kernel.unprivileged_userns_clone` of Debian's kernel. Without the sysctl they may.
///
/// The [`Caller`] proves that the symbols are resolved.
pub(crate) fn unprivileged_userns_clone(_caller: &Caller<'_>) -> bool {
    // SAFETY: The function reads the table, whose lookup is over.
    let sysctl =
        unsafe { bindings::nsproxy_rs_address_of_unprivileged_userns_clone() } as *const c_int;
    // SAFETY: The kernel's variable is an `int`. A write to the sysctl may be concurrent, so the read
    // is volatile.
    sysctl.is_null() || unsafe { sysctl.read_volatile() } != 0
}
