// SPDX-License-Identifier: GPL-2.0-only

//! All that a process can see of its own namespaces, as text that can be compared.

use crate::{
    actor::{read_proc, state::MESSAGE_QUEUE},
    errno::Code,
    sys::{self, Fork},
};
use anyhow::{Context as _, Result};
use rustix::{
    fs::{AtFlags, CWD, StatxFlags},
    io::Errno,
    process::WaitOptions,
};
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, btree_map::Entry},
    ffi::CStr,
    fmt,
    io::{Read as _, Write as _},
    os::fd::{AsFd, OwnedFd},
    process::ExitCode,
};

/// The files of `/proc/PID/ns`.
pub(crate) const LINKS: [&str; 10] = [
    "user",
    "mnt",
    "uts",
    "ipc",
    "pid",
    "pid_for_children",
    "cgroup",
    "net",
    "time",
    "time_for_children",
];

/// What a process saw: a value for each thing that it looked at.
///
/// Keys are paths: `ns/uts`, `cap/effective`, `child/ns/pid`. What is below `info/` is different
/// in any two processes, worth knowing and never compared.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Snapshot(BTreeMap<String, String>);

/// Which children look, too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) enum Children {
    None,
    /// One that is forked.
    Forked,
    /// And one that executes a program, which in an emulator takes as long as all of the rest.
    AndProgram,
}

/// Something that is not the same in two snapshots.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Difference {
    pub(crate) key: String,
    pub(crate) left: String,
    pub(crate) right: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} / {}", self.key, self.left, self.right)
    }
}

impl Snapshot {
    /// Looks at everything, and has children look, too. `proc` is the `/proc` to look into.
    ///
    /// What cannot be looked at gets the name of the error as its value: that, too, is to be the
    /// same on both sides.
    pub(crate) fn take(proc: &OwnedFd, base: &ClockBase, children: Children) -> Result<Self> {
        let mut seen = Self::default();
        seen.links(proc, "self", "ns");
        seen.status(proc);
        seen.set(
            "securebits",
            word(
                rustix::thread::capabilities_secure_bits()
                    .map(|bits| format!("{:#x}", bits.bits())),
            ),
        );
        seen.set(
            "dumpable",
            word(rustix::process::dumpable_behavior().map(|how| format!("{how:?}"))),
        );
        seen.place("root", "/");
        seen.place("cwd", ".");
        let uname = rustix::system::uname();
        seen.set("hostname", uname.nodename().to_string_lossy());
        seen.set("domainname", uname.domainname().to_string_lossy());
        for file in ["cgroup", "uid_map", "gid_map", "timens_offsets"] {
            let text = read_proc(proc, &format!("self/{file}"));
            seen.set(file, word(text.map(|text| one_line(&text))));
        }
        seen.set("interfaces", word(interfaces(proc)));
        seen.set(
            "mounts",
            word(read_proc(proc, "self/mountinfo").map(|text| text.lines().count().to_string())),
        );
        let queue = match sys::message_queue(MESSAGE_QUEUE, false) {
            Ok(()) => "found".to_owned(),
            Err(Errno::NOENT) => "none".to_owned(),
            Err(errno) => Code::from(errno).to_string(),
        };
        seen.set("message_queue", queue);
        for (clock, (vdso, syscall)) in base.offsets_here() {
            seen.set(format!("clock/{clock}/vdso"), vdso);
            seen.set(format!("clock/{clock}/syscall"), syscall);
        }
        if children != Children::None {
            seen.child(proc)?;
        }
        if children == Children::AndProgram {
            seen.program(proc)?;
        }
        Ok(seen)
    }

    /// The value at `key`; empty if there is none.
    pub(crate) fn get(&self, key: &str) -> &str {
        self.0.get(key).map_or("", String::as_str)
    }

    /// How many values there are to compare.
    pub(crate) fn len(&self) -> usize {
        self.0.keys().filter(|key| is_compared(key)).count()
    }

