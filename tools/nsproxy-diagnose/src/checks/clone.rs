// SPDX-License-Identifier: GPL-2.0-only

//! The checks of clone3(2) for its flags and for namespaces.

use super::{Answer, Asked, Checks};
use nsproxy_uapi::{
    Kind, Member, Reason,
    clone_flags::{AUTOREAP, CLEAR_SIGHAND, EMPTY_MNTNS, NNP},
};
use std::ffi::c_int;

/// All flags of the newest kernel that this library knows: without the signal and CLONE_DETACHED.
const KNOWN: u64 = ((EMPTY_MNTNS << 1) - 1) & !(0xff & !(libc::CLONE_NEWTIME as u64)) & !DETACHED;
const DETACHED: u64 = libc::CLONE_DETACHED as u64;
/// The flags with which an attempt is made: those of namespaces and others that do no harm. All others
/// are checked before the namespaces.
pub(crate) fn attempted(flags: u64) -> u64 {
    let kinds = Kind::flags_of(&Kind::ALL);
    flags & (u64::from(kinds) | libc::CLONE_SYSVSEM as u64 | CLEAR_SIGHAND | EMPTY_MNTNS)
}

impl Checks<'_> {
    /// Asks the checks of clone3(2).
    pub(super) fn clone3(&mut self, flags: u64) -> Asked {
        self.clone_flags(flags)?;
        let mut flags = flags;
        if flags & EMPTY_MNTNS != 0 {
            flags |= libc::CLONE_NEWNS as u64;
        }
        let has = |flag: c_int| flags & flag as u64 != 0;
        self.check_rare(Reason::NoCred)?;
        let creates_user_ns = has(libc::CLONE_NEWUSER);
        if creates_user_ns {
            self.create_user_ns()?;
            self.check_rare(Reason::NewUcounts)?;
        }
        if has(libc::CLONE_NEWNS) {
            self.check_rare(Reason::NoFs)?;
        }
        let exclude = has(libc::CLONE_NEWIPC) && has(libc::CLONE_SYSVSEM);
        self.create_nsproxy(flags, creates_user_ns, |checks| {
            checks.check(Reason::CloneSysvsem, Answer::must(!exclude))
        })
    }

    /// Asks the checks of the flags.
    pub(super) fn clone_flags(&mut self, flags: u64) -> Asked {
        let all = |mask: c_int| flags & mask as u64 == mask as u64;
        let any = |mask: c_int| flags & mask as u64 != 0;
        let is_thread = any(libc::CLONE_THREAD);
        let are_known = match flags & !KNOWN {
            // Those of Linux 5.8.
            0 if flags < AUTOREAP => Some(true),
            0 => None,
            _ => Some(false),
        };
        self.check(Reason::CloneFlags, Answer::must_if_known(are_known))?;
        let exclude = any(libc::CLONE_SIGHAND) && flags & CLEAR_SIGHAND != 0;
        self.check(Reason::CloneFlags, Answer::must(!exclude))?;

        let in_another = any(libc::CLONE_NEWNS | libc::CLONE_NEWUSER) || flags & EMPTY_MNTNS != 0;
        let exclude = any(libc::CLONE_FS) && in_another;
        self.check(Reason::CloneFs, Answer::must(!exclude))?;
        if any(libc::CLONE_NEWUSER) {
            self.check_userns_off()?;
        }
        let is_complete = (!is_thread || any(libc::CLONE_SIGHAND))
            && (!any(libc::CLONE_SIGHAND) || all(libc::CLONE_VM));
        self.check(Reason::CloneFlags, Answer::must(is_complete))?;
        if any(libc::CLONE_PARENT) {
            let own = self.task.status().pids.last();
            let is_init = own.map(|own| *own == 1);
            self.check(
                Reason::CloneParent,
                Answer::must_if_known(is_init.map(|is| !is)),
            )?;
        }
        if is_thread {
            let open = |link| self.task.namespace(link).ok();
            let [own, for_children] = [Member::Pid, Member::PidForChildren].map(open);
            let is_own = match (own, for_children) {
                (Some(own), Some(for_children)) => Some(own.is(&for_children)),
                (Some(_), None) => Some(false),
                _ => None,
            };
            let exclude = any(libc::CLONE_NEWUSER | libc::CLONE_NEWPID);
            let passes = if exclude { Some(false) } else { is_own };
            self.check(Reason::CloneThread, Answer::must_if_known(passes))?;
        }
        let exclude = is_thread && flags & NNP != 0;
        self.check(Reason::CloneFlags, Answer::must(!exclude))
    }
}
