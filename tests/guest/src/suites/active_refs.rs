// SPDX-License-Identifier: GPL-2.0-only

//! A user namespace is active as long as a task is in a namespace that it owns, and no longer.

use crate::{
    case::{
        fd_source::open_ns,
        implementation::{Entry, Kind},
    },
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

pub(super) fn tests() -> Vec<Test> {
    let mut tests = Vec::new();
    for (entry, word) in [
        (Entry::Syscall, "syscall"),
        (Entry::Device, "device"),
        (Entry::Served, "served"),
    ] {
        for (depth, owners) in [(1, "an owner is"), (3, "owners three deep are")] {
            tests.push(Test::new(
                format!("{owners} active while a task is in the namespace: {word}"),
                move |_| check(entry, depth),
            ));
        }
    }
    tests
}

/// Enters and leaves a uts namespace that is owned so many user namespaces below, which have no task
/// meanwhile. An open file keeps them in memory.
fn check(entry: Entry, depth: usize) -> Result<()> {
    let mut owner = Actor::spawn()?;
    let pid = owner.pid()?.to_string();
    let mut owners = Vec::new();
    for level in 1..=depth {
        let uts = if level == depth { Kind::Uts.flag() } else { 0 };
        owner.set_up(&Setup::Unshare(Kind::User.flag() | uts))?;
        owner.set_up(&Setup::MapRoot)?;
        owners.push(nsfs::id(open_ns(&pid, "user")?)?);
    }
    let uts = open_ns(&pid, "uts")?;
    // An open file references the credentials of the opener, which reference the user namespace.
    let file = owner.open(Source::OwnPidfd)?;
    let keeper = owner.fetch_file(&Command::Give { slot: file.slot })?;

    let mut caller = Actor::spawn()?;
    caller.open_device()?;
    let there = caller.pass_file(&uts)?.slot;
    let back = caller.pass_file(open_ns("self", "uts")?)?.slot;
    let mut go = |slot| {
        let call = Call::new(entry, slot, 0);
        expect(caller.call(call)?, Ok(()))
    };

    go(there)?;
    // Waits for the exit of the actor, so that only the caller is left.
    drop(owner);
    drop(uts);
    for (level, user) in owners.iter().enumerate() {
        ensure!(
            is_active(*user)?,
            "owner {level} is not active while a task is in the namespace"
        );
    }
    go(back)?;
    // The caller has a file of the namespace, too.
    caller.run_command(&Command::Close)?;
    for (level, user) in owners.iter().enumerate() {
        ensure!(
            !is_active(*user)?,
            "owner {level} is active after the last task has left the namespace"
        );
    }
    drop(keeper);
    Ok(())
}

/// Returns whether `listns(2)` lists a user namespace with that id.
fn is_active(id: u64) -> Result<bool> {
    let listed = sys::listns(Kind::User.flag()).context("listns(2)")?;
    Ok(listed.contains(&id))
}
