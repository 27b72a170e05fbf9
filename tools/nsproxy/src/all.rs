// SPDX-License-Identifier: GPL-2.0-only

//! `--all`: in which kinds another process is somewhere else.

use crate::{errno::show, kinds::Kinds};
use anyhow::{Result, bail};
use nsproxy_uapi::Kind;
use rustix::{fs::stat, io::Errno};

/// Which namespace a file in `/proc/PID/ns` refers to: its device and inode number.
type Identity = (u64, u64);

/// The kinds in which the process `target` is somewhere else than we are.
///
/// # Errors
///
/// No such process, or one that we may not look at.
pub(crate) fn differing(target: i32) -> Result<Kinds> {
    let mut kinds = Kinds::default();
    for kind in Kind::ALL {
        let theirs = identity(&target.to_string(), kind.name())?;
        // A kernel without this kind has no such file.
        if let Some(theirs) = theirs
            && !are_in(kind, theirs)?
        {
            kinds.0.push((kind, None));
        }
    }
    Ok(kinds)
}

/// Is a command that we run in that namespace already?
fn are_in(kind: Kind, theirs: Identity) -> Result<bool> {
    let ours: &[&str] = match kind {
        // Our own stays what it is; our children's is what can be changed.
        Kind::Pid => &["pid_for_children"],
        // Our own becomes the children's with exec.
        Kind::Time => &["time", "time_for_children"],
        _ => &[kind.name()],
    };
    for name in ours {
        if identity("self", name)? != Some(theirs) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The namespace behind `/proc/<process>/ns/<name>`; [`None`] where there is no such file.
fn identity(process: &str, name: &str) -> Result<Option<Identity>> {
    let path = format!("/proc/{process}/ns/{name}");
    match stat(&path) {
        Ok(stat) => Ok(Some((stat.st_dev, stat.st_ino))),
        Err(Errno::NOENT) if stat(format!("/proc/{process}")).is_ok() => Ok(None),
        Err(errno) => bail!("cannot look at {path}: {}", show(errno)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process;

    #[test]
    fn we_are_where_we_are() {
        let pid = i32::try_from(process::id()).unwrap();
        assert_eq!(differing(pid).unwrap(), Kinds::default());
    }

    #[test]
    fn another_namespace_differs() {
        let theirs = identity("self", "uts").unwrap().unwrap();
        assert!(are_in(Kind::Uts, theirs).unwrap());
        assert!(!are_in(Kind::Ipc, theirs).unwrap());
    }

    #[test]
    fn nobody_has_this_pid() {
        let error = differing(i32::MAX).unwrap_err().to_string();
        assert!(error.contains("/proc/2147483647/ns/user"), "{error}");
    }
}
