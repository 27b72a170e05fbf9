// SPDX-License-Identifier: GPL-2.0-only

//! The credentials of this process, as far as a check of setns(2) depends on them.

use crate::refusal::name_of;
use nsproxy_uapi::{Member, nsfs};
use rustix::{
    fs::{Mode, OFlags},
    process::{PidfdFlags, getegid, geteuid, getgid, getpid, getuid, pidfd_open},
    thread::{CapabilitySet, capabilities, capability_is_in_bounding_set},
};

/// The credentials of this process.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    pub(crate) euid: u32,
    pub(crate) egid: u32,
    pub(crate) permitted: CapabilitySet,
    pub(crate) effective: CapabilitySet,
    pub(crate) bounding: CapabilitySet,
    /// The id of the user namespace; [`None`] if the kernel does not report it.
    pub(crate) user_ns: Option<u64>,
}

impl Caller {
    /// Reads the credentials by system calls: `/proc` may belong to another pid namespace.
    pub(crate) fn read() -> Self {
        let sets = capabilities(None).ok();
        let bounding = CapabilitySet::all().iter();
        let user_ns = || {
            let pidfd = pidfd_open(getpid(), PidfdFlags::empty())?;
            let file = nsfs::of_process(pidfd, Member::User).or_else(|_| {
                // Before Linux 6.11.
                let flags = OFlags::RDONLY | OFlags::CLOEXEC;
                rustix::fs::open("/proc/self/ns/user", flags, Mode::empty())
            })?;
            nsfs::id_or_inode(file)
        };
        Self {
            uid: getuid().as_raw(),
            gid: getgid().as_raw(),
            euid: geteuid().as_raw(),
            egid: getegid().as_raw(),
            permitted: sets.map_or(CapabilitySet::empty(), |sets| sets.permitted),
            effective: sets.map_or(CapabilitySet::empty(), |sets| sets.effective),
            bounding: bounding
                .filter(|cap| capability_is_in_bounding_set(*cap).unwrap_or(false))
                .collect(),
            user_ns: user_ns().ok(),
        }
    }

    /// Returns how to gain `CAP_*` number `cap` in the user namespace of this process.
    pub(crate) fn gain(&self, cap: u32) -> String {
        let (name, set) = (name_of(cap), CapabilitySet::from_bits_retain(1 << cap));
        if !self.bounding.contains(set) {
            // A container runtime takes the name without its prefix.
            let short = name.trim_start_matches("CAP_");
            return format!(
                "run with {name} in the bounding set, from which it was dropped (containers: \
                 --cap-add {short})"
            );
        }
        match self.euid {
            0 => format!(
                "run with {name}, which root does not have here (securebits or no_new_privs)"
            ),
            _ => format!("run as root, or with {name}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SYS_ADMIN: u32 = 21;

    fn caller(euid: u32, bounding: CapabilitySet) -> Caller {
        Caller {
            euid,
            bounding,
            ..Caller::read()
        }
    }

    #[test]
    fn root_gets_no_hint_to_run_as_root() {
        let all = CapabilitySet::all();
        let user = caller(1000, all).gain(SYS_ADMIN);
        assert_eq!(user, "run as root, or with CAP_SYS_ADMIN");
        assert!(!caller(0, all).gain(SYS_ADMIN).contains("as root"));
        for euid in [0, 1000] {
            let hint = caller(euid, all - CapabilitySet::SYS_ADMIN).gain(SYS_ADMIN);
            assert!(hint.contains("in the bounding set"), "{hint}");
            assert!(hint.contains("--cap-add SYS_ADMIN"), "{hint}");
        }
    }

    #[test]
    fn credentials_of_this_process() {
        let caller = Caller::read();
        assert_eq!(caller.uid, getuid().as_raw());
        assert!(caller.permitted.contains(caller.effective), "{caller:?}");
    }
}
