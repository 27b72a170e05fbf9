// SPDX-License-Identifier: GPL-2.0-only

//! SysV objects.

use super::checked;
use rustix::io::Errno;
use std::{mem, ptr};

/// A set of one SysV semaphore in the caller's ipc namespace. Dropping does not remove it.
#[derive(Clone, Copy)]
pub(crate) struct Semaphore(pub(crate) i32);

impl Semaphore {
    /// Creates a semaphore with value 0.
    pub(crate) fn new() -> Result<Self, Errno> {
        // SAFETY: Always safe to call.
        checked(unsafe { libc::semget(libc::IPC_PRIVATE, 1, 0o600) }.into())
            .map(|id| Self(id as i32))
    }

    /// Returns the semaphore with that key. With `create`, creates one that all users may change.
    pub(crate) fn with_key(key: i32, create: bool) -> Result<Self, Errno> {
        let flags = if create { libc::IPC_CREAT | 0o666 } else { 0 };
        // SAFETY: Always safe to call.
        checked(unsafe { libc::semget(key, 1, flags) }.into()).map(|id| Self(id as i32))
    }

    /// Adds 1, which the kernel undoes when the process exits or leaves the ipc namespace.
    pub(crate) fn raise_with_undo(self) -> Result<(), Errno> {
        let mut operation = libc::sembuf {
            sem_num: 0,
            sem_op: 1,
            sem_flg: libc::SEM_UNDO as _,
        };
        // SAFETY: The pointer refers to one operation.
        checked(unsafe { libc::semop(self.0, &raw mut operation, 1) }.into()).map(drop)
    }

    /// Waits until the value is 0.
    pub(crate) fn wait_for_zero(self) -> Result<(), Errno> {
        let mut operation = libc::sembuf {
            sem_num: 0,
            sem_op: 0,
            sem_flg: 0,
        };
        // SAFETY: The pointer refers to one operation.
        checked(unsafe { libc::semop(self.0, &raw mut operation, 1) }.into()).map(drop)
    }

    /// Returns the number of tasks that wait for the value 0.
    pub(crate) fn waiting_for_zero(self) -> Result<i32, Errno> {
        // SAFETY: GETZCNT takes no argument.
        checked(unsafe { libc::semctl(self.0, 0, libc::GETZCNT) }.into()).map(|n| n as i32)
    }

    /// Returns the value.
    pub(crate) fn value(self) -> Result<i32, Errno> {
        // SAFETY: GETVAL takes no argument.
        checked(unsafe { libc::semctl(self.0, 0, libc::GETVAL) }.into()).map(|value| value as i32)
    }

    /// Removes the semaphore.
    pub(crate) fn remove(self) -> Result<(), Errno> {
        // SAFETY: IPC_RMID takes no argument.
        checked(unsafe { libc::semctl(self.0, 0, libc::IPC_RMID) }.into()).map(drop)
    }
}

/// A segment of shared memory in the caller's ipc namespace. Dropping does not remove it.
#[derive(Clone, Copy)]
pub(crate) struct SharedMemory(pub(crate) i32);

impl SharedMemory {
    /// Creates a segment.
    pub(crate) fn new() -> Result<Self, Errno> {
        // SAFETY: Always safe to call.
        checked(unsafe { libc::shmget(libc::IPC_PRIVATE, 1, 0o600) }.into())
            .map(|id| Self(id as i32))
    }

    /// Returns whether it exists.
    pub(crate) fn exists(self) -> Result<bool, Errno> {
        // SAFETY: All zeros are a valid `shmid_ds`.
        let mut info: libc::shmid_ds = unsafe { mem::zeroed() };
        // SAFETY: The pointer refers to a struct that lives until the call returns.
        match checked(unsafe { libc::shmctl(self.0, libc::IPC_STAT, &raw mut info) }.into()) {
            Ok(_) => Ok(true),
            Err(Errno::INVAL | Errno::IDRM) => Ok(false),
            Err(errno) => Err(errno),
        }
    }

    /// Removes the segment.
    pub(crate) fn remove(self) -> Result<(), Errno> {
        // SAFETY: IPC_RMID takes no argument.
        checked(unsafe { libc::shmctl(self.0, libc::IPC_RMID, ptr::null_mut()) }.into()).map(drop)
    }
}

/// Looks up a SysV message queue in the caller's ipc namespace. With `create`, creates it if it does
/// not exist.
pub(crate) fn message_queue(key: i32, create: bool) -> Result<(), Errno> {
    let flags = if create { libc::IPC_CREAT | 0o600 } else { 0 };
    // SAFETY: Always safe to call.
    checked(unsafe { libc::msgget(key, flags) }.into()).map(drop)
}
