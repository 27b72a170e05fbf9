// SPDX-License-Identifier: GPL-2.0-only

//! Those who only look, at tasks that switch meanwhile.

use super::{
    super::{
        outcome::Event,
        scene::{KINDS, Stage, unless_gone},
    },
    pause,
};
use crate::{case::implementation::Kind, sys};
use anyhow::{Context as _, Result};
use fastrand::Rng;
use rustix::{fs::Dir, process::Pid};

/// The threads of a process, by their paths in `/proc`; none if it is gone. The process first.
pub(super) fn threads_of(stage: &Stage, pid: Pid) -> Result<Vec<String>> {
    let pid = pid.as_raw_nonzero();
    let mut paths = vec![pid.to_string()];
    let tasks = format!("{pid}/task");
    let Some(directory) = stage.open(&tasks)? else {
        return Ok(paths);
    };
    for entry in Dir::new(directory)? {
        let Some(entry) = unless_gone(entry).with_context(|| tasks.clone())? else {
            break;
        };
        let name = entry.file_name().to_string_lossy().into_owned();
        if !name.starts_with('.') {
            paths.push(format!("{tasks}/{name}"));
        }
    }
    Ok(paths)
}

/// Reads `/proc/PID/ns` and `/proc/PID/task/TID/ns`: a link is to a namespace that one may be in.
pub(crate) fn look(stage: &Stage, rng: &mut Rng) -> Result<()> {
    while stage.goes_on() {
        let Some(pid) = stage.published(rng) else {
            pause(rng, 1000);
            continue;
        };
        for task in threads_of(stage, pid)? {
            for kind in KINDS {
                let path = format!("{task}/ns/{}", kind.name());
                match stage.link(&path)? {
                    Some(inode) if stage.is_known(kind, inode) => stage.happened(Event::Look),
                    Some(inode) => {
                        stage.wrong(&format!("{path} is [{inode}], an unknown namespace"))
                    }
                    None => {}
                }
            }
        }
    }
    Ok(())
}

/// Opens namespaces of others, and holds them for a moment.
pub(crate) fn open(stage: &Stage, rng: &mut Rng) -> Result<()> {
    let mut held = Vec::new();
    while stage.goes_on() {
        let Some(pid) = stage.published(rng) else {
            pause(rng, 1000);
            continue;
        };
        for task in threads_of(stage, pid)? {
            let kind = KINDS[rng.usize(..KINDS.len())];
            let path = format!("{task}/ns/{}", kind.name());
            if let Some(file) = stage.open(&path)? {
                stage.happened(Event::Open);
                held.push(file);
            }
        }
        if rng.u32(..4) == 0 {
            held.clear();
        }
    }
    Ok(())
}

/// Reads `listns(2)`: the namespaces of processes that stay are always on it.
pub(crate) fn list(stage: &Stage, rng: &mut Rng) -> Result<()> {
    let mut ids = Vec::new();
    for kind in KINDS {
        for home in &stage.homes {
            ids.push((kind, sys::namespace_id(home.file(kind))?));
        }
    }
    while stage.goes_on() {
        let kind: Kind = KINDS[rng.usize(..KINDS.len())];
        let listed = sys::listns(kind.flag()).context("listns(2)")?;
        for (_, id) in ids.iter().filter(|(of, _)| *of == kind) {
            if !listed.contains(id) {
                let kind = kind.name();
                stage.wrong(&format!("listns(2) lacks {kind} with id {id}, in use"));
            }
        }
        stage.happened(Event::List);
        pause(rng, 500);
    }
    Ok(())
}
