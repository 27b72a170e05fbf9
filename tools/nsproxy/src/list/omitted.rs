// SPDX-License-Identifier: GPL-2.0-only

//! Messages about the namespaces that are not in the table.

use super::without_process::Listns;
use crate::{caller::Caller, errno::show, refusal::hint_lines};
use rustix::{io::Errno, thread::CapabilitySet};

/// Returns a message with hints for each group of namespaces that may be missing.
pub(super) fn messages(hidden: usize, listns: Listns, caller: &Caller) -> Vec<String> {
    let mut messages = Vec::new();
    let mut add = |omitted: String, hint: Option<String>| {
        messages.push(format!("omitted: {omitted}{}", hint_lines(hint.as_slice())));
    };
    if hidden > 0 {
        let plural = if hidden == 1 { "process" } else { "processes" };
        let ptrace = CapabilitySet::SYS_PTRACE;
        let hint = if caller.effective.contains(ptrace) {
            "run with CAP_SYS_PTRACE in another user namespace, unless a security module denies \
             access"
                .to_owned()
        } else {
            caller.gain(ptrace.bits().trailing_zeros())
        };
        add(
            format!("the namespaces of {hidden} {plural}: ptrace(2) denies access"),
            Some(hint),
        );
    }
    let without = "namespaces without a process";
    match listns {
        Listns::All => {}
        Listns::Partial => add(
            format!("{without} that the caller may not see"),
            Some("run with CAP_SYS_ADMIN in the initial user and pid namespaces".to_owned()),
        ),
        Listns::Failed(Errno::NOSYS) => {
            add(format!("{without}: listns(2) requires Linux 6.19"), None);
        }
        Listns::Failed(errno) => {
            let hint = (errno == Errno::PERM).then(|| "run without the seccomp filter".to_owned());
            add(format!("{without}: listns(2): {}", show(errno)), hint);
        }
    }
    messages
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the messages for a caller with these effective capabilities.
    fn of(hidden: usize, listns: Listns, effective: CapabilitySet) -> Vec<String> {
        let caller = Caller {
            euid: 1000,
            effective,
            bounding: CapabilitySet::all(),
            ..Caller::current()
        };
        messages(hidden, listns, &caller)
    }

    #[test]
    fn a_complete_list_has_no_message() {
        assert!(of(0, Listns::All, CapabilitySet::all()).is_empty());
    }

    #[test]
    fn each_group_has_its_message() {
        let none = CapabilitySet::empty();
        let expected = [
            "omitted: the namespaces of 1 process: ptrace(2) denies access\n  \
             hint: run as root, or with CAP_SYS_PTRACE",
            "omitted: namespaces without a process: listns(2) requires Linux 6.19",
        ];
        assert_eq!(of(1, Listns::Failed(Errno::NOSYS), none), expected);
        let text = of(0, Listns::Partial, none).concat();
        assert!(text.contains("CAP_SYS_ADMIN"), "{text}");
        let text = of(0, Listns::Failed(Errno::PERM), none).concat();
        assert!(text.contains("EPERM") && text.contains("seccomp"), "{text}");
    }

    #[test]
    fn root_gets_no_hint_to_run_as_root() {
        let text = of(2, Listns::All, CapabilitySet::all()).concat();
        assert!(text.contains(" 2 processes: "), "{text}");
        assert!(!text.contains("root"), "{text}");
    }
}
