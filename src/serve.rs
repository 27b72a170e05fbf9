// SPDX-License-Identifier: GPL-2.0-only

//! `NSPROXY_SERVE`: the module handles the system call setns(2) of served processes.

use crate::{
    observer::Observer,
    setns::{self, Mode},
    sys::{
        caller::Caller,
        debugfs::Show,
        namespace::KINDS,
        redirect::{self, processes::SERVED_PROCESSES, SetnsHandler},
        uapi::{errno, NSPROXY_SERVE_OFF, NSPROXY_SERVE_ON, NSPROXY_SERVE_QUERY},
    },
};
use kernel::{
    bindings::EHWPOISON,
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

/// The handler of served system calls, which also counts them.
struct ServedCall;

/// Records nothing, like `()`. The separate type makes the compiler generate one copy of the path
/// for served calls and one for the ioctl, so that each is inlined into its only user.
impl Observer for ServedCall {}

impl SetnsHandler for ServedCall {
    fn setns(caller: &mut Caller<'_>, fd: i32, flags: u32) -> Result {
        INSIDE.add(1, Relaxed);
        let result = setns::setns(caller, fd, flags, Mode::Commit, &mut Self);
        INSIDE.add(-1, Relaxed);
        let kinds = *result.as_ref().unwrap_or(&0);
        for ((_, kind), count) in KINDS.iter().zip(&ENTERED) {
            if kinds & kind != 0 {
                count.add(1, Relaxed);
            }
        }
        let errno = result.map_or_else(errno, |_| 0) as usize;
        RETURNED[errno.min(ERRNOS - 1)].add(1, Relaxed);
        result.map(|_| ())
    }
}

/// The number of errnos, including 0. `EHWPOISON` is the highest one that user space sees.
const ERRNOS: usize = EHWPOISON as usize + 1;

/// The number of served calls that are running.
static INSIDE: Atomic<i64> = Atomic::new(0);
/// The number of served calls that entered a namespace of a kind, in the order of [`KINDS`].
static ENTERED: [Atomic<i64>; KINDS.len()] = [const { Atomic::new(0) }; KINDS.len()];
/// The number of served calls that returned an errno, or 0 for success.
static RETURNED: [Atomic<i64>; ERRNOS] = [const { Atomic::new(0) }; ERRNOS];

/// `/sys/kernel/debug/nsproxy_rs/served`: statistics of served processes and calls.
///
/// Reports the number of served processes and of running calls. Reports the results of all calls
/// since the module was loaded; a call for several kinds counts for each of them.
pub(crate) struct ServedStats;

impl Show for ServedStats {
    fn show(file: &SeqFile) {
        seq_print!(file, "processes {}\n", SERVED_PROCESSES.count());
        seq_print!(file, "inside {}\n", INSIDE.load(Relaxed));
        for ((name, _), count) in KINDS.iter().zip(&ENTERED) {
            seq_print!(file, "entered {name} {}\n", count.load(Relaxed));
        }
        for (errno, count) in RETURNED.iter().enumerate() {
            let count = count.load(Relaxed);
            if count != 0 || errno == 0 {
                seq_print!(file, "returned {errno} {count}\n");
            }
        }
    }
}
