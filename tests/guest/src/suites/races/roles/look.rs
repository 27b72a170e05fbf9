// SPDX-License-Identifier: GPL-2.0-only

//! Those who only look, at tasks that switch meanwhile.

use super::{
    super::{
        outcome::Event,
        stage::{KINDS, Stage},
    },
    pause,
};
use crate::{errno::Code, sys, via::Kind};
use anyhow::{Context as _, Result};
use fastrand::Rng;
use rustix::{
    fs::{Dir, Mode, OFlags},
    io::Errno,
    process::Pid,
};

/// What looking at a task that ends gets: it is not there, or has no namespaces any more. A link
/// that was found when the task still was cannot be followed: `EACCES`.
fn is_gone(errno: Errno) -> bool {
    matches!(errno, Errno::NOENT | Errno::SRCH | Errno::ACCESS)
}

/// The threads of a process, by their paths in `/proc`; none if it is gone. The process first.
pub(super) fn threads_of(stage: &Stage, pid: Pid) -> Result<Vec<String>> {
    let pid = pid.as_raw_nonzero();
    let mut paths = vec![pid.to_string()];
    let tasks = format!("{pid}/task");
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let dir = match rustix::fs::openat(&stage.proc, &tasks, flags, Mode::empty()) {
        Err(errno) if is_gone(errno) => return Ok(paths),
        dir => dir.context("the threads")?,
    };
    for entry in Dir::new(dir)? {
        let name = match entry {
            Err(errno) if is_gone(errno) => break,
            entry => entry?.file_name().to_string_lossy().into_owned(),
        };
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
                    Ok(inode) if stage.is_known(kind, inode) => stage.happened(Event::Look),
                    Ok(inode) => stage.wrong(&format!("{path} is [{inode}], where nobody is")),
                    Err(errno) if is_gone(errno) => {}
                    Err(errno) => stage.wrong(&format!("{path}: {}", Code::from(errno))),
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
            let flags = OFlags::RDONLY | OFlags::CLOEXEC;
            match rustix::fs::openat(&stage.proc, &path, flags, Mode::empty()) {
                Ok(file) => {
                    stage.happened(Event::Open);
                    held.push(file);
                }
                Err(errno) if is_gone(errno) => {}
                Err(errno) => stage.wrong(&format!("{path}: {}", Code::from(errno))),
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
