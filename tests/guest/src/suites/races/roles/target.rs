// SPDX-License-Identifier: GPL-2.0-only

//! Roles whose children are entered by others, and are killed at any moment.

use super::{
    super::{
        outcome::{Event, Situation},
        shared_state::{SharedState, TODAY},
    },
    pause, switch,
};
use crate::{
    case::{implementation::Kind, target::USER},
    process::{
        creds::become_user,
        workers::{kill, wait},
    },
    sys::{self, Fork},
};
use anyhow::{Context as _, Result, ensure};
use fastrand::Rng;
use rustix::{
    mount::{MountFlags, UnmountFlags},
    process::{Pid, Signal},
};
use std::{fs, os::unix::fs::PermissionsExt as _, os::unix::process::CommandExt as _};

/// The number of targets at a time.
const TARGETS: usize = 3;

/// Starts targets, kills them at any moment, and sometimes leaves a zombie for a while.
///
/// `life` is what a target does. Its last argument is the slot in which the target publishes itself.
pub(super) fn keep_killing(
    state: &SharedState,
    rng: &mut Rng,
    life: impl Fn(&SharedState, &mut Rng, usize) -> Result<()>,
) -> Result<()> {
    let begin = |rng: &mut Rng, slot| -> Result<Pid> {
        let mut rng = rng.fork();
        state.spawn(|| life(state, &mut rng, slot))
    };
    let mut targets = Vec::new();
    for _ in 0..TARGETS {
        let slot = state.slot();
        targets.push((slot, begin(rng, slot)?));
    }
    while state.is_running() {
        pause(rng, 4000);
        let target = &mut targets[rng.usize(..TARGETS)];
        rustix::process::kill_process(target.1, Signal::KILL)?;
        if rng.bool() {
            pause(rng, 2000);
        }
        // From here on, another process may get its pid.
        state.publish(target.0, None);
        wait(target.1)?;
        state.record(Event::Kill);
        target.1 = begin(rng, target.0)?;
    }
    for (_, pid) in targets {
        kill(pid)?;
    }
    Ok(())
}

pub(super) fn publish(state: &SharedState, slot: usize) {
    state.publish(slot, Some(rustix::process::getpid()));
}

/// Creates a namespace. In a new process, that always succeeds.
fn create(state: &SharedState, rng: &mut Rng, kind: Kind) -> Result<()> {
    let created = state.unshare(rng, Situation::Creates, TODAY, kind.flag())?;
    ensure!(created.is_ok(), "a {} namespace: {created:?}", kind.name());
    Ok(())
}

/// Sleeps until it is killed.
fn sleep(state: &SharedState, rng: &mut Rng) {
    while state.is_running() {
        pause(rng, 20_000);
    }
}

/// Targets that sleep in a set of namespaces.
pub(crate) fn sleeping_targets(state: &SharedState, rng: &mut Rng) -> Result<()> {
    keep_killing(state, rng, |state, rng, slot| {
        switch::by_pidfd(state, rng)?;
        publish(state, slot);
        if rng.bool() {
            sleep(state, rng);
        } else {
            pause(rng, 4000);
        }
        Ok(())
    })
}

/// Targets that switch from one set of namespaces to the next.
pub(crate) fn switching_targets(state: &SharedState, rng: &mut Rng) -> Result<()> {
    keep_killing(state, rng, |state, rng, slot| {
        switch::by_pidfd(state, rng)?;
        publish(state, slot);
        while state.is_running() {
            switch::by_pidfd(state, rng)?;
        }
        Ok(())
    })
}

/// Targets in user namespaces of their own, of the unprivileged user.
pub(crate) fn user_targets(state: &SharedState, rng: &mut Rng) -> Result<()> {
    keep_killing(state, rng, |state, rng, slot| {
        become_user(USER)?;
        create(state, rng, Kind::User)?;
        publish(state, slot);
        sleep(state, rng);
        Ok(())
    })
}

/// Targets that are the init of a pid namespace.
pub(crate) fn init_targets(state: &SharedState, rng: &mut Rng) -> Result<()> {
    keep_killing(state, rng, |state, rng, slot| {
        create(state, rng, Kind::Pid)?;
        let init = state.spawn(|| {
            sleep(state, rng);
            Ok(())
        })?;
        state.publish(slot, Some(init));
        // The init is killed when this process dies.
        wait(init)?;
        Ok(())
    })
}

/// Targets that mount and unmount in a mount namespace of their own, also on top of the root.
pub(crate) fn mounting_targets(state: &SharedState, rng: &mut Rng) -> Result<()> {
    keep_killing(state, rng, |state, rng, slot| {
        create(state, rng, Kind::Mnt)?;
        publish(state, slot);
        while state.is_running() {
            // A mount on top of the root can only be reached as `/..`.
            let (on, off) = if rng.bool() {
                ("/", "/..")
            } else {
                ("/tmp", "/tmp")
            };
            rustix::mount::mount("races", on, "tmpfs", MountFlags::empty(), None).context(on)?;
            state.record(Event::Mount);
            if rng.bool() {
                pause(rng, 300);
            }
            rustix::mount::unmount(off, UnmountFlags::DETACH).context(off)?;
        }
        Ok(())
    })
}

/// Targets of a user, which execute a set-user-ID program: then access by ptrace(2) is denied.
pub(crate) fn executing_targets(state: &SharedState, rng: &mut Rng) -> Result<()> {
    // A copy for each worker, since a file that is open for writing cannot be executed.
    let program = format!("/tmp/nsproxy-tests-setuid.{}", std::process::id());
    fs::copy("/bin/busybox", &program).context("busybox")?;
    fs::set_permissions(&program, fs::Permissions::from_mode(0o4755))?;
    let done = keep_killing(state, rng, |state, rng, slot| {
        switch::by_pidfd(state, rng)?;
        become_user(USER)?;
        publish(state, slot);
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

/// Starts a child that shares root and working directory with this process, and exits soon.
pub(super) fn spawn_fs_sharer(rng: &mut Rng) -> Result<Pid> {
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
