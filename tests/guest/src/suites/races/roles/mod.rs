// SPDX-License-Identifier: GPL-2.0-only

//! What workers do.

mod children;
mod enter;
mod module;
mod mounts;
mod observe;
mod switch;
mod target;

pub(super) use children::{enter_time_afresh, enter_time_beside_threads, enter_user};
pub(super) use enter::{
    enter_dying, enter_executing, enter_moving, enter_pid_of_dying, enter_threads,
};
pub(super) use module::{call_and_close, unload_and_load};
pub(super) use mounts::{enter_mounts, enter_while_shared};
pub(super) use observe::{list, look, open};
pub(super) use switch::{switch_by_file, switch_by_pidfd, unshare_and_leave};
pub(super) use target::{
    executing,
    mounting,
    of_user,
    pid_init,
    sitting,
    switching, //
};

use anyhow::Result;
use fastrand::Rng;
use rustix::{
    process::{DumpableBehavior, Gid, Uid},
    thread::CapabilitySet,
};
use std::{thread, time::Duration};

/// Lets others run for up to so many microseconds.
fn pause(rng: &mut Rng, microseconds: u64) {
    thread::sleep(Duration::from_micros(rng.u64(..microseconds)));
}

/// Becomes the user without rights; but for capabilities to keep, if there are some.
fn become_user(keep: CapabilitySet) -> Result<()> {
    let (uid, gid) = (
        Uid::from_raw(crate::case::target::USER),
        Gid::from_raw(crate::case::target::USER),
    );
    rustix::thread::set_keep_capabilities(!keep.is_empty())?;
    rustix::thread::set_thread_groups(&[])?;
    rustix::thread::set_thread_res_gid(gid, gid, gid)?;
    rustix::thread::set_thread_res_uid(uid, uid, uid)?;
    rustix::thread::set_capabilities(
        None,
        rustix::thread::CapabilitySets {
            effective: keep,
            permitted: keep,
            inheritable: CapabilitySet::empty(),
        },
    )?;
    rustix::process::set_dumpable_behavior(DumpableBehavior::Dumpable)?;
    Ok(())
}
