// SPDX-License-Identifier: GPL-2.0-only

//! A task that makes a call: its credentials, namespaces, and what it shares with other tasks.

use crate::{
    namespace::Namespace,
    sys::{self, Shared},
};
use nsproxy_uapi::{Member, nsfs};
use rustix::{
    fs::{AtFlags, CWD, Dir, Mode, OFlags, Statx, StatxFlags},
    io::Errno,
    process::{Pid, PidfdFlags, getegid, geteuid, getpid, pidfd_open},
    thread::{CapabilitySet, capabilities, gettid},
};
use std::{
    cell::OnceCell,
    fs::File,
    io::Read as _,
    os::fd::{AsFd as _, AsRawFd as _, BorrowedFd, OwnedFd},
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
    /// `true` if it is the task that asks.
    is_current: bool,
    status: Status,
    user_ns: OnceCell<Option<Namespace>>,
    level: OnceCell<usize>,
}

/// The lines of `/proc/PID/status` that decide calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// Effective user and group, mapped to the user namespace of this process.
    pub euid: u32,
    /// The effective group.
    pub egid: u32,
    /// The effective capabilities.
    pub effective: CapabilitySet,
    /// The number of threads of the process; [`None`] without `/proc`.
    pub threads: Option<u32>,
    /// `true` under a filter of seccomp(2).
    pub is_filtered: bool,
    /// The numbers of the task in its pid namespaces: from that of `/proc` down to its own.
    pub pids: Vec<u32>,
    /// `true` for a zombie, and for a task that is dead.
    pub has_exited: bool,
}

impl Task {
    /// Returns the task that calls this function. `/proc` may be missing, which leaves more questions
    /// open.
    pub fn current() -> Self {
        Self::current_in(open_directory("/proc").ok())
    }

    /// As [`current`](Self::current), for a task that has `/proc` open. It may show another pid
    /// namespace than that of the task.
    pub fn current_in(proc: Option<OwnedFd>) -> Self {
        let directory = "thread-self".to_owned();
        let read = proc
            .as_ref()
            .and_then(|proc| Status::read(proc.as_fd(), &directory).ok());
        Self {
            status: read.unwrap_or_else(Status::of_current),
            proc,
            directory,
            is_current: true,
            user_ns: OnceCell::new(),
            level: OnceCell::new(),
        }
    }

