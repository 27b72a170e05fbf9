// SPDX-License-Identifier: GPL-2.0-only

//! The steps of a journal as functions of the kernel.

use nsproxy_uapi::{Journal, Kind, Step, Taken};
use rustix::io::Errno;
use serde::Serialize;

/// The function of the kernel that took a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Function {
    /// Its name in the tree.
    pub(super) name: &'static str,
    /// Its callers, from the system call inwards.
    pub(super) within: &'static [&'static str],
    /// A description of the step.
    pub(super) says: &'static str,
    /// The C function.
    pub(super) kernel: Place,
    /// The item of this module that takes the same step.
    pub(super) module: Place,
}

/// A named item in a source file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Place {
    pub(super) file: &'static str,
    pub(super) name: &'static str,
}

const fn place(file: &'static str, name: &'static str) -> Place {
    Place { file, name }
}

/// Shortens the entries of [`function`].
const fn entry(
    name: &'static str,
    within: &'static [&'static str],
    says: &'static str,
    kernel: Place,
    module: Place,
) -> Function {
    Function {
        name,
        within,
        says,
        kernel,
        module,
    }
}

const NSPROXY_C: &str = "kernel/nsproxy.c";
const NSPROXY_H: &str = "include/linux/nsproxy.h";
const FORK_C: &str = "kernel/fork.c";
const CALLER: &str = "src/sys/caller.rs";
const UNSHARE: &str = "src/unshare.rs";

