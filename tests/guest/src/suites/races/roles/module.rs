// SPDX-License-Identifier: GPL-2.0-only

//! Roles that unload the module, and use it at the same time.

use super::{
    super::{
        outcome::{Event, Situation},
        shared_state::{BOTH, SharedState, UNSERVED},
    },
    pause,
};
use crate::{
    case::implementation::{Device, Kind},
    env::module,
    errno::Code,
};
use anyhow::{Context as _, Result};
use fastrand::Rng;
use rustix::io::Errno;

/// Unloads and loads the module. Leaves it loaded.
pub(crate) fn unload_and_load(state: &SharedState, rng: &mut Rng) -> Result<()> {
    while state.is_running() {
        match module::unload() {
            Ok(()) => {
                state.record(Event::Unload);
                pause(rng, 2000);
                module::load(c"")?.context("finit_module")?;
            }
            // try_stop_module() of a module that is in use.
            Err(Errno::AGAIN) => state.record(Event::Busy),
            Err(errno) => state.report(&format!("delete_module: {}", Code::from(errno))),
        }
        if rng.bool() {
            pause(rng, 5000);
        }
    }
    Ok(())
}

/// Tries to unload the module, which is in use from the first served process on.
pub(crate) fn try_to_unload(state: &SharedState, rng: &mut Rng) -> Result<()> {
    while state.is_running() && state.count(Event::Served) == 0 {
        pause(rng, 1000);
    }
    while state.is_running() {
        match module::unload() {
            Ok(()) => {
                state.report("the module was unloaded while a process was served");
                break;
            }
            Err(Errno::AGAIN) => state.record(Event::Busy),
            Err(errno) => state.report(&format!("delete_module: {}", Code::from(errno))),
        }
        pause(rng, 500);
    }
    state.record(Event::Done);
    Ok(())
}

/// Opens the device if it exists, makes calls, and closes it.
pub(crate) fn call_and_close(state: &SharedState, rng: &mut Rng) -> Result<()> {
    while state.is_running() {
        let device = match Device::open() {
            Ok(device) => device,
            // No file; or no device, or a module that is being unloaded: misc_open().
            Err(Errno::NOENT | Errno::NODEV) => {
                state.record(Event::Absent);
                pause(rng, 1000);
                continue;
            }
            Err(errno) => {
                state.report(&format!("{}: {}", Device::PATH, Code::from(errno)));
                continue;
            }
        };
        for _ in 0..rng.u32(..4) {
            let home = state.random_home(rng);
            let file = home.file(Kind::Uts);
            state
                .call_with(Some(&device), rng, Situation::Stays, UNSERVED, file, 0)?
                .ok();
            state.expect_in("uts", home.inode(Kind::Uts), "after it was entered")?;
            let (situation, kinds) = (Situation::Creates, Kind::Ipc.flag());
            state
                .unshare_with(Some(&device), rng, situation, BOTH, kinds)?
                .ok();
        }
        if rng.bool() {
            pause(rng, 2000);
        }
        drop(device);
        pause(rng, 3000);
    }
    Ok(())
}