    /// Puts in what was seen by someone else.
    pub(crate) fn set(&mut self, key: impl Into<String>, value: impl Into<String>) {
        self.0.insert(key.into(), value.into());
    }

    /// All keys, and their values to be called something else.
    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = (&str, &mut String)> {
        self.0.iter_mut().map(|(key, value)| (key.as_str(), value))
    }

    /// The value at `ns/<link>`.
    pub(crate) fn link(&self, link: &str) -> &str {
        self.get(&format!("ns/{link}"))
    }

    /// What is not the same, `info/` left out.
    pub(crate) fn differences(&self, other: &Self) -> Vec<Difference> {
        if self == other {
            return Vec::new();
        }
        let keys = self.0.keys().chain(other.0.keys());
        let keys: std::collections::BTreeSet<_> = keys.collect();
        keys.into_iter()
            .filter(|key| is_compared(key))
            .filter(|key| self.0.get(*key) != other.0.get(*key))
            .map(|key| Difference {
                key: key.clone(),
                left: self.get(key).to_owned(),
                right: other.get(key).to_owned(),
            })
            .collect()
    }

    /// The same, with what only this process can have had called by what it means.
    ///
    /// A namespace of `before`, which the process may have made for itself, is called by the
    /// links that it was at, so that two processes which did the same have the same values; one
    /// of a child ([`OF_CHILD`]) by the child's links. So is the mount of root and working
    /// directory in a mount namespace that it had before, or that its child has.
    pub(crate) fn relative_to(&self, before: &Self) -> Self {
        let mut relative = self.clone();
        // What was there before goes before what the child has.
        let mut names: BTreeMap<&str, String> = BTreeMap::new();
        for (whose, word) in [(OF_CHILD, "a child's"), ("ns", "before")] {
            let mut known: BTreeMap<&str, String> = BTreeMap::new();
            for link in LINKS {
                let value = before.get(&format!("{whose}/{link}"));
                match known.entry(value) {
                    Entry::Vacant(entry) => drop(entry.insert(format!("{word}: {link}"))),
                    Entry::Occupied(mut entry) => entry.get_mut().extend([", ", link]),
                }
            }
            names.extend(known);
        }
        names.remove("");
        for (key, value) in &mut relative.0 {
            if (key.starts_with("ns/") || key.contains("/ns/"))
                && let Some(name) = names.get(value.as_str())
            {
                value.clone_from(name);
            }
        }
        if self.link("mnt") == before.get(&format!("{OF_CHILD}/mnt")) {
            for place in ["root", "cwd"] {
                relative.set(format!("{place}/mount"), "of the child");
            }
        }
        if self.link("mnt") == before.link("mnt") {
            for place in ["root", "cwd"] {
                let key = format!("{place}/mount");
                let word = if self.get(&key) == before.get(&key) {
                    "before"
                } else if self.get(&key) == before.get("root/mount") {
                    "the root before"
                } else {
                    "another of the namespace"
                };
                relative.set(key, word);
            }
        }
        relative
    }

    /// Adds the namespaces of another task, `of` being its path in `proc`.
    pub(crate) fn links(&mut self, proc: impl AsFd, of: &str, prefix: &str) {
        for link in LINKS {
            let path = format!("{of}/ns/{link}");
            let target = rustix::fs::readlinkat(&proc, &path, Vec::new());
            let target = target.map(|target| target.to_string_lossy().into_owned());
            self.set(format!("{prefix}/{link}"), word(target));
        }
    }

    /// Ids, capabilities and the like: `/proc/self/status`.
    fn status(&mut self, proc: &OwnedFd) {
        let status = read_proc(proc, "self/status").unwrap_or_default();
        for (line, key) in [
            ("Uid", "uid"),
            ("Gid", "gid"),
            ("Groups", "groups"),
            ("CapInh", "cap/inheritable"),
            ("CapPrm", "cap/permitted"),
            ("CapEff", "cap/effective"),
            ("CapBnd", "cap/bounding"),
            ("CapAmb", "cap/ambient"),
            ("NoNewPrivs", "no_new_privs"),
            ("Seccomp", "seccomp"),
        ] {
            self.set(key, status_line(&status, line));
        }
    }