/// Returns the function that took a step of this journal.
pub(super) fn function(taken: &Taken, journal: &Journal, as_of_2011: bool) -> Function {
    let mut function = match taken.step {
        Step::Caller => entry(
            "setns",
            &[],
            "the caller before the call",
            place(NSPROXY_C, "setns"),
            if as_of_2011 {
                place("src/setns_2011.rs", "setns")
            } else {
                place("src/setns.rs", "setns")
            },
        ),
        Step::Capable => entry(
            "capable",
            &[],
            "the caller has CAP_SYS_ADMIN in the initial user namespace",
            place("kernel/capability.c", "capable"),
            place(CALLER, "Caller::is_capable_of_sys_admin"),
        ),
        Step::Fget => entry(
            "fget",
            &[],
            "gets the file behind the descriptor",
            place("fs/file.c", "fdget"),
            place("src/sys/file.rs", "Fd::get"),
        ),
        Step::Type if taken.about.is_some() => entry(
            "proc_ns_file",
            &[],
            "the file is a namespace of the requested kind",
            place("fs/nsfs.c", "proc_ns_file"),
            place("src/sys/file.rs", "proc_ns_file"),
        ),
        Step::Type => entry(
            "check_setns_flags",
            &[],
            if taken.errno.is_some() {
                "checks the type of the file and the flags"
            } else {
                "the file is a pidfd, and the flags are kinds of this kernel"
            },
            place(NSPROXY_C, "check_setns_flags"),
            place("src/setns.rs", "check_setns_flags"),
        ),
        Step::Create => entry(
            "create_new_namespaces",
            &["prepare_nsset"],
            "allocates a new nsproxy, with a reference to each namespace of the old one",
            place(NSPROXY_C, "create_new_namespaces"),
            place("src/nsproxy.rs", "create_new_namespaces"),
        ),
        Step::Cred => entry(
            "prepare_creds",
            &["prepare_nsset"],
            "copies the credentials, for another user namespace",
            place("kernel/cred.c", "prepare_creds"),
            place("src/sys/cred.rs", "PreparedCred::new"),
        ),
        Step::Fs => entry(
            "copy_fs_struct",
            &["prepare_nsset"],
            "copies root and working directory: they change together with the namespaces",
            place("fs/fs_struct.c", "copy_fs_struct"),
            place("src/sys/fs.rs", "FsStruct::copy"),
        ),
        Step::Target => entry(
            "get_nsproxy",
            &["validate_nsset"],
            "the caller may access the target; gets a reference to its nsproxy",
            place(NSPROXY_H, "get_nsproxy"),
            place("src/nsset.rs", "NsSet::validate_nsset"),
        ),
        Step::Install => {
            let (name, file, mirror) = install(taken.about.map(|(kind, _)| kind));
            let within: &[_] = if journal.is_of_process() {
                &["validate_nsset"]
            } else {
                &["validate_ns"]
            };
            entry(
                name,
                within,
                if as_of_2011 {
                    "puts the namespace into the new nsproxy, without a check of its own"
                } else {
                    "checks the caller, then puts the namespace into the new set"
                },
                place(file, name),
                if as_of_2011 {
                    place("src/setns_2011.rs", "install")
                } else {
                    place("src/install.rs", mirror)
                },
            )
        }
        Step::TargetPut => entry(
            "put_nsproxy",
            &["validate_nsset"],
            "puts the nsproxy of the target",
            place(NSPROXY_H, "put_nsproxy"),
            place("src/sys/nsproxy.rs", "NsProxy::put"),
        ),
        Step::CommitCreds => entry(
            "commit_creds",
            &["commit_nsset"],
            "the point of no return: gives the task its new credentials",
            place("kernel/cred.c", "commit_creds"),
            place(CALLER, "Caller::commit_creds"),
        ),
        Step::SetFs => entry(
            "set_fs_pwd",
            &["commit_nsset"],
            "sets root and working directory to those of the mount namespace",
            place("fs/fs_struct.c", "set_fs_pwd"),
            place(CALLER, "Caller::set_fs_root_and_pwd"),
        ),
        Step::ExitSem => entry(
            "exit_sem",
            if as_of_2011 {
                &["ipcns_install"]
            } else {
                &["commit_nsset"]
            },
            "applies semaphore undo in the old ipc namespace",
            place("ipc/sem.c", "exit_sem"),
            place(CALLER, "Caller::exit_sem"),
        ),
        Step::Timens => entry(
            "timens_commit",
            &["commit_nsset"],
            "lets the vDSO read the clocks of the new time namespace",
            place("kernel/time/namespace_vdso.c", "timens_commit"),
            place(CALLER, "Caller::timens_commit"),
        ),
        Step::Activate => entry(
            "nsproxy_ns_active_get",
            &["commit_nsset", "switch_task_namespaces"],
            "makes the namespaces of the new nsproxy active, since a task will use them",
            place("fs/nsfs.c", "nsproxy_ns_active_get"),
            place("src/sys/nsproxy.rs", "NewNsProxy::activate"),
        ),
        Step::Switch => entry(
            "task_lock",
            &["commit_nsset", "switch_task_namespaces"],
            "points the task at the new nsproxy, under its lock",
            place(NSPROXY_C, "switch_task_namespaces"),
            place(CALLER, "Caller::replace_nsproxy"),
        ),
        Step::PutNsproxy => entry(
            "put_nsproxy",
            &["commit_nsset", "switch_task_namespaces"],
            match taken.nsproxy {
                Some([_, 0]) => {
                    "frees the old nsproxy, which has no other user, and its references"
                }
                _ => "puts the old nsproxy, which has other users",
            },
            place(NSPROXY_H, "put_nsproxy"),
            place("src/sys/nsproxy.rs", "NsProxy::put"),
        ),
        Step::Perf => entry(
            "perf_event_namespaces",
            &[],
            "reports the new namespaces to perf",
            place("kernel/events/core.c", "perf_event_namespaces"),
            place(CALLER, "Caller::perf_event_namespaces"),
        ),
        Step::Return => entry(
            "put_nsset",
            &[],
            "releases the rest of the set",
            place(NSPROXY_C, "put_nsset"),
            place("src/nsset.rs", "NsSet"),
        ),
        Step::Flags => entry(
            "check_unshare_flags",
            &[],
            "checks the flags, and what the caller shares with other tasks",
            place(FORK_C, "check_unshare_flags"),
            place(UNSHARE, "check_unshare_flags"),
        ),
        Step::Files => entry(
            "dup_fd",
            &["unshare_fd"],
            "copies the table of file descriptors, which other tasks share",
            place("fs/file.c", "dup_fd"),
            place("src/sys/files.rs", "FilesStruct::copy"),
        ),
        Step::NewNs => {
            let (name, within, file) = create(taken.about.map(|(kind, _)| kind));
            entry(
                name,
                within,
                "creates a namespace, which no task is in yet",
                place(file, name),
                if name == "create_user_ns" {
                    place("src/sys/create.rs", "create_user_ns")
                } else {
                    place("src/sys/create.rs", "CopyNs::copy")
                },
            )
        }
        Step::Ucounts => entry(
            "set_cred_ucounts",
            &[],
            "counts the user in the new user namespace",
            place("kernel/cred.c", "set_cred_ucounts"),
            place("src/sys/cred.rs", "PreparedCred::set_ucounts"),
        ),
        Step::ExitShm => entry(
            "exit_shm",
            &[],
            "leaves the shared memory segments of the old ipc namespace",
            place("ipc/shm.c", "exit_shm"),
            place(CALLER, "Caller::exit_shm"),
        ),
        Step::SwitchFs => entry(
            "switch_fs_struct",
            &[],
            "gives the task its own root and working directory",
            place("fs/fs_struct.c", "switch_fs_struct"),
            place(CALLER, "Caller::replace_fs"),
        ),
        Step::SwitchFiles => entry(
            "task_lock",
            &[],
            "gives the task its own table of file descriptors",
            place(FORK_C, "ksys_unshare"),
            place(CALLER, "Caller::replace_files"),
        ),
    };
    function.within = match function.within {
        // In 2011, setns() itself had these parts.
        ["prepare_nsset" | "validate_ns"] if as_of_2011 => &[],
        ["commit_nsset", rest @ ..] if as_of_2011 => rest,
        within => within,
    };
    if journal.is_unshare() {
        function = in_unshare(function, taken);
    }
    function
}

