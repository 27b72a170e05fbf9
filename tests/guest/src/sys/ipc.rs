// SPDX-License-Identifier: GPL-2.0-only

//! SysV objects.

use super::checked;
use rustix::io::Errno;

/// A set of one SysV semaphore in the caller's ipc namespace. Not removed by itself.
#[derive(Clone, Copy)]
pub(crate) struct Semaphore(pub(crate) i32);

impl Semaphore {
    /// A new one with value 0.
    pub(crate) fn new() -> Result<Self, Errno> {
        // SAFETY: Always safe to call.
        checked(unsafe { libc::semget(libc::IPC_PRIVATE, 1, 0o600) }.into())
            .map(|id| Self(id as i32))
    }

    /// The one with that key, which every user may change; made if need be and if that is wanted.
    pub(crate) fn with_key(key: i32, create: bool) -> Result<Self, Errno> {
        let flags = if create { libc::IPC_CREAT | 0o666 } else { 0 };
        // SAFETY: Always safe to call.
        checked(unsafe { libc::semget(key, 1, flags) }.into()).map(|id| Self(id as i32))
    }

    /// Adds 1, to be taken back when the process exits or leaves the ipc namespace.
    pub(crate) fn raise_with_undo(self) -> Result<(), Errno> {
        let mut operation = libc::sembuf {
            sem_num: 0,
            sem_op: 1,
            sem_flg: libc::SEM_UNDO as _,
        };
        // SAFETY: One operation, as is said.
        checked(unsafe { libc::semop(self.0, &raw mut operation, 1) }.into()).map(drop)
    }

    /// Its value.
    pub(crate) fn value(self) -> Result<i32, Errno> {
        // SAFETY: GETVAL takes no argument.
        checked(unsafe { libc::semctl(self.0, 0, libc::GETVAL) }.into()).map(|value| value as i32)
    }

    /// Removes it.
    pub(crate) fn remove(self) -> Result<(), Errno> {
        // SAFETY: IPC_RMID takes no argument.
        checked(unsafe { libc::semctl(self.0, 0, libc::IPC_RMID) }.into()).map(drop)
    }
}

/// Makes a SysV message queue with that key in the caller's ipc namespace, or finds it.
pub(crate) fn message_queue(key: i32, create: bool) -> Result<(), Errno> {
    let flags = if create { libc::IPC_CREAT | 0o600 } else { 0 };
    // SAFETY: Always safe to call.
    checked(unsafe { libc::msgget(key, flags) }.into()).map(drop)
}
