// SPDX-License-Identifier: GPL-2.0-only

//! Executes the command after the namespaces are entered.

use crate::errno::show;
use crate::prompt;
use crate::status::ExitCode;
use anyhow::{Result, anyhow};
use nix::unistd::{ForkResult, execvp, execvpe};
use nsproxy_uapi::Kind;
use rustix::{
    io::{Errno, retry_on_intr},
    process::{Gid, Pid, Uid, WaitOptions, WaitStatus, waitpid},
    thread::{set_thread_gid, set_thread_groups, set_thread_uid},
};
use std::{
    env,
    ffi::{CString, OsString},
    iter,
    os::unix::ffi::OsStringExt as _,
};

/// Drops the supplementary groups. Returns whether that was allowed.
///
/// Before a user namespace is entered, root may do so. Inside, its root may, unless the namespace
/// denies setgroups(2). One success is enough.
pub(crate) fn drop_groups() -> bool {
    set_thread_groups(&[]).is_ok()
}

/// Becomes root of the user namespace that was entered, as nsenter(1) does.
///
/// # Errors
///
/// The namespace does not map root, or the groups could be dropped neither before nor now.
pub(crate) fn become_root(groups_dropped: bool) -> Result<()> {
    const HINT: &str = "\n  hint: keep the credentials, with --preserve-credentials";
    if !drop_groups() && !groups_dropped {
        return Err(anyhow!(
            "cannot drop supplementary groups in the entered user namespace{HINT}"
        ));
    }
    set_thread_gid(Gid::ROOT)
        .and_then(|()| set_thread_uid(Uid::ROOT))
        .map_err(|errno| {
            anyhow!(
                "cannot become root of the entered user namespace: {}{HINT}",
                show(errno)
            )
        })
}

/// Runs `command`, or a shell if it is empty, and returns its exit status. The prompt of a shell names
/// the kinds in `entered`.
///
/// With `fork`, the command is a child: only children are in an entered pid namespace. Without, the
/// command replaces this process, and the function returns only on an error.
///
/// The command inherits the descriptors, the ignored signals and the signal mask of this process.
/// [`std::process::Command`] would reset SIGPIPE, and `posix_spawn()` of glibc ignores two signals
/// of its own.
pub(crate) fn run(command: Vec<OsString>, fork: bool, entered: &[Kind]) -> ExitCode {
    let is_shell = command.is_empty();
    let mut words = command.into_iter();
    let program = words
        .next()
        .or_else(|| env::var_os("SHELL"))
        .unwrap_or_else(|| "/bin/sh".into());
    let words: Vec<_> = iter::once(program).chain(words).map(c_string).collect();
    let program = words[0].as_c_str();
    let environment = is_shell.then(|| prompt::environment(program.to_bytes(), entered));

    let forked = if fork {
        // SAFETY: This process has one thread, so no lock is held that the child would wait for.
        unsafe { nix::unistd::fork() }
    } else {
        Ok(ForkResult::Child)
    };
    let errno = match forked {
        Ok(ForkResult::Parent { child }) => return wait(child),
        Ok(ForkResult::Child) => {
            let executed = match &environment {
                Some(environment) => execvpe(program, &words, environment),
                None => execvp(program, &words),
            };
            match executed {
                Ok(never) => match never {},
                Err(errno) => errno,
            }
        }
        Err(errno) => errno,
    };
    let errno = Errno::from_raw_os_error(errno as i32);
    let program = program.to_string_lossy();
    eprintln!("nsproxy: cannot run {program}: {}", show(errno));
    not_run(errno)
}

fn wait(child: nix::unistd::Pid) -> ExitCode {
    let child = Pid::from_raw(child.as_raw());
    match retry_on_intr(|| waitpid(child, WaitOptions::empty())) {
        Ok(Some((_, status))) => exit_code(status),
        Ok(None) => ExitCode::FAILURE,
        Err(errno) => {
            // ECHILD where SIGCHLD is ignored: the kernel reaps the child.
            let reason = show(errno);
            eprintln!("nsproxy: cannot get the exit status of the command: {reason}");
            ExitCode::FAILURE
        }
    }
}

/// Converts a word of the command line or of the environment.
pub(crate) fn c_string(word: OsString) -> CString {
    CString::new(word.into_vec()).expect("arguments and environment contain no NUL")
}

/// Returns the exit status as a shell does: 128 plus the signal for a killed process.
pub(crate) fn exit_code(status: WaitStatus) -> ExitCode {
    let code = status
        .exit_status()
        .or_else(|| status.terminating_signal().map(|signal| 128 + signal));
    code.and_then(|code| u8::try_from(code).ok())
        .map_or(ExitCode::FAILURE, ExitCode::from)
}

/// Returns the exit status of a shell: 127 for a missing command, 126 for one that cannot be run.
fn not_run(errno: Errno) -> ExitCode {
    ExitCode::from(if errno == Errno::NOENT { 127 } else { 126 })
}