/// Changes the function of a step that setns(2) takes in another place than unshare(2).
fn in_unshare(function: Function, taken: &Taken) -> Function {
    match taken.step {
        Step::Caller => entry(
            "unshare",
            &[],
            function.says,
            place(FORK_C, "ksys_unshare"),
            place(UNSHARE, "unshare"),
        ),
        Step::Fs => Function {
            within: &["unshare_fs"],
            ..function
        },
        Step::Cred => Function {
            within: &["unshare_userns"],
            says: "copies the credentials, for the new user namespace",
            ..function
        },
        Step::Create if taken.errno == Some(Errno::PERM) => entry(
            "ns_capable",
            &["unshare_nsproxy_namespaces"],
            "checks CAP_SYS_ADMIN in the user namespace that would own the new namespaces",
            place(NSPROXY_C, "unshare_nsproxy_namespaces"),
            place(UNSHARE, "unshare_nsproxy_namespaces"),
        ),
        Step::Create => Function {
            within: &["unshare_nsproxy_namespaces"],
            says: "completes the new nsproxy, with references to the other namespaces of the old one",
            ..function
        },
        Step::ExitSem => Function {
            within: &[],
            ..function
        },
        Step::Activate | Step::Switch | Step::PutNsproxy => Function {
            within: &["switch_task_namespaces"],
            ..function
        },
        Step::CommitCreds => Function {
            within: &[],
            says: "gives the task its new credentials",
            ..function
        },
        Step::Return => entry(
            "ksys_unshare",
            &[],
            "releases what the call created, unless the task has it now",
            place(FORK_C, "ksys_unshare"),
            place(UNSHARE, "Unshared"),
        ),
        _ => function,
    }
}

/// Returns the name of a kind's `install()`, its file, and the function of the module.
fn install(kind: Option<Kind>) -> (&'static str, &'static str, &'static str) {
    let Some(kind) = kind else {
        return ("install", "include/linux/proc_ns.h", "Install::install");
    };
    match kind {
        Kind::User => (
            "userns_install",
            "kernel/user_namespace.c",
            "UserNamespace::install",
        ),
        Kind::Mnt => ("mntns_install", "fs/namespace.c", "MntNamespace::install"),
        Kind::Uts => ("utsns_install", "kernel/utsname.c", "UtsNamespace::install"),
        Kind::Ipc => ("ipcns_install", "ipc/namespace.c", "IpcNamespace::install"),
        Kind::Pid => (
            "pidns_install",
            "kernel/pid_namespace.c",
            "PidNamespace::install",
        ),
        Kind::Cgroup => (
            "cgroupns_install",
            "kernel/cgroup/namespace.c",
            "CgroupNamespace::install",
        ),
        Kind::Net => (
            "netns_install",
            "net/core/net_namespace.c",
            "NetNamespace::install",
        ),
        Kind::Time => (
            "timens_install",
            "kernel/time/namespace.c",
            "TimeNamespace::install",
        ),
    }
}

