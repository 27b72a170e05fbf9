// SPDX-License-Identifier: GPL-2.0-only

//! The explanation of a failed call.

use super::{hints, traced_call::TracedCall, traced_task::TracedTask, warnings};
use crate::{creation, errno, lookup, refusal};
use nsproxy_diagnose::{Call, Cause, Descriptor, Task, explain_failure};
use nsproxy_uapi::{Kind, Reason, Refusal};
use rustix::io::Errno;
use serde::Serialize;
use std::fmt;

/// A call that failed.
#[derive(Debug, Serialize)]
pub(super) struct Failure {
    #[serde(flatten)]
    task: TracedTask,
    pub(super) call: &'static str,
    /// The call with its arguments.
    text: String,
    /// The descriptor of setns(2).
    fd: Option<i32>,
    /// The kinds that the call names, or that of its descriptor.
    namespaces: Vec<&'static str>,
    /// All flags of the call, including those of the kinds.
    flags: u64,
    pub(super) errno: String,
    number: i32,
    /// The checks that may have refused the call, in the order of the kernel. One is certain. None: the
    /// cause is unknown.
    causes: Vec<Described>,
}

/// A possible cause.
#[derive(Debug, Serialize)]
struct Described {
    /// Stable.
    reason: &'static str,
    says: String,
    cap: Option<String>,
    /// The id of the user namespace in which the capability is missing.
    user_ns: Option<u64>,
    /// The number of tasks that share a resource.
    count: Option<u32>,
    namespace: Option<Namespace>,
    /// Ways to pass the check, each of which is enough.
    hints: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Namespace {
    kind: &'static str,
    /// 0 for one that the call would have created.
    id: u64,
}

impl Failure {
    /// Explains a call that `task` has made. The task must be stopped at the exit of the call.
    pub(super) fn explain(task: &TracedTask, call: TracedCall, errno: Errno) -> Self {
        let found = Task::of(task.tid).ok();
        let descriptor = match (&found, call.call) {
            (Some(found), Call::Setns { fd, .. }) => found.descriptor(fd).ok(),
            _ => None,
        };
        let causes = found.map(|found| explain_failure(&found, call.call, errno).causes);
        let mut causes: Vec<_> = causes.into_iter().flatten().collect();
        // Several checks of the same kind may have the same reason.
        causes.dedup();
        let mut causes: Vec<_> = causes
            .into_iter()
            .map(|cause| Described::new(cause, call.flags(), task))
            .collect();
        if let Some(cause) = of_new_task(task, call, errno, causes.is_empty()) {
            causes = vec![cause];
        }
        Self {
            task: task.clone(),
            call: call.name,
            text: call.text(descriptor.as_ref()),
            fd: match call.call {
                Call::Setns { fd, .. } => Some(fd),
                Call::Unshare { .. } | Call::Clone { .. } => None,
            },
            namespaces: names(call, descriptor.as_ref()),
            flags: call.flags(),
            errno: errno::word(errno),
            number: errno.raw_os_error(),
            causes,
        }
    }
}

/// Returns the names of the kinds of a call.
fn names(call: TracedCall, descriptor: Option<&Descriptor>) -> Vec<&'static str> {
    let kinds = call.kinds_with(descriptor);
    kinds.into_iter().map(Kind::name).collect()
}

/// Returns a cause that is not about flags and namespaces of a call that creates a task.
fn of_new_task(
    task: &TracedTask,
    call: TracedCall,
    errno: Errno,
    is_unknown: bool,
) -> Option<Described> {
    if !matches!(call.call, Call::Clone { .. }) {
        return None;
    }
    match errno {
        // `alloc_pid()`
        Errno::NOMEM if warnings::is_without_init(task) => Some(Described::of(
            "pid-ns-without-init",
            "the init of the pid namespace for the children of this process has exited: its first \
             child is that init",
            "create the pid namespace with clone3(2), or let one child create all other processes \
             (unshare(1): --fork)",
        )),
        Errno::AGAIN if is_unknown => Some(Described::of(
            "task-limit",
            "a limit of tasks is reached: RLIMIT_NPROC, pids.max of the cgroup, or \
             kernel.threads-max",
            "raise the limit, or end other tasks of this user or cgroup",
        )),
        _ => None,
    }
}

impl Described {
    fn of(reason: &'static str, says: impl Into<String>, hint: &str) -> Self {
        Self {
            reason,
            says: says.into(),
            cap: None,
            user_ns: None,
            count: None,
            namespace: None,
            hints: vec![hint.to_owned()],
        }
    }

