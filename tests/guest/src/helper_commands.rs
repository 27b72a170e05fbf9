// SPDX-License-Identifier: GPL-2.0-only

//! Commands for a shell: `nsproxy-tests share-fs` and `nsproxy-tests two-threads`. They start callers
//! that share with another task what `setns(2)` requires to be unshared. And the commands that the
//! kernel or a process of a test executes: `nsproxy-tests request-key` and `sequence-process`.

use crate::{
    case::implementation::Device,
    errno::Code,
    suites,
    sys::{Fork, fork_sharing_fs},
};
use anyhow::{Context as _, Result};
use nsproxy_uapi::Explain;
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

/// Prints whether a process with two threads could enter each of these namespaces. For a refusal,
/// prints the check and the number of tasks that share.
fn two_threads(paths: impl Iterator<Item = OsString>) -> Result<ExitCode> {
    thread::spawn(|| {
        loop {
            thread::park();
        }
    });
    let device = Device::open()?;
    for path in paths {
        let file = File::open(&path).with_context(|| path.display().to_string())?;
        let refusal = device.explain(file.as_raw_fd(), 0, Explain::dry_run(false))?;
        let verdict = refusal.map_or("can be entered".to_owned(), |refusal| {
            let (errno, reason) = (Code::from(refusal.errno), refusal.reason.name());
            format!("{errno} {reason}, {} share it", refusal.count)
        });
        println!("{}: {verdict}", path.display());
    }
    Ok(ExitCode::SUCCESS)
}
