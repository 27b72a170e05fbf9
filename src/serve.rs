// SPDX-License-Identifier: GPL-2.0-only

//! `NSPROXY_SERVE`: setns(2) itself, for the processes that ask for it.

use crate::{
    observer::Observer,
    setns::{self, Mode},
    sys::{
        caller::Caller,
        debugfs::Show,
        namespace::KINDS,
        redirect::{processes, redirect, Serve},
        uapi::{NSPROXY_SERVE_OFF, NSPROXY_SERVE_ON, NSPROXY_SERVE_QUERY},
    },
};
use kernel::{
    prelude::*,
    seq_file::{seq_print, SeqFile},
    sync::atomic::{Atomic, Relaxed},
};

/// Has the caller's process be served, or not any more, or says whether it is. Returns whether it
/// was until now.
///
/// # Errors
///
/// [`EINVAL`] for what is none of these; what [`redirect`] says; [`ENOMEM`].
pub(crate) fn serve(caller: &Caller<'_>, what: usize) -> Result<bool> {
    let process = caller.process();
    match u32::try_from(what) {
        Ok(NSPROXY_SERVE_OFF) => Ok(process.leave()),
        Ok(NSPROXY_SERVE_ON) => {
            redirect::<Server>(caller)?;
            process.serve()
        }
        Ok(NSPROXY_SERVE_QUERY) => Ok(process.is_served()),
        _ => Err(EINVAL),
    }
}

/// Serves the calls, and counts them.
struct Server;

/// Keeps nothing, as `()` does. With a type of its own the path is compiled once for served calls and
/// once for the ioctl, and where it has one caller it becomes a part of that.
impl Observer for Server {}

impl Serve for Server {
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
        let errno = result.map_or_else(|error| error.to_errno().unsigned_abs() as usize, |_| 0);
        RETURNED[errno.min(ERRNOS - 1)].add(1, Relaxed);
        result.map(|_| ())
    }
}

/// More than the highest errno that user space sees.
const ERRNOS: usize = 134;

/// How many calls are being served.
static INSIDE: Atomic<i64> = Atomic::new(0);
/// By kind, in the order of [`KINDS`].
static ENTERED: [Atomic<i64>; KINDS.len()] = [const { Atomic::new(0) }; KINDS.len()];
/// By errno, 0 for success.
static RETURNED: [Atomic<i64>; ERRNOS] = [const { Atomic::new(0) }; ERRNOS];

/// `/sys/kernel/debug/nsproxy_rs/served`: how many processes are served and how many calls are
/// being, and what came of the calls since the module was loaded. Each kind of a set counts.
pub(crate) struct Served;

impl Show for Served {
    fn show(file: &SeqFile) {
        seq_print!(file, "processes {}\n", processes::count());
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
