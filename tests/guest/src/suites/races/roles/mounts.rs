// SPDX-License-Identifier: GPL-2.0-only

//! Roles that enter mount namespaces.

use super::{
    super::{
        outcome::Situation,
        shared_state::{SharedState, TODAY, pidfd},
    },
    pause,
    target::spawn_fs_sharer,
};
use crate::{case::implementation::Kind, process::workers::wait};
use anyhow::Result;
use fastrand::Rng;
use rustix::process::PidfdFlags;

/// Enters mount namespaces in which the root is being mounted on, by their files and by pidfds.
pub(crate) fn enter_mounts(state: &SharedState, rng: &mut Rng) -> Result<()> {
    let home = &state.homes[0];
    let (mnt, uts) = (Kind::Mnt.flag(), Kind::Uts.flag());
    while state.is_running() {
        let Some(pid) = state.random_published(rng) else {
            pause(rng, 1000);
            continue;
        };
        // Several kinds are committed with an fs_struct of their own, and so a root.
        let (fd, nstype) = match rng.u32(..3) {
            0 => {
                let path = format!("{}/ns/mnt", pid.as_raw_nonzero());
                (state.open(&path)?, mnt)
            }
            n => {
                let pidfd = pidfd(pid, PidfdFlags::empty())?;
                (pidfd, if n == 1 { mnt } else { mnt | uts })
            }
        };
        let Some(fd) = fd else {
            continue;
        };
        if state
            .call(rng, Situation::Mounting, TODAY, &fd, nstype)?
            .is_err()
        {
            continue;
        }
        if state.own("mnt")? == home.inode(Kind::Mnt) {
            state.report("setns returned 0, but the caller is in its old mount namespace");
        }
        let (root, cwd) = (rustix::fs::stat("/")?, rustix::fs::stat(".")?);
        if (root.st_dev, root.st_ino) != (cwd.st_dev, cwd.st_ino) {
            state.report(
                "after a mount namespace was entered, the working directory is not its root",
            );
        }
        if rng.bool() {
            let file = home.file(Kind::Mnt);
            state.call(rng, Situation::Stays, TODAY, file, 0)?.ok();
            state.expect_in("mnt", home.inode(Kind::Mnt), "after coming back")?;
        }
    }
    Ok(())
}

/// Enters mount namespaces while a child shares root and working directory, or has just exited.
pub(crate) fn enter_while_shared(state: &SharedState, rng: &mut Rng) -> Result<()> {
    while state.is_running() {
        let sharer = spawn_fs_sharer(rng)?;
        for _ in 0..rng.u32(1..4) {
            let before = state.own("mnt")?;
            let home = state.random_home(rng);
            let file = home.file(Kind::Mnt);
            let entered = state.call(rng, Situation::SharedRoot, TODAY, file, 0)?;
            let expected = entered.map_or(before, |()| home.inode(Kind::Mnt));
            state.expect_in("mnt", expected, "with a root that was shared")?;
        }
        wait(sharer)?;
    }
    Ok(())
}
