// SPDX-License-Identifier: GPL-2.0-only

//! Properties of the kernel that tests depend on.

use crate::{
    case::implementation::Kind,
    process::{
        creds,
        workers::{self, run_in_child},
    },
    report::ktap::Skip,
    sys::{self, Fork},
};
use anyhow::{Context as _, Result, ensure};
use nsproxy_uapi::{
    Member,
    clone_flags::UNSHARE_EMPTY_MNTNS,
    nsfs::{is_dumpable, of_process},
    setns_raw,
};
use rustix::{
    io::Errno,
    mount::{MountFlags, mount},
    process::{PidfdFlags, getpid, pidfd_open},
};
use std::{
    fs::{self, File},
    os::fd::{AsRawFd as _, OwnedFd},
    path::Path,
    sync::OnceLock,
};

/// The secure bits that restrict the execution of files, and their locks.
pub(crate) const SECBIT_EXEC: u32 = 0xf00;

/// The flag of pidfd_open(2) for a thread.
pub(crate) const PIDFD_THREAD: PidfdFlags = PidfdFlags::from_bits_retain(libc::O_EXCL as u32);

/// A feature that older kernels do not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Feature {
    /// A new task that shares the memory of a task with a time namespace for children. It enters the
    /// namespace at execve(2) (6.3).
    TimeAtExec,
    /// A pidfd of a thread (6.9).
    PidfdThread,
    /// The ioctls of a pidfd that open namespaces (6.11).
    PidfdNamespaces,
    /// The secure bits `SECBIT_EXEC_*` (6.14).
    SecureBitsOfExec,
    /// A pidfd that reports whether its process is dumpable (6.16).
    PidfdDumpable,
    /// Ids of namespaces (6.18).
    NamespaceIds,
    /// File handles of namespaces (6.18).
    NsfsHandles,
    /// listns(2) (6.19).
    Listns,
    /// unshare(2) and clone(2) into a mount namespace that has only the root mount (7.1).
    EmptyMountNamespaces,
}

impl Feature {
    fn name(self) -> &'static str {
        match self {
            Self::TimeAtExec => "CLONE_VM with a time namespace for children",
            Self::PidfdThread => "PIDFD_THREAD",
            Self::PidfdNamespaces => "PIDFD_GET_*_NAMESPACE",
            Self::SecureBitsOfExec => "SECBIT_EXEC_*",
            Self::PidfdDumpable => "PIDFD_INFO_COREDUMP",
            Self::NamespaceIds => "ids of namespaces",
            Self::NsfsHandles => "file handles of namespaces",
            Self::Listns => "listns(2)",
            Self::EmptyMountNamespaces => "UNSHARE_EMPTY_MNTNS",
        }
    }

    /// Returns whether the kernel has the feature: tries it.
    pub(crate) fn exists(self) -> Result<bool> {
        let pidfd = |flags| pidfd_open(getpid(), flags);
        let uts = || Ok::<OwnedFd, anyhow::Error>(File::open("/proc/self/ns/uts")?.into());
        Ok(match self {
            Self::TimeAtExec => !is_before((6, 3)),
            Self::PidfdThread => pidfd(PIDFD_THREAD).is_ok(),
            Self::PidfdNamespaces => of_process(pidfd(PidfdFlags::empty())?, Member::Uts).is_ok(),
            Self::SecureBitsOfExec => run_in_child(|| creds::set_secure_bits(SECBIT_EXEC)).is_ok(),
            Self::PidfdDumpable => {
                let reported = is_dumpable(pidfd(PidfdFlags::empty())?);
                reported.is_ok_and(|is| is.is_some())
            }
            Self::NamespaceIds => sys::nsfs::id(uts()?).is_ok(),
            Self::NsfsHandles => sys::nsfs::by_file_handle(uts()?).is_ok(),
            Self::Listns => sys::listns(Kind::Uts.flag()) != Err(Errno::NOSYS),
            Self::EmptyMountNamespaces => {
                run_in_child(|| Ok(sys::unshare(UNSHARE_EMPTY_MNTNS as u32)?)).is_ok()
            }
        })
    }

    /// Skips the test that calls this if the kernel does not have the feature.
    pub(crate) fn require(self) -> Result<()> {
        match self.exists()? {
            true => Ok(()),
            false => Err(Skip::because(format!("the kernel has no {}", self.name()))),
        }
    }
}

/// Returns whether `install()` of a mount namespace checks the `fs_struct` of the `nsset`, not that
/// of the caller. With several kinds the former is a copy, which is not shared. So a caller that
/// shares its `fs_struct` may enter, and moves the tasks it shares it with.
///
/// Linux 7.3 changed that, and so did stable releases of older series. So it is tried.
pub(crate) fn checks_fs_copy() -> bool {
    static CHECKS: OnceLock<bool> = OnceLock::new();
    *CHECKS.get_or_init(|| run_in_child(enter_while_sharing_fs).is_ok())
}

/// Has a child that shares the `fs_struct` enter its own mount and uts namespaces.
fn enter_while_sharing_fs() -> Result<()> {
    let kinds = Kind::Mnt.flag() | Kind::Uts.flag();
    match sys::fork_sharing_fs()? {
        Fork::Child => {
            let pidfd = pidfd_open(getpid(), PidfdFlags::empty());
            let entered = pidfd.and_then(|pidfd| setns_raw(pidfd.as_raw_fd(), kinds as i32));
            sys::exit(i32::from(entered.is_err()))
        }
        Fork::Parent(child) => {
            let status = workers::wait(child)?;
            ensure!(status.exit_status() == Some(0), "setns(2) failed");
            Ok(())
        }
    }
}

/// Returns whether the lookup of a root allocates memory.
pub(crate) fn allocates_in_lookup() -> bool {
    !is_before((7, 3))
}

/// Returns the secure bits that a task keeps when it enters a user namespace: those that restrict the
/// execution of files, and their locks. Older kernels clear them, too.
pub(crate) fn secure_bits_kept() -> u32 {
    if is_before((7, 3)) { 0 } else { SECBIT_EXEC }
}

/// Returns all capabilities of the kernel, as bits.
pub(crate) fn all_capabilities() -> Result<u64> {
    const FILE: &str = "/proc/sys/kernel/cap_last_cap";
    let last: u32 = fs::read_to_string(FILE).context(FILE)?.trim().parse()?;
    Ok(u64::MAX >> (u64::BITS - 1 - last))
}

fn is_before(release: (u32, u32)) -> bool {
    let uname = rustix::system::uname();
    let text = uname.release().to_string_lossy();
    let mut numbers = text.split('.').map_while(|word| word.parse().ok());
    match (numbers.next(), numbers.next()) {
        (Some(major), Some(minor)) => (major, minor) < release,
        _ => false,
    }
}

/// Returns whether the kernel has a sanitizer that makes it many times slower.
pub(crate) fn is_sanitized() -> bool {
    ["kmemleak", "kcsan"]
        .iter()
        .any(|name| Path::new("/sys/kernel/debug").join(name).exists())
}

/// Returns the mount point of tracefs. Mounts it if necessary.
pub(crate) fn tracefs() -> Result<&'static Path> {
    const ROOT: &str = "/sys/kernel/tracing";
    let root = Path::new(ROOT);
    if !root.join("trace").exists() {
        mount("tracefs", ROOT, "tracefs", MountFlags::empty(), None)
            .context("tracefs; was the kernel built with CONFIG_EVENT_TRACING?")?;
    }
    Ok(root)
}
