// SPDX-License-Identifier: GPL-2.0-only

//! Collects the values of a snapshot.

use super::{ClockBase, OWNED_LINKS, Snapshot, value_or_error};
use crate::{
    errno::Code,
    process::{read_proc, setup::MESSAGE_QUEUE},
    sys::{
        self, Fork,
        nsfs::{self, Relative},
    },
};
use anyhow::{Result, ensure};
use nsproxy::{interfaces, one_line};
use rustix::{
    fs::{AtFlags, CWD, Mode, OFlags, StatxFlags},
    io::Errno,
    process::WaitOptions,
};
use serde::{Deserialize, Serialize};
use std::{
    ffi::CStr,
    io::{Read, Write as _},
    os::fd::{AsFd as _, OwnedFd},
    process::ExitCode,
};

/// The children that take part in a snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) enum Children {
    None,
    /// A forked child.
    Forked,
    /// A forked child and one that executes a program, which doubles the time in an emulator.
    AndProgram,
}

/// Lines of `/proc/PID/status`, in their order, with their keys in the snapshot.
const STATUS: [(&str, &str); 10] = [
    ("Uid", "uid"),
    ("Gid", "gid"),
    ("Groups", "groups"),
    ("CapInh", "cap/inheritable"),
    ("CapPrm", "cap/permitted"),
    ("CapEff", "cap/effective"),
    ("CapBnd", "cap/bounding"),
    ("CapAmb", "cap/ambient"),
    ("NoNewPrivs", "no_new_privs"),
    ("Seccomp", "seccomp"),
];

/// The approximate length of a snapshot.
const LENGTH: usize = 4096;

impl Snapshot {
    /// Takes a snapshot, given a `/proc` that contains the process.
    ///
    /// A value that cannot be read is replaced by the name of the error, which is compared, too.
    pub(crate) fn take(proc: &OwnedFd, base: &ClockBase, children: Children) -> Result<Self> {
        let mut seen = Self(String::with_capacity(LENGTH));
        seen.add_links(proc, "self", "ns");
        seen.add_status(proc);
        seen.add(
            "securebits",
            value_or_error(
                rustix::thread::capabilities_secure_bits()
                    .map(|bits| format!("{:#x}", bits.bits())),
            ),
        );
        seen.add(
            "dumpable",
            value_or_error(rustix::process::dumpable_behavior().map(|how| format!("{how:?}"))),
        );
        seen.add_place("root", "/");
        seen.add_place("cwd", ".");
        let uname = rustix::system::uname();
        seen.add("hostname", uname.nodename().to_string_lossy());
        seen.add("domainname", uname.domainname().to_string_lossy());
        for file in [
            "cgroup",
            "uid_map",
            "gid_map",
            "setgroups",
            "timens_offsets",
        ] {
            let text = read_proc(proc, &format!("self/{file}"));
            seen.add(file, value_or_error(text.map(|text| one_line(&text))));
        }
        let devices = read_proc(proc, "self/net/dev");
        seen.add(
            "interfaces",
            value_or_error(devices.map(|text| interfaces(&text))),
        );
        let mounts = sys::count_mounts().or_else(|errno| match errno {
            // Before Linux 6.8
            Errno::NOSYS => Ok(read_proc(proc, "self/mountinfo")?.lines().count()),
            _ => Err(errno),
        });
        seen.add("mounts", value_or_error(mounts.map(|n| n.to_string())));
        let queue = match sys::message_queue(MESSAGE_QUEUE, false) {
            Ok(()) => "found".to_owned(),
            Err(Errno::NOENT) => "none".to_owned(),
            Err(errno) => Code::from(errno).to_string(),
        };
        seen.add("message_queue", queue);
        for (clock, (vdso, syscall)) in base.offsets_here() {
            seen.add(format_args!("clock/{clock}/vdso"), vdso);
            seen.add(format_args!("clock/{clock}/syscall"), syscall);
        }
        if children != Children::None {
            seen.add_child(proc)?;
        }
        if children == Children::AndProgram {
            seen.add_program(proc)?;
        }
        Ok(seen)
    }

    /// Adds the user namespaces that own the namespaces of the process, those for children of two
    /// kinds.
    pub(crate) fn add_owners(&mut self, proc: &OwnedFd) {
        for link in OWNED_LINKS {
            self.add(
                format_args!("owner/ns/{link}"),
                value_or_error(owner(proc, link)),
            );
        }
    }

    /// Adds ids, capabilities and other lines of `/proc/self/status`.
    fn add_status(&mut self, proc: &OwnedFd) {
        let status = read_proc(proc, "self/status").unwrap_or_default();
        let mut lines = status.lines();
        for (name, key) in STATUS {
            self.add(key, status_line(&mut lines, name));
        }
    }

