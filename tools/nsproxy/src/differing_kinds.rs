// SPDX-License-Identifier: GPL-2.0-only

//! `--all`: in which kinds another process is somewhere else.

use crate::{errno::show, kinds::Kinds, open, target::number_in_proc};
use anyhow::{Result, bail};
use nsproxy_uapi::Kind;
use rustix::{fs::stat, io::Errno};

/// Which namespace a file in `/proc/PID/ns` refers to: its device and inode number.
type Identity = (u64, u64);

/// Returns the kinds whose namespace of the process `target` is not known to be the caller's.
///
/// A kind is left out only if both namespaces are visible and the same. The others are entered, so
/// that the kernel reports the error: the namespaces of an exited process are not visible, nor are
/// those of a process that the caller may not access.
///
/// # Errors
///
/// No such process; no `/proc`.
pub(crate) fn differing(target: i32) -> Result<Kinds> {
    let process = number_in_proc(open::process(target)?);
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
        if theirs.is_none_or(|theirs| !are_in(kind, theirs)) {
            kinds.0.push((kind, None));
        }
    }
    Ok(kinds)
}

/// Is a command that we run in that namespace already?
fn are_in(kind: Kind, theirs: Identity) -> bool {
    let ours: &[&str] = match kind {
        // Our own stays what it is; our children's is what can be changed.
        Kind::Pid => &["pid_for_children"],
        // Our own becomes the children's with exec.
        Kind::Time => &["time", "time_for_children"],
        _ => &[kind.name()],
    };
    ours.iter()
        .all(|name| matches!(identity("self", name), Ok(Some(ours)) if ours == theirs))
}

/// The namespace behind `/proc/<process>/ns/<name>`; [`None`] where there is no such file.
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
    fn we_are_where_we_are() {
        let pid = i32::try_from(process::id()).unwrap();
        assert_eq!(differing(pid).unwrap(), Kinds::default());
    }

    #[test]
    fn another_namespace_differs() {
        let theirs = identity("self", "uts").unwrap().unwrap();
        assert!(are_in(Kind::Uts, theirs));
        assert!(!are_in(Kind::Ipc, theirs));
    }

    /// Checks that the kinds of a zombie count: it has no files for its former nsproxy.
    #[test]
    fn an_exited_process_is_not_where_we_are() {
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
    fn nobody_has_this_pid() {
        let error = differing(i32::MAX).unwrap_err();
        let failed = error.downcast_ref::<open::Failed>().unwrap();
        assert_eq!(failed.errno, Errno::SRCH);
    }
}