/// Returns the function that creates a namespace of a kind, the functions that call it, and its file.
fn create(kind: Option<Kind>) -> (&'static str, &'static [&'static str], &'static str) {
    const NEW_NSPROXY: &[&str] = &["unshare_nsproxy_namespaces", "create_new_namespaces"];
    match kind {
        Some(Kind::User) => (
            "create_user_ns",
            &["unshare_userns"],
            "kernel/user_namespace.c",
        ),
        Some(Kind::Mnt) | None => ("copy_mnt_ns", NEW_NSPROXY, "fs/namespace.c"),
        Some(Kind::Uts) => ("copy_utsname", NEW_NSPROXY, "kernel/utsname.c"),
        Some(Kind::Ipc) => ("copy_ipcs", NEW_NSPROXY, "ipc/namespace.c"),
        Some(Kind::Pid) => ("copy_pid_ns", NEW_NSPROXY, "kernel/pid_namespace.c"),
        Some(Kind::Cgroup) => ("copy_cgroup_ns", NEW_NSPROXY, "kernel/cgroup/namespace.c"),
        Some(Kind::Net) => ("copy_net_ns", NEW_NSPROXY, "net/core/net_namespace.c"),
        Some(Kind::Time) => ("copy_time_ns", NEW_NSPROXY, "kernel/time/namespace.c"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::all_steps;
    use std::{fs, path::Path};

    /// Returns the function of each step: of setns(2) today and in 2011, and of unshare(2).
    fn functions() -> Vec<Function> {
        let journals = [
            (all_steps::setns_journal(), false),
            (all_steps::setns_journal(), true),
            (all_steps::unshare_journal(), false),
        ];
        let of = |step| all_steps::variations(step).into_iter();
        let taken: Vec<_> = Step::ALL.iter().copied().flat_map(of).collect();
        let of = |(journal, old): &(Journal, bool)| {
            let of = |taken| function(taken, journal, *old);
            taken.iter().map(of).collect::<Vec<_>>()
        };
        journals.iter().flat_map(of).collect()
    }

    #[test]
    fn items_of_the_module_exist() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        for Function { module, .. } in functions() {
            let Place { file, name } = module;
            let source = fs::read_to_string(root.join(file)).expect(file);
            let (owner, item) = match name.split_once("::") {
                Some((owner, item)) => (Some(owner), item),
                None => (None, name),
            };
            let defines = |keyword: &str, name: &str| {
                let definition = format!("{keyword} {name}");
                let mut ends = source.split(&definition).skip(1);
                ends.any(|end| !end.starts_with(|next: char| next.is_alphanumeric() || next == '_'))
            };
            assert!(
                defines("fn", item) || defines("struct", item),
                "no {item} in {file}"
            );
            if let Some(owner) = owner {
                let is_owner = |keyword: &&str| defines(keyword, owner);
                let owners = ["struct", "trait", "for"];
                assert!(owners.iter().any(is_owner), "no {owner} in {file}");
            }
        }
    }

    /// `docs/path.md` lists the functions of the kernel, and is checked against its source.
    #[test]
    fn functions_of_the_kernel_are_documented() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/path.md");
        let document = fs::read_to_string(path).unwrap();
        let not_on_the_path = ["capable", "fdget", "install"];
        for Function { kernel, .. } in functions() {
            let Place { file, name } = kernel;
            if !not_on_the_path.contains(&name) {
                assert!(document.contains(&format!("{name}()")), "no {name}()");
                assert!(document.contains(file), "no {file}");
            }
        }
    }
}
