// SPDX-License-Identifier: GPL-2.0-only

//! A possible cause of a refusal, for the user: as lines, as part of a line, and in JSON.

use crate::{
    denied_access,
    hints::{self, hints},
    lookup,
    refusal::{hint_lines, name_of, sentence, with_init},
    request::Request,
};
use nsproxy_diagnose::{AccessMode, Cause, Task};
use nsproxy_uapi::{Kind, Limit, Reason, Refusal};
use serde::Serialize;
use std::fmt;

/// A cause. `docs/cli.md` describes its JSON object.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Described {
    /// Stable.
    pub(crate) reason: &'static str,
    /// One sentence.
    says: String,
    cap: Option<String>,
    /// The id of the user namespace in which the capability is missing.
    user_ns: Option<u64>,
    /// The number of tasks that share a resource.
    count: Option<u32>,
    namespace: Option<Namespace>,
    /// Ways to pass the check, each of which is enough.
    pub(crate) hints: Vec<String>,
    #[serde(skip)]
    lines: Lines,
}

#[derive(Clone, Debug, Serialize)]
struct Namespace {
    kind: &'static str,
    /// 0 for one that the call would have created.
    id: u64,
}

/// The parts of the sentence, as lines.
#[derive(Clone, Debug)]
struct Lines {
    check: String,
    /// The capability that is missing, and where.
    missing: Option<String>,
    /// The namespace that the check was about.
    about: Option<String>,
}

impl Described {
    /// Describes something other than a check.
    pub(crate) fn of(reason: &'static str, says: impl Into<String>, hints: Vec<String>) -> Self {
        let says = says.into();
        Self {
            reason,
            cap: None,
            user_ns: None,
            count: None,
            namespace: None,
            hints,
            lines: Lines {
                check: says.clone(),
                missing: None,
                about: None,
            },
            says,
        }
    }

    /// Describes a cause, as far as the task and the target are visible to this process. The task must be
    /// in the state in which it made the call.
    pub(crate) fn new(cause: &Cause, request: &Request<'_>, task: &Task) -> Self {
        let refusal = match cause {
            Cause::Check(refusal) => with_init(*refusal),
            Cause::Seccomp => {
                let says = request.pick(
                    "a filter of seccomp(2), as container runtimes have it",
                    "a seccomp filter of the program refuses the call",
                );
                let hint = request.pick(
                    "run without the filter (containers: --security-opt seccomp=unconfined)",
                    "allow the call in the filter (containers: --security-opt seccomp=FILE)",
                );
                return Self::of("seccomp", says, vec![hint.to_owned()]);
            }
        };
        let check = check(&refusal, request, task);
        let missing = refusal.cap.map(|(cap, user_ns)| {
            let place = place(refusal.reason, user_ns, task);
            format!("{} in {place}", name_of(cap))
        });
        Self {
            reason: refusal.reason.name(),
            says: match &missing {
                Some(missing) => format!("{check}: {missing}"),
                None => check.clone(),
            },
            cap: refusal.cap.map(|(cap, _)| name_of(cap)),
            user_ns: refusal.cap.map(|(_, id)| id).filter(|id| *id != 0),
            count: Some(refusal.count).filter(|count| *count != 0),
            namespace: refusal.namespace.map(|(kind, id)| Namespace {
                kind: kind.name(),
                id,
            }),
            hints: hints(&refusal, request, task),
            lines: Lines {
                check,
                missing,
                about: match request {
                    Request::Setns { .. } => {
                        refusal.namespace.map(|(kind, id)| lookup::name(kind, id))
                    }
                    Request::Creation(_) | Request::Program(_) => None,
                },
            },
        }
    }

    /// Omits the capability from the sentence. The page of a trace prints it on a line of its own.
    pub(crate) fn without_missing(mut self) -> Self {
        self.says = self.lines.check.clone();
        self
    }

    /// Formats the cause as several lines.
    pub(crate) fn lines(&self) -> String {
        let Lines {
            check,
            missing,
            about,
        } = &self.lines;
        let mut lines = check.clone();
        for (name, value) in [("missing", missing), ("about", about)] {
            if let Some(value) = value {
                lines += &format!("\n  {name}: {value}");
            }
        }
        lines + &hint_lines(&self.hints)
    }
}

/// Formats the cause without its hints.
impl fmt::Display for Described {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.says)
    }
}

