// SPDX-License-Identifier: GPL-2.0-only

//! Processes: their namespaces by `NSPROXY_SHOW`, and other attributes by `/proc/PID`.

use anyhow::{Context as _, Result};
use nsproxy::Identity;
use nsproxy_uapi::{Device, Member, Shown};
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use std::{
    fs,
    os::fd::AsFd as _,
    path::{Path, PathBuf},
};

/// The number of `CAP_SYS_ADMIN`.
const CAP_SYS_ADMIN: u32 = 21;

/// A process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Process {
    pub(crate) pid: u32,
    /// The name of its program: `comm`.
    pub(crate) program: String,
    pub(crate) parent: u32,
    pub(crate) uid: u32,
    pub(crate) threads: u32,
    pub(crate) has_cap_sys_admin: bool,
    /// [`None`] if the links cannot be read, as those of a process that exits.
    pub(crate) root: Option<PathBuf>,
    pub(crate) cwd: Option<PathBuf>,
    /// The offsets of the time namespace for its children, in seconds.
    pub(crate) offsets: Option<Offsets>,
    pub(crate) nsproxy_count: u32,
    pub(crate) members: Vec<MemberFacts>,
}

/// The offsets of a time namespace, in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Offsets {
    pub(crate) monotonic: i64,
    pub(crate) boottime: i64,
}

/// A namespace of a process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct MemberFacts {
    pub(crate) member: Member,
    pub(crate) identity: Identity,
    pub(crate) is_initial: bool,
    pub(crate) ns_ref: u32,
    pub(crate) active: u32,
}

/// Reads all processes except this one and those of the kernel, in the order of their pids.
pub(crate) fn read(device: &Device) -> Result<Vec<Process>> {
    let own = std::process::id();
    let entries = fs::read_dir("/proc").context("/proc")?;
    let pids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    let mut pids: Vec<u32> = pids.filter(|pid| *pid != own).collect();
    pids.sort_unstable();
    // A process that exits meanwhile is left out.
    Ok(pids
        .into_iter()
        .filter_map(|pid| one(device, pid))
        .collect())
}

fn one(device: &Device, pid: u32) -> Option<Process> {
    let directory = Path::new("/proc").join(pid.to_string());
    let status = Status::parse(&fs::read_to_string(directory.join("status")).ok()?)?;
    let pidfd = pidfd_open(Pid::from_raw(pid.cast_signed())?, PidfdFlags::empty()).ok()?;
    let shown = device.show(Some(pidfd.as_fd())).ok()?;
    let link = |name| fs::read_link(directory.join(name)).ok();
    let offsets = fs::read_to_string(directory.join("timens_offsets")).ok();
    Some(Process {
        pid,
        program: status.program,
        parent: status.parent,
        uid: status.uid,
        threads: status.threads,
        has_cap_sys_admin: status.effective >> CAP_SYS_ADMIN & 1 == 1,
        root: link("root"),
        cwd: link("cwd"),
        offsets: offsets.and_then(|text| Offsets::parse(&text)),
        nsproxy_count: shown.count,
        members: members(&shown),
    })
}

fn members(shown: &Shown) -> Vec<MemberFacts> {
    let facts = shown.namespaces.iter().map(|ns| MemberFacts {
        member: ns.member,
        identity: Identity {
            kind: ns.kind(),
            inode: ns.inum.into(),
        },
        is_initial: ns.constant,
        ns_ref: ns.ns_ref,
        active: ns.active,
    });
    facts.collect()
}

/// The lines of `/proc/PID/status` that conditions are about.
#[derive(Debug, PartialEq, Eq)]
struct Status {
    program: String,
    parent: u32,
    uid: u32,
    threads: u32,
    effective: u64,
}

impl Status {
    /// Returns [`None`] for a thread of the kernel, which has no memory, and for a zombie.
    fn parse(text: &str) -> Option<Self> {
        let field = |name: &str| {
            let mut lines = text.lines().filter_map(|line| line.split_once(":\t"));
            Some(lines.find(|(found, _)| *found == name)?.1.trim())
        };
        field("VmSize")?;
        Some(Self {
            program: field("Name")?.to_owned(),
            parent: field("PPid")?.parse().ok()?,
            // The effective one is the second of four.
            uid: field("Uid")?.split('\t').nth(1)?.parse().ok()?,
            threads: field("Threads")?.parse().ok()?,
            effective: u64::from_str_radix(field("CapEff")?, 16).ok()?,
        })
    }
}

impl Offsets {
    /// Parses `/proc/PID/timens_offsets`.
    fn parse(text: &str) -> Option<Self> {
        let seconds = |clock: &str| {
            let mut lines = text.lines().map(str::split_whitespace);
            lines.find_map(|mut words| {
                (words.next() == Some(clock)).then(|| words.next()?.parse().ok())?
            })
        };
        Some(Self {
            monotonic: seconds("monotonic")?,
            boottime: seconds("boottime")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_status() {
        let text = "Name:\tmy sleep\nPPid:\t7\nUid:\t0\t1000\t0\t0\nVmSize:\t   1 kB\n\
                    Threads:\t2\nCapEff:\t0000000000200000\n";
        let status = Status::parse(text).unwrap();
        let expected = Status {
            program: "my sleep".to_owned(),
            parent: 7,
            uid: 1000,
            threads: 2,
            effective: 1 << CAP_SYS_ADMIN,
        };
        assert_eq!(status, expected);
        assert_eq!(Status::parse(&text.replace("VmSize", "Vm")), None);
    }

    #[test]
    fn offsets_of_a_time_namespace() {
        let text = "monotonic           0         0\nboottime        -5000         0\n";
        let expected = Offsets {
            monotonic: 0,
            boottime: -5000,
        };
        assert_eq!(Offsets::parse(text), Some(expected));
        assert_eq!(Offsets::parse(""), None);
    }

    #[test]
    fn this_process_has_a_status() {
        let status = Status::parse(&fs::read_to_string("/proc/self/status").unwrap());
        assert!(status.is_some_and(|status| status.threads > 0));
    }
}
