// SPDX-License-Identifier: GPL-2.0-only

//! The checks of setns(2) before those of the kinds.

use super::{Answer, Asked, Checks, install::Target};
use crate::{
    namespace::Namespace,
    task::{Status, field},
};
use nsproxy_uapi::{Kind, Member, Reason, nsfs};
use rustix::{fs::OFlags, io::Errno, process::Pid};
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};

/// The process of a pidfd.
pub(super) struct Process {
    /// The number in `/proc`; [`None`] if it does not show the process, or if that was reaped.
    pub(super) directory: Option<u32>,
    /// The number in the pid namespace of this process, and the status.
    pub(super) number: Option<Pid>,
    status: Option<Status>,
    was_reaped: bool,
}

impl Checks<'_> {
    /// Asks the checks of setns(2).
    pub(super) fn setns(&mut self, fd: i32, nstype: i32) -> Asked {
        let file = match self.task.file(fd) {
            Ok(file) => Some(file),
            // The table of the task is not accessible.
            Err(Errno::PERM | Errno::SRCH) if !self.task.is_current() => {
                return self.check(Reason::BadFd, Answer::Unknown);
            }
            Err(_) => None,
        };
        let is_open = file.as_ref().is_some_and(|file| {
            rustix::fs::fcntl_getfl(file).is_ok_and(|flags| !flags.contains(OFlags::PATH))
        });
        self.check(Reason::BadFd, Answer::must(is_open))?;
        let Some(file) = file else { return Ok(()) };
        match nsfs::kind(&file) {
            Ok(kind) => self.setns_file(file, kind, nstype),
            // A kind that this library does not know.
            Err(Errno::PROTO) => Ok(()),
            Err(_) => match self.process(file.as_fd()) {
                Some(process) => self.setns_pidfd(file.as_fd(), &process, nstype),
                None => self.check(Reason::Neither, Answer::Refuses),
            },
        }
    }

    /// Asks about the namespace of an nsfs file.
    fn setns_file(&mut self, file: OwnedFd, kind: Kind, nstype: i32) -> Asked {
        let is_right = nstype == 0 || nstype as u32 == kind.flag();
        self.check(Reason::NsType, Answer::must(is_right))?;
        self.prepare(kind.flag())?;
        let target = Target {
            kind,
            namespace: Namespace::new(file).ok(),
        };
        self.install(&[target])
    }

    /// Asks about the namespaces of a process.
    fn setns_pidfd(&mut self, pidfd: BorrowedFd<'_>, process: &Process, nstype: i32) -> Asked {
        let nstype = nstype as u32;
        let all = Kind::flags_of(&Kind::ALL);
        self.check(Reason::NoFlags, Answer::must(nstype != 0))?;
        self.check(Reason::UnknownFlags, Answer::must(nstype & !all == 0))?;
        let kinds = Kind::ALL.into_iter();
        let kinds: Vec<_> = kinds.filter(|kind| nstype & kind.flag() != 0).collect();
        for kind in &kinds {
            let link = self.task.namespace(Member::of(*kind));
            self.check(
                Reason::Unsupported,
                Answer::must(!matches!(link, Err(Errno::NOENT))),
            )?;
        }
        self.prepare(nstype)?;

        self.check(Reason::Reaped, Answer::must(!process.was_reaped))?;
        self.check(Reason::Ptrace, self.may_access(pidfd, process))?;
        let has_exited = process.status.as_ref().map(|status| status.has_exited);
        // An init that waits for its processes has released them, and is no zombie yet.
        let uts = self.link_of(pidfd, process, Kind::Uts);
        let is_exiting = match uts {
            Err(Errno::NOENT | Errno::SRCH) => Some(true),
            Ok(_) => Some(false),
            Err(_) => has_exited.filter(|has_exited| *has_exited),
        };
        self.check(
            Reason::Exiting,
            Answer::must_if_known(is_exiting.map(|is| !is)),
        )?;
        if kinds.contains(&Kind::Pid) {
            let pid = self.link_of(pidfd, process, Kind::Pid);
            let is_gone = matches!(pid, Err(Errno::NOENT | Errno::SRCH));
            self.check(Reason::NoPidNs, Answer::must(!is_gone))?;
        }
        let target = |kind| Target {
            kind,
            namespace: self.link_of(pidfd, process, kind).ok(),
        };
        let targets: Vec<_> = kinds.into_iter().map(target).collect();
        self.install(&targets)
    }

    /// Asks about the memory that the call needs.
    fn prepare(&mut self, kinds: u32) -> Asked {
        self.check_rare(Reason::NoNsProxy)?;
        if kinds & Kind::User.flag() != 0 {
            self.check_rare(Reason::NoCred)?;
        }
        if kinds & Kind::Mnt.flag() != 0 && kinds != Kind::Mnt.flag() {
            self.check_rare(Reason::NoFs)?;
        }
        Ok(())
    }

    /// Finds the process of a pidfd; [`None`] if the file is not one.
    fn process(&self, file: BorrowedFd<'_>) -> Option<Process> {
        let Ok(fdinfo) = self.task.fdinfo(file) else {
            // Without `/proc`; since Linux 6.13.
            let number = match nsfs::pid(file) {
                Err(Errno::NOTTY | Errno::INVAL) => return None,
                found => found,
            };
            return Some(Process {
                directory: None,
                number: number.ok().and_then(|number| Pid::from_raw(number as i32)),
                status: None,
                was_reaped: number == Err(Errno::SRCH),
            });
        };
        let number = field(&fdinfo, "Pid")?;
        // 0: `/proc` belongs to a pid namespace that does not have it.
        let directory = number.parse().ok().filter(|number| *number != 0);
        let other = directory.and_then(|number| self.task.other(number).ok());
        let (status, in_own) = match other {
            Some((status, in_own)) => (Some(status), in_own),
            None => (None, None),
        };
        Some(Process {
            directory,
            number: in_own,
            status,
            was_reaped: number == "-1",
        })
    }

    /// Opens a namespace of a process: by its pidfd, or before Linux 6.11 by `/proc`.
    pub(super) fn link_of(
        &self,
        pidfd: BorrowedFd<'_>,
        process: &Process,
        kind: Kind,
    ) -> Result<Namespace, Errno> {
        match nsfs::of_process(pidfd, Member::of(kind)) {
            Ok(file) => Namespace::new(file),
            Err(Errno::NOTTY | Errno::INVAL) => {
                let number = process.directory.ok_or(Errno::NOTTY)?;
                self.task.namespace_of(number, Member::of(kind))
            }
            Err(errno) => Err(errno),
        }
    }
}
