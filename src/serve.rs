// SPDX-License-Identifier: GPL-2.0-only

//! `NSPROXY_SERVE`: the module handles the calls of served processes: setns(2) and unshare(2), and
//! the functions of `kernel/nsproxy.c` that clone(2), execve(2) and exit(2) call.

use crate::{
    explain::{self, Call},
    nsproxy,
    observer::Observer,
    setns::{self, Mode},
    sys::{
        caller::Caller,
        create::Flags,
        debugfs::Show,
        leaving_task::LeavingTask,
        namespace::{UserNamespace, KINDS},
        new_task::NewTask,
        redirect::{self, processes::SERVED_PROCESSES, ServedCalls},
        trace,
        uapi::{errno, NSPROXY_SERVE_OFF, NSPROXY_SERVE_ON, NSPROXY_SERVE_QUERY},
    },
    unshare,
};
use kernel::{
    bindings::{CLONE_NEWUSER, EHWPOISON},
    prelude::*,
    seq_file::{seq_print, SeqFile},
    sync::atomic::{Atomic, Relaxed},
};

/// Enables, disables or queries serving for the calling process. Returns the previous state.
///
/// # Errors
///
/// - [`EINVAL`]: unknown operation;
/// - [`ENOMEM`];
/// - errors of [`redirect::enable`].
pub(crate) fn serve(caller: &Caller<'_>, operation: usize) -> Result<bool> {
    let process = caller.process();
    match u32::try_from(operation) {
        Ok(NSPROXY_SERVE_OFF) => Ok(SERVED_PROCESSES.remove(process)),
        Ok(NSPROXY_SERVE_ON) => {
            redirect::enable::<ServedCall>(caller)?;
            SERVED_PROCESSES.insert(process)
        }
        Ok(NSPROXY_SERVE_QUERY) => Ok(SERVED_PROCESSES.contains(process)),
        _ => Err(EINVAL),
    }
}

/// The handler of the calls of served processes, which also counts them.
struct ServedCall;

/// Records nothing, like `()`. The separate type makes the compiler generate one copy of the path
/// for served calls and one for the ioctl, so that each is inlined into its only user.
impl Observer for ServedCall {}

impl ServedCalls for ServedCall {
    fn setns(caller: &mut Caller<'_>, fd: i32, flags: u32) -> Result {
        count(&ENTERED, &RETURNED, || {
            let mode = Mode::Commit;
            if trace::is_refused_enabled() {
                explain::traced(caller, Call::Setns { fd, flags, mode })
            } else {
                setns::setns(caller, fd, flags, mode, &mut Self)
            }
        })
    }

    fn unshare(caller: &mut Caller<'_>, flags: Flags) -> Result {
        count(&CREATED, &UNSHARED, || {
            let mode = Mode::Commit;
            if trace::is_refused_enabled() {
                explain::traced(caller, Call::Unshare { flags, mode })
            } else {
                unshare::unshare(caller, flags, mode, &mut Self)
            }
        })
    }

    fn copy_namespaces(caller: &Caller<'_>, flags: Flags, task: &mut NewTask<'_>) -> Result {
        COPIED.add(1, Relaxed);
        let result = if trace::is_refused_enabled() {
            explain::with_traced_refusals(|observer| {
                nsproxy::copy_namespaces(caller, flags, task, observer)
            })
        } else {
            nsproxy::copy_namespaces(caller, flags, task, &mut Self)
        };
        if result.is_ok() {
            // The user namespace was created before, with the credentials.
            count_kinds(&CREATED, flags.kinds() & !CLONE_NEWUSER);
        }
        result
    }

    fn exec_task_namespaces(caller: &mut Caller<'_>) -> Result {
        EXECUTED.add(1, Relaxed);
        nsproxy::exec_task_namespaces(caller, &mut Self)
    }

    fn exit_nsproxy_namespaces(task: &mut LeavingTask<'_>) {
        EXITED.add(1, Relaxed);
        nsproxy::exit_nsproxy_namespaces(task);
    }

