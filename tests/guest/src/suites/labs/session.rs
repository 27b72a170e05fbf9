// SPDX-License-Identifier: GPL-2.0-only

//! A shell that runs commands one after the other.

use anyhow::{Context as _, Result, bail, ensure};
use rustix::{
    event::{PollFd, PollFlags, Timespec},
    process::{Pid, Signal},
};
use std::{
    io::{self, PipeReader, Read as _, Write as _},
    os::unix::process::CommandExt as _,
    process::{Child, ChildStdin, Command},
    time::{Duration, Instant},
};

/// How long a command may run: longer than any takes on a debug kernel.
const TIMEOUT: Duration = Duration::from_secs(240);
/// A byte that the shell prints after each command. No command prints it.
const END: u8 = 0x1e;
/// Prints [`END`], and keeps the exit status of the last command.
const PRINT_END: &str = r"ended=$?; printf '\036'; (exit $ended)";

/// A shell. Dropping it kills the shell and all processes that it started.
pub(super) struct Session {
    shell: Child,
    stdin: ChildStdin,
    output: PipeReader,
}

impl Session {
    /// Starts a shell like that of `make shell`, without a prompt.
    pub(super) fn start() -> Result<Self> {
        let (output, to) = io::pipe()?;
        let mut shell = Command::new("/bin/sh")
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("HOME", "/root")
            .current_dir("/root")
            .process_group(0)
            .stdin(std::process::Stdio::piped())
            .stdout(to.try_clone()?)
            .stderr(to)
            .spawn()
            .context("/bin/sh")?;
        let stdin = shell
            .stdin
            .take()
            .context("the shell has no standard input")?;
        Ok(Self {
            shell,
            stdin,
            output,
        })
    }

    /// Runs a command, and returns its output.
    ///
    /// # Errors
    ///
    /// The shell exited or hangs, and cannot be used any more.
    pub(super) fn run(&mut self, command: &str) -> Result<String> {
        // The shell does not accept braces around nothing.
        let command = if command.is_empty() { ":" } else { command };
        // A command that reads its input must not read the next command.
        let script = format!("{{ {command}\n}} </dev/null\n{PRINT_END}\n");
        self.stdin
            .write_all(script.as_bytes())
            .context("the shell has exited")?;
        let deadline = Instant::now() + TIMEOUT;
        let mut printed = Vec::new();
        while printed.last() != Some(&END) {
            let so_far = || String::from_utf8_lossy(&printed).into_owned();
            let left = deadline.saturating_duration_since(Instant::now());
            let left = Timespec::try_from(left)?;
            let mut ready = [PollFd::new(&self.output, PollFlags::IN)];
            if rustix::event::poll(&mut ready, Some(&left))? == 0 {
                bail!(
                    "still running after {} s; output:\n{}",
                    TIMEOUT.as_secs(),
                    so_far()
                );
            }
            let mut bytes = [0; 4096];
            let count = self.output.read(&mut bytes)?;
            ensure!(count > 0, "the shell has exited; output:\n{}", so_far());
            printed.extend_from_slice(&bytes[..count]);
        }
        printed.pop();
        Ok(String::from_utf8_lossy(&printed).into_owned())
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // Without job control, its processes are in its process group.
        let group = Pid::from_child(&self.shell);
        let _ = rustix::process::kill_process_group(group, Signal::KILL);
        let _ = self.shell.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::Session;

    #[test]
    fn one_shell_for_all_commands() {
        let mut session = Session::start().unwrap();
        let mut run = |command| session.run(command).unwrap();
        assert_eq!(run("word=7; cd /"), "");
        assert_eq!(run("echo $word; pwd >&2"), "7\n/\n");
        assert_eq!(run("if true; then\necho yes\nfi"), "yes\n");
        assert_eq!(run("printf no-line-feed"), "no-line-feed");
        assert_eq!(run("cat"), "");
        assert_eq!(run("(exit 3)"), "");
        assert_eq!(run("echo $?"), "3\n");
        assert_eq!(run(""), "");
        assert_eq!(
            run("sleep 1000 & kill $!; wait $! 2>/dev/null; echo $?"),
            "143\n"
        );
    }

    #[test]
    fn a_shell_that_ends() {
        let mut session = Session::start().unwrap();
        let error = session.run("echo last words; exit 4").unwrap_err();
        assert!(format!("{error:#}").contains("last words"), "{error:#}");
    }
}
