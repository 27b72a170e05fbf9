// SPDX-License-Identifier: GPL-2.0-only

//! The checks of setns(2) before those of the kinds.

use super::{Answer, Asked, Checks, install::Target};
use crate::{
    namespace::Namespace,
    ptrace_access::AccessMode,
    status::Status,
    sys::{self, Shared},
    task::Task,
};
use nsproxy_uapi::{Kind, Member, Reason, nsfs};
use rustix::{fs::OFlags, io::Errno, process::Pid, thread::gettid};
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};

/// The process of a pidfd.
struct Process {
    /// [`None`] if `/proc` does not show it, or if it was reaped.
    task: Option<Task>,
    /// The number in the pid namespace of this process.
    number: Option<Pid>,
    was_reaped: bool,
}

impl Checks<'_> {
    /// Asks the checks of setns(2).
    pub(super) fn setns(&mut self, fd: i32, nstype: i32) -> Asked {
        let file = match self.task.file(fd) {
            Ok(file) => Some(file),
            // The table of the task is not accessible.
            Err(Errno::PERM | Errno::SRCH) => {
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
        let status = process.task.as_ref().map(Task::status);
        let has_exited = status.map(Status::has_exited);
        // An init that waits for its processes has released them, and is no zombie yet.
        let uts = Self::link_of(pidfd, process, Kind::Uts);
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
            let pid = Self::link_of(pidfd, process, Kind::Pid);
            let is_gone = matches!(pid, Err(Errno::NOENT | Errno::SRCH));
            self.check(Reason::NoPidNs, Answer::must(!is_gone))?;
        }
        let target = |kind| Target {
            kind,
            namespace: Self::link_of(pidfd, process, kind).ok(),
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
        let number = match self.task.number_of(file) {
            Err(Errno::BADF) => return None,
            // Without `/proc`; since Linux 6.13.
            Err(errno) if errno != Errno::SRCH => {
                let number = match nsfs::pid(file) {
                    Err(Errno::NOTTY | Errno::INVAL) => return None,
                    found => found,
                };
                return Some(Process {
                    task: None,
                    number: number.ok().and_then(|number| Pid::from_raw(number as i32)),
                    was_reaped: number == Err(Errno::SRCH),
                });
            }
            number => number,
        };
        let task = number.ok().flatten();
        let task = task.and_then(|number| self.task.other(number, file).ok());
        Some(Process {
            number: task.as_ref().and_then(Task::pid),
            task,
            was_reaped: number.is_err(),
        })
    }

    /// Asks whether the task may access the process.
    fn may_access(&self, pidfd: BorrowedFd<'_>, process: &Process) -> Answer {
        let ours = self.task.status();
        if let Some(target) = &process.task
            && target.status().tgid == ours.tgid
        {
            return Answer::Passes;
        }
        if self.task.is_current() || self.has_our_credentials() {
            return may_we_access(pidfd, process);
        }
        let access = process
            .task
            .as_ref()
            .map(|target| self.task.access_to(target, AccessMode::RealCreds));
        Answer::must_if_known(access.and_then(|access| access.is_granted()))
    }

    /// Returns whether the task has the credentials of this one, so that access is the same.
    fn has_our_credentials(&self) -> bool {
        let of = |status: &Status| {
            let Status {
                uids,
                gids,
                permitted,
                effective,
                ..
            } = *status;
            (uids, gids, permitted, effective)
        };
        of(self.task.status()) == of(self.task.asking().status())
            && self.task.is_in_our_user_ns() == Some(true)
    }

    /// Opens a namespace of a process: by its pidfd, or before Linux 6.11 by `/proc`.
    fn link_of(pidfd: BorrowedFd<'_>, process: &Process, kind: Kind) -> Result<Namespace, Errno> {
        match nsfs::of_process(pidfd, Member::of(kind)) {
            Ok(file) => Namespace::new(file),
            Err(Errno::NOTTY | Errno::INVAL) => {
                let task = process.task.as_ref().ok_or(Errno::NOTTY)?;
                task.namespace(Member::of(kind))
            }
            Err(errno) => Err(errno),
        }
    }
}

/// Asks whether this process may access another one. kcmp(2) makes the same check.
fn may_we_access(pidfd: BorrowedFd<'_>, process: &Process) -> Answer {
    if let Some(other) = process.number {
        let own = gettid();
        let compare = |other| sys::are_sharing([own, other], Shared::Memory);
        match compare(other) {
            Ok(_) => return Answer::Passes,
            // Not a filter, which would refuse each call.
            Err(Errno::PERM) if compare(own).is_ok() => return Answer::Refuses,
            Err(_) => {}
        }
    }
    // Equal to the check for a caller whose real and effective credentials do not differ.
    match nsfs::of_process(pidfd, Member::User) {
        Ok(_) => Answer::Passes,
        Err(Errno::ACCESS) => Answer::Refuses,
        Err(_) => Answer::Unknown,
    }
}
