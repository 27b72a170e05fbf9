// SPDX-License-Identifier: GPL-2.0-only

//! Explains why setns(2), unshare(2) or clone(2) fails, by public interfaces of the kernel. The module is
//! not needed. Written for Linux 5.8 and later; tested on 6.1, 6.12, 6.18 and 7.3.
//!
//! [`explain`] makes the call in a child to get its errno, and then asks the questions of the kernel
//! in the kernel's order, which `docs/checks.md` has. Each answer is yes, no, or not known. The cause is
//! the first check that refuses with this errno, and those before it that may have.
//!
//! The call may be that of another process, of which `/proc` shows the state: [`Task::of`]. It is then
//! predicted, and with [`Task::with_our_files`] about files of this process.
//!
//! ```
//! use nsproxy_diagnose::{Call, Task, explain};
//!
//! let verdict = explain(&Task::current(), Call::Setns { fd: -1, nstype: 0 });
//! let refusal = verdict.refusals().next().unwrap();
//! assert_eq!(refusal.reason, nsproxy_uapi::Reason::BadFd);
//! ```

mod checks;
mod descriptor;
mod id_map;
mod namespace;
mod proc;
mod ptrace_access;
mod show;
mod status;
mod sys;
mod task;
mod verdict;

pub use descriptor::Descriptor;
pub use namespace::Namespace;
pub use ptrace_access::{Access, AccessMode, Rule};
pub use show::show;
pub use status::{Ids, Status};
pub use task::Task;
pub use verdict::{Cause, NotTried, Verdict};

use checks::Checks;
use nsproxy_uapi::{Kind, nsfs};
use rustix::io::Errno;
use sys::{Memory, Shared};

/// A system call. Any numbers are accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    /// setns(2)
    Setns {
        /// A descriptor of the task, or of this process: see [`Task::with_our_files`].
        fd: i32,
        /// 0, or a set of `CLONE_NEW*`.
        nstype: i32,
    },
    /// unshare(2)
    Unshare {
        /// `CLONE_*`
        flags: u64,
    },
    /// clone3(2): its checks of flags and namespaces.
    Clone {
        /// `CLONE_*`
        flags: u64,
    },
}

/// Explains a call that the task would make.
///
/// For the current task the call is made, by a child that is in the same state, has the same threads
/// and shares the same with other tasks. Nothing of the caller changes; ids of new namespaces are used
/// up. The result is predicted for another task, and for one whose children would be in other
/// namespaces: the child would be the init of a new pid namespace, which dies with it.
pub fn explain(task: &Task, call: Call) -> Verdict {
    let tried = match (task.is_current(), task.keeps_children()) {
        (false, _) => Err(NotTried::OtherTask),
        (true, false) => Err(NotTried::OtherChildren),
        (true, true) => attempt(task, call).map_err(NotTried::NoChild),
    };
    let (is_refused, mut causes) = match tried {
        Ok(Ok(())) => (false, Vec::new()),
        Ok(Err(errno)) => {
            let (is_refused, causes) = Checks::new(task, Some(errno)).ask(call);
            (is_refused, of_refusing_kind(task, call, errno, causes))
        }
        Err(_) => Checks::new(task, None).ask(call),
    };
    let predicted = match causes.last() {
        Some(Cause::Check(refusal)) if is_refused => Err(refusal.errno),
        _ => Ok(()),
    };
    if let (Err(_), Err(errno)) = (tried, predicted) {
        causes.retain(|cause| cause.errno() == Some(errno));
    }
    Verdict {
        result: tried.unwrap_or(predicted),
        not_tried: tried.err(),
        causes,
    }
}

/// Explains a call that the task has made, and that failed with `errno`. The task must still be in the
/// state in which it made the call.
pub fn explain_failure(task: &Task, call: Call, errno: Errno) -> Verdict {
    Verdict {
        result: Err(errno),
        not_tried: None,
        causes: Checks::new(task, Some(errno)).ask(call).1,
    }
}

/// Drops causes about other kinds than the one that refuses, which calls with fewer kinds show.
fn of_refusing_kind(task: &Task, call: Call, errno: Errno, mut causes: Vec<Cause>) -> Vec<Cause> {
    let kind_of = |cause: &Cause| match cause {
        Cause::Check(refusal) => refusal.namespace.map(|(kind, _)| kind),
        Cause::Seccomp => None,
    };
    let mut kinds: Vec<_> = causes.iter().filter_map(kind_of).collect();
    kinds.sort_unstable();
    kinds.dedup();
    let Some(last) = kinds.pop() else {
        return causes;
    };
    let refuses = |kind: &Kind| attempt(task, call.up_to(*kind)) == Ok(Err(errno));
    let refusing = kinds.into_iter().find(refuses).unwrap_or(last);
    causes.retain(|cause| kind_of(cause).is_none_or(|kind| kind == refusing));
    causes
}

impl Call {
    /// Returns the call without the kinds that the kernel enters or creates after `last`.
    fn up_to(self, last: Kind) -> Self {
        let later = Kind::ALL.into_iter().filter(|kind| *kind > last);
        let later = Kind::flags_of(&later.collect::<Vec<_>>());
        match self {
            Self::Setns { fd, nstype } => Self::Setns {
                fd,
                nstype: nstype & !later as i32,
            },
            Self::Unshare { flags } => Self::Unshare {
                flags: flags & !u64::from(later),
            },
            Self::Clone { flags } => Self::Clone {
                flags: flags & !u64::from(later),
            },
        }
    }
}

/// Makes the call in a child, and returns its result.
///
/// # Errors
///
/// No child can be created.
fn attempt(task: &Task, call: Call) -> Result<Result<(), Errno>, Errno> {
    let shares = |what| task.sharing(what).is_shared() == Some(true);
    let mut memory = Memory::Own;
    let mut sharing = Vec::new();
    let mut add = |is_asked: bool, what| {
        if is_asked && shares(what) {
            sharing.push(what);
        }
    };
    let call = match call {
        Call::Setns { fd, nstype } => {
            // Of a file that is no namespace, none is known.
            let flags = match nstype {
                0 => task
                    .file(fd)
                    .and_then(nsfs::kind)
                    .map_or(u32::MAX, Kind::flag),
                nstype => nstype as u32,
            };
            let enters = |of: &[Kind]| flags & Kind::flags_of(of) != 0;
            add(enters(&[Kind::User, Kind::Mnt]), Shared::Fs);
            add(enters(&[Kind::Time]), Shared::Memory);
            if !enters(&[Kind::User, Kind::Time]) {
                memory = Memory::OfCaller;
            }
            sys::Call::Setns { fd, nstype }
        }
        Call::Unshare { flags } => {
            let has = |flag| flags & flag as u64 != 0;
            add(
                has(libc::CLONE_SIGHAND | libc::CLONE_VM),
                Shared::SignalHandlers,
            );
            add(has(libc::CLONE_VM), Shared::Memory);
            let of_memory = libc::CLONE_THREAD | libc::CLONE_SIGHAND | libc::CLONE_VM;
            if !has(libc::CLONE_NEWUSER | of_memory) {
                memory = Memory::OfCaller;
            }
            sys::Call::Unshare { flags }
        }
        Call::Clone { flags } => {
            // The flags may be refused before.
            if let Some(errno) = Checks::of_clone_flags(task, flags) {
                return Ok(Err(errno));
            }
            let flags = checks::attempted(flags);
            sys::Call::Clone { flags }
        }
    };
    sys::attempt(call, &sharing, task.has_threads(), memory)
}
