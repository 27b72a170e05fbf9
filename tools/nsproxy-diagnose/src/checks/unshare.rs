// SPDX-License-Identifier: GPL-2.0-only

//! The checks of unshare(2).

use super::{Answer, Asked, Because, Checks};
use crate::sys::Shared;
use nsproxy_uapi::{Kind, Reason, clone_flags::UNSHARE_EMPTY_MNTNS};
use rustix::{io::Errno, thread::CapabilitySet};
use std::ffi::c_int;

/// The flags that are not namespaces.
const OTHERS: c_int = libc::CLONE_THREAD
    | libc::CLONE_FS
    | libc::CLONE_SIGHAND
    | libc::CLONE_VM
    | libc::CLONE_FILES
    | libc::CLONE_SYSVSEM;

/// The kinds that an nsproxy holds.
pub(super) fn of_nsproxy(kinds: u64) -> u64 {
    kinds & u64::from(Kind::flags_of(&Kind::ALL) & !Kind::User.flag())
}

impl Checks<'_> {
    /// Asks the checks of unshare(2).
    pub(super) fn unshare(&mut self, flags: u64) -> Asked {
        let has = |flags: u64, flag: c_int| flags & flag as u64 != 0;
        let mut flags = flags;
        let creates_user_ns = has(flags, libc::CLONE_NEWUSER);
        if creates_user_ns {
            self.check_userns_off()?;
            flags |= (libc::CLONE_THREAD | libc::CLONE_FS) as u64;
        }
        if has(flags, libc::CLONE_VM) {
            flags |= libc::CLONE_SIGHAND as u64;
        }
        if has(flags, libc::CLONE_SIGHAND) {
            flags |= libc::CLONE_THREAD as u64;
        }
        let is_empty = flags & UNSHARE_EMPTY_MNTNS != 0;
        let known = OTHERS as u64 | u64::from(Kind::flags_of(&Kind::ALL));
        let are_known = match flags & !known {
            0 => Some(true),
            // Not on older kernels.
            UNSHARE_EMPTY_MNTNS => None,
            _ => Some(false),
        };
        self.check(Reason::UnshareFlags, Answer::must_if_known(are_known))?;
        if is_empty {
            flags |= libc::CLONE_NEWNS as u64;
        }
        if has(flags, libc::CLONE_THREAD) {
            let threads = self.task.status().threads;
            let because = Because::from(Reason::UnshareThreads);
            self.check(
                because.shared_by(threads.unwrap_or(0)),
                Answer::must_if_known(threads.map(|threads| threads == 1)),
            )?;
        }
        if has(flags, libc::CLONE_SIGHAND) {
            self.check_shared(Reason::SighandShared.into(), Shared::SignalHandlers)?;
        }
        if has(flags, libc::CLONE_VM) {
            self.check_shared(Reason::VmShared.into(), Shared::Memory)?;
        }

        if has(flags, libc::CLONE_FS | libc::CLONE_NEWNS) {
            self.check_rare(Reason::NoFs)?;
        }
        // Memory, or more files than the limit allows.
        let no_files = matches!(self.errno, Some(Errno::NOMEM | Errno::MFILE));
        if has(flags, libc::CLONE_FILES) && no_files {
            self.check_rare(Reason::NoFiles)?;
        }
        if creates_user_ns {
            self.check_rare(Reason::NoCred)?;
            self.create_user_ns()?;
        }
        self.create_nsproxy(flags, creates_user_ns, |_| Ok(()))?;
        if creates_user_ns {
            self.check_rare(Reason::NewUcounts)?;
        }
        Ok(())
    }

    /// Asks the checks of creating the kinds that an nsproxy holds. `after_cap` asks those that follow
    /// the capability.
    pub(super) fn create_nsproxy(
        &mut self,
        flags: u64,
        in_new_user_ns: bool,
        after_cap: impl FnOnce(&mut Self) -> Asked,
    ) -> Asked {
        if of_nsproxy(flags) == 0 {
            return Ok(());
        }
        let own = self.own_user_ns();
        let cap = CapabilitySet::SYS_ADMIN;
        let answer = match in_new_user_ns {
            // The creator of a user namespace has all capabilities in it.
            true => Answer::Passes,
            false => self.capable_in_own(cap),
        };
        self.check(Because::from(Reason::CapNew).lacks(cap, &own), answer)?;
        after_cap(self)?;
        self.check_rare(Reason::NoNsProxy)?;
        self.create_others(flags, in_new_user_ns)
    }
}
