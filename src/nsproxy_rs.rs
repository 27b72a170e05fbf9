// SPDX-License-Identifier: GPL-2.0-only

//! A second implementation of `kernel/nsproxy.c` that operates on the kernel's own objects.
//!
//! Start reading at [`setns`], which mirrors `SYSCALL_DEFINE2(setns)` of that file, and go on with
//! [`unshare`]. They use:
//!
//! - [`nsset`]: prepares, validates and commits a set of namespaces;
//! - [`install`]: checks whether the caller may enter a namespace, and puts it into a set;
//! - [`nsproxy`]: creates a `struct nsproxy`, gives it to a task, and takes it away;
//! - [`observer`]: receives each step, and the [`reason`] of a refusal;
//! - [`sys`]: the kernel's objects as safe types; all `unsafe` code is there.
//!
//! The entries are [`device`], the ioctls, and [`serve`], the redirected calls. Among the
//! ioctls are [`explain`], which reports the reason of a refusal and a
//! [`journal`](explain::journal) of the steps, and [`show`], which reports the namespaces of a
//! process. [`setns_2011`] is setns(2) as it was introduced. [`visibility`] decides which facts
//! about namespaces a caller may know.

use kernel::prelude::*;

mod clone;
mod device;
mod explain;
mod install;
mod nsproxy;
mod nsset;
mod observer;
mod reason;
mod serve;
mod setns;
mod setns_2011;
mod show;
mod sys;
mod unshare;
mod visibility;

use device::NsproxyDevice;
use serve::ServedStats;
use sys::{chardev::Registration, debugfs::Directory, redirect::RedirectGuard, symbols::Symbols};

module! {
    type: NsproxyModule,
    name: "nsproxy_rs",
    authors: ["The nsproxy_rs developers"],
    description: "A second implementation of kernel/nsproxy.c, to compare with the first",
    license: "GPL v2",
}

/// The loaded module. Fields are dropped in this order, so no call arrives once the device is gone.
#[pin_data]
struct NsproxyModule {
    /// `/dev/nsproxy`, and the redirect of setns(2) for the processes that request it there.
    #[pin]
    device: Registration<NsproxyDevice>,
    /// `/sys/kernel/debug/nsproxy_rs`
    debugfs: Directory,
    /// Last, since the fields above may use the symbols until they are dropped.
    symbols: Symbols,
}

impl kernel::InPlaceModule for NsproxyModule {
    fn init(_module: &'static ThisModule) -> impl PinInit<Self, Error> {
        try_pin_init!(Self {
            symbols: Symbols::resolve()?,
            device <- Registration::new(c"nsproxy", RedirectGuard::new(*symbols)),
            // After all initialisers that can fail: an open file does not pin a module whose
            // initialisation fails.
            debugfs: Directory::new::<ServedStats>(*symbols),
        })
    }
}
