// SPDX-License-Identifier: GPL-2.0-only

//! A traced task, as `/proc` shows it.

use crate::caller::Caller;
use nsproxy_uapi::{Kind, nsfs};
use rustix::{process::Pid, thread::CapabilitySet};
use serde::Serialize;
use std::{
    fmt,
    fs::{self, File},
    os::unix::fs::MetadataExt as _,
    path::PathBuf,
};

/// The id of a user who has no id in a user namespace, unless `/proc/sys/kernel/overflowuid` was
/// changed.
const OVERFLOW_ID: u32 = 65534;

/// The identity of a traced task, formatted as `PID/TID PROGRAM`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct TracedTask {
    /// The number of the process.
    pub(super) pid: u32,
    /// The number of the task.
    pub(super) tid: u32,
    /// The name of the task, which is that of the program if nothing has changed it.
    pub(super) program: String,
}

impl TracedTask {
    /// Reads the identity. Without `/proc`, the task has no name.
    pub(super) fn read(task: Pid) -> Self {
        let tid = task.as_raw_pid().cast_unsigned();
        let name = fs::read(path(tid, "comm")).unwrap_or_default();
        let name = String::from_utf8_lossy(&name);
        let status = Fields::read(tid);
        let pid = status.as_ref().and_then(|status| status.number("Tgid", 0));
        Self {
            pid: pid.unwrap_or(tid),
            tid,
            program: name.trim_end_matches('\n').to_owned(),
        }
    }

    /// Returns the path of a file of the task.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        path(self.tid, name)
    }

    /// Returns the inode number of a link in `/proc/PID/ns`.
    pub(super) fn namespace(&self, link: &str) -> Option<u64> {
        let found = fs::metadata(self.path(&format!("ns/{link}"))).ok()?;
        Some(found.ino())
    }

    /// Reads its credentials, with ids as seen in its own user namespace; [`None`] if they are not
    /// accessible.
    pub(super) fn caller(&self) -> Option<Caller> {
        let status = Fields::read(self.tid)?;
        let user_ns = File::open(self.path("ns/user")).ok()?;
        let is_ours = self.is_in_our_user_ns();
        let map = |name| fs::read_to_string(self.path(name)).ok();
        let (uids, gids) = (map("uid_map")?, map("gid_map")?);
        let id = |map: &str, name, at| {
            let id = status.number(name, at)?;
            Some(if is_ours { id } else { id_inside(map, id) })
        };
        Some(Caller {
            uid: id(&uids, "Uid", 0)?,
            gid: id(&gids, "Gid", 0)?,
            euid: id(&uids, "Uid", 1)?,
            egid: id(&gids, "Gid", 1)?,
            permitted: status.capabilities("CapPrm")?,
            effective: status.capabilities("CapEff")?,
            bounding: status.capabilities("CapBnd")?,
            user_ns: nsfs::id_or_inode(user_ns).ok(),
        })
    }

    /// Returns whether it is in the user namespace of this process.
    pub(super) fn is_in_our_user_ns(&self) -> bool {
        let name = Kind::User.name();
        let ours = fs::metadata(format!("/proc/self/ns/{name}")).map(|found| found.ino());
        self.namespace(name)
            .is_some_and(|theirs| ours.ok() == Some(theirs))
    }
}

impl fmt::Display for TracedTask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { pid, tid, program } = self;
        // A program may set any name, such as one that moves the cursor.
        write!(f, "{pid}/{tid} {}", program.escape_debug())
    }
}

fn path(tid: u32, name: &str) -> PathBuf {
    format!("/proc/{tid}/{name}").into()
}

/// The lines of `/proc/PID/status`.
pub(super) struct Fields(String);

impl Fields {
    pub(super) fn read(tid: u32) -> Option<Self> {
        fs::read_to_string(path(tid, "status")).ok().map(Self)
    }

    /// Returns the word of a line with an index.
    fn word(&self, name: &str, at: usize) -> Option<&str> {
        let mut lines = self.0.lines().filter_map(|line| line.split_once(':'));
        let (_, value) = lines.find(|(found, _)| *found == name)?;
        value.split_whitespace().nth(at)
    }

    pub(super) fn number(&self, name: &str, at: usize) -> Option<u32> {
        self.word(name, at)?.parse().ok()
    }

    pub(super) fn capabilities(&self, name: &str) -> Option<CapabilitySet> {
        let bits = u64::from_str_radix(self.word(name, 0)?, 16).ok()?;
        Some(CapabilitySet::from_bits_retain(bits))
    }

    /// Returns whether the task has exited and was not reaped.
    pub(super) fn is_zombie(&self) -> bool {
        self.word("State", 0)
            .is_some_and(|state| ["Z", "X"].contains(&state))
    }
}

/// Returns the id in a user namespace of an id that this process sees, by the map of the namespace.
fn id_inside(map: &str, id: u32) -> u32 {
    let inside = map.lines().find_map(|row| {
        let numbers: Result<Vec<u32>, _> = row.split_whitespace().map(str::parse).collect();
        let Ok(&[inside, outside, count]) = numbers.as_deref() else {
            return None;
        };
        let at = id.checked_sub(outside).filter(|at| *at < count)?;
        inside.checked_add(at)
    });
    inside.unwrap_or(OVERFLOW_ID)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::{process::getpid, thread::gettid};

    #[test]
    fn ids_are_those_of_the_user_namespace() {
        let map = "         0       1000          1\n         1     100000      65536\n";
        assert_eq!(id_inside(map, 1000), 0);
        assert_eq!(id_inside(map, 100_005), 6);
        for other in [0, 999, 1001, 165_536] {
            assert_eq!(id_inside(map, other), OVERFLOW_ID, "{other}");
        }
    }

    #[test]
    fn the_current_thread() {
        let task = TracedTask::read(gettid());
        assert_eq!(task.pid, getpid().as_raw_pid().cast_unsigned());
        assert_eq!(task.tid, gettid().as_raw_pid().cast_unsigned());
        assert!(!task.program.is_empty());
        let (read, ours) = (task.caller().unwrap(), Caller::read());
        assert_eq!((read.euid, read.egid), (ours.euid, ours.egid));
        assert_eq!(read.user_ns, ours.user_ns);
        // This program knows fewer capabilities than the kernel may have.
        assert!(read.bounding.contains(ours.bounding));
    }

    #[test]
    fn a_name_cannot_move_the_cursor() {
        let task = TracedTask {
            pid: 1,
            tid: 2,
            program: "runc:[1:CHILD]\u{1b}[A".to_owned(),
        };
        assert_eq!(task.to_string(), "1/2 runc:[1:CHILD]\\u{1b}[A");
    }

    #[test]
    fn a_task_that_has_exited_has_no_name() {
        let gone = TracedTask::read(Pid::from_raw(i32::MAX).unwrap());
        assert_eq!(gone.pid, gone.tid);
        assert_eq!(gone.program, "");
        assert!(gone.caller().is_none());
    }
}
