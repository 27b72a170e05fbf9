// SPDX-License-Identifier: GPL-2.0-only

//! A task that makes a call: its credentials, namespaces, and what it shares with other tasks.

use crate::{
    id_map::IdMap,
    namespace::{Namespace, Relative},
    proc,
    status::Status,
    sys::{self, Shared},
};
use nsproxy_uapi::{Member, nsfs};
use rustix::{
    fs::{AtFlags, CWD, Statx, StatxFlags},
    io::Errno,
    process::{Pid, PidfdFlags, getpid, pidfd_open},
    thread::{CapabilitySet, gettid},
};
use std::{
    cell::OnceCell,
    os::fd::{AsFd, AsRawFd as _, BorrowedFd, OwnedFd},
};

/// A task, as far as public interfaces show it.
///
/// Everything is read when it is asked for, so the task must not change meanwhile: it is the current
/// one, or one that is stopped, or the answer is that of the moment.
#[derive(Debug)]
pub struct Task {
    /// `/proc`; [`None`] if it is not mounted.
    proc: Option<OwnedFd>,
    /// The directory of the task below `/proc`.
    directory: String,
    /// The pidfd by which it was found.
    pidfd: Option<OwnedFd>,
    /// `true` if it is the task that asks.
    is_current: bool,
    /// `true` if its descriptors are those of this process.
    has_our_files: bool,
    status: Status,
    user_ns: OnceCell<Option<Namespace>>,
    level: OnceCell<usize>,
}

impl Task {
    /// Returns the task that calls this function. `/proc` may be missing, which leaves more questions
    /// open.
    pub fn current() -> Self {
        Self::current_in(proc::open_directory("/proc").ok())
    }

    /// As [`current`](Self::current), for a task that has `/proc` open. It may show another pid
    /// namespace than that of the task.
    pub fn current_in(proc: Option<OwnedFd>) -> Self {
        let directory = "thread-self".to_owned();
        let read = proc
            .as_ref()
            .and_then(|proc| Status::read(proc.as_fd(), &directory).ok());
        Self {
            is_current: true,
            ..Self::new(proc, directory, read.unwrap_or_else(Status::of_current))
        }
    }

    /// Returns the process or thread with a number in `/proc`. Its state is known as far as ptrace(2)
    /// allows this process to access it.
    ///
    /// # Errors
    ///
    /// `/proc` does not show it.
    pub fn of(number: u32) -> Result<Self, Errno> {
        Self::of_in(proc::open_directory("/proc")?, number)
    }

    /// Returns the process or thread of a pidfd.
    ///
    /// # Errors
    ///
    /// `ESRCH`: it has been reaped, or `/proc` does not show it; `EBADF`: the file is not a pidfd.
    pub fn of_pidfd(pidfd: impl AsFd) -> Result<Self, Errno> {
        let current = Self::current();
        let number = current.number_of(pidfd.as_fd())?;
        current.other(number.ok_or(Errno::SRCH)?, pidfd.as_fd())
    }

    /// As [`of`](Self::of), for a process that has `/proc` open.
    fn of_in(proc: OwnedFd, number: u32) -> Result<Self, Errno> {
        let directory = number.to_string();
        let status = Status::read(proc.as_fd(), &directory)?;
        Ok(Self::new(Some(proc), directory, status))
    }

    fn new(proc: Option<OwnedFd>, directory: String, status: Status) -> Self {
        Self {
            proc,
            directory,
            pidfd: None,
            is_current: false,
            has_our_files: false,
            status,
            user_ns: OnceCell::new(),
            level: OnceCell::new(),
        }
    }

    /// Returns the task of a pidfd by its number in `/proc`.
    pub(crate) fn other(&self, number: u32, pidfd: BorrowedFd<'_>) -> Result<Self, Errno> {
        let proc = self.proc.as_ref().ok_or(Errno::NOENT)?;
        let task = Self::of_in(rustix::io::fcntl_dupfd_cloexec(proc, 0)?, number)?;
        Ok(Self {
            pidfd: Some(rustix::io::fcntl_dupfd_cloexec(pidfd, 0)?),
            ..task
        })
    }

    /// Returns the number in `/proc` of the task of a pidfd; [`None`] if `/proc` belongs to a pid
    /// namespace that does not have it.
    ///
    /// # Errors
    ///
    /// `ESRCH`: it has been reaped; `EBADF`: the file is not a pidfd; others: no `/proc`.
    pub(crate) fn number_of(&self, pidfd: BorrowedFd<'_>) -> Result<Option<u32>, Errno> {
        let path = format!("thread-self/fdinfo/{}", pidfd.as_raw_fd());
        let fdinfo = self.read(&path)?;
        match proc::field(&fdinfo, "Pid").ok_or(Errno::BADF)? {
            "-1" => Err(Errno::SRCH),
            number => Ok(number.parse().ok().filter(|number| *number != 0)),
        }
    }