    fn new(cause: Cause, flags: u64, task: &TracedTask) -> Self {
        let refusal = match cause {
            Cause::Check(refusal) => refusal,
            Cause::Seccomp => {
                return Self::of(
                    "seccomp",
                    "a seccomp filter of the program refuses the call",
                    "allow the call in the filter (containers: --security-opt seccomp=FILE)",
                );
            }
        };
        Self {
            reason: refusal.reason.name(),
            says: says(&refusal),
            cap: refusal.cap.map(|(cap, _)| refusal::name_of(cap)),
            user_ns: refusal.cap.map(|(_, id)| id).filter(|id| *id != 0),
            count: Some(refusal.count).filter(|count| *count != 0),
            namespace: refusal.namespace.map(|(kind, id)| Namespace {
                kind: kind.name(),
                id,
            }),
            hints: hints::hints(&refusal, flags, task),
        }
    }
}

/// Describes the check of a refusal.
fn says(refusal: &Refusal) -> String {
    let is_shared = matches!(
        refusal.reason,
        Reason::FsShared | Reason::MmShared | Reason::SighandShared | Reason::VmShared
    );
    let sentence = match refusal.count {
        // The number of other tasks is unknown.
        0 | 1 if is_shared => refusal::sentence(refusal.reason, 0)
            .replacen("0 tasks", "other tasks", 1)
            .replace(", including the caller", ""),
        count => refusal::sentence(refusal.reason, count),
    };
    let detail = match (refusal.cap, refusal.namespace) {
        (Some((cap, user_ns)), _) => {
            let place = lookup::name(Kind::User, user_ns);
            Some(format!("{} in {place}", refusal::name_of(cap)))
        }
        (None, Some((kind, _))) if refusal.reason == Reason::Limit => {
            Some(creation::limit_text(refusal.limit, kind))
        }
        _ => None,
    };
    match detail {
        Some(detail) => format!("{sentence}: {detail}"),
        None => sentence,
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            task, text, errno, ..
        } = self;
        write!(f, "[{task}] {text}: {errno}: ")?;
        match &self.causes[..] {
            [] => f.write_str("unknown cause: all checks that can be repeated pass"),
            [cause] => {
                f.write_str(&cause.says)?;
                let mut hints = cause.hints.iter();
                hints.try_for_each(|hint| write!(f, "; hint: {hint}"))
            }
            causes => {
                let causes: Vec<_> = causes.iter().map(Described::with_hints).collect();
                write!(f, "may be: {}", causes.join(" or "))
            }
        }
    }
}

impl Described {
    /// Formats one of several causes.
    fn with_hints(&self) -> String {
        match &self.hints[..] {
            [] => self.says.clone(),
            hints => format!("{} (hint: {})", self.says, hints.join("; hint: ")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::thread::gettid;

    fn failure(causes: Vec<Described>) -> String {
        let task = TracedTask {
            pid: 12,
            tid: 13,
            program: "runc".to_owned(),
        };
        let call = Call::Setns { fd: 7, nstype: 0 };
        let call = TracedCall {
            name: "setns",
            call,
        };
        Failure {
            causes,
            ..Failure::explain(&task, call, Errno::INVAL)
        }
        .to_string()
    }

    fn cause(says: &str, hints: &[&str]) -> Described {
        Described {
            hints: hints.iter().map(|hint| (*hint).to_owned()).collect(),
            ..Described::of("one", says, "")
        }
    }

    #[test]
    fn a_failure_is_one_line() {
        let head = "[12/13 runc] setns(fd 7, 0): EINVAL: ";
        let one = failure(vec![cause("no", &["do this", "do that"])]);
        assert_eq!(one, format!("{head}no; hint: do this; hint: do that"));
        let several = failure(vec![cause("no", &["do this"]), cause("never", &[])]);
        assert_eq!(
            several,
            format!("{head}may be: no (hint: do this) or never")
        );
        let none = failure(Vec::new());
        assert!(none.contains("EINVAL: unknown cause"), "{none}");
    }

    #[test]
    fn an_unknown_number_of_tasks_is_not_printed() {
        let shared = |count| {
            says(&Refusal {
                errno: Errno::INVAL,
                reason: Reason::FsShared,
                cap: None,
                count,
                namespace: None,
                limit: None,
            })
        };
        assert!(shared(2).starts_with("2 tasks share root"), "{}", shared(2));
        let unknown = "other tasks share root and working directory (CLONE_FS)";
        assert_eq!(shared(1), unknown);
    }

    #[test]
    fn the_state_of_the_task_explains() {
        let task = TracedTask::read(gettid());
        let call = Call::Setns { fd: -1, nstype: 0 };
        let call = TracedCall {
            name: "setns",
            call,
        };
        let failure = Failure::explain(&task, call, Errno::BADF);
        let reasons: Vec<_> = failure.causes.iter().map(|cause| cause.reason).collect();
        assert_eq!(reasons, ["bad-fd"]);
        assert_eq!((failure.errno.as_str(), failure.number), ("EBADF", 9));
    }
}
