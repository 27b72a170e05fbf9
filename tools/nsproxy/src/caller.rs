// SPDX-License-Identifier: GPL-2.0-only

//! The credentials of a task that makes a call, as far as hints depend on them.

use crate::refusal::name_of;
use nsproxy_diagnose::{Namespace, Task};
use rustix::thread::CapabilitySet;

/// The id of a user who has no id in a user namespace, unless `/proc/sys/kernel/overflowuid` was
/// changed.
pub(crate) const OVERFLOW_ID: u32 = 65534;

/// The credentials of a task that makes a call.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    /// The effective user, as seen in the user namespace of the task.
    pub(crate) euid: u32,
    pub(crate) effective: CapabilitySet,
    pub(crate) bounding: CapabilitySet,
    /// The id of the user namespace; [`None`] if it is not known.
    pub(crate) user_ns: Option<u64>,
}

impl Caller {
    /// Returns the credentials of this process.
    pub(crate) fn current() -> Self {
        Self::of(&Task::current())
    }

    /// Returns the credentials of a task.
    pub(crate) fn of(task: &Task) -> Self {
        let status = task.status();
        Self {
            euid: task.euid_inside().unwrap_or(OVERFLOW_ID),
            effective: status.effective,
            bounding: status.bounding,
            user_ns: task.user_ns().map(Namespace::id),
        }
    }

    /// Returns how to gain `CAP_*` number `cap` in the user namespace of the task.
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
            ..Caller::current()
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
        let caller = Caller::current();
        assert_eq!(caller.euid, rustix::process::geteuid().as_raw());
        assert!(caller.bounding.contains(caller.effective), "{caller:?}");
        assert!(caller.user_ns.is_some());
    }
}
