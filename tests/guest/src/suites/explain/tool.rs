// SPDX-License-Identifier: GPL-2.0-only

//! `nsproxy explain` names the check, in words.

use crate::{
    errno::Code,
    ktap::Test,
    via::Kind,
    world::{Fate, Target, World},
};
use anyhow::{Context as _, Result, ensure};
use nsproxy_uapi::Reason;
use std::process::Command;

/// A check that refuses a program which a shell has started.
struct Row {
    reason: Reason,
    /// What to type; the process whose namespaces are asked for is `$t`.
    typed: &'static str,
    target: fn() -> Target,
    /// Of what is said, what is said of this check alone.
    says: &'static str,
}

/// Runs as root with all capabilities but one.
macro_rules! without {
    ($cap:literal, $command:literal) => {
        concat!("/usr/bin/setpriv --bounding-set -", $cap, " ", $command)
    };
}

/// A row for each check that can be failed so. The others: [`elsewhere`].
const ROWS: &[Row] = &[
    Row {
        reason: Reason::Neither,
        typed: "nsproxy explain -u=/bin/busybox",
        target: Target::default,
        says: "the file is neither a namespace nor a process",
    },
    Row {
        reason: Reason::NsType,
        typed: "nsproxy explain -n=/proc/$t/ns/uts",
        target: Target::in_all_new,
        says: "the file is a namespace of another kind",
    },
    Row {
        reason: Reason::Ptrace,
        typed: without!("sys_ptrace", "nsproxy explain -t $t -u"),
        // It has the capability that we lack. Over one in a user namespace of its own we had it.
        target: || Target::in_new(Kind::Uts.flag()),
        says: "we may not look into the process",
    },
    Row {
        reason: Reason::Exiting,
        typed: "nsproxy explain -t $t -u",
        target: || Target::default().with_fate(Fate::Zombie),
        says: "it is a zombie",
    },
    Row {
        reason: Reason::CapOwner,
        typed: without!("sys_admin", "nsproxy explain -u=/proc/$t/ns/uts"),
        target: || Target::in_new(Kind::Uts.flag()),
        says: "no right in the user namespace that owns the namespace",
    },
    Row {
        reason: Reason::CapSet,
        typed: without!("sys_admin", "nsproxy explain -u=/proc/$t/ns/uts"),
        target: Target::in_all_new,
        says: "no right in the user namespace that we are in",
    },
    Row {
        reason: Reason::Chroot,
        typed: without!("sys_chroot", "nsproxy explain -m=/proc/$t/ns/mnt"),
        target: Target::in_all_new,
        says: "lacking: CAP_SYS_CHROOT",
    },
    Row {
        reason: Reason::CapUser,
        typed: without!("sys_admin", "nsproxy explain -U=/proc/$t/ns/user"),
        target: || Target::in_new(Kind::User.flag()).of_user(),
        says: "no right in the user namespace to be entered",
    },
    Row {
        reason: Reason::FsShared,
        typed: "nsproxy-tests share-fs nsproxy explain -m=/proc/$t/ns/mnt",
        target: Target::in_all_new,
        says: "2 tasks share our root and working directory",
    },
    Row {
        reason: Reason::NotBelow,
        // Its /proc is still the one of outside.
        typed: "/usr/bin/unshare --fork --pid nsproxy explain -p=/proc/$t/ns/pid",
        target: Target::default,
        says: "neither ours nor a descendant of it",
    },
    Row {
        reason: Reason::SameUser,
        typed: "nsproxy explain -U=/proc/$t/ns/user",
        target: Target::default,
        says: "we are in that user namespace already",
    },
    Row {
        reason: Reason::CapInit,
        typed: without!("sys_admin", "nsproxy explain --2011 -u=/proc/$t/ns/uts"),
        target: Target::default,
        says: "in 2011 it took CAP_SYS_ADMIN in the initial user namespace",
    },
    Row {
        reason: Reason::NoNs,
        typed: "nsproxy explain --2011 -m=/proc/$t/ns/mnt",
        target: Target::default,
        says: "in 2011 there were namespace files of net, uts and ipc",
    },
];

/// Where a check is named that `nsproxy explain` cannot fail, as a program of its own.
fn elsewhere(reason: Reason) -> Option<&'static str> {
    Some(match reason {
        Reason::BadFd | Reason::NoFlags | Reason::UnknownFlags | Reason::Reaped => {
            "it makes no such call: the suite errno"
        }
        Reason::Threads | Reason::MmShared => {
            "it has no threads and, since execve(2), memory of its own: the suites errno and labs"
        }
        Reason::NoNsProxy | Reason::NoCred | Reason::NoFs | Reason::Ucounts | Reason::Root => {
            "only memory that is short brings it about: the suite faults"
        }
        Reason::Unsupported | Reason::NoPidNs | Reason::Anonymous => {
            "nobody can bring it about: the suite errno says why"
        }
        Reason::Unexplained => "no suite may see it",
        _ => return None,
    })
}

pub(super) fn tests() -> Vec<Test> {
    let mut tests: Vec<_> = ROWS
        .iter()
        .map(|row| {
            let name = format!("nsproxy explain: {}", row.reason.name());
            Test::new(name, |world| check(row, world))
        })
        .collect();
    tests.push(Test::new("nsproxy explain: each check is named", |_| {
        for reason in Reason::ALL {
            let rows = ROWS.iter().filter(|row| row.reason == *reason).count();
            let is_elsewhere = elsewhere(*reason).is_some();
            ensure!(
                rows + usize::from(is_elsewhere) == 1,
                "{}: {rows} rows, and elsewhere: {is_elsewhere}",
                reason.name()
            );
        }
        Ok(())
    }));
    tests
}

fn check(row: &Row, world: &mut World) -> Result<()> {
    let target = world.target(&(row.target)())?;
    let output = Command::new("/bin/sh")
        .args(["-c", row.typed])
        .env("t", target.pid.to_string())
        .output()
        .context("/bin/sh")?;
    let said = String::from_utf8_lossy(&output.stdout);
    let complaint = String::from_utf8_lossy(&output.stderr);
    let errno = row.reason.errno().context("a check without an errno")?;
    let errno = Code::from(errno).to_string();
    let first = said.lines().next().unwrap_or_default();
    ensure!(
        output.status.code() == Some(1) && first.contains(&errno) && said.contains(row.says),
        "`{}` ended with {} and said\n{said}{complaint}where {errno} was expected, and \"{}\"",
        row.typed,
        output.status,
        row.says
    );
    Ok(())
}
