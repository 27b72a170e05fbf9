// SPDX-License-Identifier: GPL-2.0-only

//! Runs a program whose calls of setns(2) are served by one of the implementations.

use super::Counters;
use crate::{
    case::implementation::Device,
    env::serve_status,
    snapshot::{ClockBase, print},
    sys,
};
use anyhow::{Context as _, Result, bail};
use nsproxy_uapi::Implementation;
use rustix::{
    event::{PollFd, PollFlags, Timespec},
    fs::MemfdFlags,
    io::FdFlags,
    process::{Pid, PidfdFlags, Signal},
};
use std::{
    fmt,
    fs::File,
    io::{Read as _, Seek as _},
    os::fd::AsRawFd as _,
    os::unix::process::{CommandExt as _, ExitStatusExt as _},
    process::{Child, Command, ExitStatus, Stdio},
};

/// The result of a program.
#[derive(Debug)]
pub(crate) struct ProgramRun {
    /// `0` or another exit status, or `signal 9`.
    pub(crate) status: String,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    /// The number of setns(2) calls that the kernel counted.
    pub(crate) made: u64,
    /// The number of setns(2) calls that the module served.
    pub(crate) served: u64,
    /// The number of unshare(2) calls that the kernel counted, and that the module served.
    unshares: [u64; 2],
}

/// How long a program may run: longer than any takes on a debug kernel.
const TIMEOUT: Timespec = Timespec {
    tv_sec: 240,
    tv_nsec: 0,
};

/// Runs a program. For `@FILE`, `<FILE` and `2>FILE` see `commands.txt`.
///
/// # Errors
///
/// The program cannot be started, or does not end. An exit status other than 0 is no error.
pub(crate) fn run(
    by: Implementation,
    words: &[String],
    clocks: &ClockBase,
    counters: &Counters,
) -> Result<ProgramRun> {
    // Not pipes, which processes that survive the program may hold open.
    let mut output = [memory("stdout")?, memory("stderr")?];
    let (words, stdin) = match words.split_last() {
        Some((last, words)) if last.starts_with('<') => {
            let file = File::open(&last[1..]).with_context(|| last.clone())?;
            (words, file.into())
        }
        _ => (words, Stdio::null()),
    };
    let (words, stderr) = match words.split_last() {
        Some((last, words)) if last.starts_with("2>") => {
            let file = File::options().write(true).open(&last[2..]);
            (words, file.with_context(|| last.clone())?)
        }
        _ => (words, output[1].try_clone()?),
    };
    let mut open = Vec::new();
    let mut number = |word: &String| match word.strip_prefix('@') {
        Some(path) => {
            let file = File::open(path).with_context(|| word.clone())?;
            // The program inherits it.
            rustix::io::fcntl_setfd(&file, FdFlags::empty())?;
            open.push(file);
            Ok(open[open.len() - 1].as_raw_fd().to_string())
        }
        None => Ok(word.clone()),
    };
    let words = words.iter().map(&mut number).collect::<Result<Vec<_>>>()?;
    let (program, arguments) = words.split_first().context("a command without a word")?;
    let mut command = Command::new(program);
    command
        .args(arguments)
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .env(print::CLOCKS, serde_json::to_string(clocks)?)
        .current_dir("/root")
        .process_group(0)
        .stdin(stdin)
        .stdout(output[0].try_clone()?)
        .stderr(stderr);
    if by == Implementation::Module {
        sys::before_exec(&mut command, || Device::open()?.serve(true).map(drop));
    }
    let (made, served) = (counters.setns.count()?, serve_status::calls()?);
    let unshares = [counters.unshare.count()?, serve_status::unshares()?];
    let mut child = command.spawn().context("cannot be started")?;
    let ended = wait(&mut child);
    // Processes that it left behind would disturb the next program.
    let group = Pid::from_child(&child);
    let _ = rustix::process::kill_process_group(group, Signal::KILL);
    let ended = match ended? {
        Some(status) => status,
        None => {
            child.wait()?;
            bail!("killed after {} s", TIMEOUT.tv_sec);
        }
    };
    Ok(ProgramRun {
        status: word(ended),
        stdout: text(&mut output[0])?,
        stderr: text(&mut output[1])?,
        made: counters.setns.count()? - made,
        served: serve_status::calls()? - served,
        unshares: [
            counters.unshare.count()? - unshares[0],
            serve_status::unshares()? - unshares[1],
        ],
    })
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

/// Waits for a program. Returns [`None`] if it did not end in time.
fn wait(child: &mut Child) -> Result<Option<ExitStatus>> {
    let pidfd = rustix::process::pidfd_open(Pid::from_child(child), PidfdFlags::empty())?;
    let mut ended = [PollFd::new(&pidfd, PollFlags::IN)];
    if rustix::event::poll(&mut ended, Some(&TIMEOUT))? == 0 {
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

impl ProgramRun {
    /// Checks that the implementation served all calls: the module all of them or none.
    pub(crate) fn check_calls(&self, by: Implementation, wrong: &mut Vec<String>) {
        let of_unshare = ("unshare(2)", self.unshares);
        for (call, [made, served]) in [("setns(2)", [self.made, self.served]), of_unshare] {
            let expected = match by {
                Implementation::Kernel => 0,
                Implementation::Module => made,
            };
            if served != expected {
                wrong.push(format!(
                    "the module served {served} of {made} calls of {call}, expected {expected}"
                ));
            }
        }
    }
}

impl fmt::Display for ProgramRun {
    /// Prints the last lines of each output.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const LINES: usize = 20;
        for (name, text) in [("stdout", &self.stdout), ("stderr", &self.stderr)] {
            let lines: Vec<_> = text.lines().collect();
            for line in &lines[lines.len().saturating_sub(LINES)..] {
                writeln!(f, "  {name}: {line}")?;
            }
        }
        writeln!(
            f,
            "  calls of setns(2): {}, served by the module: {}",
            self.made, self.served
        )?;
        write!(f, "  status: {}", self.status)
    }
}
