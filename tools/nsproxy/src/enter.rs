// SPDX-License-Identifier: GPL-2.0-only

//! What happens once the namespaces are entered.

use crate::errno::show;
use anyhow::{Result, anyhow};
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

/// Gives up the supplementary groups; says whether that was allowed.
///
/// Before a user namespace is entered that is for root, in it for its root, unless it denies
/// setgroups(2): once of the two is enough.
pub(crate) fn drop_groups() -> bool {
    set_thread_groups(&[]).is_ok()
}

/// Becomes root of the user namespace that was entered, as nsenter(1) does.
///
/// # Errors
///
/// A namespace that does not map root, or groups that could be given up neither before nor now.
pub(crate) fn become_root(groups_dropped: bool) -> Result<()> {
    const WAY_OUT: &str = "--preserve-credentials goes without";
    if !drop_groups() && !groups_dropped {
        return Err(anyhow!(
            "entered, but cannot give up supplementary groups there; {WAY_OUT}"
        ));
    }
    set_thread_gid(Gid::ROOT)
        .and_then(|()| set_thread_uid(Uid::ROOT))
        .map_err(|errno| {
            anyhow!(
                "entered, but cannot become root of the user namespace: {}; {WAY_OUT}",
                show(errno)
            )
        })
}

/// Runs `command`, or a shell if it is empty, and gives back its exit status. With `fork` as a
/// child: only children are in a pid namespace that was entered. Without, the command takes our
/// place, and this returns only on an error.
pub(crate) fn run(command: Vec<OsString>, fork: bool) -> ExitCode {
    let mut words = command.into_iter();
    let program = words
        .next()
        .or_else(|| std::env::var_os("SHELL"))
        .unwrap_or_else(|| "/bin/sh".into());
    let mut command = Command::new(&program);
    command.args(words);

    let error = if fork {
        match command.status() {
            Ok(status) => return exit_code(status),
            Err(error) => error,
        }
    } else {
        command.exec()
    };
    eprintln!("nsproxy: cannot run {}: {error}", program.display());
    not_run(&error)
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
