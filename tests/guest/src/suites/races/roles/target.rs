// SPDX-License-Identifier: GPL-2.0-only

//! Tasks that are entered: their lives are short, and end in the middle of something.

use super::{
    super::{
        outcome::Event,
        scene::Stage,
        workers::{child, end, wait},
    },
    become_user, pause, switch,
};
use crate::sys::{self, Fork};
use anyhow::{Context as _, Result};
use fastrand::Rng;
use rustix::{
    mount::{MountFlags, UnmountFlags},
    process::{Pid, Signal},
    thread::CapabilitySet,
};
use std::{fs, os::unix::fs::PermissionsExt as _, os::unix::process::CommandExt as _};

/// So many at a time.
const TARGETS: usize = 3;

/// Begins lives, ends them by SIGKILL at any moment, and leaves what is left for a while.
///
/// `life` is told the slot at which the target is to make itself known.
fn keep_killing(
    stage: &Stage,
    rng: &mut Rng,
    life: impl Fn(&Stage, &mut Rng, usize) -> Result<()>,
) -> Result<()> {
    let begin = |rng: &mut Rng, slot| -> Result<Pid> {
        let mut rng = rng.fork();
        child(stage, |stage| life(stage, &mut rng, slot))
    };
    let mut targets = Vec::new();
    for _ in 0..TARGETS {
        let slot = stage.slot();
        targets.push((slot, begin(rng, slot)?));
    }
    while stage.goes_on() {
        pause(rng, 4000);
        let target = &mut targets[rng.usize(..TARGETS)];
        rustix::process::kill_process(target.1, Signal::KILL)?;
        if rng.bool() {
            pause(rng, 2000);
        }
        // From here on its pid may become another's.
        stage.publish(target.0, None);
        wait(target.1)?;
        stage.happened(Event::Kill);
        target.1 = begin(rng, target.0)?;
    }
    for (_, pid) in targets {
        end(pid)?;
    }
    Ok(())
}

fn publish(stage: &Stage, slot: usize) {
    stage.publish(slot, Some(rustix::process::getpid()));
}

/// Does nothing until it is killed.
fn sit(stage: &Stage, rng: &mut Rng) {
    while stage.goes_on() {
        pause(rng, 20_000);
    }
}

/// In the namespaces of someone who stays, and doing nothing.
pub(crate) fn sitting(stage: &Stage, rng: &mut Rng) -> Result<()> {
    keep_killing(stage, rng, |stage, rng, slot| {
        switch::by_pidfd(stage, rng)?;
        publish(stage, slot);
        if rng.bool() {
            sit(stage, rng);
        } else {
            pause(rng, 4000);
        }
        Ok(())
    })
}

/// Switching from one set of namespaces to the next.
pub(crate) fn switching(stage: &Stage, rng: &mut Rng) -> Result<()> {
    keep_killing(stage, rng, |stage, rng, slot| {
        switch::by_pidfd(stage, rng)?;
        publish(stage, slot);
        while stage.goes_on() {
            switch::by_pidfd(stage, rng)?;
        }
        Ok(())
    })
}

/// In a user namespace of its own, as the user without rights.
pub(crate) fn of_user(stage: &Stage, rng: &mut Rng) -> Result<()> {
    keep_killing(stage, rng, |stage, rng, slot| {
        become_user(CapabilitySet::empty())?;
        sys::unshare(libc::CLONE_NEWUSER as u32)?;
        publish(stage, slot);
        sit(stage, rng);
        Ok(())
    })
}

/// The init of a pid namespace.
pub(crate) fn pid_init(stage: &Stage, rng: &mut Rng) -> Result<()> {
    keep_killing(stage, rng, |stage, rng, slot| {
        sys::unshare(libc::CLONE_NEWPID as u32)?;
        let init = child(stage, |stage| {
            sit(stage, rng);
            Ok(())
        })?;
        stage.publish(slot, Some(init));
        // It dies with this process.
        wait(init)?;
        Ok(())
    })
}

/// In a mount namespace of its own, in which it mounts and unmounts, also on top of the root.
pub(crate) fn mounting(stage: &Stage, rng: &mut Rng) -> Result<()> {
    keep_killing(stage, rng, |stage, rng, slot| {
        sys::unshare(libc::CLONE_NEWNS as u32)?;
        publish(stage, slot);
        while stage.goes_on() {
            // What is mounted on the root is reached by no other name.
            let (on, off) = if rng.bool() {
                ("/", "/..")
            } else {
                ("/tmp", "/tmp")
            };
            rustix::mount::mount("races", on, "tmpfs", MountFlags::empty(), None).context(on)?;
            stage.happened(Event::Mount);
            if rng.bool() {
                pause(rng, 300);
            }
            rustix::mount::unmount(off, UnmountFlags::DETACH).context(off)?;
        }
        Ok(())
    })
}

/// A user who may be looked into, then executes a program of root's, and may not any more.
pub(crate) fn executing(stage: &Stage, rng: &mut Rng) -> Result<()> {
    // Its own copy: one that another worker still writes to cannot be executed.
    let program = format!("/tmp/nsproxy-tests-setuid.{}", std::process::id());
    fs::copy("/bin/busybox", &program).context("busybox")?;
    fs::set_permissions(&program, fs::Permissions::from_mode(0o4755))?;
    let done = keep_killing(stage, rng, |stage, rng, slot| {
        switch::by_pidfd(stage, rng)?;
        become_user(CapabilitySet::empty())?;
        publish(stage, slot);
        pause(rng, 3000);
        // Returns only if it fails.
        let failed = std::process::Command::new(&program)
            .arg0("sleep")
            .arg("1")
            .exec();
        Err(failed).context(program.clone())
    });
    fs::remove_file(program)?;
    done
}

/// A child that shares root and working directory with this process, for a moment.
pub(super) fn moment_of_sharing(rng: &mut Rng) -> Result<Pid> {
    match sys::fork_sharing_fs()? {
        Fork::Parent(pid) => Ok(pid),
        Fork::Child => {
            if rng.bool() {
                pause(rng, 500);
            }
            sys::exit(0)
        }
    }
}