    /// Returns the process or thread with a number in `/proc`. Its state is known as far as ptrace(2)
    /// allows this process to access it.
    ///
    /// # Errors
    ///
    /// `/proc` does not show it.
    pub fn of(pid: u32) -> Result<Self, Errno> {
        let proc = open_directory("/proc")?;
        let directory = pid.to_string();
        Ok(Self {
            status: Status::read(proc.as_fd(), &directory)?,
            proc: Some(proc),
            directory,
            is_current: false,
            user_ns: OnceCell::new(),
            level: OnceCell::new(),
        })
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
    pub(crate) fn namespace(&self, member: Member) -> Result<Namespace, Errno> {
        let by_pidfd = |errno| {
            if !self.is_current {
                return Err(errno);
            }
            let pidfd = pidfd_open(getpid(), PidfdFlags::empty())?;
            nsfs::of_process(pidfd, member).and_then(Namespace::new)
        };
        self.namespace_in(&self.directory, member).or_else(by_pidfd)
    }

    /// Opens a namespace of the process with a number in `/proc`.
    pub(crate) fn namespace_of(&self, number: u32, member: Member) -> Result<Namespace, Errno> {
        self.namespace_in(&number.to_string(), member)
    }

    fn namespace_in(&self, directory: &str, member: Member) -> Result<Namespace, Errno> {
        let proc = self.proc.as_ref().ok_or(Errno::NOENT)?;
        let path = format!("{directory}/ns/{}", member.name());
        let flags = OFlags::RDONLY | OFlags::CLOEXEC;
        rustix::fs::openat(proc, path, flags, Mode::empty()).and_then(Namespace::new)
    }

    /// Returns whether it is in the user namespace of this process.
    pub(crate) fn is_in_our_user_ns(&self) -> bool {
        self.is_current
            || {
                let ours = Self::current();
                matches!((self.user_ns(), ours.user_ns()), (Some(theirs), Some(ours)) if theirs.is(ours))
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
    /// `EBADF`: it is not open.
    pub(crate) fn file(&self, fd: i32) -> Result<OwnedFd, Errno> {
        if self.is_current {
            return sys::duplicate(fd);
        }
        let pid = self.pid().ok_or(Errno::SRCH)?;
        // Since Linux 6.9 of a thread, which may have files of its own.
        let flags = PidfdFlags::from_bits_retain(libc::PIDFD_THREAD);
        let pidfd = match pidfd_open(pid, flags) {
            Err(Errno::INVAL) => pidfd_open(self.process()?, PidfdFlags::empty())?,
            opened => opened?,
        };
        sys::duplicate_of(pidfd.as_fd(), fd)
    }

    /// Returns the number of its process in the pid namespace of this process.
    fn process(&self) -> Result<Pid, Errno> {
        let status = self.read_own("status")?;
        let level = self.level().checked_sub(1).ok_or(Errno::SRCH)?;
        let numbers = field(&status, "NStgid").or_else(|| field(&status, "Tgid"));
        let number = numbers.and_then(|numbers| numbers.split_whitespace().nth(level));
        let number = number.and_then(|number| number.parse().ok());
        number.and_then(Pid::from_raw).ok_or(Errno::SRCH)
    }

    /// Reads a file below `/proc`.
    pub(crate) fn read(&self, path: &str) -> Result<String, Errno> {
        read(self.proc.as_ref().ok_or(Errno::NOENT)?.as_fd(), path)
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

    /// Reads the `fdinfo` of a file that this process has open.
    pub(crate) fn fdinfo(&self, file: BorrowedFd<'_>) -> Result<String, Errno> {
        self.read(&format!("thread-self/fdinfo/{}", file.as_raw_fd()))
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

    /// Reads the status of a process by its number in `/proc`, and its number in the pid namespace of
    /// this process.
    pub(crate) fn other(&self, pid: u32) -> Result<(Status, Option<Pid>), Errno> {
        let proc = self.proc.as_ref().ok_or(Errno::NOENT)?;
        let status = Status::read(proc.as_fd(), &pid.to_string())?;
        let number = self.number(&status);
        Ok((status, number))
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
                true => numbers(proc, "self/task"),
                false => numbers(proc, &format!("{}/task", self.directory)),
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
            let mut tasks: Vec<_> = [threads, numbers(proc, ".")].concat();
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

/// Returns the names in a directory that are numbers.
fn numbers(proc: &OwnedFd, path: &str) -> Vec<u32> {
    let names = || {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let directory = rustix::fs::openat(proc, path, flags, Mode::empty()).ok()?;
        Dir::new(directory).ok()
    };
    let names = names().into_iter().flatten().flatten();
    names
        .filter_map(|entry| entry.file_name().to_str().ok()?.parse().ok())
        .collect()
}

impl Status {
    fn read(proc: BorrowedFd<'_>, directory: &str) -> Result<Self, Errno> {
        let text = read(proc, &format!("{directory}/status"))?;
        Self::parse(&text).ok_or(Errno::PROTO)
    }

    fn parse(text: &str) -> Option<Self> {
        let field = |name| field(text, name);
        let effective_id = |name| field(name)?.split_whitespace().nth(1)?.parse().ok();
        let effective = u64::from_str_radix(field("CapEff")?, 16).ok()?;
        // Without CONFIG_PID_NS there is no such line.
        let pids = field("NSpid").or_else(|| field("Pid"))?;
        let pids: Result<_, _> = pids.split_whitespace().map(str::parse).collect();
        Some(Self {
            euid: effective_id("Uid")?,
            egid: effective_id("Gid")?,
            effective: CapabilitySet::from_bits_retain(effective),
            threads: field("Threads")?.parse().ok(),
            // Without CONFIG_SECCOMP there is no such line. 1 is the strict mode, which forbids the call.
            is_filtered: field("Seccomp").is_some_and(|mode| mode != "0"),
            pids: pids.ok()?,
            has_exited: field("State")?.starts_with(['Z', 'X']),
        })
    }

    /// Returns what system calls tell about the current task.
    fn of_current() -> Self {
        let mode = rustix::thread::secure_computing_mode();
        Self {
            euid: geteuid().as_raw(),
            egid: getegid().as_raw(),
            effective: capabilities(None).map_or(CapabilitySet::empty(), |sets| sets.effective),
            threads: None,
            is_filtered: mode
                .is_ok_and(|mode| mode != rustix::thread::SecureComputingMode::Disabled),
            pids: Vec::new(),
            has_exited: false,
        }
    }
}

/// Opens a directory.
fn open_directory(path: &str) -> Result<OwnedFd, Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    rustix::fs::open(path, flags, Mode::empty())
}

/// Reads a file below a directory. The size of a file of `/proc` is unknown.
fn read(directory: BorrowedFd<'_>, path: &str) -> Result<String, Errno> {
    let file = rustix::fs::openat(
        directory,
        path,
        OFlags::RDONLY | OFlags::CLOEXEC,
        Mode::empty(),
    )?;
    let mut text = String::new();
    File::from(file)
        .read_to_string(&mut text)
        .map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::PROTO))?;
    Ok(text)
}

/// Returns the value of the line `name:` in a file of `/proc`.
pub(crate) fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let mut lines = text.lines().filter_map(|line| line.split_once(':'));
    let (_, value) = lines.find(|(found, _)| *found == name)?;
    Some(value.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    const STATUS: &str = "Name:\tsleep\nState:\tS (sleeping)\nPid:\t70\n\
                          Uid:\t1000\t1001\t1000\t1000\nGid:\t100\t101\t100\t100\n\
                          NSpid:\t70\t3\nThreads:\t2\nCapEff:\t0000000000200000\nSeccomp:\t2\n";

    #[test]
    fn a_status_is_read() {
        let expected = Status {
            euid: 1001,
            egid: 101,
            effective: CapabilitySet::SYS_ADMIN,
            threads: Some(2),
            is_filtered: true,
            pids: vec![70, 3],
            has_exited: false,
        };
        assert_eq!(Status::parse(STATUS), Some(expected));
        let zombie = STATUS.replace("S (sleeping)", "Z (zombie)");
        assert!(Status::parse(&zombie).unwrap().has_exited);
        let old = STATUS.replace("NSpid", "Other").replace("Seccomp", "Other");
        let old = Status::parse(&old).unwrap();
        assert_eq!((old.pids, old.is_filtered), (vec![70], false));
        assert_eq!(Status::parse("Name:\tsleep\n"), None);
    }

    #[test]
    fn the_current_task() {
        let task = Task::current();
        assert_eq!(task.status().euid, geteuid().as_raw());
        let by_calls = Status::of_current();
        assert_eq!(task.status().effective, by_calls.effective);
        assert_eq!(task.status().is_filtered, by_calls.is_filtered);
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
