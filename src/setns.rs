// SPDX-License-Identifier: GPL-2.0-only

//! `setns(2)` as it is today: `SYSCALL_DEFINE2(setns)` of `kernel/nsproxy.c`.

use crate::{
    nsset::NsSet,
    observer::{About, Record, Step},
    reason::Reason,
    sys::{
        caller::Caller,
        file::{pidfd_pid, proc_ns_file, Fd},
        namespace::{self, Ns},
        target::Pid,
    },
};
use kernel::prelude::*;

/// What the file descriptor refers to.
enum Request<'a> {
    /// The namespace of an nsfs file.
    Namespace(&'a Ns),
    /// Namespaces of a process.
    Process(&'a Pid),
}

/// Moves the caller into the namespace that `fd` refers to, or into those of the process that it
/// refers to.
///
/// `fd` is an nsfs file, and `flags` 0 or the namespace's `CLONE_NEW*`; or it is a pidfd, and
/// `flags` one or more `CLONE_NEW*`. Either all of it happens or nothing. Returns the kinds of
/// what the caller was moved into. `record` is told of each step and why one refuses, and may have
/// it end where it cannot fail any more, and nothing has happened.
///
/// # Errors
///
/// - [`EBADF`]: `fd` is not open, or open with `O_PATH`;
/// - [`EINVAL`]: neither nsfs file nor pidfd; the namespace is of another type; no or unknown
///   flags for a pidfd;
/// - [`ENOMEM`], from [`NsSet::prepare`];
/// - what [`NsSet::validate_ns`] and [`NsSet::validate_nsset`] say.
#[doc(alias = "SYSCALL_DEFINE2")]
pub(crate) fn setns(
    caller: &mut Caller<'_>,
    fd: i32,
    flags: u32,
    record: &mut impl Record,
) -> Result<u32> {
    let file = Fd::get(fd as u32).map_err(|_| record.refuse(Reason::BadFd, None))?;
    record.step(Step::Fget, About::Nothing);

    let (request, kinds) = if let Some(ns) = proc_ns_file(&file) {
        record.meet(ns);
        if flags != 0 && flags != ns.ns_type() {
            return Err(record.refuse(Reason::NsType, Some(ns)));
        }
        record.step(Step::Type, About::Namespace(ns));
        (Request::Namespace(ns), ns.ns_type())
    } else if let Some(pid) = pidfd_pid(&file) {
        check_setns_flags(flags).map_err(|reason| record.refuse(reason, None))?;
        record.step(Step::Type, About::Nothing);
        (Request::Process(pid), flags)
    } else {
        return Err(record.refuse(Reason::Neither, None));
    };

    let nsset = NsSet::prepare(caller, kinds, record)?;
    let nsset = match request {
        Request::Namespace(ns) => nsset.validate_ns(caller, ns, record)?,
        Request::Process(pid) => nsset.validate_nsset(caller, pid, record)?,
    };

    if !record.is_dry_run() {
        nsset.commit(caller, record);
        caller.perf_event_namespaces();
        record.step(Step::Perf, About::Nothing);
    }
    Ok(kinds)
}

/// Checks that the flags for a pidfd are kinds of namespace. The kernel has all kinds.
///
/// # Errors
///
/// [`EINVAL`]: none, or one that is no `CLONE_NEW*`.
fn check_setns_flags(flags: u32) -> Result<(), Reason> {
    if flags == 0 {
        return Err(Reason::NoFlags);
    }
    if flags & !namespace::ALL != 0 {
        return Err(Reason::UnknownFlags);
    }
    Ok(())
}
