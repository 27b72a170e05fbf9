// SPDX-License-Identifier: GPL-2.0-only

//! A second implementation of setns(2), beside the kernel's own and on the kernel's own objects.
//!
//! The storyline is [`setns`], which reads like `SYSCALL_DEFINE2(setns)` in `kernel/nsproxy.c`.
//! From there, downwards:
//!
//! - [`nsset`]: a set of namespaces is prepared, validated, committed;
//! - [`nsproxy`]: a new `struct nsproxy` is made, and switched to;
//! - [`observer`] goes along, and is told of each step, and for which [`reason`] one refuses;
//! - [`sys`]: the kernel's objects as types, and all that is `unsafe`.
//!
//! Upwards there are the ways in: [`device`], the ioctl edge, with [`explain`], which says why and
//! keeps a [`journal`](explain::journal), and [`serve`], the system call itself for those who ask for it. Beside it
//! stand [`setns_2011`], the same call as it was when it was introduced, and [`show`], for a look at
//! what the call changes. [`visibility`] decides which facts about namespaces a caller gets.

use kernel::prelude::*;

mod device;
mod explain;
mod nsproxy;
mod nsset;
mod observer;
mod reason;
mod serve;
mod setns;
mod setns_2011;
mod show;
mod sys;
mod visibility;

use device::NsproxyDevice;
use serve::ServedStats;
use sys::{chardev::Registration, debugfs::Directory, redirect::RedirectGuard, symbols::Symbols};

module! {
    type: NsproxyModule,
    name: "nsproxy_rs",
    authors: ["The nsproxy_rs developers"],
    description: "A second implementation of setns(2), to compare with the first",
    license: "GPL v2",
}

/// The loaded module. Dropped from top to bottom: first the device goes.
#[pin_data]
struct NsproxyModule {
    /// `/dev/nsproxy`, and the redirect of setns(2) for the processes that request it there.
    #[pin]
    device: Registration<NsproxyDevice>,
    /// `/sys/kernel/debug/nsproxy_rs`
    debugfs: Directory,
    /// Last, since all of the above may call what it stands for.
    symbols: Symbols,
}

impl kernel::InPlaceModule for NsproxyModule {
    fn init(_module: &'static ThisModule) -> impl PinInit<Self, Error> {
        try_pin_init!(Self {
            symbols: Symbols::resolve()?,
            device <- Registration::new(c"nsproxy", RedirectGuard::new(*symbols)),
            // After all that can fail: an open file does not pin a module whose init fails.
            debugfs: Directory::new::<ServedStats>(*symbols),
        })
    }
}
