// SPDX-License-Identifier: GPL-2.0-only

//! What a process of a world sees: a little after each operation, everything at the end.

use crate::{
    errno::Code,
    snapshot::{Children, ClockBase, LINKS, Snapshot, word},
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
    os::fd::{AsFd as _, OwnedFd},
};

/// The key of the semaphore of each ipc namespace.
pub(super) const SEMAPHORE: i32 = 0x6e73_7073;

/// What can be seen without much ado; after each operation.
///
/// Namespaces and mounts are called by ids that are never used again, unlike inode numbers: in
/// one world something may be freed a moment later than in the other.
pub(super) fn glance(proc: &OwnedFd) -> Snapshot {
    let mut seen = Snapshot::default();
    for link in LINKS {
        let id = open_link(proc, link).and_then(|file| sys::namespace_id(&file));
        seen.add(
            format_args!("ns/{link}"),
            word(id.map(|id| format!("{link}:[{id}]"))),
        );
    }
    seen.add("uid", rustix::process::geteuid().as_raw());
    let sets = rustix::thread::capabilities(None);
    for (key, set) in [
        ("cap/effective", sets.map(|sets| sets.effective)),
        ("cap/permitted", sets.map(|sets| sets.permitted)),
    ] {
        seen.add(key, word(set.map(|set| format!("{:016x}", set.bits()))));
    }
    seen.add(
        "securebits",
        word(rustix::thread::capabilities_secure_bits().map(|bits| format!("{:#x}", bits.bits()))),
    );
    for (key, path) in [("root", "/"), ("cwd", ".")] {
        seen.add(key, word(place(path)));
    }
    seen.add(
        "hostname",
        rustix::system::uname().nodename().to_string_lossy(),
    );
    seen.add("semaphore", semaphore());
    seen
}

/// All that there is.
pub(super) fn everything(proc: &OwnedFd, base: &ClockBase, children: Children) -> Result<Snapshot> {
    let mut seen = Snapshot::take(proc, base, children)?;
    seen.add("semaphore", semaphore());
    // In which user namespace each lies, and below which other.
    for link in LINKS {
        let Ok(file) = open_link(proc, link) else {
            continue;
        };
        let owner = relative(&file, Relative::Owner, "user");
        seen.add(format_args!("owner/{link}"), word(owner));
        if let Some(kind @ ("user" | "pid")) = link.split('_').next() {
            let parent = relative(&file, Relative::Parent, kind);
            seen.add(format_args!("parent/{link}"), word(parent));
        }
    }
    Ok(seen)
}

fn open_link(proc: &OwnedFd, link: &str) -> Result<File, Errno> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC;
    rustix::fs::openat(proc, format!("self/ns/{link}"), flags, Mode::empty()).map(File::from)
}

/// By inode number, as the snapshot has it.
fn relative(of: &File, which: Relative, kind: &str) -> Result<String, Errno> {
    let file = nsfs::relative(of.as_fd(), which)?;
    Ok(format!("{kind}:[{}]", rustix::fs::fstat(file)?.st_ino))
}

/// A directory: which mount, and which inode there.
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