    /// Adds the file system, the inode and the mount of a directory.
    fn add_place(&mut self, key: &str, path: &str) {
        let mask = StatxFlags::INO | StatxFlags::MNT_ID;
        match rustix::fs::statx(CWD, path, AtFlags::empty(), mask) {
            Ok(stat) => {
                let (major, minor) = (stat.stx_dev_major, stat.stx_dev_minor);
                self.add(format_args!("{key}/dev"), format_args!("{major}:{minor}"));
                self.add(format_args!("{key}/inode"), stat.stx_ino);
                self.add(format_args!("{key}/mount"), stat.stx_mnt_id);
            }
            Err(errno) => {
                for what in ["dev", "inode", "mount"] {
                    self.add(format_args!("{key}/{what}"), Code::from(errno));
                }
            }
        }
    }

    /// Adds the namespaces and pids of a forked child.
    fn add_child(&mut self, proc: &OwnedFd) -> Result<()> {
        let (read, mut write) = std::io::pipe()?;
        let child = match sys::fork() {
            Err(errno) => {
                self.add("child/error", Code::from(errno));
                return Ok(());
            }
            Ok(Fork::Child) => {
                let mut seen = Self::default();
                seen.add_links(proc, "self", "child/ns");
                let status = read_proc(proc, "self/status").unwrap_or_default();
                let pids = status_line(&mut status.lines(), "NSpid");
                seen.add("child/pid_levels", pids.split(' ').count());
                let pid = rustix::process::getpid().as_raw_pid();
                seen.add("child/is_init", pid == 1);
                seen.add("child/sees_parent", rustix::process::getppid().is_some());
                seen.add("info/child_pid", pid);
                let _ = write.write_all(seen.0.as_bytes());
                sys::exit(0)
            }
            Ok(Fork::Parent(child)) => child,
        };
        drop(write);
        self.add_lines(read, "child")?;
        rustix::process::waitpid(Some(child), WaitOptions::empty())?;
        Ok(())
    }

    /// Adds the namespaces and clocks of a program that a child of `vfork()` executes, as
    /// `posix_spawn()` does: execve(2) completes changes that shared memory had delayed.
    fn add_program(&mut self, proc: &OwnedFd) -> Result<()> {
        let (read, write) = std::io::pipe()?;
        let child = sys::vfork(|| {
            // Executes this program by a path that works in each root and mount namespace.
            let (proc, write) = (proc.as_fd(), write.as_fd());
            sys::exec(proc, c"self/exe", LINKS_OF_A_PROGRAM, proc, write);
            1
        });
        drop(write);
        let child = match child {
            Ok(child) => child,
            Err(errno) => {
                self.add("program/error", Code::from(errno));
                return Ok(());
            }
        };
        self.add_lines(read, "program")?;
        rustix::process::waitpid(Some(child), WaitOptions::empty())?;
        Ok(())
    }

    /// Adds the lines that a child writes.
    fn add_lines(&mut self, mut from: impl Read, child: &str) -> Result<()> {
        let begin = self.0.len();
        from.read_to_string(&mut self.0)?;
        let lines = &self.0[begin..];
        ensure!(
            lines.ends_with('\n'),
            "the snapshot of the {child} ends in {lines:?}"
        );
        Ok(())
    }
}

/// The argument that makes this program call [`print_links`].
const LINKS_OF_A_PROGRAM: &CStr = c"links";

/// Prints values for [`Snapshot::add_program`]. The standard input is a `/proc`.
pub(crate) fn print_links() -> Result<ExitCode> {
    let mut seen = Snapshot::default();
    seen.add_links(std::io::stdin(), "self", "program/ns");
    for (clock, id) in [
        ("monotonic", libc::CLOCK_MONOTONIC),
        ("boottime", libc::CLOCK_BOOTTIME),
    ] {
        // The vDSO and the system call must have the same offset.
        let apart = sys::clock_by_syscall(id) - sys::clock_by_vdso(id);
        let agree = apart.abs() < 1_000_000_000;
        seen.add(format_args!("program/clock/{clock}/agree"), agree);
    }
    std::io::stdout().write_all(seen.0.as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

/// Returns the next line with that name.
fn status_line<'a>(lines: &mut impl Iterator<Item = &'a str>, name: &str) -> String {
    let line = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    one_line(line.unwrap_or_default())
}

/// Returns the user namespace that owns a namespace of the process, as its link names it.
fn owner(proc: &OwnedFd, link: &str) -> Result<String, Errno> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC;
    let file = rustix::fs::openat(proc, format!("self/ns/{link}"), flags, Mode::empty())?;
    let owner = nsfs::relative(file, Relative::Owner)?;
    Ok(format!("user:[{}]", rustix::fs::fstat(owner)?.st_ino))
}
