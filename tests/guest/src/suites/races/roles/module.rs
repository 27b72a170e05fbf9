// SPDX-License-Identifier: GPL-2.0-only

//! The module is unloaded whenever the kernel lets one, under those who use it.

use super::{
    super::{
        outcome::{Event, Situation},
        scene::{Stage, UNSERVED},
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

/// Unloads and loads. Loaded at the end.
pub(crate) fn unload_and_load(stage: &Stage, rng: &mut Rng) -> Result<()> {
    while stage.goes_on() {
        match module::unload() {
            Ok(()) => {
                stage.happened(Event::Unload);
                pause(rng, 2000);
                module::load(c"")?.context("finit_module")?;
            }
            // try_stop_module() of a module that is in use.
            Err(Errno::AGAIN) => stage.happened(Event::Busy),
            Err(errno) => stage.wrong(&format!("delete_module: {}", Code::from(errno))),
        }
        if rng.bool() {
            pause(rng, 5000);
        }
    }
    Ok(())
}

/// Opens the device if it is there, calls, closes.
pub(crate) fn call_and_close(stage: &Stage, rng: &mut Rng) -> Result<()> {
    while stage.goes_on() {
        let device = match Device::open() {
            Ok(device) => device,
            // The file is gone; or it has no device, or its module is being unloaded: misc_open().
            Err(Errno::NOENT | Errno::NODEV) => {
                stage.happened(Event::Absent);
                pause(rng, 1000);
                continue;
            }
            Err(errno) => {
                stage.wrong(&format!("{}: {}", Device::PATH, Code::from(errno)));
                continue;
            }
        };
        for _ in 0..rng.u32(..4) {
            let home = stage.any_home(rng);
            let file = home.file(Kind::Uts);
            stage
                .call_with(Some(&device), rng, Situation::Stays, UNSERVED, file, 0)?
                .ok();
            stage.expect_in("uts", home.inode(Kind::Uts), "after it was entered")?;
        }
        if rng.bool() {
            pause(rng, 2000);
        }
        drop(device);
        pause(rng, 3000);
    }
    Ok(())
}
