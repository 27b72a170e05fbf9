// SPDX-License-Identifier: GPL-2.0-only

//! Snapshots of a process of a world: brief after each operation, complete at the end.

use crate::{
    errno::Code,
    snapshot::{Children, ClockBase, LINKS, Snapshot, value_or_error},
    sys::{
        self, Semaphore,
        nsfs::{self, Relative},
    },
};
use anyhow::Result;
use rustix::{
    fs::{AtFlags, CWD, Mode, OFlags, StatxFlags},
    io::Errno,
};
use std::{
    fs::File,
    os::fd::{AsFd as _, AsRawFd as _, OwnedFd},
};

/// The key of the semaphore of each ipc namespace.
pub(super) const SEMAPHORE: i32 = 0x6e73_7073;

/// Takes the snapshot after an operation: state that can be read quickly.
///
/// Namespaces and mounts are identified by ids that are never reused. Inode numbers are reused, and
/// an object may be freed a moment later in one world than in the other.
pub(super) fn briefly(proc: &OwnedFd) -> Snapshot {
    let mut seen = Snapshot::default();
    for link in LINKS {
        let id = open_link(proc, link).and_then(|file| sys::nsfs::id(&file));
        seen.add(
            format_args!("ns/{link}"),
            value_or_error(id.map(|id| format!("{link}:[{id}]"))),
        );
    }
    seen.add("uid", rustix::process::geteuid().as_raw());
    let sets = rustix::thread::capabilities(None);
    for (key, set) in [
        ("cap/effective", sets.map(|sets| sets.effective)),
        ("cap/permitted", sets.map(|sets| sets.permitted)),
    ] {
        seen.add(
            key,
            value_or_error(set.map(|set| format!("{:016x}", set.bits()))),
        );
    }
    seen.add(
        "securebits",
        value_or_error(
            rustix::thread::capabilities_secure_bits().map(|bits| format!("{:#x}", bits.bits())),
        ),
    );
    for (key, path) in [("root", "/"), ("cwd", ".")] {
        seen.add(key, value_or_error(place(path)));
    }
    seen.add(
        "hostname",
        rustix::system::uname().nodename().to_string_lossy(),
    );
    seen.add("semaphore", semaphore());
    // A table of file descriptors that is shared has the files of the others.
    let next = rustix::io::fcntl_dupfd_cloexec(proc, 0);
    seen.add(
        "next_fd",
        value_or_error(next.map(|fd| fd.as_raw_fd().to_string())),
    );
    seen
}

/// Returns whether the process is in the initial user namespace.
pub(super) fn is_in_initial_user_ns(proc: &OwnedFd) -> Result<bool> {
    // PROC_USER_INIT_INO
    let initial = c"user:[4026531837]";
    Ok(*rustix::fs::readlinkat(proc, "self/ns/user", Vec::new())? == *initial)
}

/// Returns whether the children of the process are in another time namespace, which execve(2)
/// enters.
pub(super) fn has_time_ns_for_children(proc: &OwnedFd) -> Result<bool> {
    let id = |link| open_link(proc, link).and_then(nsfs::id);
    Ok(id("time")? != id("time_for_children")?)
}

/// Takes the snapshot at the end.
pub(super) fn everything(proc: &OwnedFd, base: &ClockBase, children: Children) -> Result<Snapshot> {
    let mut seen = Snapshot::take(proc, base, children)?;
    seen.add("semaphore", semaphore());
    // The owners and parents of the namespaces.
    for link in LINKS {
        let Ok(file) = open_link(proc, link) else {
            continue;
        };
        let owner = relative(&file, Relative::Owner, "user");
        seen.add(format_args!("owner/{link}"), value_or_error(owner));
        if let Some(kind @ ("user" | "pid")) = link.split('_').next() {
            let parent = relative(&file, Relative::Parent, kind);
            seen.add(format_args!("parent/{link}"), value_or_error(parent));
        }
    }
    Ok(seen)
}

fn open_link(proc: &OwnedFd, link: &str) -> Result<File, Errno> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC;
    rustix::fs::openat(proc, format!("self/ns/{link}"), flags, Mode::empty()).map(File::from)
}

/// Returns an owner or a parent by inode number, as the snapshot does.
fn relative(of: &File, which: Relative, kind: &str) -> Result<String, Errno> {
    let file = nsfs::relative(of.as_fd(), which)?;
    Ok(format!("{kind}:[{}]", rustix::fs::fstat(file)?.st_ino))
}

/// Returns the mount and the inode of a directory.
fn place(path: &str) -> Result<String, Errno> {
    // STATX_MNT_ID_UNIQUE, which rustix does not know yet.
    let mask = StatxFlags::INO | StatxFlags::from_bits_retain(0x4000);
    let stat = rustix::fs::statx(CWD, path, AtFlags::empty(), mask)?;
    Ok(format!("place:[{}/{}]", stat.stx_mnt_id, stat.stx_ino))
}

fn semaphore() -> String {
    let semaphore = Semaphore::with_key(SEMAPHORE, false);
    match semaphore.and_then(Semaphore::value) {
        Ok(value) => value.to_string(),
        Err(Errno::NOENT) => "none".to_owned(),
        Err(errno) => Code::from(errno).to_string(),
    }
}
