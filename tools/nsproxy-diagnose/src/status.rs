// SPDX-License-Identifier: GPL-2.0-only

//! The state of a task in `/proc/PID/status`, which any process may read.

use crate::{
    proc::{self, field},
    sys,
};
use rustix::{
    io::Errno,
    process::getpid,
    thread::{
        CapabilitySet, SecureComputingMode, capabilities, capability_is_in_bounding_set,
        no_new_privs, secure_computing_mode,
    },
};
use std::os::fd::{AsFd as _, BorrowedFd};

/// The lines of `/proc/PID/status` that decide calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// A letter, such as `S` for a task that sleeps.
    pub state: char,
    /// The number of its process in `/proc`.
    pub tgid: u32,
    /// The numbers of the task in its pid namespaces: from that of `/proc` down to its own.
    pub pids: Vec<u32>,
    /// The numbers of its process, in the same pid namespaces.
    pub tgids: Vec<u32>,
    /// The users, mapped to the user namespace of this process.
    pub uids: Ids,
    /// The groups, mapped like the users.
    pub gids: Ids,
    /// The number of threads of the process; [`None`] without `/proc`.
    pub threads: Option<u32>,
    /// The permitted capabilities.
    pub permitted: CapabilitySet,
    /// The effective capabilities.
    pub effective: CapabilitySet,
    /// The capabilities that the task may still gain.
    pub bounding: CapabilitySet,
    /// `true` if execve(2) gives no privileges of files.
    pub no_new_privs: bool,
    /// `true` under a filter of seccomp(2).
    pub is_filtered: bool,
}

/// The users or groups of a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ids {
    /// The id of the user that has started it.
    pub real: u32,
    /// The id that decides rights.
    pub effective: u32,
    /// The id to which the task may return.
    pub saved: u32,
}

impl Ids {
    /// Returns all three.
    pub fn all(self) -> [u32; 3] {
        [self.real, self.effective, self.saved]
    }
}

impl From<[u32; 3]> for Ids {
    fn from([real, effective, saved]: [u32; 3]) -> Self {
        Self {
            real,
            effective,
            saved,
        }
    }
}

impl Status {
    /// Reads the status of the process or thread with a number in `/proc`.
    ///
    /// # Errors
    ///
    /// `ENOENT`: `/proc` does not show it; `EPROTO`: the file cannot be parsed.
    pub fn of(number: u32) -> Result<Self, Errno> {
        Self::read(proc::open_directory("/proc")?.as_fd(), &number.to_string())
    }

    /// Reads the status of the task in a directory below `/proc`.
    pub(crate) fn read(proc: BorrowedFd<'_>, directory: &str) -> Result<Self, Errno> {
        let text = proc::read(proc, &format!("{directory}/status"))?;
        Self::parse(&text).ok_or(Errno::PROTO)
    }

    /// Parses the file.
    fn parse(text: &str) -> Option<Self> {
        let field = |name| field(text, name);
        let numbers = |name| -> Option<Vec<u32>> {
            let words = field(name)?.split_whitespace();
            words.map(|word| word.parse().ok()).collect()
        };
        let ids = |name| {
            let ids = numbers(name)?;
            Some(Ids::from(*ids.first_chunk::<3>()?))
        };
        let capabilities = |name| {
            let bits = u64::from_str_radix(field(name)?, 16).ok()?;
            Some(CapabilitySet::from_bits_retain(bits))
        };
        // Without CONFIG_SECCOMP there is no such line. 1 is the strict mode, which forbids the call.
        let is_on = |name| field(name).is_some_and(|value| value != "0");
        Some(Self {
            state: field("State")?.chars().next()?,
            tgid: field("Tgid")?.parse().ok()?,
            // Without CONFIG_PID_NS there are no such lines.
            pids: numbers("NSpid").or_else(|| numbers("Pid"))?,
            tgids: numbers("NStgid").or_else(|| numbers("Tgid"))?,
            uids: ids("Uid")?,
            gids: ids("Gid")?,
            threads: field("Threads")?.parse().ok(),
            permitted: capabilities("CapPrm")?,
            effective: capabilities("CapEff")?,
            bounding: capabilities("CapBnd")?,
            no_new_privs: is_on("NoNewPrivs"),
            is_filtered: is_on("Seccomp"),
        })
    }

