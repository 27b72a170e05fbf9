// SPDX-License-Identifier: GPL-2.0-only

//! `--all`: the kinds whose namespace of another process differs from the caller's.

use crate::{errno::show, kinds::Kinds, open};
use anyhow::{Result, bail};
use nsproxy_diagnose::Task;
use nsproxy_uapi::Kind;
use rustix::{fs::stat, io::Errno};

/// The identity of a namespace: device and inode number of its file in `/proc/PID/ns`.
type Identity = (u64, u64);

/// Returns the kinds whose namespace of the process `target` is not known to be the caller's.
///
/// A kind is left out only if both namespaces are visible and the same. The namespaces of an exited
/// process are not visible, nor are those of a process that the caller may not access. Such kinds
/// are entered, so that the kernel reports the error.
///
/// # Errors
///
/// The process or `/proc` does not exist.
pub(crate) fn differing(target: i32) -> Result<Kinds> {
    let process = Task::of_pidfd(open::process(target)?).ok();
    // The number in `/proc`, which may belong to another pid namespace than this process.
    let process = process.and_then(|task| Some(task.status().pids.first()?.to_string()));
    let mut kinds = Kinds::default();
    for kind in Kind::ALL {
        // A kernel without this kind has no such file.
        if identity("self", kind.name())?.is_none() {
            continue;
        }
        let theirs = process.as_deref().and_then(|process| {
            let theirs = identity(process, kind.name());
            theirs.ok().flatten()
        });
        if theirs.is_none_or(|theirs| !is_current(kind, theirs)) {
            kinds.0.push((kind, None));
        }
    }
    Ok(kinds)
}

/// Returns whether a command that this process executes is in that namespace already.
fn is_current(kind: Kind, theirs: Identity) -> bool {
    let ours: &[&str] = match kind {
        // setns(2) changes only the namespace of children.
        Kind::Pid => &["pid_for_children"],
        // execve(2) replaces the namespace of the process by that of its children.
        Kind::Time => &["time", "time_for_children"],
        _ => &[kind.name()],
    };
    ours.iter()
        .all(|name| matches!(identity("self", name), Ok(Some(ours)) if ours == theirs))
}

/// Returns the identity of `/proc/<process>/ns/<name>`; [`None`] if the file does not exist.
fn identity(process: &str, name: &str) -> Result<Option<Identity>> {
    let directory = format!("/proc/{process}/ns");
    match stat(format!("{directory}/{name}")) {
        Ok(stat) => Ok(Some((stat.st_dev, stat.st_ino))),
        Err(Errno::NOENT) if stat(&directory).is_ok() => Ok(None),
        Err(errno) => bail!("cannot access {directory}/{name}: {}", show(errno)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};
    use std::process::{self, Command};

    #[test]
    fn this_process_does_not_differ() {
        let pid = i32::try_from(process::id()).unwrap();
        assert_eq!(differing(pid).unwrap(), Kinds::default());
    }

    #[test]
    fn another_namespace_differs() {
        let theirs = identity("self", "uts").unwrap().unwrap();
        assert!(is_current(Kind::Uts, theirs));
        assert!(!is_current(Kind::Ipc, theirs));
    }

    /// Checks that the kinds of a zombie are returned: it has no files for its former nsproxy.
    #[test]
    fn an_exited_process_differs() {
        let mut child = Command::new("true").spawn().unwrap();
        let pid = i32::try_from(child.id()).unwrap();
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
        waitid(WaitId::Pid(Pid::from_raw(pid).unwrap()), options).unwrap();
        let kinds = differing(pid).unwrap();
        child.wait().unwrap();
        for kind in [Kind::Mnt, Kind::Uts, Kind::Net] {
            assert!(kinds.0.contains(&(kind, None)), "{kinds:?}");
        }
    }

    #[test]
    fn a_missing_process_is_reported() {
        let error = differing(i32::MAX).unwrap_err();
        let failed = error.downcast_ref::<open::Failed>().unwrap();
        assert_eq!(failed.errno, Errno::SRCH);
    }
}
