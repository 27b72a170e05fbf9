// SPDX-License-Identifier: GPL-2.0-only

//! Commands for a shell: `nsproxy-tests share-fs`, `nsproxy-tests two-threads` and `nsproxy-tests
//! with-thread`. They start callers that share with another task what `setns(2)` or `unshare(2)`
//! requires to be unshared. `nsproxy-tests container-filter` runs a command under a filter of
//! seccomp(2). See [`socket_commands`] for `socket-in` and `socket-ns`. And the commands that the
//! kernel or a process of a test executes: `nsproxy-tests request-key` and `sequence-process`.

use crate::{
    case::implementation::Device,
    env::module::Module,
    errno::Code,
    socket_commands, suites,
    sys::{Fork, fork_sharing_fs, seccomp_like_container},
};
use anyhow::{Context as _, Result, bail};
use nsproxy_diagnose::{Call, Cause, Task};
use nsproxy_uapi::{Explain, Kind, unshare_raw};
use rustix::process::{WaitOptions, waitpid};
use std::{
    ffi::OsString,
    fs::File,
    os::{fd::AsRawFd as _, unix::process::CommandExt as _},
    process::{Command, ExitCode},
    thread,
};

/// Runs one of the commands. Returns [`None`] for other words.
pub(crate) fn main(mut words: impl Iterator<Item = OsString>) -> Option<Result<ExitCode>> {
    match words.next()?.to_str()? {
        "share-fs" => Some(share_fs(words)),
        "two-threads" => Some(two_threads(words)),
        "with-thread" => Some(with_thread(words)),
        "container-filter" => Some(container_filter(words)),
        "socket-in" => Some(socket_commands::socket_in(words)),
        "socket-ns" => Some(socket_commands::socket_ns(words)),
        "request-key" => Some(suites::request_key(words)),
        "sequence-process" => Some(suites::sequence_process()),
        _ => None,
    }
}

/// Runs a command that shares root and working directory with its parent, which waits for it.
fn share_fs(mut words: impl Iterator<Item = OsString>) -> Result<ExitCode> {
    let program = words.next().context("share-fs COMMAND [ARGUMENT...]")?;
    match fork_sharing_fs()? {
        Fork::Child => {
            let error = Command::new(&program).args(words).exec();
            Err(error).with_context(|| program.display().to_string())
        }
        Fork::Parent(pid) => {
            let ended = waitpid(Some(pid), WaitOptions::empty())?;
            let status = ended.and_then(|(_, status)| status.exit_status());
            Ok(status.map_or(ExitCode::FAILURE, |status| ExitCode::from(status as u8)))
        }
    }
}

/// Starts a thread that sleeps.
fn start_thread() {
    thread::spawn(|| {
        loop {
            thread::park();
        }
    });
}

/// In a process with two threads, creates a user namespace (`unshare`) or one of another kind
/// (`unshare time`), runs a command (`run`), or
/// prints which check refuses unshare(2), as `nsproxy check` does (`check kernel-module` or `check
/// user-space`).
fn with_thread(words: impl Iterator<Item = OsString>) -> Result<ExitCode> {
    let flags = Kind::User.flag().into();
    let words: Vec<_> = words.collect();
    let strings: Vec<_> = words.iter().filter_map(|word| word.to_str()).collect();
    start_thread();
    let refused = match strings[..] {
        ["unshare"] => {
            unshare_raw(flags)?;
            None
        }
        ["unshare", name] => {
            let kind = Kind::ALL.into_iter().find(|kind| kind.name() == name);
            unshare_raw(kind.context("no such kind")?.flag().into())?;
            None
        }
        ["run", program, ..] => {
            let status = Command::new(program).args(&words[2..]).status()?;
            let code = status.code().map(|code| ExitCode::from(code as u8));
            return Ok(code.unwrap_or(ExitCode::FAILURE));
        }
        ["check", "kernel-module"] => {
            let (refusal, _) = Device::open()?.trace_unshare(flags, true)?;
            refusal.map(|refusal| (refusal.errno, refusal.reason.name().to_owned()))
        }
        ["check", "user-space"] => {
            let verdict = nsproxy_diagnose::explain(&Task::current(), Call::Unshare { flags });
            let names: Vec<_> = verdict.causes.iter().map(name_of).collect();
            verdict.result.err().map(|errno| (errno, names.join("|")))
        }
        _ => bail!("with-thread unshare [KIND] | run COMMAND | check SOURCE"),
    };
    Ok(refused.map_or(ExitCode::SUCCESS, |(errno, names)| {
        println!("{} {names}", Code::from(errno));
        ExitCode::FAILURE
    }))
}

fn name_of(cause: &Cause) -> &'static str {
    match cause {
        Cause::Check(refusal) => refusal.reason.name(),
        Cause::Seccomp => "seccomp",
    }
}

/// Runs a command under the filter of a container.
fn container_filter(mut words: impl Iterator<Item = OsString>) -> Result<ExitCode> {
    let program = words
        .next()
        .context("container-filter COMMAND [ARGUMENT...]")?;
    seccomp_like_container()?;
    let error = Command::new(&program).args(words).exec();
    Err(error).with_context(|| program.display().to_string())
}

/// Prints whether a process with two threads could enter each of these namespaces. For a refusal,
/// prints the check and the number of tasks that share.
fn two_threads(paths: impl Iterator<Item = OsString>) -> Result<ExitCode> {
    start_thread();
    let module = Module::find()?;
    for path in paths {
        let file = File::open(&path).with_context(|| path.display().to_string())?;
        let (fd, nstype) = (file.as_raw_fd(), 0);
        let refusal = match module {
            Module::Loaded => Device::open()?.explain(fd, nstype, Explain::dry_run(false))?,
            Module::Missing => {
                let verdict =
                    nsproxy_diagnose::explain(&Task::current(), Call::Setns { fd, nstype });
                verdict.refusals().next().copied()
            }
        };
        let verdict = refusal.map_or("can be entered".to_owned(), |refusal| {
            let (errno, reason) = (Code::from(refusal.errno), refusal.reason.name());
            format!("{errno} {reason}, {} share it", refusal.count)
        });
        println!("{}: {verdict}", path.display());
    }
    Ok(ExitCode::SUCCESS)
}
