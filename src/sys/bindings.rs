// SPDX-License-Identifier: GPL-2.0-only

//! What bindgen made of `bindings_helper.h`, beside the kernel crate's own bindings.

#![allow(
    clippy::all,
    clippy::pedantic,
    clippy::undocumented_unsafe_blocks,
    dead_code,
    improper_ctypes,
    missing_docs,
    non_camel_case_types,
    non_snake_case,
    non_upper_case_globals,
    unreachable_pub,
    unsafe_op_in_unsafe_fn
)]

include!(concat!(
    env!("NSPROXY_RS_GENERATED"),
    "/bindings_generated.rs"
));

/// Structs as they are laid out that are opaque in [`kernel::bindings`]: for a pointer to cast to
/// where a member is wanted, never for a signature.
pub(super) mod layout {
    include!(concat!(
        env!("NSPROXY_RS_GENERATED"),
        "/layouts_generated.rs"
    ));
}

/// Assertions that structs of the kernel crate have the layouts that `bindings_helper.h` has.
mod checked {
    use kernel::bindings::*;

    include!(concat!(env!("NSPROXY_RS_GENERATED"), "/layouts_checked.rs"));
}
