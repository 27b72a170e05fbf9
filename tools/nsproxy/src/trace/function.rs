// SPDX-License-Identifier: GPL-2.0-only

//! The steps of a journal as functions of the kernel: which one, called by which, and what it does.

use nsproxy_uapi::{Journal, Kind, Step, Taken};

/// A function of the kernel that took a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Function {
    /// Its name.
    pub(super) name: &'static str,
    /// Those that called it, from the system call inwards.
    pub(super) within: &'static [&'static str],
    /// What it does.
    pub(super) says: &'static str,
}

/// The function that took a step of this journal.
pub(super) fn function(taken: &Taken, journal: &Journal, as_of_2011: bool) -> Function {
    let of_process = journal.is_of_process();
    let (name, within, says): (_, &[&str], _) = match taken.step {
        Step::Caller => ("setns", &[], "what the caller has before the call"),
        Step::Capable => (
            "capable",
            &[],
            "CAP_SYS_ADMIN in the initial user namespace, before all else",
        ),
        Step::Fget => ("fget", &[], "the file behind the descriptor"),
        Step::Type if taken.about.is_some() => (
            "proc_ns_file",
            &[],
            "it is a namespace, and of the kind that was asked for",
        ),
        Step::Type if taken.errno.is_some() => (
            "check_setns_flags",
            &[],
            "what file it is, and what is asked for",
        ),
        Step::Type => (
            "check_setns_flags",
            &[],
            "it is a process, and the flags are kinds that this kernel has",
        ),
        Step::Create => (
            "create_new_namespaces",
            &["prepare_nsset"],
            "a new nsproxy, with a reference to each namespace of the old one",
        ),
        Step::Cred => (
            "prepare_creds",
            &["prepare_nsset"],
            "a copy of the credentials, for another user namespace",
        ),
        Step::Fs => (
            "copy_fs_struct",
            &["prepare_nsset"],
            "a copy of root and working directory: they change with all the rest, or not at all",
        ),
        Step::Target => (
            "get_nsproxy",
            &["validate_nsset"],
            "the process may be looked into, and its namespaces are taken hold of",
        ),
        Step::Install => {
            let (name, says) = install(taken.about.map(|(kind, _)| kind), as_of_2011);
            let within: &[&str] = if of_process {
                &["validate_nsset"]
            } else {
                &["validate_ns"]
            };
            (name, within, says)
        }
        Step::TargetPut => (
            "put_nsproxy",
            &["validate_nsset"],
            "the namespaces of the process are let go",
        ),
        Step::CommitCreds => (
            "commit_creds",
            &["commit_nsset"],
            "the point of no return: the task has the new credentials",
        ),
        Step::SetFs => (
            "set_fs_pwd",
            &["commit_nsset"],
            "root and working directory are those of the mount namespace",
        ),
        Step::ExitSem => (
            "exit_sem",
            if as_of_2011 {
                &["ipcns_install"]
            } else {
                &["commit_nsset"]
            },
            "semaphore undo is applied in the old ipc namespace, which it belongs to",
        ),
        Step::Timens => (
            "timens_commit",
            &["commit_nsset"],
            "the vDSO reads the clocks of the new time namespace",
        ),
        Step::Activate => (
            "nsproxy_ns_active_get",
            &["commit_nsset", "switch_task_namespaces"],
            "the namespaces of the new nsproxy are active: a task uses them",
        ),
        Step::Switch => (
            "task_lock",
            &["commit_nsset", "switch_task_namespaces"],
            "under the lock, the task points at the new nsproxy",
        ),
        Step::PutNsproxy => (
            "put_nsproxy",
            &["commit_nsset", "switch_task_namespaces"],
            put_nsproxy(taken),
        ),
        Step::Perf => ("perf_event_namespaces", &[], "perf is told"),
        Step::Return => (
            "put_nsset",
            &[],
            "what is still held for the call is released",
        ),
    };
    let within = match within {
        // One function did it all then, but for the switch.
        ["prepare_nsset" | "validate_ns"] if as_of_2011 => &[],
        ["commit_nsset", rest @ ..] if as_of_2011 => rest,
        within => within,
    };
    Function { name, within, says }
}

fn put_nsproxy(taken: &Taken) -> &'static str {
    match taken.nsproxy {
        Some([_, 0]) => {
            "the old nsproxy had no other user: it is freed, and lets go of what it held"
        }
        _ => "the old nsproxy has other users, and stays",
    }
}

fn install(kind: Option<Kind>, as_of_2011: bool) -> (&'static str, &'static str) {
    let says = if as_of_2011 {
        "no check of its own; the namespace is put into the new nsproxy"
    } else {
        "its checks; then the namespace is put into the set"
    };
    let name = match kind {
        Some(Kind::User) => "userns_install",
        Some(Kind::Mnt) => "mntns_install",
        Some(Kind::Uts) => "utsns_install",
        Some(Kind::Ipc) => "ipcns_install",
        Some(Kind::Pid) => "pidns_install",
        Some(Kind::Cgroup) => "cgroupns_install",
        Some(Kind::Net) => "netns_install",
        Some(Kind::Time) => "timens_install",
        None => "install",
    };
    (name, says)
}
