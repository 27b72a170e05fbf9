// SPDX-License-Identifier: GPL-2.0-only

//! The kernel's own interfaces to namespaces and processes: the ioctls of nsfs and of pidfds.

use crate::{Kind, Member};
use rustix::{io::Errno, ioctl::opcode};
use std::{
    ffi::{c_int, c_ulong},
    os::fd::{AsFd, AsRawFd as _, FromRawFd as _, OwnedFd},
};

const NS_GET_ID: u32 = opcode::read::<u64>(0xb7, 13);
const PIDFD_GET_INFO: u32 = opcode::read_write::<PidfdInfo>(0xff, 11);
const PIDFD_INFO_COREDUMP: u64 = 1 << 4;
const PIDFD_COREDUMP_USER: u32 = 1 << 2;

/// The fields of `struct pidfd_info` up to `PIDFD_INFO_SIZE_VER1`.
#[repr(C)]
#[derive(Default)]
struct PidfdInfo {
    mask: u64,
    cgroupid: u64,
    ids: [u32; 11],
    exit_code: i32,
    coredump_mask: u32,
    coredump_signal: u32,
}

/// Returns the id of the namespace behind an nsfs file: `NS_GET_ID`. Ids are never reused.
///
/// # Errors
///
/// `ENOTTY` for a file of another filesystem.
pub fn id(ns: impl AsFd) -> Result<u64, Errno> {
    let mut id = 0_u64;
    ioctl(ns, NS_GET_ID.into(), &mut id)?;
    Ok(id)
}

/// Returns a number that identifies a namespace: its id, or its inode number on a kernel without ids,
/// before Linux 6.18. Inode numbers of namespaces are far above ids.
///
/// # Errors
///
/// Errors of fstat(2).
pub fn id_or_inode(ns: impl AsFd) -> Result<u64, Errno> {
    id(&ns).or_else(|_| Ok(rustix::fs::fstat(&ns)?.st_ino))
}

/// Returns the kind of the namespace behind an nsfs file: `NS_GET_NSTYPE`.
///
/// # Errors
///
/// `ENOTTY` for a file of another filesystem; `EPROTO` for an unknown kind.
pub fn kind(ns: impl AsFd) -> Result<Kind, Errno> {
    let flag = ioctl_without(ns, libc::NS_GET_NSTYPE)?;
    let mut kinds = Kind::ALL.into_iter();
    kinds
        .find(|kind| kind.flag() as c_int == flag)
        .ok_or(Errno::PROTO)
}

/// Opens the user namespace that owns the namespace: `NS_GET_USERNS`. The owner of a user namespace
/// is its parent.
///
/// # Errors
///
/// `EPERM` if the owner is neither the caller's user namespace nor a descendant of it.
pub fn owner(ns: impl AsFd) -> Result<OwnedFd, Errno> {
    ioctl_without(ns, libc::NS_GET_USERNS).map(new_fd)
}

/// Opens the parent of a user or pid namespace: `NS_GET_PARENT`.
///
/// # Errors
///
/// `EPERM` if the parent is neither the caller's own namespace nor a descendant of it; `EINVAL` for a
/// namespace of another kind.
pub fn parent(ns: impl AsFd) -> Result<OwnedFd, Errno> {
    ioctl_without(ns, libc::NS_GET_PARENT).map(new_fd)
}

/// Returns the uid that owns a user namespace: `NS_GET_OWNER_UID`. It is mapped to the user
/// namespace of the caller; an unmapped uid becomes the overflow uid.
///
/// # Errors
///
/// `EINVAL` for a namespace of another kind.
pub fn owner_uid(user_ns: impl AsFd) -> Result<u32, Errno> {
    let mut uid = 0_u32;
    ioctl(user_ns, libc::NS_GET_OWNER_UID, &mut uid)?;
    Ok(uid)
}

/// Opens a namespace of the process: `PIDFD_GET_*_NAMESPACE`.
///
/// # Errors
///
/// `EACCES` if ptrace(2) denies access to the process; `ESRCH` if it has exited.
pub fn of_process(pidfd: impl AsFd, member: Member) -> Result<OwnedFd, Errno> {
    let number = match member {
        Member::User => libc::PIDFD_GET_USER_NAMESPACE,
        Member::Mnt => libc::PIDFD_GET_MNT_NAMESPACE,
        Member::Uts => libc::PIDFD_GET_UTS_NAMESPACE,
        Member::Ipc => libc::PIDFD_GET_IPC_NAMESPACE,
        Member::Pid => libc::PIDFD_GET_PID_NAMESPACE,
        Member::PidForChildren => libc::PIDFD_GET_PID_FOR_CHILDREN_NAMESPACE,
        Member::Cgroup => libc::PIDFD_GET_CGROUP_NAMESPACE,
        Member::Net => libc::PIDFD_GET_NET_NAMESPACE,
        Member::Time => libc::PIDFD_GET_TIME_NAMESPACE,
        Member::TimeForChildren => libc::PIDFD_GET_TIME_FOR_CHILDREN_NAMESPACE,
    };
    ioctl_without(pidfd, number).map(new_fd)
}

