// SPDX-License-Identifier: GPL-2.0-only

//! Bindings that bindgen generates from `bindings_helper.h`, in addition to the kernel crate's.

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

/// Structs with their members, which are opaque in [`kernel::bindings`]. Pointers are cast to these
/// types to access a member. Signatures use the opaque types.
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