/// Describes the check, without the capability.
fn check(refusal: &Refusal, request: &Request<'_>, task: &Task) -> String {
    let target = || request.target(task);
    let says = sentence(refusal.reason, refusal.count);
    match refusal.reason {
        Reason::Ptrace => target().map_or(says, |target| {
            denied_access::describe(task, &target, AccessMode::RealCreds).0
        }),
        Reason::Exiting => match target() {
            Some(target) if target.status().has_exited() => {
                "the process has exited: it is a zombie".to_owned()
            }
            Some(_) => {
                "the process is exiting, and has released its namespaces: the init of a pid \
                        namespace waits for the processes in it to end"
                    .to_owned()
            }
            None => says,
        },
        Reason::Limit => match refusal.namespace {
            Some((kind, _)) => format!("{says}: {}", limit_text(refusal.limit, kind)),
            None => says,
        },
        _ => says,
    }
}

/// Names the user namespace in which a capability is missing.
fn place(reason: Reason, user_ns: u64, task: &Task) -> String {
    let is_of_task = matches!(reason, Reason::CapSet | Reason::Chroot | Reason::CapNew);
    match reason {
        // On Linux 6.18 it has another id.
        Reason::CapInit | Reason::UsernsOff if lookup::find(Kind::User, user_ns).is_none() => {
            "the initial user namespace".to_owned()
        }
        _ if is_of_task && user_ns == 0 && task.user_ns().is_none() => {
            "the caller's user namespace".to_owned()
        }
        _ => lookup::name(Kind::User, user_ns),
    }
}

/// Describes a limit and where it is. User space may not know that.
fn limit_text(limit: Option<Limit>, kind: Kind) -> String {
    let sysctl = hints::sysctl(kind);
    let Some(Limit {
        max,
        user_ns,
        levels,
    }) = limit
    else {
        return format!("{sysctl} of the caller's user namespace, or of one above it");
    };
    let value = max.map_or("a limit".to_owned(), |max| max.to_string());
    let levels = match levels {
        0 => String::new(),
        1 => ", one level up".to_owned(),
        levels => format!(", {levels} levels up"),
    };
    let place = lookup::name(Kind::User, user_ns);
    format!("{sysctl} is {value} in {place}{levels}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        creation::{self, Creation},
        plan::{Call, Source},
    };
    use rustix::io::Errno;
    use std::os::fd::AsFd as _;

    fn refusal(reason: Reason) -> Refusal {
        Refusal {
            errno: Errno::PERM,
            reason,
            cap: None,
            count: 0,
            namespace: Some((Kind::Net, 12)),
            limit: None,
        }
    }

    fn limited(limit: Limit) -> String {
        let creation = Creation::new(creation::Call::Unshare, &[Kind::Net], 0);
        let refusal = Refusal {
            limit: Some(limit),
            namespace: Some((Kind::Net, 0)),
            ..refusal(Reason::Limit)
        };
        let request = Request::Creation(creation);
        Described::new(&Cause::Check(refusal), &request, &Task::current()).lines()
    }

    #[test]
    fn a_limit_has_its_name_its_value_and_its_place() {
        let text = limited(Limit {
            max: Some(3),
            user_ns: u64::MAX,
            levels: 2,
        });
        let expected = format!(
            "user.max_net_namespaces is 3 in user namespace {}, 2 levels up",
            u64::MAX
        );
        assert!(text.contains(&expected), "{text}");
    }

    #[test]
    fn a_limit_that_is_hidden_has_no_value() {
        let text = limited(Limit {
            max: None,
            user_ns: 0,
            levels: 1,
        });
        let expected = "is a limit in a user namespace outside the caller's, one level up";
        assert!(!text.contains(" 0 "), "{text}");
        assert!(text.contains(expected), "{text}");
    }

    #[test]
    fn a_missing_capability_names_the_user_namespace() {
        let refusal = Refusal {
            cap: Some((21, 99)),
            ..refusal(Reason::CapOwner)
        };
        let call = Call {
            source: Source::File("/proc/self/ns/net".into()),
            kinds: vec![Kind::Net],
        };
        let file = std::fs::File::open("/proc/self/ns/net").unwrap();
        let request = Request::Setns {
            call: &call,
            file: file.as_fd(),
        };
        let cause = Described::new(&Cause::Check(refusal), &request, &Task::current());
        let lines = cause.lines();
        for line in [
            "\n  missing: CAP_SYS_ADMIN in user namespace 99",
            "\n  about: net namespace 12",
        ] {
            assert!(lines.contains(line), "{lines}");
        }
        let line = cause.to_string();
        let end = "owns the namespace: CAP_SYS_ADMIN in user namespace 99";
        assert!(line.ends_with(end), "{line}");
    }
}
