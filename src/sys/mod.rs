// SPDX-License-Identifier: GPL-2.0-only

//! The only `unsafe` of the module: the kernel's objects as types that cannot be misused.
//!
//! | file | what |
//! | --- | --- |
//! | `symbols/symbols.def`, `shim.c` | functions that modules cannot link to, as static calls |
//! | [`symbols`] | looks them up when the module is loaded, all or nothing |
//! | [`caller`] | `current`, and what only `current` may do |
//! | [`target`] | the other task, the one behind a pidfd |
//! | [`file`](mod@file) | nsfs file or pidfd |
//! | [`namespace`] | the eight kinds and their reference counts |
//! | [`nsproxy`] | `struct nsproxy`, one that tasks use and one that is being made |
//! | [`cred`], [`fs`] | what else a set of namespaces carries until it is committed |
//! | [`install`] | `proc_ns_operations.install()` |
//! | [`chardev`], [`uapi`], [`params`] | the edge to user space |
//! | [`redirect`], `redirect/redirect.c` | the other one: the system call itself |
//! | [`redirect::processes`] | the processes for which it is |
//! | [`debugfs`], `debugfs.c` | files that show the state of the module |
//! | [`trace`], `trace.h`, `trace.c` | the tracepoint |
//!
//! The rules of the directory: every pointer that comes from C gets a type that says who owns the
//! reference and what keeps the object alive; each `unsafe` block argues from that; and nothing
//! in here decides anything, which is for the layer above.

mod bindings;
pub(crate) mod caller;
pub(crate) mod chardev;
pub(crate) mod cred;
pub(crate) mod debugfs;
pub(crate) mod file;
pub(crate) mod fs;
pub(crate) mod install;
pub(crate) mod namespace;
pub(crate) mod nsproxy;
#[cfg(not(nsproxy_rs_device_has_owner))]
mod owned_device;
pub(crate) mod params;
pub(crate) mod redirect;
pub(crate) mod symbols;
pub(crate) mod target;
pub(crate) mod trace;
pub(crate) mod uapi;

use kernel::{error::to_result, prelude::*};

/// What a C function returned: [`to_result()`], called only when it failed.
#[inline(always)]
fn returned(errno: c_int) -> Result {
    if errno == 0 {
        Ok(())
    } else {
        to_result(errno)
    }
}
