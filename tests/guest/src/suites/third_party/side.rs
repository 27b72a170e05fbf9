// SPDX-License-Identifier: GPL-2.0-only

//! Runs a program on one of the two sides.
//!
//! Both are under a seccomp filter. On the kernel's side it allows everything. On that of the
//! device a program that makes the system call dies of it, however it does so.

use super::LIBRARY;
use crate::{errno::Code, look, snapshot::ClockBase, sys};
use anyhow::{Context as _, Result, bail};
use rustix::{
    event::{PollFd, PollFlags, Timespec},
    fs::MemfdFlags,
    process::{Pid, PidfdFlags, Signal},
};
use std::{
    fmt,
    fs::{self, File},
    io::{Read as _, Seek as _},
    os::unix::{
        fs::PermissionsExt,
        process::{CommandExt as _, ExitStatusExt as _},
    },
    process::{Child, Command, ExitStatus, Stdio},
};

/// Who serves the program's calls of setns(2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    /// The kernel; nothing is preloaded.
    Kernel,
    /// The device.
    Device,
}

impl Side {
    pub(crate) const BOTH: [Self; 2] = [Self::Kernel, Self::Device];
}

/// What came of a program.
#[derive(Debug)]
pub(crate) struct Ran {
    /// `0` or another exit status, or `signal 9`.
    pub(crate) status: String,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    /// On the device's side, the calls that the library served.
    pub(crate) calls: Vec<Call>,
}

/// A call of setns(2).
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) nstype: String,
    pub(crate) result: Code,
}

/// Where the library writes down what it is asked.
const LOG: &str = "/run/nsproxy-preload-log";
/// How long a program may take: more than any does on a debug kernel.
const PATIENCE: Timespec = Timespec {
    tv_sec: 240,
    tv_nsec: 0,
};

impl Side {
    /// Runs a program that is in the path of a guest with programs of others.
    ///
    /// # Errors
    ///
    /// When it could not be started, or does not end. How it ends is an outcome.
    pub(crate) fn run(self, words: &[String], clocks: &ClockBase) -> Result<Ran> {
        // Not by pipes: what is left of a program may hold them open.
        let mut output = [memory("stdout")?, memory("stderr")?];
        let mut command = Command::new(&words[0]);
        command
            .args(&words[1..])
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env(look::CLOCKS, serde_json::to_string(clocks)?)
            .current_dir("/root")
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(output[0].try_clone()?)
            .stderr(output[1].try_clone()?);
        match self {
            Self::Kernel => sys::before_exec(&mut command, sys::seccomp_allow_all),
            Self::Device => {
                fs::write(LOG, "").context(LOG)?;
                // It may be another user who calls.
                fs::set_permissions(LOG, PermissionsExt::from_mode(0o666)).context(LOG)?;
                command.env("LD_PRELOAD", LIBRARY);
                command.env("NSPROXY_PRELOAD_LOG", LOG);
                sys::before_exec(&mut command, sys::seccomp_no_setns);
            }
        }
        let mut child = command.spawn().context("cannot be started")?;
        let ended = wait(&mut child);
        // Those that it left behind would be seen by what comes next.
        let group = Pid::from_child(&child);
        let _ = rustix::process::kill_process_group(group, Signal::KILL);
        let ended = match ended? {
            Some(status) => status,
            None => {
                child.wait()?;
                bail!("still running after {} s, and killed", PATIENCE.tv_sec);
            }
        };
        Ok(Ran {
            status: word(ended),
            stdout: text(&mut output[0])?,
            stderr: text(&mut output[1])?,
            calls: match self {
                Self::Kernel => Vec::new(),
                Self::Device => calls(&fs::read_to_string(LOG).context(LOG)?)?,
            },
        })
    }
}

fn memory(name: &str) -> Result<File> {
    Ok(rustix::fs::memfd_create(name, MemfdFlags::CLOEXEC)?.into())
}

fn text(file: &mut File) -> Result<String> {
    let mut bytes = Vec::new();
    file.rewind()?;
    file.read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// [`None`] if it did not end in time.
fn wait(child: &mut Child) -> Result<Option<ExitStatus>> {
    let pidfd = rustix::process::pidfd_open(Pid::from_child(child), PidfdFlags::empty())?;
    let mut ended = [PollFd::new(&pidfd, PollFlags::IN)];
    if rustix::event::poll(&mut ended, Some(&PATIENCE))? == 0 {
        return Ok(None);
    }
    Ok(Some(child.wait()?))
}

fn word(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => code.to_string(),
        (None, Some(signal)) => format!("signal {signal}"),
        (None, None) => "neither exit status nor signal".to_owned(),
    }
}

/// `PID NSTYPE ERRNO`, a line each.
fn calls(log: &str) -> Result<Vec<Call>> {
    log.lines()
        .map(|line| {
            let mut words = line.split(' ').skip(1);
            let call = words.next().zip(words.next());
            let (nstype, result) = call.with_context(|| format!("{LOG}: {line:?}"))?;
            Ok(Call {
                nstype: nstype.to_owned(),
                result: Code(result.parse().with_context(|| format!("{LOG}: {line:?}"))?),
            })
        })
        .collect()
}

impl fmt::Display for Ran {
    /// For people, who want the end of it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const ENOUGH: usize = 20;
        for (name, text) in [("stdout", &self.stdout), ("stderr", &self.stderr)] {
            let lines: Vec<_> = text.lines().collect();
            for line in &lines[lines.len().saturating_sub(ENOUGH)..] {
                writeln!(f, "  {name}: {line}")?;
            }
        }
        for Call { nstype, result } in &self.calls {
            let result = match result {
                Code(0) => "0".to_owned(),
                code => code.to_string(),
            };
            writeln!(f, "  setns(fd, {nstype}) by the device: {result}")?;
        }
        write!(f, "  status: {}", self.status)
    }
}
