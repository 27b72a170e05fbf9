// SPDX-License-Identifier: GPL-2.0-only

//! What happens once the namespaces are entered.

use anyhow::{Context as _, Result};
use rustix::{
    process::{Gid, Uid},
    thread::{set_thread_gid, set_thread_groups, set_thread_uid},
};
use std::{
    ffi::OsString,
    io::{self, ErrorKind},
    os::unix::process::{CommandExt as _, ExitStatusExt as _},
    process::{Command, ExitCode, ExitStatus},
};

/// What to do before the command is run.
pub(crate) struct Then {
    /// Become root of the user namespace that was entered, as nsenter does.
    pub(crate) become_root: bool,
    /// Fork: only children are in a pid namespace that was entered.
    pub(crate) fork: bool,
}

/// Runs `command`, or a shell if it is empty, and gives back its exit status. Without a fork the
/// command takes our place, and this returns only on an error.
pub(crate) fn run(command: Vec<OsString>, then: Then) -> Result<ExitCode> {
    if then.become_root {
        become_root()?;
    }

    let mut words = command.into_iter();
    let program = words
        .next()
        .or_else(|| std::env::var_os("SHELL"))
        .unwrap_or_else(|| "/bin/sh".into());
    let mut command = Command::new(&program);
    command.args(words);

    let error = if then.fork {
        match command.status() {
            Ok(status) => return Ok(exit_code(status)),
            Err(error) => error,
        }
    } else {
        command.exec()
    };
    eprintln!("nsproxy: cannot run {}: {error}", program.display());
    Ok(not_run(&error))
}

/// Ids that are not mapped, after a user namespace was entered, become its root.
fn become_root() -> Result<()> {
    // A namespace may deny setgroups(2) for good; nsenter does not mind either.
    let _ = set_thread_groups(&[]);
    set_thread_gid(Gid::ROOT)
        .and_then(|()| set_thread_uid(Uid::ROOT))
        .context("cannot become root of the user namespace; --preserve-credentials goes without")
}

/// The exit status as a shell gives it: 128 and the signal for one that was killed.
fn exit_code(status: ExitStatus) -> ExitCode {
    let code = status
        .code()
        .or_else(|| status.signal().map(|signal| 128 + signal));
    ExitCode::from(code.and_then(|code| u8::try_from(code).ok()).unwrap_or(1))
}

/// As a shell: 127 for a command that is not there, 126 for one that cannot be run.
fn not_run(error: &io::Error) -> ExitCode {
    match error.kind() {
        ErrorKind::NotFound => ExitCode::from(127),
        _ => ExitCode::from(126),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exit_codes_are_those_of_a_shell() {
        assert_eq!(exit_code(ExitStatus::from_raw(3 << 8)), ExitCode::from(3));
        assert_eq!(exit_code(ExitStatus::from_raw(9)), ExitCode::from(137));
        assert_eq!(not_run(&ErrorKind::NotFound.into()), ExitCode::from(127));
        assert_eq!(
            not_run(&ErrorKind::PermissionDenied.into()),
            ExitCode::from(126)
        );
    }
}
