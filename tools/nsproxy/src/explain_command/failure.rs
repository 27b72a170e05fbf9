// SPDX-License-Identifier: GPL-2.0-only

//! The explanation of a failed call.

use super::{traced_call::TracedCall, traced_task::TracedTask, warnings};
use crate::{cause::Described, errno, explainer::Via, request::Request};
use nsproxy_diagnose::{Call, Cause, Descriptor, Task, explain_failure};
use nsproxy_uapi::{Kind, Refusal};
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
    /// The source of the causes.
    via: Via,
    /// The checks that may have refused the call, in the order of the kernel. One is certain. None: the
    /// cause is unknown.
    causes: Vec<Described>,
}

impl Failure {
    /// Explains a call that `task` has made. The task must be stopped at the exit of the call. `refusal`
    /// is the one that the module has reported for the call.
    pub(super) fn explain(
        task: &TracedTask,
        call: TracedCall,
        errno: Errno,
        refusal: Option<Refusal>,
    ) -> Self {
        let refusal = refusal.filter(|refusal| refusal.errno == errno);
        let found = Task::of(task.tid).ok();
        let descriptor = match (&found, call.call) {
            (Some(found), Call::Setns { fd, .. }) => found.descriptor(fd).ok(),
            _ => None,
        };
        let mut causes = Vec::new();
        if let Some(found) = &found {
            let mut possible = match refusal {
                Some(refusal) => vec![Cause::Check(refusal)],
                None => explain_failure(found, call.call, errno).causes,
            };
            // Several checks of the same kind may have the same reason.
            possible.dedup();
            let request = Request::Program(call.call);
            causes.extend(
                possible
                    .iter()
                    .map(|cause| Described::new(cause, &request, found)),
            );
        }
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
            via: match refusal {
                Some(_) => Via::KernelModule,
                None => Via::UserSpace,
            },
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
            vec![
                "create the pid namespace with clone3(2), or let one child create all other \
                 processes (unshare(1): --fork)"
                    .to_owned(),
            ],
        )),
        Errno::AGAIN if is_unknown => Some(Described::of(
            "task-limit",
            "a limit of tasks is reached: RLIMIT_NPROC, pids.max of the cgroup, or \
             kernel.threads-max",
            vec!["raise the limit, or end other tasks of this user or cgroup".to_owned()],
        )),
        _ => None,
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
                write!(f, "{cause}")?;
                let mut hints = cause.hints.iter();
                hints.try_for_each(|hint| write!(f, "; hint: {hint}"))
            }
            causes => {
                let causes: Vec<_> = causes.iter().map(with_hints).collect();
                write!(f, "may be: {}", causes.join(" or "))
            }
        }
    }
}

/// Formats one of several causes.
fn with_hints(cause: &Described) -> String {
    match &cause.hints[..] {
        [] => cause.to_string(),
        hints => format!("{cause} (hint: {})", hints.join("; hint: ")),
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
            ..Failure::explain(&task, call, Errno::INVAL, None)
        }
        .to_string()
    }

    fn cause(says: &str, hints: &[&str]) -> Described {
        let hints = hints.iter().map(|hint| (*hint).to_owned()).collect();
        Described::of("one", says, hints)
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
    fn the_state_of_the_task_explains() {
        let task = TracedTask::read(gettid());
        let call = Call::Setns { fd: -1, nstype: 0 };
        let call = TracedCall {
            name: "setns",
            call,
        };
        let failure = Failure::explain(&task, call, Errno::BADF, None);
        let reasons: Vec<_> = failure.causes.iter().map(|cause| cause.reason).collect();
        assert_eq!(reasons, ["bad-fd"]);
        assert_eq!((failure.errno.as_str(), failure.number), ("EBADF", 9));
    }
}
