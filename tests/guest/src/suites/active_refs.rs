// SPDX-License-Identifier: GPL-2.0-only

//! That a namespace is active for as long as somebody is in what it owns, and no longer.

use crate::{
    case::implementation::{Entry, Kind},
    errno::expect,
    process::{
        Actor,
        command::{Call, Command, Source},
        setup::Setup,
    },
    report::ktap::Test,
    sys::{self, nsfs},
};
use anyhow::{Context as _, Result, ensure};
use rustix::fs::{Mode, OFlags};
use std::os::fd::OwnedFd;

pub(super) fn tests() -> Vec<Test> {
    [
        (Entry::Syscall, "syscall"),
        (Entry::Device, "device"),
        (Entry::Served, "served"),
    ]
    .map(|(entry, word)| {
        Test::new(
            format!("an owner is active while somebody is in what it owns: {word}"),
            move |_| by(entry),
        )
    })
    .into()
}

/// Somebody enters a uts namespace and leaves it again, whose user namespace has nobody else by
/// then, and is only kept in memory.
fn by(entry: Entry) -> Result<()> {
    let mut owner = Actor::spawn()?;
    owner.set_up(&Setup::Unshare(Kind::User.flag() | Kind::Uts.flag()))?;
    owner.set_up(&Setup::MapRoot)?;
    let pid = owner.pid()?;
    let user = nsfs::id(ns(pid, Kind::User)?)?;
    let uts = ns(pid, Kind::Uts)?;
    // An open file has the credentials of who opened it, and they the user namespace.
    let file = owner.open(Source::OwnPidfd)?;
    let keeper = owner.fetch_file(&Command::Give { slot: file.slot })?;

    let mut caller = Actor::spawn()?;
    caller.open_device()?;
    let there = caller.pass_file(&uts)?.slot;
    let back = caller.pass_file(ns(std::process::id(), Kind::Uts)?)?.slot;
    let mut go = |slot| {
        let call = Call::new(entry, slot, 0);
        expect(caller.call(call)?, Ok(()))
    };

    go(there)?;
    // Only the caller is left. The actor's own end is waited for.
    drop(owner);
    drop(uts);
    ensure!(
        is_active(user)?,
        "the owner is not active, and somebody is in what it owns"
    );
    go(back)?;
    // The caller has a file of it as well.
    caller.run_command(&Command::Close)?;
    ensure!(
        !is_active(user)?,
        "the owner is active, and nobody is in what it owns any more"
    );
    drop(keeper);
    Ok(())
}

fn ns(pid: u32, kind: Kind) -> Result<OwnedFd> {
    let path = format!("/proc/{pid}/ns/{}", kind.name());
    rustix::fs::open(&path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).context(path)
}

/// Whether `listns(2)` has a user namespace with that id.
fn is_active(id: u64) -> Result<bool> {
    let listed = sys::listns(Kind::User.flag()).context("listns(2)")?;
    Ok(listed.contains(&id))
}
