// SPDX-License-Identifier: GPL-2.0-only

//! Roles that read from `/proc` and `listns(2)` while other tasks switch.

use super::{
    super::{
        outcome::{Event, Situation},
        shared_state::{KINDS, SharedState, TODAY, none_if_gone},
    },
    pause,
};
use crate::{case::implementation::Kind, process::workers::wait, sys};
use anyhow::{Context as _, Result};
use fastrand::Rng;
use rustix::{fs::Dir, process::Pid};
use std::{
    fs::File,
    io::{Read as _, Write as _},
};

/// Returns the paths in `/proc` of a process and of its threads. The process comes first; if it is
/// gone, there are no threads.
pub(super) fn threads_of(state: &SharedState, pid: Pid) -> Result<Vec<String>> {
    let pid = pid.as_raw_nonzero();
    let mut paths = vec![pid.to_string()];
    let tasks = format!("{pid}/task");
    let Some(directory) = state.open(&tasks)? else {
        return Ok(paths);
    };
    for entry in Dir::new(directory)? {
        let Some(entry) = none_if_gone(entry).with_context(|| tasks.clone())? else {
            break;
        };
        let name = entry.file_name().to_string_lossy().into_owned();
        if !name.starts_with('.') {
            paths.push(format!("{tasks}/{name}"));
        }
    }
    Ok(paths)
}

/// Reads `/proc/PID/ns` and `/proc/PID/task/TID/ns`. Each link must lead to a known namespace.
pub(crate) fn read_links(state: &SharedState, rng: &mut Rng) -> Result<()> {
    while state.is_running() {
        let Some(pid) = state.random_published(rng) else {
            pause(rng, 1000);
            continue;
        };
        for task in threads_of(state, pid)? {
            for kind in KINDS {
                let path = format!("{task}/ns/{}", kind.name());
                match state.link(&path)? {
                    Some(inode) if state.is_known(kind, inode) => state.record(Event::Look),
                    Some(inode) => {
                        state.report(&format!("{path} is [{inode}], an unknown namespace"))
                    }
                    None => {}
                }
            }
        }
    }
    Ok(())
}

/// Opens namespaces of other tasks, and holds them for a moment.
pub(crate) fn open_namespaces(state: &SharedState, rng: &mut Rng) -> Result<()> {
    let mut held = Vec::new();
    while state.is_running() {
        let Some(pid) = state.random_published(rng) else {
            pause(rng, 1000);
            continue;
        };
        for task in threads_of(state, pid)? {
            let kind = KINDS[rng.usize(..KINDS.len())];
            let path = format!("{task}/ns/{}", kind.name());
            if let Some(file) = state.open(&path)? {
                state.record(Event::Open);
                held.push(file);
            }
        }
        if rng.u32(..4) == 0 {
            held.clear();
        }
    }
    Ok(())
}

/// Calls `listns(2)`. The namespaces of processes that live throughout must always be listed.
pub(crate) fn list_namespaces(state: &SharedState, rng: &mut Rng) -> Result<()> {
    let mut ids = Vec::new();
    for kind in KINDS {
        for home in &state.homes {
            ids.push((kind, sys::nsfs::id(home.file(kind))?));
        }
    }
    while state.is_running() {
        let kind: Kind = KINDS[rng.usize(..KINDS.len())];
        let listed = sys::listns(kind.flag()).context("listns(2)")?;
        for (_, id) in ids.iter().filter(|(of, _)| *of == kind) {
            if !listed.contains(id) {
                let kind = kind.name();
                state.report(&format!(
                    "listns(2) does not list {kind} namespace {id}, which is in use"
                ));
            }
        }
        state.record(Event::List);
        pause(rng, 500);
    }
    Ok(())
}

/// Watches an ipc namespace whose only task switches its uts namespace. Only that task keeps the ipc
/// namespace active, which must be listed throughout: a switch makes the new set active before it puts
/// the old one.
pub(crate) fn watch_a_lone_switcher(state: &SharedState, rng: &mut Rng) -> Result<()> {
    let (mut reader, mut writer) = std::io::pipe()?;
    let mut child_rng = rng.fork();
    let child = state.spawn(|| {
        sys::unshare(Kind::Ipc.flag() | Kind::Uts.flag())?;
        // An open file would keep the namespace active.
        let id = sys::nsfs::id(File::open("/proc/self/ns/ipc")?)?;
        let uts = File::open("/proc/self/ns/uts")?;
        writer.write_all(&id.to_ne_bytes())?;
        while state.is_running() {
            state
                .call(&mut child_rng, Situation::Stays, TODAY, &uts, 0)?
                .ok();
        }
        Ok(())
    })?;
    let mut id = [0; 8];
    reader.read_exact(&mut id)?;
    let id = u64::from_ne_bytes(id);
    loop {
        let listed = sys::listns(Kind::Ipc.flag()).context("listns(2)")?;
        // The child may have ended after the scene.
        if !state.is_running() {
            break;
        }
        if !listed.contains(&id) {
            state.report("listns(2) does not list the ipc namespace of a task that switches");
        }
        state.record(Event::List);
    }
    wait(child).map(drop)
}
