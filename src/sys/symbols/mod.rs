// SPDX-License-Identifier: GPL-2.0-only

//! Symbols that modules cannot link to: found when the module is loaded, all or nothing.

use super::{bindings, caller::Caller};
use kernel::{
    bindings::static_call_key,
    prelude::*,
    str::CStrExt,
    sync::atomic::{Atomic, Relaxed},
};

/// Proof that every symbol of `symbols.def` was found, and that its static call points at it. Both
/// stay true for the life of the module.
///
/// Registering the device requires one. Code of `sys` that reaches the kernel through a static call
/// cannot be called before the device exists.
#[derive(Clone, Copy)]
pub(crate) struct Symbols(());

/// The state of the lookup: not 0 once it has begun.
static BEGUN: Atomic<i32> = Atomic::new(0);

/// Calls a function of `symbols.def`: `static_call()` of C.
///
/// What is called is the trampoline of the static call, by the prototype that the kernel's header
/// has for the function. objtool notes down each such call, and the kernel makes it one of the
/// function itself: as direct as the kernel's own.
macro_rules! static_call {
    ($name:ident($($argument:expr),* $(,)?)) => {
        ::kernel::macros::paste! {{
            // objtool looks for the key in the object file that makes the call. C does the same.
            #[used]
            #[link_section = ".discard.addressable"]
            static KEY: $crate::sys::symbols::Key =
                $crate::sys::symbols::Key(&raw const $crate::sys::bindings::[<__SCK__nsproxy_rs_ $name>]);
            $crate::sys::bindings::[<__SCT__nsproxy_rs_ $name>]($($argument),*)
        }}
    };
}
pub(super) use static_call;

/// Where the kernel keeps what it knows of a static call: `STATIC_CALL_KEY()`.
#[doc(alias = "__ADDRESSABLE")]
#[expect(
    dead_code,
    reason = "that the object file refers to it is what it is for"
)]
pub(super) struct Key(pub(super) *const static_call_key);

// SAFETY: Nobody follows the pointer.
unsafe impl Sync for Key {}

/// A line of `symbols.def`, as `shim.c` has it.
struct Symbol<'a>(&'a bindings::nsproxy_rs_symbol);

impl Symbol<'_> {
    /// The name in the kernel's symbol table.
    fn name(&self) -> &CStr {
        // SAFETY: `shim.c` initialises the field with a string literal.
        unsafe { CStr::from_char_ptr(self.0.name) }
    }

    /// The option that provides it, without the `CONFIG_`.
    fn option(&self) -> &CStr {
        // SAFETY: `shim.c` initialises the field with a string literal.
        unsafe { CStr::from_char_ptr(self.0.option) }
    }

    /// Whether the kernel has the option and should have the symbol.
    fn is_missing(&self) -> bool {
        self.0.enabled && self.0.address == 0
    }
}

/// All lines of `symbols.def`, in order.
///
/// # Safety
///
/// The lookup of the symbols must be over: nothing writes to the table after it.
unsafe fn table() -> impl Iterator<Item = Symbol<'static>> {
    // SAFETY: `shim.c` defines the array with that many elements. They are written by
    // `nsproxy_rs_symbols_look_up()` only, which is over by the requirements above.
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
    /// Looks every symbol up and installs the static calls, when the module is loaded.
    ///
    /// # Errors
    ///
    /// [`ENOENT`] when a symbol is missing; the log names each one, and the option of the kernel
    /// that provides it. Or the error of the kprobe that finds `kallsyms_lookup_name()`:
    /// `EOPNOTSUPP` in a kernel without kprobes. [`EBUSY`] when this is called again.
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
        // SAFETY: The lookup above is over.
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

        // SAFETY: Every symbol that the kernel should have was found, and by the prototypes in
        // the kernel's headers, which `shim.c` uses, it is what its line says.
        unsafe { bindings::nsproxy_rs_symbols_install() };
        Ok(Self(()))
    }
}

/// How many symbols were found.
///
/// The [`Caller`] proves that the symbols are resolved.
pub(crate) fn count(_caller: &Caller<'_>) -> u32 {
    // SAFETY: A call arrives by the device, and registering that requires resolved symbols.
    let table = unsafe { table() };
    table.filter(|symbol| symbol.0.address != 0).count() as u32
}
