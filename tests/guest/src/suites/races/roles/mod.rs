// SPDX-License-Identifier: GPL-2.0-only

//! The roles that workers have in a scene.

mod children;
mod create;
mod enter;
mod module;
mod mounts;
mod observe;
mod serve;
mod switch;
mod target;

pub(super) use children::{
    create_user_beside_threads, enter_time_afresh, enter_time_beside_threads, enter_user,
    execute_into_time,
};
pub(super) use create::creating_targets;
pub(super) use enter::{
    enter_creating, enter_dying, enter_executing, enter_moving, enter_pid_of_dying, enter_threads,
    enter_time_of_executing,
};
pub(super) use module::{call_and_close, try_to_unload, unload_and_load};
pub(super) use mounts::{enter_mounts, enter_while_shared};
pub(super) use observe::{list_namespaces, open_namespaces, read_links, watch_a_lone_switcher};
pub(super) use serve::{served_generations, toggling_targets};
pub(super) use switch::{switch_by_file, switch_by_pidfd, unshare_and_leave};
pub(super) use target::{
    executing_targets,
    init_targets,
    mounting_targets,
    sleeping_targets,
    switching_targets,
    user_targets, //
};

use fastrand::Rng;
use std::{thread, time::Duration};

/// Sleeps for a random time of at most so many microseconds.
fn pause(rng: &mut Rng, microseconds: u64) {
    thread::sleep(Duration::from_micros(rng.u64(..microseconds)));
}
