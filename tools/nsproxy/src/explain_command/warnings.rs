// SPDX-License-Identifier: GPL-2.0-only

//! Effects of a call that has succeeded, and that authors of programs do not expect.

use super::{traced_call::TracedCall, traced_task::TracedTask};
use nsproxy_diagnose::{Call, Descriptor, Status, Task};
use nsproxy_uapi::{Kind, nsfs};
use rustix::{fs::PROC_SUPER_MAGIC, io::Errno};
use serde::Serialize;
use std::{
    fmt,
    fs::{self, File},
    os::unix::fs::MetadataExt as _,
    path::Path,
};

/// An effect that is reported once for each process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Effect {
    /// Only children are in the pid namespace.
    OnlyChildren,
    /// The init of the pid namespace is dead.
    PidNsWithoutInit,
    /// Root and working directory have moved.
    RootMoved,
    /// `/proc` is that of another pid namespace.
    OldProc,
    /// `/sys` is that of another net namespace.
    OldSys,
    /// execve(2) has ignored the privileges of a file, because of ptrace(2).
    PrivilegesIgnored,
}

impl Effect {
    fn says(self) -> &'static str {
        match self {
            Self::OnlyChildren => {
                "only new children of this process are in the entered pid namespace, not the process \
                 itself; hint: fork(2) before execve(2)"
            }
            Self::PidNsWithoutInit => {
                "the init of the entered pid namespace is dead: each fork(2) will fail with ENOMEM; \
                 hint: enter a pid namespace whose first process lives"
            }
            Self::RootMoved => {
                "root and working directory are now the root of the entered mount namespace; hint: \
                 call chdir(2), and open files of before in advance"
            }
            Self::OldProc => {
                "/proc still shows the pid namespace of before; hint: enter the mount namespace as \
                 well, or mount proc again in a new one"
            }
            Self::OldSys => {
                "/sys still shows the net namespace in which it was mounted; hint: enter the mount \
                 namespace as well, or mount sysfs again in a new one"
            }
            Self::PrivilegesIgnored => {
                "the program runs without the privileges of its file (set-user-ID or file \
                 capabilities), because it is traced; hint: run nsproxy as root"
            }
        }
    }
}

/// An effect of a call of a task.
#[derive(Debug, Serialize)]
pub(super) struct Warning {
    #[serde(flatten)]
    pub(super) task: TracedTask,
    pub(super) warning: Effect,
    /// The call with its arguments.
    text: String,
    says: &'static str,
}

impl Warning {
    pub(super) fn new(task: &TracedTask, text: String, warning: Effect) -> Self {
        Self {
            task: task.clone(),
            warning,
            text,
            says: warning.says(),
        }
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            task, text, says, ..
        } = self;
        write!(f, "[{task}] {text}: warning: {says}")
    }
}

/// Returns the effects of a call of setns(2) that has succeeded. The task must be stopped at its exit.
pub(super) fn of_setns(task: &TracedTask, call: TracedCall) -> Vec<Warning> {
    let Call::Setns { fd, .. } = call.call else {
        return Vec::new();
    };
    let found = Task::of(task.tid).ok();
    let descriptor: Option<Descriptor> = found.and_then(|found| found.descriptor(fd).ok());
    let kinds = call.kinds_with(descriptor.as_ref());
    let entered = |effect: Effect| match effect {
        Effect::OnlyChildren | Effect::PidNsWithoutInit | Effect::OldProc => Kind::Pid,
        Effect::RootMoved => Kind::Mnt,
        Effect::OldSys => Kind::Net,
        // Not of setns(2).
        Effect::PrivilegesIgnored => Kind::User,
    };
    let effects = [
        Effect::OnlyChildren,
        Effect::PidNsWithoutInit,
        Effect::RootMoved,
        Effect::OldProc,
        Effect::OldSys,
    ];
    let warning = |effect| Warning::new(task, call.text(descriptor.as_ref()), effect);
    effects
        .into_iter()
        .filter(|effect| kinds.contains(&entered(*effect)) && effect.holds(task))
        .map(warning)
        .collect()
}

impl Effect {
    /// Returns whether a later call may undo the effect: another setns(2), or mount(2). It matters when
    /// the task runs something.
    pub(super) fn is_for_later(self) -> bool {
        matches!(self, Self::OldProc | Self::OldSys)
    }

    /// Returns whether a stopped task has the effect, after a call that may have it.
    pub(super) fn holds(self, task: &TracedTask) -> bool {
        let has_other_children = || {
            let [own, for_children] = ["pid", "pid_for_children"].map(|link| task.namespace(link));
            own.is_some() && own != for_children
        };
        match self {
            Self::OnlyChildren => has_other_children() && !is_without_init(task),
            Self::PidNsWithoutInit => has_other_children() && is_without_init(task),
            Self::RootMoved => true,
            Self::OldProc => has_other_children() && shows_our_processes(task),
            Self::OldSys => has_our_sysfs(task),
            Self::PrivilegesIgnored => has_ignored_privileges(task).unwrap_or(false),
        }
    }
}