    /// Returns the task as if it had the descriptors of this process: a call of setns(2) names one of
    /// those. Its credentials, namespaces, threads, and what it shares with other tasks are still its
    /// own.
    ///
    /// So a process can ask about files that another one has not opened. The files lead where they lead
    /// for this process, and the rights to open them are those of this process.
    #[must_use]
    pub fn with_our_files(self) -> Self {
        Self {
            has_our_files: true,
            ..self
        }
    }

    /// Returns whether it is the task that asks.
    pub(crate) fn is_current(&self) -> bool {
        self.is_current
    }

    /// Returns its credentials and state.
    pub fn status(&self) -> &Status {
        &self.status
    }

    /// Returns its user namespace; [`None`] if it cannot be opened.
    pub fn user_ns(&self) -> Option<&Namespace> {
        let open = || self.namespace(Member::User).ok();
        self.user_ns.get_or_init(open).as_ref()
    }

    /// Opens a namespace of the task.
    ///
    /// # Errors
    ///
    /// `EACCES`, `EPERM`: ptrace(2) denies access to the task; `ENOENT`: the kernel was built without the
    /// kind; `ESRCH`: the task has exited.
    pub fn namespace(&self, member: Member) -> Result<Namespace, Errno> {
        let by_pidfd = |errno| {
            let pidfd = match &self.pidfd {
                _ if self.is_current => &pidfd_open(getpid(), PidfdFlags::empty())?,
                Some(pidfd) => pidfd,
                None => return Err(errno),
            };
            nsfs::of_process(pidfd, member).and_then(Namespace::new)
        };
        let proc = self.proc.as_ref().ok_or(Errno::NOENT);
        let path = format!("{}/ns/{}", self.directory, member.name());
        proc.and_then(|proc| proc::open(proc.as_fd(), &path))
            .and_then(Namespace::new)
            .or_else(by_pidfd)
    }

    /// Returns whether it is in the user namespace of this process; [`None`] if that is not known.
    pub fn is_in_our_user_ns(&self) -> Option<bool> {
        if self.is_current {
            return Some(true);
        }
        self.asking().has_user_ns_of(self)
    }

    /// Returns the task that asks.
    pub(crate) fn asking(&self) -> Self {
        let proc = self.proc.as_ref();
        Self::current_in(proc.and_then(|proc| rustix::io::fcntl_dupfd_cloexec(proc, 0).ok()))
    }

    /// Returns whether another task is in the same user namespace; [`None`] if that is not known. A
    /// user namespace that cannot be opened is another one if its map differs.
    pub(crate) fn has_user_ns_of(&self, other: &Self) -> Option<bool> {
        if let (Some(own), Some(other)) = (self.user_ns(), other.user_ns()) {
            return Some(own.is(other));
        }
        let [own, other] = [self, other].map(|task| task.read_own("uid_map"));
        (own.ok()? != other.ok()?).then_some(false)
    }

    /// Returns its effective user as seen in its own user namespace; [`None`] if it has no id there, or if
    /// that is not known.
    pub fn euid_inside(&self) -> Option<u32> {
        let euid = self.status.uids.effective;
        match self.is_in_our_user_ns() {
            Some(true) => Some(euid),
            _ => self.id_inside("uid_map", euid)?,
        }
    }

    /// Returns an id of the task, which this process sees, as seen in the task's user namespace, where it
    /// may have none; [`None`] if that is not known.
    pub(crate) fn id_inside(&self, map: &str, id: u32) -> Option<Option<u32>> {
        let is_ours = self.is_in_our_user_ns()?;
        let map = IdMap::parse(&self.read_own(map).ok()?);
        Some(match is_ours {
            true => map.has(id).then_some(id),
            // The second column is relative to the user namespace of this process.
            false => map.inside(id),
        })
    }

    /// Returns whether the task has a capability in a user namespace: `ns_capable()`. [`None`] if that
    /// is not known.
    ///
    /// A security module may refuse it all the same.
    pub(crate) fn is_capable(&self, user_ns: &Namespace, cap: CapabilitySet) -> Option<bool> {
        let own = self.user_ns()?;
        let euid = self.status.uids.effective;
        let mut user_ns = Relative::Within(user_ns.try_clone().ok()?);
        loop {
            let at = match user_ns {
                Relative::Within(at) => at,
                Relative::Outside => return Some(false),
                Relative::Unknown => return None,
            };
            if at.is(own) {
                return Some(self.status.effective.contains(cap));
            }
            let parent = at.owner();
            // The user who owns it has all capabilities in it, as seen from its parent.
            if let Relative::Within(parent) = &parent
                && parent.is(own)
                && at.owner_uid() == Ok(euid)
            {
                return match self.id_inside("uid_map", euid) {
                    // Users without a mapping look alike.
                    Some(None) => None,
                    _ => Some(true),
                };
            }
            user_ns = parent;
        }
    }

