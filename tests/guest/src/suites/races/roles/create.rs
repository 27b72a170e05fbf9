// SPDX-License-Identifier: GPL-2.0-only

//! Roles that create namespaces, by unshare(2) and clone(2), and end in them.

use super::{
    super::{
        outcome::{Event, Situation},
        shared_state::SharedState,
    },
    pause,
    target::{keep_killing, publish},
};
use crate::{
    case::implementation::{Kind, flags_of},
    process::workers::{kill, wait},
};
use anyhow::{Context as _, Result, ensure};
use fastrand::Rng;
use std::{os::unix::process::CommandExt as _, process::Command};

/// The kinds of which a target creates a namespace each before others enter it.
pub(super) const AT_ONCE: [Kind; 4] = [Kind::Mnt, Kind::Uts, Kind::Ipc, Kind::Cgroup];

/// Targets that create namespaces, also for children, execute another program, and are killed. Some
/// are served from the start.
pub(crate) fn creating_targets(state: &SharedState, rng: &mut Rng) -> Result<()> {
    keep_killing(state, rng, |state, rng, slot| {
        let entries = state.serve(rng.bool())?;
        let create = |rng: &mut Rng, kinds| {
            state
                .unshare(rng, Situation::Creates, entries, kinds)
                .map(drop)
        };
        create(rng, flags_of(&AT_ONCE))?;
        publish(state, slot);
        while state.is_running() {
            let kinds = quick_kinds(rng);
            create(rng, kinds)?;
            match rng.u32(..8) {
                0..3 => clone_child(state, rng)?,
                3 => {
                    state.record(Event::Execute);
                    return execute(&["sleep", "1"]);
                }
                4 => pause(rng, 1000),
                _ => {}
            }
        }
        Ok(())
    })
}

/// Draws kinds (`CLONE_NEW*`) whose namespaces are created quickly.
pub(super) fn quick_kinds(rng: &mut Rng) -> u32 {
    let kinds = [Kind::Uts, Kind::Ipc, Kind::Cgroup, Kind::Time];
    kinds[rng.usize(..kinds.len())].flag() | kinds[rng.usize(..kinds.len())].flag()
}

/// Executes busybox. Returns only if it fails.
pub(super) fn execute(arguments: &[&str]) -> Result<()> {
    let failed = Command::new("/bin/busybox").args(arguments).exec();
    Err(failed).context("/bin/busybox")
}

/// Creates a child in new namespaces of some kinds, which checks that it is in them and in those of
/// its parent otherwise. Sometimes kills it.
///
/// The parent must be the only thread that creates namespaces.
pub(super) fn clone_child(state: &SharedState, rng: &mut Rng) -> Result<()> {
    let kinds = match rng.u32(..16) {
        // Those that take longer to create, or that the child has capabilities in.
        0 => Kind::Net.flag(),
        1 => Kind::Mnt.flag(),
        2..4 => Kind::User.flag(),
        4..6 => Kind::Pid.flag(),
        _ => 0,
    } | quick_kinds(rng);
    let links = Kind::ALL.map(|kind| match kind {
        Kind::Pid => "pid_for_children",
        Kind::Time => "time_for_children",
        kind => kind.name(),
    });
    let before = links.map(|link| state.own(link));
    let mut child_rng = rng.fork();
    let child = state.spawn_into(kinds, || {
        for (kind, before) in Kind::ALL.into_iter().zip(before) {
            let (before, is) = (before?, state.own(kind.name())?);
            let is_new = kinds & kind.flag() != 0;
            ensure!(
                (is != before) == is_new,
                "{}: a child is in [{is}], its parent in [{before}], expected a {} one",
                kind.name(),
                if is_new { "new" } else { "shared" }
            );
        }
        pause(&mut child_rng, 500);
        Ok(())
    })?;
    state.record(Event::Clone);
    if rng.bool() {
        pause(rng, 500);
        kill(child)
    } else {
        wait(child).map(drop)
    }
}
