// SPDX-License-Identifier: GPL-2.0-only

//! A shell that is told what to run, one command after the other.

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

/// How long a command may take, on a debug kernel, too.
const PATIENCE: Duration = Duration::from_secs(240);
/// What no command prints: the shell does after each.
const END: u8 = 0x1e;
/// Prints it, and leaves the exit status of the command before as it was.
const SAY_END: &str = r"ended=$?; printf '\036'; (exit $ended)";

/// A shell. Dropped, it is gone, and so are all that it has started.
pub(super) struct Session {
    shell: Child,
    stdin: ChildStdin,
    output: PipeReader,
}

impl Session {
    /// One like that of `make shell`, but that it asks for nothing.
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
            .context("no shell")?;
        let stdin = shell.stdin.take().context("a shell that is told nothing")?;
        Ok(Self {
            shell,
            stdin,
            output,
        })
    }

    /// Runs a command, and returns what was printed meanwhile.
    ///
    /// # Errors
    ///
    /// The shell ended, or does not come back. It is of no use any more.
    pub(super) fn run(&mut self, command: &str) -> Result<String> {
        // What reads from its input does not read what comes next.
        let script = format!("{{ {command}\n}} </dev/null\n{SAY_END}\n");
        self.stdin
            .write_all(script.as_bytes())
            .context("the shell has ended")?;
        let deadline = Instant::now() + PATIENCE;
        let mut printed = Vec::new();
        while printed.last() != Some(&END) {
            let so_far = || String::from_utf8_lossy(&printed).into_owned();
            let left = deadline.saturating_duration_since(Instant::now());
            let left = Timespec::try_from(left)?;
            let mut ready = [PollFd::new(&self.output, PollFlags::IN)];
            if rustix::event::poll(&mut ready, Some(&left))? == 0 {
                bail!(
                    "still running after {} s, having printed\n{}",
                    PATIENCE.as_secs(),
                    so_far()
                );
            }
            let mut bytes = [0; 4096];
            let count = self.output.read(&mut bytes)?;
            ensure!(
                count > 0,
                "the shell has ended, having printed\n{}",
                so_far()
            );
            printed.extend_from_slice(&bytes[..count]);
        }
        printed.pop();
        Ok(String::from_utf8_lossy(&printed).into_owned())
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // Without job control, what it starts is in its group.
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