    /// A directory: which file system, which inode, which mount.
    fn place(&mut self, key: &str, path: &str) {
        let mask = StatxFlags::INO | StatxFlags::MNT_ID;
        let (dev, inode, mount) = match rustix::fs::statx(CWD, path, AtFlags::empty(), mask) {
            Ok(stat) => (
                format!("{}:{}", stat.stx_dev_major, stat.stx_dev_minor),
                stat.stx_ino.to_string(),
                stat.stx_mnt_id.to_string(),
            ),
            Err(errno) => {
                let name = Code::from(errno).to_string();
                (name.clone(), name.clone(), name)
            }
        };
        self.set(format!("{key}/dev"), dev);
        self.set(format!("{key}/inode"), inode);
        self.set(format!("{key}/mount"), mount);
    }

    /// What a child gets that is forked now.
    fn child(&mut self, proc: &OwnedFd) -> Result<()> {
        let (mut read, mut write) = std::io::pipe()?;
        let child = match sys::fork() {
            Err(errno) => {
                self.set("child/error", Code::from(errno).to_string());
                return Ok(());
            }
            Ok(Fork::Child) => {
                let mut seen = Self::default();
                seen.links(proc, "self", "child/ns");
                let status = read_proc(proc, "self/status").unwrap_or_default();
                let pids = status_line(&status, "NSpid");
                seen.set("child/pid_levels", pids.split(' ').count().to_string());
                let pid = rustix::process::getpid().as_raw_pid();
                seen.set("child/is_init", (pid == 1).to_string());
                seen.set(
                    "child/sees_parent",
                    rustix::process::getppid().is_some().to_string(),
                );
                seen.set("info/child_pid", pid.to_string());
                let _ = write.write_all(&serde_json::to_vec(&seen).unwrap_or_default());
                sys::exit(0)
            }
            Ok(Fork::Parent(child)) => child,
        };
        drop(write);
        let mut json = Vec::new();
        read.read_to_end(&mut json)?;
        rustix::process::waitpid(Some(child), WaitOptions::empty())?;
        let child: Self = serde_json::from_slice(&json).context("the child said nothing")?;
        self.0.extend(child.0);
        Ok(())
    }

    /// What a program gets that is executed now in a child of `vfork()`, as `posix_spawn()` does:
    /// what is put off until the memory is no longer shared comes with the program.
    fn program(&mut self, proc: &OwnedFd) -> Result<()> {
        let (mut read, write) = std::io::pipe()?;
        let child = sys::vfork(|| {
            // This program again, by a way that no root or mount namespace can close.
            let (proc, write) = (proc.as_fd(), write.as_fd());
            sys::exec(proc, c"self/exe", LINKS_OF_A_PROGRAM, proc, write);
            1
        });
        drop(write);
        let child = match child {
            Ok(child) => child,
            Err(errno) => {
                self.set("program/error", Code::from(errno).to_string());
                return Ok(());
            }
        };
        let mut json = Vec::new();
        read.read_to_end(&mut json)?;
        rustix::process::waitpid(Some(child), WaitOptions::empty())?;
        let program: Self = serde_json::from_slice(&json).context("the program said nothing")?;
        self.0.extend(program.0);
        Ok(())
    }
}

/// The argument by which this program is one that looks: see [`print_links`].
const LINKS_OF_A_PROGRAM: &CStr = c"links";

/// What [`Snapshot::program`] executes: its standard input is the `/proc` to look into.
pub(crate) fn print_links() -> Result<ExitCode> {
    let mut seen = Snapshot::default();
    seen.links(std::io::stdin(), "self", "program/ns");
    for (clock, id) in [
        ("monotonic", libc::CLOCK_MONOTONIC),
        ("boottime", libc::CLOCK_BOOTTIME),
    ] {
        // Both ways into the kernel have the same offset: which one it is the links tell.
        let apart = sys::clock_by_syscall(id) - sys::clock_by_vdso(id);
        let agree = apart.abs() < 1_000_000_000;
        seen.set(format!("program/clock/{clock}/agree"), agree.to_string());
    }
    serde_json::to_writer(std::io::stdout(), &seen)?;
    Ok(ExitCode::SUCCESS)
}

