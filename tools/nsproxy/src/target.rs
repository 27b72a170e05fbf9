// SPDX-License-Identifier: GPL-2.0-only

//! The target process, as far as `/proc` and its pidfd show it without access by ptrace(2).

use crate::{caller::Caller, refusal::name_of};
use nsproxy_uapi::nsfs;
use rustix::{
    process::{Pid, getpid},
    thread::CapabilitySet,
};
use std::{
    fs,
    os::fd::{AsFd, AsRawFd as _},
    path::{Path, PathBuf},
};

/// The visible attributes of a process or thread.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    /// Real, effective and saved uid.
    uids: Vec<u32>,
    /// Real, effective and saved gid.
    gids: Vec<u32>,
    permitted: CapabilitySet,
    /// A letter, such as `Z` for a zombie.
    state: String,
    /// `uid_map`, and that of this process.
    uid_maps: Option<[String; 2]>,
    /// The dumpable attribute; [`None`] if the kernel does not report it.
    dumpable: Option<bool>,
}

/// `PTRACE_MODE_*`: the credentials of the caller that count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// `PTRACE_MODE_READ_REALCREDS`: the real ids and the permitted capabilities, as in setns(2).
    RealCreds,
    /// `PTRACE_MODE_READ_FSCREDS`: the effective ones, as for `/proc/PID/ns`.
    FsCreds,
}

/// The rule of `__ptrace_may_access()` that denied access.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Rule {
    /// The uids or gids differ.
    Ids,
    /// The process is not dumpable.
    Dumpable,
    /// The process is in another user namespace (`cap_ptrace_access_check()`).
    UserNs,
    /// The process has these capabilities, and the caller does not (`cap_ptrace_access_check()`).
    Caps(CapabilitySet),
    /// None of these: a user namespace with the same maps, or a security module.
    Other,
}

impl Target {
    /// Reads the attributes of the process of `pidfd`; [`None`] if `/proc` does not show it.
    pub(crate) fn of_pidfd(pidfd: impl AsFd) -> Option<Self> {
        let number = number_in_proc(&pidfd)?;
        let mut target = Self::of_directory(&Path::new("/proc").join(number))?;
        target.dumpable = nsfs::is_dumpable(pidfd).ok().flatten();
        Some(target)
    }

    /// Reads the attributes of the process whose `/proc/PID/ns` contains `path`.
    pub(crate) fn of_path(path: &Path) -> Option<Self> {
        let directory = process_of(path)?;
        let mut target = Self::of_directory(&directory)?;
        // The number in the path belongs to the pid namespace of /proc.
        let here = fs::read_link("/proc/self").ok()?;
        if here.to_str()?.parse() == Ok(getpid().as_raw_pid()) {
            let name = directory.file_name()?.to_str()?;
            let pid = Pid::from_raw(name.parse().ok()?)?;
            let pidfd = crate::open::pidfd(pid).ok()?;
            target.dumpable = nsfs::is_dumpable(pidfd).ok().flatten();
        }
        Some(target)
    }

    fn of_directory(directory: &Path) -> Option<Self> {
        let read = |path: PathBuf| fs::read_to_string(path).ok();
        let mut target = Self::parse(&read(directory.join("status"))?)?;
        let maps = [directory, Path::new("/proc/self")].map(|at| read(at.join("uid_map")));
        target.uid_maps = match maps {
            [Some(theirs), Some(ours)] => Some([theirs, ours]),
            _ => None,
        };
        Some(target)
    }

    /// Parses `/proc/PID/status`.
    fn parse(status: &str) -> Option<Self> {
        let ids = |name| -> Option<Vec<u32>> {
            let ids = field(status, name)?.split_whitespace().take(3);
            ids.map(|id| id.parse().ok()).collect()
        };
        let permitted = u64::from_str_radix(field(status, "CapPrm")?, 16).ok()?;
        Some(Self {
            uids: ids("Uid")?,
            gids: ids("Gid")?,
            permitted: CapabilitySet::from_bits_retain(permitted),
            state: field(status, "State")?.chars().take(1).collect(),
            uid_maps: None,
            dumpable: None,
        })
    }

    /// Returns whether the process has exited. A process that is exiting has not: the init of a pid
    /// namespace waits until all other processes in it are reaped (`zap_pid_ns_processes()`).
    pub(crate) fn has_exited(&self) -> bool {
        ["Z", "X"].contains(&self.state.as_str())
    }

