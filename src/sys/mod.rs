// SPDX-License-Identifier: GPL-2.0-only

//! The kernel's objects as safe types. All `unsafe` code of the module is here.
//!
//! | file | contents |
//! | --- | --- |
//! | [`symbols`] | functions that are not exported to modules, as static calls |
//! | [`caller`] | `current`, and operations that only `current` may perform |
//! | [`target`] | the task of a pidfd |
//! | [`new_task`], [`leaving_task`] | a task that clone(2) creates, and one that exits |
//! | [`file`](mod@file) | nsfs files and pidfds |
//! | [`namespace`] | the eight kinds and their reference counts |
//! | [`mnt_namespace`] | members of `struct mnt_namespace`, whose layout is private to `fs/` |
//! | [`nsproxy`] | `struct nsproxy`: in use by tasks, or not yet |
//! | [`create`] | creating namespaces |
//! | [`ucounts`] | limits of the number of namespaces |
//! | [`cred`], [`fs`], [`files`] | the other objects that a call replaces in the caller |
//! | [`chardev`], [`uapi`], [`params`] | the interface to user space |
//! | [`redirect`] | the redirect of the system call, and the served processes |
//! | [`debugfs`] | files that show the state of the module |
//! | [`trace`] | the tracepoint |
//! | [`version`] | differences between versions of Linux |
//! | `shim.c` | inline functions and macros of C |
//!
//! Rules of this directory: each pointer from C gets a type that defines the owner of the reference
//! and the lifetime of the object. Each `unsafe` block argues from these types. Code in this
//! directory makes no decision about a call.
//!
//! # Types that the kernel crate has as well
//!
//! | here | kernel crate | reason for the own type |
//! | --- | --- | --- |
//! | [`file::Fd`] | `fs::file::LocalFile` | `LocalFile::fget()` always takes a reference; `Fd` uses `fdget()` as C does, which takes none if no other task can close the file |
//! | [`target::Pid`] | `task::Pid` | the crate's is a number, `pid_t`; there is no type for `struct pid` |
//! | [`target::TargetTask`] | `task::Task` | the crate has no constructor from a pointer; access to `nsproxy` and credentials is required |
//! | [`caller::Caller`] | `task::CurrentTask` | wraps the crate's; borrows of the nsproxy and the credentials must end before a mutation |
//! | [`namespace::PidNamespace`] | `pid_namespace::PidNamespace` | the crate has a type for this kind only; here all kinds share one reference count |
//! | [`cred::PreparedCred`] | `cred::Credential` | the crate's is immutable; a prepared cred is mutable and not yet in use |
//! | [`redirect::processes`] | `xarray::XArray` | the ftrace handler, which is C, reads the same xarray |
//! | `ModuleRef` in [`redirect::processes`] | `ThisModule` | the crate has no owned reference to a module |
//! | [`trace`] | `tracepoint::declare_trace!` | the macro names `$crate::bindings`, which has only tracepoints of the kernel's tree |
//! | `owned_device` | `miscdevice::MiscDeviceRegistration` | the crate's sets no owner before Linux 7.3 |
//! | [`debugfs`] | `debugfs::Dir` | the crate's files have no owner, so an open file does not pin the module |
//! | [`params`] | `module!` | the macro supports no bool parameters before Linux 7.3 |
//! | [`symbols`] | none | the crate has no static calls |

mod bindings;
pub(crate) mod caller;
pub(crate) mod chardev;
pub(crate) mod create;
pub(crate) mod cred;
pub(crate) mod debugfs;
pub(crate) mod file;
pub(crate) mod files;
pub(crate) mod fs;
pub(crate) mod leaving_task;
mod mnt_namespace;
pub(crate) mod namespace;
pub(crate) mod new_task;
pub(crate) mod nsproxy;
#[cfg(not(nsproxy_rs_device_has_owner))]
mod owned_device;
pub(crate) mod params;
pub(crate) mod redirect;
pub(crate) mod symbols;
pub(crate) mod target;
pub(crate) mod trace;
pub(crate) mod uapi;
pub(crate) mod ucounts;
pub(crate) mod version;

use kernel::{error::to_result, prelude::*};

/// Turns the return value of a C function into a [`Result`]. Unlike [`to_result()`], it is inlined
/// for success.
#[inline(always)]
fn returned(errno: c_int) -> Result {
    if errno == 0 {
        Ok(())
    } else {
        to_result(errno)
    }
}
