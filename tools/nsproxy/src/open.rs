// SPDX-License-Identifier: GPL-2.0-only

//! Opens the files of calls, and the device.

use crate::{
    denied_access,
    errno::show,
    ns_file::NsFile,
    open_by_id,
    plan::{Call, Source},
    refusal::hint_lines,
};
use anyhow::{Result, anyhow};
use nsproxy_diagnose::{AccessMode, Task};
use nsproxy_uapi::Device;
use rustix::{
    fs::{Mode as FileMode, OFlags, StatVfsMountFlags, statvfs},
    io::Errno,
    process::{Pid, PidfdFlags, pidfd_open},
};
use std::{
    error::Error,
    fmt, fs,
    os::{fd::OwnedFd, unix::fs::FileTypeExt as _},
    path::Path,
};

/// A file or a process that cannot be opened.
#[derive(Debug)]
pub(crate) struct Failed {
    pub(crate) errno: Errno,
    /// Lines: the file or process, and the reason if it is known.
    pub(crate) message: String,
    pub(crate) hints: Vec<String>,
}

impl Failed {
    pub(crate) fn new(errno: Errno, message: String, hints: Vec<String>) -> Self {
        Self {
            errno,
            message,
            hints,
        }
    }
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.message, hint_lines(&self.hints))
    }
}

impl Error for Failed {}

fn failed(errno: Errno, message: String, hints: Vec<String>) -> anyhow::Error {
    Failed::new(errno, message, hints).into()
}

/// Opens the file or process of `call`.
///
/// # Errors
///
/// [`Failed`], with a hint.
pub(crate) fn source(call: &Call) -> Result<OwnedFd> {
    match &call.source {
        Source::File(NsFile::Path(path)) => file(path),
        Source::File(NsFile::Id(id)) => namespace(*id),
        Source::Process(pid) => process(*pid),
    }
}

fn file(path: &Path) -> Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC;
    rustix::fs::open(path, flags, FileMode::empty()).map_err(|errno| {
        let mut message = format!("cannot open {}: {}", path.display(), show(errno));
        let mut hints = Vec::new();
        // proc_ns_get_link() returns EACCES if ptrace(2) denies access.
        if errno == Errno::ACCESS
            && let Some(target) = denied_access::process_of(path)
        {
            let why;
            (why, hints) = denied_access::describe(&Task::current(), &target, AccessMode::FsCreds);
            message += &format!("\nreason: {why}");
        }
        failed(errno, message, hints)
    })
}

fn namespace(id: u64) -> Result<OwnedFd> {
    open_by_id::open(id).map_err(|errno| {
        let message = format!("cannot open the namespace with id {id}: {}", show(errno));
        failed(
            errno,
            message,
            open_by_id::hint(errno).into_iter().collect(),
        )
    })
}

/// Opens a pidfd of a process, or of a thread by its tid.
///
/// # Errors
///
/// [`Failed`], with a hint.
pub(crate) fn process(pid: i32) -> Result<OwnedFd> {
    Pid::from_raw(pid)
        .ok_or(Errno::INVAL)
        .and_then(pidfd)
        .map_err(|errno| {
            let message = format!("cannot open process {pid}: {}", show(errno));
            let hint = match errno {
                Errno::SRCH => Some("name a process of this pid namespace"),
                Errno::INVAL if pid > 0 => Some("name a process: before Linux 6.9, no thread"),
                _ => None,
            };
            let hints = hint.map(str::to_owned).into_iter().collect();
            failed(errno, message, hints)
        })
}

/// Opens a pidfd of the thread `tid`. The tid of a first thread gives a pidfd of the process.
///
/// # Errors
///
/// `ESRCH` if there is no such task; `EINVAL` before Linux 6.9 for another thread than the first.
pub(crate) fn pidfd(tid: Pid) -> Result<OwnedFd, Errno> {
    // setns(2) looks up the task by PIDTYPE_PID, for processes and threads.
    match pidfd_open(tid, PidfdFlags::from_bits_retain(libc::PIDFD_THREAD)) {
        // Older kernels do not know the flag.
        Err(Errno::INVAL) => pidfd_open(tid, PidfdFlags::empty()),
        opened => opened,
    }
}