/// Returns whether the process is dumpable (`PR_SET_DUMPABLE`, `suid_dumpable`), which ptrace(2)
/// requires of a caller without `CAP_SYS_PTRACE`: `PIDFD_GET_INFO`. [`None`] if the kernel does not
/// report it.
///
/// # Errors
///
/// `ESRCH` if the process has been reaped; `EREMOTE` if it is not in the caller's pid namespace.
pub fn is_dumpable(pidfd: impl AsFd) -> Result<Option<bool>, Errno> {
    let mut info = PidfdInfo {
        mask: PIDFD_INFO_COREDUMP,
        ..Default::default()
    };
    ioctl(pidfd, PIDFD_GET_INFO.into(), &mut info)?;
    Ok((info.mask & PIDFD_INFO_COREDUMP != 0)
        .then_some(info.coredump_mask & PIDFD_COREDUMP_USER != 0))
}

/// Returns the number of the process of a pidfd in the caller's pid namespace: `PIDFD_GET_INFO`, since
/// Linux 6.13.
///
/// # Errors
///
/// `ENOTTY` or `EINVAL` for another file, and on older kernels; `ESRCH` if the process has been reaped;
/// `EREMOTE` if it is not in the caller's pid namespace.
pub fn pid(pidfd: impl AsFd) -> Result<u32, Errno> {
    let mut info = PidfdInfo::default();
    ioctl(pidfd, PIDFD_GET_INFO.into(), &mut info)?;
    Ok(info.ids[0])
}

/// Returns the number, in the caller's pid namespace, of the process that has a number in another pid
/// namespace: `NS_GET_TGID_FROM_PIDNS`, since Linux 6.11.
///
/// # Errors
///
/// `ESRCH` if there is none, or if the caller's pid namespace does not have it; `ENOTTY` or `EINVAL` for
/// another file.
pub fn process_in(pid_ns: impl AsFd, number: u32) -> Result<u32, Errno> {
    let fd = pid_ns.as_fd().as_raw_fd();
    // SAFETY: This ioctl takes a number. Other files with this ioctl expect no pointer: the number is that
    // of nsfs, and its type is that of no other driver.
    let found = unsafe { libc::ioctl(fd, libc::NS_GET_TGID_FROM_PIDNS, number) };
    crate::implementation::outcome(found.min(0)).map(|()| found.cast_unsigned())
}

/// Makes the ioctl `number`, which reads and writes at most `arg`.
fn ioctl<T>(fd: impl AsFd, number: c_ulong, arg: &mut T) -> Result<c_int, Errno> {
    // SAFETY: NS_GET_ID and PIDFD_GET_INFO encode the size of their argument in the number, and
    // NS_GET_OWNER_UID writes a uid_t. Each is called with an exclusive reference to that type.
    let result = unsafe { libc::ioctl(fd.as_fd().as_raw_fd(), number, arg) };
    crate::implementation::outcome(result.min(0)).map(|()| result)
}

/// Makes an ioctl without an argument. The ioctls of pidfds require 0.
fn ioctl_without(fd: impl AsFd, number: c_ulong) -> Result<c_int, Errno> {
    // SAFETY: These ioctls take no pointer.
    let result = unsafe { libc::ioctl(fd.as_fd().as_raw_fd(), number, 0) };
    crate::implementation::outcome(result.min(0)).map(|()| result)
}

/// Takes ownership of a descriptor that an ioctl returned.
fn new_fd(fd: c_int) -> OwnedFd {
    // SAFETY: The kernel has just installed this descriptor for the caller of the ioctl, and no
    // other value owns it.
    unsafe { OwnedFd::from_raw_fd(fd) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;

    /// Checks the size, which is part of the number: `PIDFD_INFO_SIZE_VER1` is 72.
    #[test]
    fn ioctl_numbers_match_the_kernel() {
        assert_eq!(NS_GET_ID, 0x8008_b70d);
        assert_eq!(PIDFD_GET_INFO, 0xc048_ff0b);
    }

    #[test]
    fn files_of_other_filesystems_are_refused() {
        let null = File::open("/dev/null").unwrap();
        assert_eq!(id(&null), Err(Errno::NOTTY));
        assert_eq!(kind(&null), Err(Errno::NOTTY));
        assert_eq!(owner(&null).unwrap_err(), Errno::NOTTY);
    }

    #[test]
    fn kinds_of_the_own_namespaces() {
        for expected in [Kind::Uts, Kind::User] {
            let file = File::open(format!("/proc/self/ns/{}", expected.name())).unwrap();
            assert_eq!(kind(&file), Ok(expected));
        }
    }

    #[test]
    fn a_process_by_its_number_in_a_pid_namespace() {
        let pid_ns = File::open("/proc/self/ns/pid").unwrap();
        let own = rustix::process::getpid().as_raw_pid().cast_unsigned();
        match process_in(&pid_ns, own) {
            // Before Linux 6.11.
            Err(errno) => assert!([Errno::NOTTY, Errno::INVAL].contains(&errno), "{errno}"),
            Ok(found) => {
                assert_eq!(found, own);
                let missing = process_in(&pid_ns, i32::MAX.cast_unsigned());
                assert_eq!(missing, Err(Errno::SRCH));
            }
        }
        assert!(process_in(File::open("/proc/self/ns/uts").unwrap(), own).is_err());
    }

    #[test]
    fn namespaces_of_the_own_process() {
        use rustix::process::{PidfdFlags, getpid, pidfd_open};
        let pidfd = pidfd_open(getpid(), PidfdFlags::empty()).unwrap();
        for expected in Member::ALL {
            let file = of_process(&pidfd, expected).unwrap();
            assert_eq!(kind(&file), Ok(expected.kind()));
        }
        assert_eq!(is_dumpable(&pidfd).map(|is| is.unwrap_or(true)), Ok(true));
    }
}
