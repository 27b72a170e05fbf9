// SPDX-License-Identifier: GPL-2.0-only

//! File operations other than ioctl(2): the device has none of them.

use super::fds::FdPool;
use crate::{
    errno::{Code, outcome_name},
    sys,
};
use anyhow::{Result, ensure};
use rustix::{
    event::{PollFd, PollFlags, Timespec},
    fs::{FallocateFlags, SeekFrom},
    io::Errno,
};
use std::os::fd::{AsFd as _, AsRawFd as _, BorrowedFd};

/// A name, the operation, and its allowed errors.
type Operation = (
    &'static str,
    fn(BorrowedFd<'_>) -> Result<(), Errno>,
    &'static [Code],
);

const OPERATIONS: &[Operation] = &[
    (
        "read",
        |fd| rustix::io::read(fd, &mut [0; 8]).map(drop),
        &[Code::EINVAL, Code::EBADF],
    ),
    (
        "write",
        |fd| rustix::io::write(fd, &[0; 8]).map(drop),
        &[Code::EINVAL, Code::EBADF],
    ),
    (
        "pread",
        |fd| rustix::io::pread(fd, &mut [0; 8], 1).map(drop),
        &[Code::EINVAL, Code::EBADF, Code(libc::ESPIPE)],
    ),
    (
        "lseek",
        |fd| rustix::fs::seek(fd, SeekFrom::Start(1)).map(drop),
        &[Code(libc::ESPIPE)],
    ),
    ("mmap", sys::map_file, &[Code::ENODEV, Code::EACCES]),
    ("fsync", |fd| rustix::fs::fsync(fd), &[Code::EINVAL]),
    (
        "ftruncate",
        |fd| rustix::fs::ftruncate(fd, 1),
        &[Code::EINVAL],
    ),
    (
        "fallocate",
        |fd| rustix::fs::fallocate(fd, FallocateFlags::empty(), 0, 1),
        &[Code::ENODEV, Code::EBADF],
    ),
    (
        "getdents",
        |fd| {
            rustix::fs::Dir::read_from(fd)?
                .next()
                .map_or(Ok(()), |entry| entry.map(drop))
        },
        &[Code::ENOTDIR],
    ),
    (
        "TCGETS",
        |fd| sys::ioctl(fd.as_raw_fd(), 0x5401, 0).map(drop),
        &[Code::ENOTTY],
    ),
];

/// Tries each operation on each descriptor of the device. Returns the number of operations.
pub(super) fn check(pool: &FdPool) -> Result<u64> {
    let mut tried = 0;
    for device in &pool.devices {
        for (name, operation, allowed) in OPERATIONS {
            let outcome = operation(device.as_fd()).map_err(Code::from);
            let is_allowed = outcome.is_err_and(|code| allowed.contains(&code));
            ensure!(
                is_allowed,
                "{name}: {}, expected one of {allowed:?}",
                outcome_name(outcome)
            );
            tried += 1;
        }
        // Without a poll operation, a file is always ready.
        let mut fds = [PollFd::new(device, PollFlags::IN | PollFlags::OUT)];
        rustix::event::poll(&mut fds, Some(&Timespec::default()))?;
        let ready = fds[0].revents();
        ensure!(
            !ready.intersects(PollFlags::ERR | PollFlags::NVAL),
            "poll: {ready:?}"
        );
        tried += 1;
    }
    for number in [
        0,
        nsproxy_uapi::sys::NSPROXY_SETNS,
        nsproxy_uapi::sys::NSPROXY_VERSION,
    ] {
        let outcome = sys::ioctl(pool.path_device.as_raw_fd(), number, 0);
        ensure!(
            outcome == Err(Errno::BADF),
            "ioctl by O_PATH: {outcome:?}, expected EBADF"
        );
        tried += 1;
    }
    Ok(tried)
}