/// Opens the device.
///
/// # Errors
///
/// It cannot be opened; with a hint.
pub(crate) fn device() -> Result<Device> {
    Device::open().map_err(|errno| {
        let hint = Node::look().hint(errno);
        let hints = hint_lines(hint.as_slice());
        anyhow!("cannot open {}: {}{hints}", Device::PATH, show(errno))
    })
}

/// The visible state of a device that cannot be opened.
#[derive(Clone, Copy, Debug)]
struct Node {
    /// The minor number with which the module has registered it; [`None`] without the module.
    minor: Option<u32>,
    /// `true` if `/proc/misc` or `/sys/module` shows whether the module is loaded.
    is_known: bool,
    /// `true` if its filesystem is mounted with `nodev`.
    nodev: bool,
}

impl Node {
    fn look() -> Self {
        let misc = fs::read_to_string("/proc/misc").ok();
        let number = fs::read_to_string("/sys/class/misc/nsproxy/dev").ok();
        let by_sys = || number.as_ref()?.trim().strip_prefix("10:")?.parse().ok();
        let is_device =
            |path| fs::metadata(path).is_ok_and(|metadata| metadata.file_type().is_char_device());
        Self {
            minor: misc.as_deref().and_then(minor).or_else(by_sys),
            is_known: misc.is_some() || Path::new("/sys/module").is_dir(),
            nodev: is_device(Device::PATH)
                && statvfs(Device::PATH)
                    .is_ok_and(|found| found.f_flag.contains(StatVfsMountFlags::NODEV)),
        }
    }

    /// Returns a hint, often a command, for a device whose opening failed with `errno`.
    fn hint(self, errno: Errno) -> Option<String> {
        let make = |minor| format!("as root: mknod -m 600 {} c 10 {minor}", Device::PATH);
        Some(match (errno, self.minor) {
            (Errno::NOENT, Some(minor)) => {
                format!(
                    "{}; the module is loaded, but this /dev has no node for it",
                    make(minor)
                )
            }
            // The node was made for another module, or for an earlier load of this one.
            (Errno::NODEV | Errno::NXIO, Some(minor)) => {
                format!("remove it; {}: it has another number", make(minor))
            }
            (Errno::NOENT | Errno::NODEV | Errno::NXIO, None) if self.is_known => {
                "as root: insmod nsproxy_rs.ko; the module is not loaded".to_owned()
            }
            (Errno::NOENT, None) => {
                "mount /proc or /sys, which show whether the module is loaded".to_owned()
            }
            (Errno::ACCESS, _) if self.nodev => {
                "mount the filesystem of /dev without nodev".to_owned()
            }
            (Errno::ACCESS, _) => {
                format!("run as root, or as root: chmod a+rw {}", Device::PATH)
            }
            _ => return None,
        })
    }
}

/// Finds the minor number of the device in the text of `/proc/misc`.
fn minor(misc: &str) -> Option<u32> {
    let mut devices = misc.lines().filter_map(|line| line.trim().split_once(' '));
    let (minor, _) = devices.find(|(_, name)| *name == "nsproxy")?;
    minor.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NODE: Node = Node {
        minor: None,
        is_known: true,
        nodev: false,
    };

    #[test]
    fn the_minor_number_of_a_misc_device() {
        let misc = "123 nsproxy_old\n259 nsproxy\n  1 psaux\n";
        assert_eq!(minor(misc), Some(259));
        assert_eq!(minor("  1 psaux\n"), None);
    }

    #[test]
    fn no_hint_loads_a_loaded_module() {
        let loaded = Node {
            minor: Some(259),
            ..NODE
        };
        for errno in [Errno::NOENT, Errno::NXIO, Errno::NODEV] {
            let hint = loaded.hint(errno).unwrap();
            assert!(
                hint.contains("mknod -m 600 /dev/nsproxy c 10 259"),
                "{hint}"
            );
            assert!(NODE.hint(errno).unwrap().contains("insmod"));
        }
        let blind = Node {
            is_known: false,
            ..NODE
        };
        assert!(!blind.hint(Errno::NOENT).unwrap().contains("insmod"));
        assert_eq!(NODE.hint(Errno::IO), None);
    }

    #[test]
    fn nodev_has_its_own_hint() {
        let nodev = Node {
            nodev: true,
            ..NODE
        };
        assert!(nodev.hint(Errno::ACCESS).unwrap().contains("nodev"));
        assert!(NODE.hint(Errno::ACCESS).unwrap().contains("chmod"));
    }
}
