// SPDX-License-Identifier: GPL-2.0-only

//! Mount namespaces, which bring a root along.

use super::{
    super::{
        outcome::Situation,
        scene::{Stage, TODAY, pidfd},
        workers::wait,
    },
    pause,
    target::moment_of_sharing,
};
use crate::case::implementation::Kind;
use anyhow::Result;
use fastrand::Rng;
use rustix::process::PidfdFlags;

/// Enters mount namespaces in which the root is being mounted on, by their files and by pidfds.
pub(crate) fn enter_mounts(stage: &Stage, rng: &mut Rng) -> Result<()> {
    let home = &stage.homes[0];
    let (mnt, uts) = (Kind::Mnt.flag(), Kind::Uts.flag());
    while stage.goes_on() {
        let Some(pid) = stage.published(rng) else {
            pause(rng, 1000);
            continue;
        };
        // A set of several kinds is committed with a root of its own.
        let (fd, nstype) = match rng.u32(..3) {
            0 => {
                let path = format!("{}/ns/mnt", pid.as_raw_nonzero());
                (stage.open(&path)?, mnt)
            }
            n => {
                let pidfd = pidfd(pid, PidfdFlags::empty())?;
                (pidfd, if n == 1 { mnt } else { mnt | uts })
            }
        };
        let Some(fd) = fd else {
            continue;
        };
        if stage
            .call(rng, Situation::Mounting, TODAY, &fd, nstype)?
            .is_err()
        {
            continue;
        }
        if stage.own("mnt")? == home.inode(Kind::Mnt) {
            stage.wrong("entered, and in the mount namespace of before");
        }
        let (root, cwd) = (rustix::fs::stat("/")?, rustix::fs::stat(".")?);
        if (root.st_dev, root.st_ino) != (cwd.st_dev, cwd.st_ino) {
            stage.wrong("entered a mount namespace, and the working directory is not its root");
        }
        if rng.bool() {
            let file = home.file(Kind::Mnt);
            stage.call(rng, Situation::Stays, TODAY, file, 0)?.ok();
            stage.expect_in("mnt", home.inode(Kind::Mnt), "after coming back")?;
        }
    }
    Ok(())
}

/// Enters mount namespaces while a child shares root and working directory, or just did.
pub(crate) fn enter_while_shared(stage: &Stage, rng: &mut Rng) -> Result<()> {
    while stage.goes_on() {
        let sharer = moment_of_sharing(rng)?;
        for _ in 0..rng.u32(1..4) {
            let before = stage.own("mnt")?;
            let home = stage.any_home(rng);
            let file = home.file(Kind::Mnt);
            let entered = stage.call(rng, Situation::SharedRoot, TODAY, file, 0)?;
            let expected = entered.map_or(before, |()| home.inode(Kind::Mnt));
            stage.expect_in("mnt", expected, "with a root that was shared")?;
        }
        wait(sharer)?;
    }
    Ok(())
}
