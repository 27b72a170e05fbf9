// SPDX-License-Identifier: GPL-2.0-only

//! The access to a process that ptrace(2) denies: the rule that denies it, and ways to gain access.

use crate::{caller::Caller, refusal::name_of};
use nsproxy_diagnose::{AccessMode, Rule, Task};
use rustix::thread::CapabilitySet;
use std::path::Path;

/// Describes the rule that denies `caller` access to `target`. Returns ways to gain access as well.
pub(crate) fn describe(caller: &Task, target: &Task, mode: AccessMode) -> (String, Vec<String>) {
    let access = caller.access_to(target, mode);
    let rule = access.denied_by();
    let may_be_in_same_user_ns = access.is_in_same_user_ns != Some(false);
    let mut hints = Vec::new();
    let why = match rule {
        Rule::Ids => {
            let status = target.status();
            let is_one = |ids: [u32; 3]| ids.iter().all(|id| *id == ids[0]);
            let is_enough = may_be_in_same_user_ns
                && status.permitted.is_empty()
                && access.is_dumpable == Some(true);
            if is_enough && is_one(status.uids.all()) && is_one(status.gids.all()) {
                let (uid, gid) = (status.uids.real, status.gids.real);
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
        Rule::Caps(more) => format!("it has more capabilities: {}", names_of(more)),
        Rule::Other if access.is_dumpable.is_none() => {
            "it is not dumpable or in another user namespace, or a security module denies it".into()
        }
        Rule::Other => "it is in another user namespace, or a security module denies it".into(),
    };
    let place = match rule {
        // exec_state->user_ns
        Rule::Dumpable => "the user namespace in which it was executed",
        _ => "its user namespace",
    };
    let gains_it = may_be_in_same_user_ns && rule != Rule::Other && !access.has_ptrace;
    hints.push(if gains_it {
        Caller::of(caller).gain(CapabilitySet::SYS_PTRACE.bits().trailing_zeros())
    } else {
        format!("run with CAP_SYS_PTRACE in {place}, or in one above it")
    });
    (
        format!("ptrace(2) denies access to the process: {why}"),
        hints,
    )
}

/// Returns the process or thread whose `/proc/PID/ns` contains `path`.
pub(crate) fn process_of(path: &Path) -> Option<Task> {
    Task::of(number_in(path)?).ok()
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

/// Returns the number of the process or thread whose `/proc/PID/ns` or `/proc/PID/task/TID/ns` contains
/// `path`.
fn number_in(path: &Path) -> Option<u32> {
    let ns = path.parent()?;
    let process = ns.parent()?;
    let is_one = ns.ends_with("ns") && path.starts_with("/proc");
    is_one.then(|| process.file_name()?.to_str()?.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_processes() {
        let number = |path| number_in(Path::new(path));
        assert_eq!(number("/proc/7/ns/net"), Some(7));
        assert_eq!(number("/proc/7/task/8/ns/net"), Some(8));
        for path in ["/proc/self/ns/net", "/proc/7/net", "/run/7/ns/net", "net"] {
            assert_eq!(number(path), None, "{path}");
        }
    }

    /// The rules do not deny this process access to itself.
    #[test]
    fn a_security_module_is_the_last_rule() {
        let task = Task::current();
        let (why, hints) = describe(&task, &task, AccessMode::FsCreds);
        assert!(why.contains("a security module denies it"), "{why}");
        assert!(hints[0].contains("CAP_SYS_PTRACE in its user namespace"));
    }

    #[test]
    fn many_capabilities_are_counted() {
        assert_eq!(names_of(CapabilitySet::SYS_ADMIN), "CAP_SYS_ADMIN");
        let five = CapabilitySet::from_bits_retain(0x1f);
        assert!(names_of(five).ends_with("and 2 more"), "{}", names_of(five));
    }
}
