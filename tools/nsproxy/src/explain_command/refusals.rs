// SPDX-License-Identifier: GPL-2.0-only

//! The refusals of served processes, which the module reports by its tracepoint.

use crate::{refusal::hint_lines, tracefs};
use anyhow::{Result, anyhow};
use nsproxy_uapi::{Refusal, TracedRefusal};
use rustix::{
    fs::{Mode, OFlags},
    io::Errno,
    process::{Pid, getpid},
};
use std::{
    collections::HashMap,
    fs::{self, File},
    io::{self, Read as _},
    path::{Path, PathBuf},
};

/// The trace of refusals, in an instance of tracefs of its own.
#[derive(Debug)]
pub(crate) struct Refusals {
    /// Dropped before the instance, which is busy while the pipe is open.
    pipe: File,
    _instance: Instance,
    /// The begin of a line whose end was not read yet.
    rest: Vec<u8>,
    /// The last refusal of each task.
    last: HashMap<u32, Refusal>,
}

/// The names of the directories begin with this; the number of the process follows.
const PREFIX: &str = "nsproxy-";

impl Refusals {
    /// Starts to trace the refusals of all tasks.
    ///
    /// # Errors
    ///
    /// tracefs is not mounted, or the caller may not use it; the module is not loaded.
    pub(crate) fn trace() -> Result<Self> {
        let tracefs = tracefs::mounted().ok_or_else(|| {
            let hint = "mount -t tracefs tracefs /sys/kernel/tracing, as root";
            cannot_trace("tracefs is not mounted, or not accessible", hint)
        })?;
        let instances = tracefs.join("instances");
        remove_abandoned(&instances);
        let directory = instances.join(format!("{PREFIX}{}", getpid().as_raw_pid()));
        let open = || {
            let instance = Instance::create(directory.clone())?;
            Ok((instance.open()?, instance))
        };
        let (pipe, instance) = open().map_err(|error: io::Error| {
            let hint = "run as root, with a module loaded that has this tracepoint";
            cannot_trace(&format!("{}: {error}", directory.display()), hint)
        })?;
        Ok(Self {
            pipe,
            _instance: instance,
            rest: Vec::new(),
            last: HashMap::new(),
        })
    }

    /// Returns the last refusal of a task, and forgets it.
    pub(super) fn take(&mut self, task: Pid) -> Option<Refusal> {
        self.read();
        self.last.remove(&task.as_raw_pid().cast_unsigned())
    }

    /// Reads all lines that the kernel has written.
    fn read(&mut self) {
        let mut bytes = [0; 4096];
        // EAGAIN: no more lines.
        while let Ok(count @ 1..) = self.pipe.read(&mut bytes) {
            self.rest.extend_from_slice(&bytes[..count]);
        }
        let Some(end) = self.rest.iter().rposition(|byte| *byte == b'\n') else {
            return;
        };
        let lines: Vec<_> = self.rest.drain(..=end).collect();
        let lines = String::from_utf8_lossy(&lines);
        let refusals = lines.lines().filter_map(TracedRefusal::parse);
        self.last
            .extend(refusals.map(|traced| (traced.task, traced.refusal)));
    }
}

/// A directory in `instances` of tracefs. Dropping it disables its events and removes it.
#[derive(Debug)]
struct Instance(PathBuf);

impl Instance {
    fn create(directory: PathBuf) -> io::Result<Self> {
        fs::create_dir(&directory)?;
        Ok(Self(directory))
    }

    /// Enables the event. Returns its lines, without blocking for more.
    fn open(&self) -> io::Result<File> {
        let enable = format!("events/{}/enable", TracedRefusal::EVENT);
        fs::write(self.0.join(enable), "1")?;
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let pipe = rustix::fs::open(self.0.join("trace_pipe"), flags, Mode::empty())?;
        Ok(pipe.into())
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        let _ = fs::remove_dir(&self.0);
    }
}

/// Removes the traces of processes that were killed.
fn remove_abandoned(instances: &Path) {
    let entries = fs::read_dir(instances).into_iter().flatten().flatten();
    for entry in entries {
        let name = entry.file_name();
        let process = name.to_str().and_then(|name| name.strip_prefix(PREFIX));
        let process = process.and_then(|process| Pid::from_raw(process.parse().ok()?));
        let is_gone = |process| rustix::process::test_kill_process(process) == Err(Errno::SRCH);
        if process.is_some_and(is_gone) {
            let _ = fs::remove_dir(entry.path());
        }
    }
}

fn cannot_trace(why: &str, hint: &str) -> anyhow::Error {
    anyhow!(
        "cannot trace refusals: {why}{}",
        hint_lines(&[hint.to_owned()])
    )
}
