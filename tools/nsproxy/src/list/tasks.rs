// SPDX-License-Identifier: GPL-2.0-only

//! Finds the namespaces of processes and threads, by `/proc/PID/ns` and `/proc/PID/task/TID/ns`.

use super::{collector::Collector, holders::Holder, identity::Identity, proc::numbers};
use crate::errno::show;
use anyhow::{Result, anyhow};
use nsproxy_uapi::Member;
use rustix::io::Errno;
use std::{fs, path::PathBuf};

/// The namespaces of a task.
type Members = Vec<(Member, Identity)>;

/// A process that the caller may access.
#[derive(Clone, Copy, Debug)]
pub(super) struct Process {
    pub(super) pid: u32,
    /// Its mount namespace; [`None`] if it is a zombie.
    pub(super) mnt: Option<Identity>,
}

/// The processes in `/proc`.
#[derive(Debug, Default)]
pub(super) struct Processes {
    pub(super) accessible: Vec<Process>,
    /// The number of processes to which ptrace(2) denies access.
    pub(super) hidden: usize,
}

/// Adds the namespaces of all processes and threads.
///
/// # Errors
///
/// `/proc` cannot be read.
pub(super) fn collect(collector: &mut Collector) -> Result<Processes> {
    let pids = numbers("/proc").map_err(|error| {
        let reason = Errno::from_io_error(&error).map_or_else(|| error.to_string(), show);
        anyhow!("cannot read /proc: {reason}\n  hint: mount it: mount -t proc proc /proc")
    })?;
    let mut processes = Processes::default();
    for pid in pids {
        let directory = format!("/proc/{pid}");
        let members = match members(&directory) {
            Ok(members) => members,
            Err(Errno::ACCESS | Errno::PERM) => {
                processes.hidden += 1;
                continue;
            }
            // The process has exited meanwhile.
            Err(_) => continue,
        };
        let mnt = members.iter().find(|(member, _)| *member == Member::Mnt);
        let mnt = mnt.map(|(_, identity)| *identity);
        processes.accessible.push(Process { pid, mnt });
        add_first(collector, pid, &directory, &members);
        for tid in numbers(&format!("{directory}/task")).unwrap_or_default() {
            if tid != pid {
                add_thread(collector, pid, tid, &members);
            }
        }
    }
    Ok(processes)
}

/// Adds the namespaces of the first thread of a process, which stand for the process.
fn add_first(collector: &mut Collector, pid: u32, directory: &str, members: &Members) {
    for &(member, identity) in members {
        let own = own_of(member);
        if own.is_some() && !is_new_for_children(member, identity, members) {
            continue;
        }
        let info = collector.at(identity, || path(directory, member));
        match own {
            Some(_) => info.holders.push(Holder::ForChildren { pid, tid: None }),
            None => info.processes.push(pid),
        }
    }
}

/// Adds the namespaces of another thread, as far as they differ from those of the first.
fn add_thread(collector: &mut Collector, pid: u32, tid: u32, first: &Members) {
    let directory = format!("/proc/{pid}/task/{tid}");
    let Ok(members) = members(&directory) else {
        return;
    };
    for &(member, identity) in &members {
        let is_shared = first.contains(&(member, identity));
        let holder = match own_of(member) {
            _ if is_shared => continue,
            Some(_) if !is_new_for_children(member, identity, &members) => continue,
            Some(_) => Holder::ForChildren {
                pid,
                tid: Some(tid),
            },
            None => Holder::Thread { pid, tid },
        };
        let info = collector.at(identity, || path(&directory, member));
        info.holders.push(holder);
    }
}

/// Returns the member that has the task's own namespace, for one that is for its children.
fn own_of(member: Member) -> Option<Member> {
    match member {
        Member::PidForChildren => Some(Member::Pid),
        Member::TimeForChildren => Some(Member::Time),
        _ => None,
    }
}

/// Returns whether the children of the task will be in another namespace than itself.
fn is_new_for_children(member: Member, identity: Identity, members: &Members) -> bool {
    own_of(member).is_some_and(|own| !members.contains(&(own, identity)))
}

fn path(directory: &str, member: Member) -> PathBuf {
    format!("{directory}/ns/{}", member.name()).into()
}

/// Reads the namespaces of the task in this directory. A zombie has only its user and pid
/// namespaces, and a task that has been reaped has none.
///
/// # Errors
///
/// `EACCES` if ptrace(2) denies access.
fn members(directory: &str) -> Result<Members, Errno> {
    let mut members = Vec::new();
    for member in Member::ALL {
        match fs::read_link(path(directory, member)) {
            Ok(link) => {
                members.extend(Identity::parse(link.as_os_str()).map(|identity| (member, identity)))
            }
            Err(error) => match Errno::from_io_error(&error) {
                // The kernel does not have the kind, or the task does not have the namespace.
                Some(Errno::NOENT) => {}
                errno => return Err(errno.unwrap_or(Errno::IO)),
            },
        }
    }
    Ok(members)
}

#[cfg(test)]
mod tests {
    use super::*;
    use nsproxy_uapi::Kind;

    fn identity(kind: Kind, inode: u64) -> Identity {
        Identity { kind, inode }
    }

    #[test]
    fn namespaces_for_children_are_those_that_differ() {
        let members = vec![
            (Member::Pid, identity(Kind::Pid, 1)),
            (Member::PidForChildren, identity(Kind::Pid, 2)),
            (Member::Time, identity(Kind::Time, 3)),
            (Member::TimeForChildren, identity(Kind::Time, 3)),
        ];
        let new: Vec<_> = members
            .iter()
            .filter(|(member, identity)| is_new_for_children(*member, *identity, &members))
            .collect();
        assert_eq!(new, [&members[1]]);
    }

    #[test]
    fn this_process_is_in_its_namespaces() {
        let mut collector = Collector::default();
        let processes = collect(&mut collector).unwrap();
        let own = std::process::id();
        assert!(
            processes
                .accessible
                .iter()
                .any(|process| process.pid == own)
        );
        let infos = collector.finish();
        for (member, identity) in members("/proc/self").unwrap() {
            if own_of(member).is_none() {
                let inode = Some(identity.inode);
                let info = infos.iter().find(|info| info.inode == inode).unwrap();
                assert!(info.processes.contains(&own), "{info:?}");
            }
        }
    }

    #[test]
    fn a_missing_process_has_no_namespaces() {
        assert_eq!(members("/proc/4294967295"), Ok(Vec::new()));
    }
}
