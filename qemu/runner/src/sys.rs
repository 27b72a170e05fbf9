// SPDX-License-Identifier: GPL-2.0-only

//! Code that a child runs between fork and exec.

use nix::sys::signal::SigSet;
use rustix::process::{Signal, set_parent_process_death_signal};
use std::{os::unix::process::CommandExt as _, process::Command};

/// Makes the child receive SIGTERM when the thread that starts it exits.
pub(crate) fn exit_with_parent(command: &mut Command) {
    // SAFETY: The closure makes one system call and allocates nothing.
    unsafe {
        command.pre_exec(|| Ok(set_parent_process_death_signal(Some(Signal::TERM))?));
    }
}

/// Unblocks all signals in the child, which otherwise inherits the mask of the thread.
pub(crate) fn unblock_signals(command: &mut Command) {
    // SAFETY: The closure makes one system call and allocates nothing.
    unsafe {
        command.pre_exec(|| Ok(SigSet::empty().thread_set_mask()?));
    }
}