    /// Returns whether a child of the task would be in the same pid and time namespaces as the task.
    /// Otherwise its first child is the init of the new pid namespace, which dies with it, and fixes the
    /// offsets of the new time namespace.
    pub(crate) fn keeps_children(&self) -> bool {
        let is_same = |own, for_children| match (self.namespace(own), self.namespace(for_children))
        {
            (Ok(own), Ok(for_children)) => own.is(&for_children),
            // A kernel without the kind.
            (Err(Errno::NOENT), _) => true,
            _ => false,
        };
        is_same(Member::Pid, Member::PidForChildren)
            && is_same(Member::Time, Member::TimeForChildren)
    }

    /// Returns a duplicate of its descriptor `fd`, which may be any number.
    ///
    /// # Errors
    ///
    /// `EBADF`: it is not open; `EPERM`: ptrace(2) denies access to its descriptors.
    pub(crate) fn file(&self, fd: i32) -> Result<OwnedFd, Errno> {
        if self.is_current || self.has_our_files {
            return sys::duplicate(fd);
        }
        sys::duplicate_of(self.pidfd()?.as_fd(), fd)
    }

    /// Opens a pidfd of the task.
    pub(crate) fn pidfd(&self) -> Result<OwnedFd, Errno> {
        if let Some(pidfd) = &self.pidfd {
            return rustix::io::fcntl_dupfd_cloexec(pidfd, 0);
        }
        let pid = self.pid().ok_or(Errno::SRCH)?;
        // Since Linux 6.9 of a thread, which may have files of its own.
        let flags = PidfdFlags::from_bits_retain(libc::PIDFD_THREAD);
        match pidfd_open(pid, flags) {
            Err(Errno::INVAL) => pidfd_open(self.process()?, PidfdFlags::empty()),
            opened => opened,
        }
    }

    /// Returns the number of its process in the pid namespace of this process.
    fn process(&self) -> Result<Pid, Errno> {
        let level = self.level().checked_sub(1).ok_or(Errno::SRCH)?;
        let number = self.status.tgids.get(level).ok_or(Errno::SRCH)?;
        Pid::from_raw(number.cast_signed()).ok_or(Errno::SRCH)
    }

    /// Reads a file below `/proc`.
    pub(crate) fn read(&self, path: &str) -> Result<String, Errno> {
        proc::read(self.proc.as_ref().ok_or(Errno::NOENT)?.as_fd(), path)
    }

    /// Reads a file of the task below `/proc`.
    pub(crate) fn read_own(&self, name: &str) -> Result<String, Errno> {
        self.read(&format!("{}/{name}", self.directory))
    }

    /// Reads the attributes of its root directory.
    pub(crate) fn root_statx(&self) -> Result<Statx, Errno> {
        let (flags, mask) = (AtFlags::empty(), StatxFlags::BASIC_STATS);
        if self.is_current {
            return rustix::fs::statx(CWD, "/", flags, mask);
        }
        let proc = self.proc.as_ref().ok_or(Errno::NOENT)?;
        // The link leads to the mount as well, whatever is mounted on it.
        rustix::fs::statx(proc, format!("{}/root", self.directory), flags, mask)
    }

    /// Returns the owner of its files in `/proc`.
    pub(crate) fn owner(&self) -> Result<u32, Errno> {
        let proc = self.proc.as_ref().ok_or(Errno::NOENT)?;
        let status = format!("{}/status", self.directory);
        Ok(rustix::fs::statat(proc, status, AtFlags::empty())?.st_uid)
    }

    /// Returns the number of the task in the pid namespace of this process.
    pub(crate) fn pid(&self) -> Option<Pid> {
        match self.is_current {
            true => Some(gettid()),
            false => self.number(&self.status),
        }
    }

    /// Returns the number, in the pid namespace of this process, of the task with a status.
    fn number(&self, status: &Status) -> Option<Pid> {
        let number = status.pids.get(self.level().checked_sub(1)?)?;
        Pid::from_raw(i32::try_from(*number).ok()?)
    }

    /// Returns the number of pid namespaces from that of `/proc` down to that of this process. `/proc`
    /// may show one above.
    fn level(&self) -> usize {
        let read = || {
            let proc = self.proc.as_ref()?.as_fd();
            Some(Status::read(proc, "thread-self").ok()?.pids.len())
        };
        match self.is_current {
            true => self.status.pids.len(),
            false => *self.level.get_or_init(|| read().unwrap_or(0)),
        }
    }

    /// Returns whether it has another task in its process.
    pub(crate) fn has_threads(&self) -> bool {
        self.status.threads.is_some_and(|threads| threads > 1)
    }