    fn switch_cred_namespaces(old: &UserNamespace, new: &UserNamespace) {
        nsproxy::switch_cred_namespaces(old, new);
    }

    fn get_cred_namespaces(task: &NewTask<'_>) {
        nsproxy::get_cred_namespaces(task);
    }

    fn exit_cred_namespaces(task: &LeavingTask<'_>) {
        nsproxy::exit_cred_namespaces(task);
    }
}

/// Counts a system call, its result, and the kinds that it returns.
fn count(
    kinds: &[Atomic<i64>; KINDS.len()],
    results: &[Atomic<i64>; ERRNOS],
    call: impl FnOnce() -> Result<u32>,
) -> Result {
    INSIDE.add(1, Relaxed);
    let result = call();
    INSIDE.add(-1, Relaxed);
    count_kinds(kinds, *result.as_ref().unwrap_or(&0));
    let errno = result.map_or_else(errno, |_| 0) as usize;
    results[errno.min(ERRNOS - 1)].add(1, Relaxed);
    result.map(|_| ())
}

/// Adds 1 for each kind whose `CLONE_NEW*` is in `flags`.
fn count_kinds(counts: &[Atomic<i64>; KINDS.len()], flags: u32) {
    for ((_, kind), count) in KINDS.iter().zip(counts) {
        if flags & kind != 0 {
            count.add(1, Relaxed);
        }
    }
}

/// The number of errnos, including 0. `EHWPOISON` is the highest one that user space sees.
const ERRNOS: usize = EHWPOISON as usize + 1;

/// The number of served calls that are running.
static INSIDE: Atomic<i64> = Atomic::new(0);
/// The number of served calls that entered a namespace of a kind, in the order of [`KINDS`].
static ENTERED: [Atomic<i64>; KINDS.len()] = [const { Atomic::new(0) }; KINDS.len()];
/// The number of namespaces of a kind that served calls created, in the order of [`KINDS`]. A user
/// namespace that clone(2) creates is not counted.
static CREATED: [Atomic<i64>; KINDS.len()] = [const { Atomic::new(0) }; KINDS.len()];
/// The number of served calls of `copy_namespaces()`: new tasks.
static COPIED: Atomic<i64> = Atomic::new(0);
/// The number of served calls of `exec_task_namespaces()`: executed programs.
static EXECUTED: Atomic<i64> = Atomic::new(0);
/// The number of served calls of `exit_nsproxy_namespaces()`: tasks that exited.
static EXITED: Atomic<i64> = Atomic::new(0);
/// The number of served setns(2) that returned an errno, or 0 for success.
static RETURNED: [Atomic<i64>; ERRNOS] = [const { Atomic::new(0) }; ERRNOS];
/// The same for unshare(2).
static UNSHARED: [Atomic<i64>; ERRNOS] = [const { Atomic::new(0) }; ERRNOS];

/// `/sys/kernel/debug/nsproxy_rs/served`: statistics of served processes and calls.
///
/// Reports the number of served processes and of running calls. Reports the results of all calls
/// since the module was loaded; a call for several kinds counts for each of them.
pub(crate) struct ServedStats;

impl Show for ServedStats {
    fn show(file: &SeqFile) {
        seq_print!(file, "processes {}\n", SERVED_PROCESSES.count());
        seq_print!(file, "inside {}\n", INSIDE.load(Relaxed));
        for (word, count) in [
            ("copied", &COPIED),
            ("executed", &EXECUTED),
            ("exited", &EXITED),
        ] {
            seq_print!(file, "{word} {}\n", count.load(Relaxed));
        }
        for (word, counts) in [("entered", &ENTERED), ("created", &CREATED)] {
            for ((name, _), count) in KINDS.iter().zip(counts) {
                seq_print!(file, "{word} {name} {}\n", count.load(Relaxed));
            }
        }
        for (word, results) in [("returned", &RETURNED), ("unshared", &UNSHARED)] {
            for (errno, count) in results.iter().enumerate() {
                let count = count.load(Relaxed);
                if count != 0 || errno == 0 {
                    seq_print!(file, "{word} {errno} {count}\n");
                }
            }
        }
    }
}