/// Below which key there are the links of the namespaces of a child, where a caller has one that
/// is in others: to know them by, not to compare.
pub(crate) const OF_CHILD: &str = "info/child_ns";

/// A line for each value that can be compared.
impl fmt::Display for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (key, value) in self.0.iter().filter(|(key, _)| is_compared(key)) {
            writeln!(f, "{key}: {value}")?;
        }
        Ok(())
    }
}

/// Whether it can be the same in two processes at all.
fn is_compared(key: &str) -> bool {
    !key.starts_with("info/")
}

/// A value, or the name of the error that there was instead.
fn word(result: Result<String, Errno>) -> String {
    result.unwrap_or_else(|errno| Code::from(errno).to_string())
}

fn one_line(text: &str) -> String {
    let lines: Vec<_> = text
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect();
    lines.join(", ")
}

fn status_line(status: &str, name: &str) -> String {
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    one_line(line.unwrap_or_default())
}

/// Names of the network interfaces, sorted.
fn interfaces(proc: &OwnedFd) -> Result<String, Errno> {
    let text = read_proc(proc, "self/net/dev")?;
    let mut names: Vec<_> = text
        .lines()
        .filter_map(|line| Some(line.split_once(':')?.0.trim()))
        .collect();
    names.sort_unstable();
    Ok(names.join(" "))
}

/// How far the clocks are from the real time in the initial time namespace, in nanoseconds.
///
/// Only the clocks since boot have offsets in a time namespace; the distance to the real time
/// does not change by itself, as nobody sets the guest's time.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct ClockBase(Vec<i64>);

struct Clock {
    name: &'static str,
    id: libc::clockid_t,
    /// The real time that is read in the same way. A coarse clock stands still between two ticks,
    /// which in a guest may be long.
    real: libc::clockid_t,
}

const CLOCKS: [Clock; 3] = [
    Clock {
        name: "monotonic",
        id: libc::CLOCK_MONOTONIC,
        real: libc::CLOCK_REALTIME,
    },
    // Where the hardware's clock cannot be read from user space, only this is the vDSO's own.
    Clock {
        name: "monotonic_coarse",
        id: libc::CLOCK_MONOTONIC_COARSE,
        real: libc::CLOCK_REALTIME_COARSE,
    },
    Clock {
        name: "boottime",
        id: libc::CLOCK_BOOTTIME,
        real: libc::CLOCK_REALTIME,
    },
];

impl ClockBase {
    /// The distances here, where the caller is.
    pub(crate) fn measure() -> Self {
        Self(
            CLOCKS
                .iter()
                .map(|clock| clock.distance(sys::clock_by_syscall))
                .collect(),
        )
    }

    /// For each clock, how far it is from where this was measured: by vDSO and by system call.
    fn offsets_here(&self) -> impl Iterator<Item = (&'static str, (String, String))> {
        CLOCKS.iter().zip(&self.0).map(|(clock, &base)| {
            let offset = |read| {
                // To the next second: offsets are whole seconds.
                let nanoseconds = clock.distance(read) - base;
                format!("{:+} s", (nanoseconds as f64 / 1e9).round() as i64)
            };
            (
                clock.name,
                (offset(sys::clock_by_vdso), offset(sys::clock_by_syscall)),
            )
        })
    }
}

impl Clock {
    /// How far it is ahead of the real time.
    fn distance(&self, read: fn(libc::clockid_t) -> i64) -> i64 {
        loop {
            let before = read(self.real);
            let time = read(self.id);
            let after = read(self.real);
            // Not if something came in between that would count as an offset.
            if after - before < 200_000_000 {
                return time - (before + after) / 2;
            }
        }
    }
}