    /// Finds the rule by which ptrace(2) denies `caller` access to this process, and ways to gain
    /// access.
    pub(crate) fn denies(&self, caller: &Caller, mode: Mode) -> (String, Vec<String>) {
        let rule = self.rule(caller, mode);
        let mut hints = Vec::new();
        let why = match &rule {
            Rule::Ids => {
                let (uid, gid) = (self.uids[0], self.gids[0]);
                let is_one = |ids: &[u32]| ids.iter().all(|id| *id == ids[0]);
                let has_the_same = self.is_in_our_user_ns() && self.permitted.is_empty();
                if has_the_same
                    && self.dumpable == Some(true)
                    && is_one(&self.uids)
                    && is_one(&self.gids)
                {
                    hints.push(format!(
                        "run as its user and group, uid {uid} and gid {gid}"
                    ));
                }
                "it runs as another user or group".to_owned()
            }
            Rule::Dumpable => "it is not dumpable, by prctl(2) or because of the program that it \
                               executed"
                .to_owned(),
            Rule::UserNs => "it is in another user namespace".to_owned(),
            Rule::Caps(more) => format!("it has more capabilities: {}", names_of(*more)),
            Rule::Other if self.dumpable.is_none() => "it is not dumpable or in another user \
                                                       namespace, or a security module denies it"
                .to_owned(),
            Rule::Other => "it is in another user namespace, or a security module denies it".into(),
        };
        let place = match rule {
            // exec_state->user_ns
            Rule::Dumpable => "the user namespace in which it was executed",
            _ => "its user namespace",
        };
        let ours = self.is_in_our_user_ns() && rule != Rule::Other;
        let has = caller.effective.contains(CapabilitySet::SYS_PTRACE);
        hints.push(if ours && !has {
            caller.gain(CapabilitySet::SYS_PTRACE.bits().trailing_zeros())
        } else {
            format!("run with CAP_SYS_PTRACE in {place}, or in one above it")
        });
        (
            format!("ptrace(2) denies access to the process: {why}"),
            hints,
        )
    }

    /// Repeats the checks of `__ptrace_may_access()`, after access was denied.
    fn rule(&self, caller: &Caller, mode: Mode) -> Rule {
        let (uid, gid, caps) = match mode {
            Mode::RealCreds => (caller.uid, caller.gid, caller.permitted),
            Mode::FsCreds => (caller.euid, caller.egid, caller.effective),
        };
        let same = |ids: &[u32], ours| ids.iter().all(|id| *id == ours);
        // If the capability applies, only rules about other user namespaces remain.
        let may = self.is_in_our_user_ns() && caller.effective.contains(CapabilitySet::SYS_PTRACE);
        let has_the_ids = same(&self.uids, uid) && same(&self.gids, gid);
        if !(may || has_the_ids) {
            return Rule::Ids;
        }
        if self.dumpable == Some(false) {
            return Rule::Dumpable;
        }
        if !self.is_in_our_user_ns() {
            return Rule::UserNs;
        }
        match self.permitted - caps {
            more if more.is_empty() || may => Rule::Other,
            more => Rule::Caps(more),
        }
    }

    /// Returns whether its user namespace has the same maps as that of this process. The namespace
    /// itself is only visible with the access that was denied.
    fn is_in_our_user_ns(&self) -> bool {
        self.uid_maps
            .as_ref()
            .is_none_or(|[theirs, ours]| theirs == ours)
    }
}

/// Returns the number of a process in `/proc`, which may belong to another pid namespace than this
/// process; [`None`] if it has none there.
pub(crate) fn number_in_proc(pidfd: impl AsFd) -> Option<String> {
    let fdinfo = format!("/proc/self/fdinfo/{}", pidfd.as_fd().as_raw_fd());
    let fdinfo = fs::read_to_string(fdinfo).ok()?;
    // 0: in a pid namespace that this /proc does not show. -1: reaped.
    let number = field(&fdinfo, "Pid").filter(|number| !["0", "-1"].contains(number))?;
    Some(number.to_owned())
}

/// Formats the names of up to three capabilities.
fn names_of(caps: CapabilitySet) -> String {
    const MOST: usize = 3;
    let bits = caps.bits();
    let all = (0..u64::BITS).filter(|cap| bits & 1 << cap != 0);
    let names: Vec<_> = all.clone().take(MOST).map(name_of).collect();
    let names = names.join(", ");
    match all.count() {
        count if count > MOST => format!("{names} and {} more", count - MOST),
        _ => names,
    }
}

/// Returns the value of the line `name:` in a file of `/proc`.
fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let mut lines = text.lines().filter_map(|line| line.split_once(':'));
    let (_, value) = lines.find(|(found, _)| *found == name)?;
    Some(value.trim())
}