    /// Asks system calls about the current task.
    pub(crate) fn of_current() -> Self {
        let sets = capabilities(None).ok();
        let known = CapabilitySet::all().iter();
        let [uids, gids] = sys::users_and_groups().map(Ids::from);
        let mode = secure_computing_mode();
        Self {
            state: 'R',
            tgid: getpid().as_raw_pid().cast_unsigned(),
            pids: Vec::new(),
            tgids: Vec::new(),
            uids,
            gids,
            threads: None,
            permitted: sets.map_or(CapabilitySet::empty(), |sets| sets.permitted),
            effective: sets.map_or(CapabilitySet::empty(), |sets| sets.effective),
            bounding: known
                .filter(|cap| capability_is_in_bounding_set(*cap).unwrap_or(false))
                .collect(),
            no_new_privs: no_new_privs().unwrap_or(false),
            is_filtered: mode.is_ok_and(|mode| mode != SecureComputingMode::Disabled),
        }
    }

    /// Returns whether it is a zombie, or a task that is dead. A task that is exiting is neither: the
    /// init of a pid namespace waits until all other processes in it are reaped
    /// (`zap_pid_ns_processes()`).
    pub fn has_exited(&self) -> bool {
        matches!(self.state, 'Z' | 'X')
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STATUS: &str = "Name:\tsleep\nState:\tS (sleeping)\nTgid:\t69\nPid:\t70\n\
                          Uid:\t1000\t1001\t1002\t1003\nGid:\t100\t101\t102\t103\n\
                          NStgid:\t69\t2\nNSpid:\t70\t3\nThreads:\t2\n\
                          CapPrm:\t0000000000280000\nCapEff:\t0000000000200000\n\
                          CapBnd:\t0000000000000001\nNoNewPrivs:\t1\nSeccomp:\t2\n";

    #[test]
    fn a_status_is_read() {
        let expected = Status {
            state: 'S',
            tgid: 69,
            pids: vec![70, 3],
            tgids: vec![69, 2],
            uids: [1000, 1001, 1002].into(),
            gids: [100, 101, 102].into(),
            threads: Some(2),
            permitted: CapabilitySet::SYS_ADMIN | CapabilitySet::SYS_PTRACE,
            effective: CapabilitySet::SYS_ADMIN,
            bounding: CapabilitySet::CHOWN,
            no_new_privs: true,
            is_filtered: true,
        };
        assert_eq!(Status::parse(STATUS), Some(expected));
        assert_eq!(Status::parse("Name:\tsleep\n"), None);
    }

    #[test]
    fn zombies_have_exited() {
        let has_exited = |state| {
            let text = STATUS.replace("S (sleeping)", state);
            Status::parse(&text).unwrap().has_exited()
        };
        assert!(has_exited("Z (zombie)") && has_exited("X (dead)"));
        assert!(!has_exited("S (sleeping)") && !has_exited("t (tracing stop)"));
    }

    #[test]
    fn older_kernels_have_fewer_lines() {
        let mut old = STATUS.to_owned();
        for name in ["NSpid", "NStgid", "Seccomp", "NoNewPrivs"] {
            old = old.replace(name, "Other");
        }
        let old = Status::parse(&old).unwrap();
        assert_eq!((old.pids, old.tgids), (vec![70], vec![69]));
        assert!(!old.is_filtered && !old.no_new_privs);
    }

    #[test]
    fn system_calls_give_the_same() {
        let read = Status::of(rustix::thread::gettid().as_raw_pid().cast_unsigned()).unwrap();
        let by_calls = Status::of_current();
        // This program knows fewer capabilities than the kernel may have.
        assert!(read.bounding.contains(by_calls.bounding));
        let expected = Status {
            pids: Vec::new(),
            tgids: Vec::new(),
            threads: None,
            bounding: by_calls.bounding,
            state: by_calls.state,
            ..read
        };
        assert_eq!(by_calls, expected);
    }
}