/// Returns whether the pid namespace for children of the task had an init, which has exited. No process
/// can be created in it.
pub(super) fn is_without_init(task: &TracedTask) -> bool {
    // The link is missing until the first child is created.
    let Ok(pid_ns) = File::open(task.path("ns/pid_for_children")) else {
        return false;
    };
    match nsfs::process_in(pid_ns, 1) {
        Ok(init) => Status::of(init).is_ok_and(|init| init.has_exited()),
        Err(errno) => errno == Errno::SRCH,
    }
}

/// Returns whether the `/proc` of the task is that of the pid namespace of this process, or of one above
/// it.
fn shows_our_processes(task: &TracedTask) -> bool {
    let is_proc = rustix::fs::statfs(task.path("root/proc"))
        .is_ok_and(|found| found.f_type == PROC_SUPER_MAGIC);
    is_proc && fs::read_link(task.path("root/proc/self")).is_ok()
}

/// Returns whether the task has the `/sys` of this process, and is in another net namespace. The kernel
/// has one instance of sysfs for each net namespace.
fn has_our_sysfs(task: &TracedTask) -> bool {
    let device = |path: &Path| fs::metadata(path).map(|found| found.dev());
    let sys = task.path("root/sys");
    let is_sysfs = rustix::fs::statfs(&sys).is_ok_and(|found| found.f_type == libc::SYSFS_MAGIC);
    let is_ours = match (device(&sys), device(Path::new("/sys"))) {
        (Ok(theirs), Ok(ours)) => theirs == ours,
        _ => false,
    };
    let net_ns = fs::metadata("/proc/self/ns/net").map(|found| found.ino());
    is_sysfs && is_ours && task.namespace("net") != net_ns.ok()
}

/// Returns the effects of execve(2), after which the task must be stopped.
pub(super) fn of_exec(task: &TracedTask) -> Vec<Warning> {
    let text = || {
        let program = fs::read_link(task.path("exe")).unwrap_or_default();
        format!("execve({})", program.display().to_string().escape_debug())
    };
    let effect = Effect::PrivilegesIgnored;
    let warning = effect
        .holds(task)
        .then(|| Warning::new(task, text(), effect));
    warning.into_iter().collect()
}

/// Returns whether the task has executed a file with privileges and does not have them; [`None`] if that
/// is not known.
fn has_ignored_privileges(task: &TracedTask) -> Option<bool> {
    let file = task.path("exe");
    let found = fs::metadata(&file).ok()?;
    let traced = Task::of(task.tid).ok()?;
    let status = traced.status();
    // ptrace(2) is not the reason with these.
    let flags = rustix::fs::statvfs(&file).ok()?.f_flag;
    let ignores_all = flags.contains(rustix::fs::StatVfsMountFlags::NOSUID)
        || status.no_new_privs
        || traced.is_in_our_user_ns() != Some(true);
    if ignores_all {
        return Some(false);
    }
    let is_set_user_id = found.mode() & libc::S_ISUID != 0;
    if is_set_user_id && status.uids.effective != found.uid() {
        return Some(true);
    }
    let mut attribute = [0_u8; 24];
    let size = rustix::fs::getxattr(&file, "security.capability", &mut attribute).unwrap_or(0);
    let permitted = permitted_of_file(&attribute[..size]);
    let [permitted, bounding] =
        [status.permitted, status.bounding].map(|set| set.bits() & permitted);
    Some(bounding & !permitted != 0)
}

/// Returns the permitted capabilities in the attribute `security.capability`, of any version.
fn permitted_of_file(attribute: &[u8]) -> u64 {
    let word = |at: usize| {
        let bytes = attribute.get(at..at + 4)?.try_into().ok()?;
        Some(u64::from(u32::from_le_bytes(bytes)))
    };
    // `struct vfs_cap_data`: a word of flags, then permitted and inheritable words.
    word(4).unwrap_or(0) | word(12).unwrap_or(0) << u32::BITS
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::thread::gettid;

    #[test]
    fn capabilities_of_a_file() {
        let mut attribute = [0; 20];
        assert_eq!(permitted_of_file(&attribute), 0);
        (attribute[4], attribute[13], attribute[9]) = (0x80, 1, 0xff);
        assert_eq!(permitted_of_file(&attribute), 0x100_0000_0080);
        assert_eq!(permitted_of_file(&[]), 0);
    }

    #[test]
    fn the_own_state_has_no_effects() {
        let task = TracedTask::read(gettid());
        assert!(!is_without_init(&task));
        assert!(shows_our_processes(&task));
        assert_eq!(has_ignored_privileges(&task), Some(false));
        assert!(of_exec(&task).is_empty());
    }
}
