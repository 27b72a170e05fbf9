// SPDX-License-Identifier: GPL-2.0-only

//! `nsproxy explain -- COMMAND`: runs a program under ptrace(2), and explains each call for namespaces
//! that fails in it, in one of its threads or children.
//!
//! With `--json`, each line is an object with `version` and `event`. `docs/cli.md` has the fields; those
//! without a value are `null`.

mod failure;
mod refusals;
mod report;
mod sys;
mod traced_call;
mod traced_task;
mod tracer;
mod warnings;

use crate::{exec, refusal::hint_lines, status::ExitCode};
use anyhow::{Context as _, Result, anyhow};
pub(crate) use refusals::Refusals;
use report::Report;
use std::{
    ffi::OsString,
    fs::{self, File},
    io::{self, Write},
    path::PathBuf,
};
use tracer::Tracer;

/// The description of the options below in the help of the command.
pub(crate) const HELP: &str = "\
With a command, nsproxy runs it under ptrace(2), as
strace(1) does. That needs neither the module nor root. Each
failed setns, unshare, clone, clone3 and fork of it, of its
threads and of its children is explained when it fails. For
setns that succeeds, surprising effects are printed, once
per process. The report ends with a summary.

nsproxy waits for all children. After the command has
exited, a signal such as ^C detaches from the others.

Traced programs get no privileges of files (set-user-ID,
capabilities), unless nsproxy is root. Calls of 32-bit
programs are not explained.

Each line of --json is an object with version and event:
failure, warning, note, or summary, which is the last.";

/// The exit statuses with a command, in the help.
pub(crate) const EXIT_STATUS: &str = "\
Exit status with a command:
  1      the command cannot be traced
  126    the command cannot be run
  127    the command is not found
  128+N  signal N has killed the command
  *      the exit status of the command";

/// The options of a traced command.
#[derive(Debug, clap::Args)]
pub(crate) struct CommandArgs {
    /// Run COMMAND, and explain each call that fails in it
    #[arg(
        last = true,
        value_name = "COMMAND",
        conflicts_with_all = [
            "target", "all", "as_of_2011", "unshare", "clone", "via", "from",
            "user", "mnt", "uts", "ipc", "pid", "cgroup", "net", "time",
        ]
    )]
    command: Vec<OsString>,

    /// Write the report to FILE [default: standard error]
    #[arg(short, long, value_name = "FILE", requires = "command")]
    output: Option<PathBuf>,
}

impl CommandArgs {
    /// Returns whether there is a command.
    pub(crate) fn has_command(&self) -> bool {
        !self.command.is_empty()
    }

    /// Runs the command, and explains its calls from user space. `json` selects lines of JSON.
    ///
    /// # Errors
    ///
    /// Errors of [`Run::execute`].
    pub(crate) fn run(self, json: bool) -> Result<ExitCode> {
        let Self { command, output } = self;
        let run = Run {
            command,
            output,
            json,
            refusals: None,
        };
        run.execute()
    }
}

/// A run of a command.
pub(crate) struct Run {
    /// The command and its arguments; empty for a shell.
    pub(crate) command: Vec<OsString>,
    /// The file of the report, instead of standard error.
    pub(crate) output: Option<PathBuf>,
    /// Whether the report is lines of JSON.
    pub(crate) json: bool,
    /// The refusals that the module reports, if this process is served.
    pub(crate) refusals: Option<Refusals>,
}

impl Run {
    /// Runs the command, and returns its exit status.
    ///
    /// # Errors
    ///
    /// The command cannot be traced, or the file of the report cannot be created.
    pub(crate) fn execute(self) -> Result<ExitCode> {
        let output: Box<dyn Write> = match self.output {
            Some(path) => {
                let file = File::create(&path);
                Box::new(file.with_context(|| format!("cannot create {}", path.display()))?)
            }
            None => Box::new(io::stderr()),
        };
        let program = sys::start(|| exec::run(self.command, false, &[])).map_err(cannot_trace)?;
        // The child has the actions of the caller.
        sys::forward_signals(program).context("cannot forward signals to the command")?;
        let mut tracer = Tracer::new(program, self.refusals, Report::new(output, self.json));
        let status = tracer.run()?;
        let code = status.map_or(ExitCode::FAILURE, exec::exit_code);
        // exec::run() has reported that there is no program.
        if tracer.was_executed || self.json {
            tracer.report.summary(code.into());
        }
        Ok(code)
    }
}

fn cannot_trace(error: io::Error) -> anyhow::Error {
    let scope = fs::read_to_string("/proc/sys/kernel/yama/ptrace_scope");
    let hint = match (error.kind(), scope.as_deref().map(str::trim)) {
        (io::ErrorKind::PermissionDenied, Ok(scope @ ("2" | "3"))) => {
            format!("kernel.yama.ptrace_scope is {scope}: run as root, or lower it")
        }
        (io::ErrorKind::PermissionDenied, _) => {
            "allow ptrace(2): a seccomp filter or a security module denies it, or another process \
             traces nsproxy"
                .to_owned()
        }
        _ => return anyhow!("cannot start the command: {error}"),
    };
    anyhow!("cannot trace the command: {error}{}", hint_lines(&[hint]))
}
