// SPDX-License-Identifier: GPL-2.0-only

//! The namespaces of a task, without their counts.

use crate::{namespace::Namespace, task::Task};
use nsproxy_uapi::{Kind, Member, Shown};
use rustix::io::Errno;

/// Returns the namespaces of a task. The counts are 0: only the module knows them. An id is the inode
/// number on a kernel without ids (before Linux 6.18). A kind that the kernel does not have is left
/// out, and so is the pid namespace for children as long as it has no process.
///
/// # Errors
///
/// `EACCES` if ptrace(2) denies access to the task; `ESRCH` if it has exited.
pub fn show(task: &Task) -> Result<Shown, Errno> {
    let mut namespaces = Vec::new();
    for member in Member::ALL {
        match task.namespace(member) {
            Ok(namespace) => namespaces.push(shown(member, &namespace)),
            Err(Errno::NOENT) => {}
            Err(errno) => return Err(errno),
        }
    }
    match namespaces.is_empty() {
        true => Err(Errno::SRCH),
        false => Ok(Shown {
            count: 0,
            namespaces,
        }),
    }
}

fn shown(member: Member, namespace: &Namespace) -> nsproxy_uapi::Namespace {
    let known = |id: u64| (id != 0).then_some(id);
    let parent = match member.kind() {
        Kind::User => known(namespace.owner().id()),
        Kind::Pid => known(namespace.parent().id()),
        _ => None,
    };
    nsproxy_uapi::Namespace {
        member,
        id: namespace.id(),
        owner: known(namespace.owner().id()),
        parent,
        inum: namespace.inode() as u32,
        ns_ref: 0,
        active: 0,
        constant: namespace.inode() == initial(member.kind()),
    }
}

/// Returns the inode number of the initial namespace of a kind: `enum init_ns_ino`. Before Linux 6.18
/// those of mnt and net are others.
fn initial(kind: Kind) -> u64 {
    match kind {
        Kind::Ipc => 0xEFFF_FFFF,
        Kind::Uts => 0xEFFF_FFFE,
        Kind::User => Namespace::INITIAL_USER,
        Kind::Pid => Namespace::INITIAL_PID,
        Kind::Cgroup => 0xEFFF_FFFB,
        Kind::Time => 0xEFFF_FFFA,
        Kind::Net => 0xEFFF_FFF9,
        Kind::Mnt => 0xEFFF_FFF8,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_own_namespaces() {
        let shown = show(&Task::current()).unwrap();
        let user = shown.namespaces.iter();
        let user = user.clone().find(|ns| ns.member == Member::User).unwrap();
        assert_eq!((user.ns_ref, user.parent), (0, None));
        assert!(shown.namespaces.len() >= 8, "{shown:?}");
    }
}