    /// Counts the tasks that share a resource with it: its threads, and other processes. Those that
    /// ptrace(2) denies this process access to are not counted.
    pub(crate) fn sharing(&self, what: Shared) -> Sharing {
        let threads = self.status.threads.unwrap_or(1);
        // Without CONFIG_KCMP, under a filter, or without access to the task.
        let is_hidden = |own| sys::are_sharing([own; 2], what).is_err();
        if self.pid().is_none_or(is_hidden) {
            return Sharing {
                tasks: threads,
                // A thread may have called unshare(CLONE_FS).
                is_known: threads > 1 && what != Shared::Fs,
            };
        }
        let others = || -> Option<usize> {
            let proc = self.proc.as_ref()?;
            let own = self.pid()?;
            let threads = match self.is_current {
                true => proc::numbers(proc.as_fd(), "self/task"),
                false => proc::numbers(proc.as_fd(), &format!("{}/task", self.directory)),
            };
            let namespace = |directory: &str| {
                let link = format!("{directory}/ns/{}", Member::Pid.name());
                rustix::fs::readlinkat(proc, link, Vec::new()).ok()
            };
            let own_namespace = namespace(&self.directory);
            let in_own = |number: u32| {
                if self.level() == 1 {
                    // `/proc` shows the pid namespace of this process.
                    return Pid::from_raw(number as i32);
                }
                let directory = number.to_string();
                // Tasks in others are rarely related. Reading a status is much more work.
                if namespace(&directory) != own_namespace {
                    return None;
                }
                self.number(&Status::read(proc.as_fd(), &directory).ok()?)
            };
            let mut tasks: Vec<_> = [threads, proc::numbers(proc.as_fd(), ".")].concat();
            tasks.sort_unstable();
            tasks.dedup();
            let others = tasks.into_iter().filter_map(in_own);
            let others = others.filter(|other| *other != own);
            Some(
                others
                    .filter(|other| sys::are_sharing([own, *other], what) == Ok(true))
                    .count(),
            )
        };
        Sharing {
            tasks: 1 + others().unwrap_or(0) as u32,
            is_known: true,
        }
    }
}

/// The tasks that share a resource with a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sharing {
    /// Their number, including the task itself.
    pub(crate) tasks: u32,
    /// `false` if kcmp(2) gives no answer. The number is then that of the threads, each of which may
    /// share it.
    pub(crate) is_known: bool,
}

impl Sharing {
    /// Returns whether another task shares it, as far as that is known.
    pub(crate) fn is_shared(self) -> Option<bool> {
        self.is_known.then_some(self.tasks > 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::process::geteuid;

    impl Task {
        /// Returns the task with another status.
        pub(crate) fn with_status(self, status: Status) -> Self {
            Self { status, ..self }
        }
    }

    #[test]
    fn the_current_task() {
        let task = Task::current();
        assert_eq!(task.euid_inside(), Some(geteuid().as_raw()));
        assert!(task.user_ns().is_some());
        assert_eq!(task.file(-1).unwrap_err(), Errno::BADF);
    }

    /// This test runs in a thread of its own.
    #[test]
    fn threads_share_their_memory() {
        let task = Task::current();
        assert!(task.has_threads());
        let own = task.pid().unwrap();
        // Without CONFIG_KCMP, or where a container forbids it.
        if sys::are_sharing([own; 2], Shared::Fs).is_ok() {
            assert_eq!(task.sharing(Shared::Fs).is_shared(), Some(true));
        }
        assert_eq!(task.sharing(Shared::Memory).is_shared(), Some(true));
    }

    #[test]
    fn the_process_of_a_thread() {
        let this = gettid().as_raw_nonzero().get() as u32;
        let thread = Task::of(this).unwrap();
        assert_eq!(thread.process(), Ok(getpid()));
        assert_eq!(thread.pid(), Some(gettid()));
    }

    #[test]
    fn files_of_this_process_stand_for_those_of_another() {
        let file = std::fs::File::open("/proc/self/ns/net").unwrap();
        let mut child = std::process::Command::new("sleep")
            .arg("60")
            .spawn()
            .unwrap();
        let [own, ours] = [false, true].map(|ours| {
            let task = Task::of(child.id()).unwrap();
            let task = if ours { task.with_our_files() } else { task };
            task.file(file.as_raw_fd()).map(drop)
        });
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(ours, Ok(()));
        assert_ne!(own, Ok(()));
    }

    /// Another process cannot tell a current task by its state.
    #[test]
    fn a_task_shares_the_same_as_the_current_one() {
        let (current, other) = (
            Task::current(),
            Task::of(gettid().as_raw_pid() as u32).unwrap(),
        );
        for what in [Shared::Fs, Shared::Memory, Shared::SignalHandlers] {
            let [current, other] = [&current, &other].map(|task| task.sharing(what).is_shared());
            assert_eq!(current, other, "{what:?}");
        }
    }
}