/// Returns `/proc/PID` or `/proc/PID/task/TID` of a file in its directory `ns`.
fn process_of(path: &Path) -> Option<PathBuf> {
    let ns = path.parent()?;
    let process = ns.parent()?;
    let is_number = |name: &str| name.bytes().all(|byte| byte.is_ascii_digit());
    let is_one = ns.ends_with("ns")
        && path.starts_with("/proc")
        && process.file_name()?.to_str().is_some_and(is_number);
    is_one.then(|| process.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const STATUS: &str = "Name:\tsleep\nState:\tS (sleeping)\nUid:\t1000\t1000\t1000\t1000\n\
                          Gid:\t100\t100\t100\t100\nCapInh:\t0000000000000000\n\
                          CapPrm:\t0000000000000000\n";

    fn caller(id: u32) -> Caller {
        Caller {
            uid: id,
            gid: id,
            euid: id,
            egid: id,
            permitted: CapabilitySet::SYS_ADMIN,
            effective: CapabilitySet::SYS_ADMIN,
            bounding: CapabilitySet::all(),
            user_ns: Some(3),
        }
    }

    fn target(id: u32) -> Target {
        let maps = || "0 0 4294967295\n".to_owned();
        Target {
            uids: vec![id; 3],
            gids: vec![id; 3],
            permitted: CapabilitySet::empty(),
            state: "S".to_owned(),
            uid_maps: Some([maps(), maps()]),
            dumpable: Some(true),
        }
    }

    #[test]
    fn a_status_is_read() {
        let target = Target::parse(STATUS).unwrap();
        assert_eq!(
            (&target.uids, &target.gids),
            (&vec![1000; 3], &vec![100; 3])
        );
        assert!(!target.has_exited());
        let zombie = STATUS.replace("S (sleeping)", "Z (zombie)");
        assert!(Target::parse(&zombie).unwrap().has_exited());
        assert_eq!(Target::parse("Name:\tsleep\n"), None);
    }

    #[test]
    fn the_rules_are_checked_in_the_order_of_the_kernel() {
        let rule = |target: &Target| target.rule(&caller(0), Mode::RealCreds);
        let mut theirs = target(1000);
        theirs.dumpable = Some(false);
        theirs.permitted = CapabilitySet::SYS_PTRACE;
        theirs.uid_maps = Some(["0 1000 1\n".into(), "0 0 4294967295\n".into()]);
        assert_eq!(rule(&theirs), Rule::Ids);
        (theirs.uids, theirs.gids) = (vec![0; 3], vec![0; 3]);
        assert_eq!(rule(&theirs), Rule::Dumpable);
        theirs.dumpable = Some(true);
        assert_eq!(rule(&theirs), Rule::UserNs);
        theirs.uid_maps = target(0).uid_maps;
        assert_eq!(rule(&theirs), Rule::Caps(CapabilitySet::SYS_PTRACE));
        theirs.permitted = CapabilitySet::SYS_ADMIN;
        assert_eq!(rule(&theirs), Rule::Other);
    }

    #[test]
    fn one_differing_id_is_enough() {
        for ids in [[1000, 0, 0], [0, 1000, 0], [0, 0, 1000]] {
            let mut theirs = target(0);
            theirs.gids = ids.to_vec();
            assert_eq!(theirs.rule(&caller(0), Mode::RealCreds), Rule::Ids);
            let (_, hints) = theirs.denies(&caller(0), Mode::RealCreds);
            assert!(!hints[0].contains("its user"), "{hints:?}");
        }
    }

    #[test]
    fn the_mode_selects_the_ids() {
        let ours = Caller {
            euid: 1000,
            ..caller(0)
        };
        assert_eq!(target(0).rule(&ours, Mode::RealCreds), Rule::Other);
        assert_eq!(target(0).rule(&ours, Mode::FsCreds), Rule::Ids);
    }

    #[test]
    fn with_the_capability_other_rules_deny() {
        let mut ours = caller(0);
        ours.effective |= CapabilitySet::SYS_PTRACE;
        assert_eq!(target(1000).rule(&ours, Mode::RealCreds), Rule::Other);
        let mut theirs = target(1000);
        theirs.dumpable = Some(false);
        assert_eq!(theirs.rule(&ours, Mode::RealCreds), Rule::Dumpable);
        let (_, hints) = theirs.denies(&ours, Mode::RealCreds);
        assert!(hints[0].contains("was executed"), "{hints:?}");
    }

    #[test]
    fn files_of_processes() {
        let process = |path| process_of(Path::new(path));
        assert_eq!(process("/proc/7/ns/net"), Some("/proc/7".into()));
        let thread = "/proc/7/task/8";
        assert_eq!(process("/proc/7/task/8/ns/net"), Some(thread.into()));
        for path in ["/proc/self/ns/net", "/proc/7/net", "/run/7/ns/net", "net"] {
            assert_eq!(process(path), None, "{path}");
        }
    }

    #[test]
    fn many_capabilities_are_counted() {
        assert_eq!(names_of(CapabilitySet::SYS_ADMIN), "CAP_SYS_ADMIN");
        let five = CapabilitySet::from_bits_retain(0x1f);
        assert!(names_of(five).ends_with("and 2 more"), "{}", names_of(five));
    }
}
