// SPDX-License-Identifier: GPL-2.0-only

//! `setns(2)` of the running kernel: `SYSCALL_DEFINE2(setns)` of `kernel/nsproxy.c`.

use crate::{
    nsset::NsSet,
    observer::{Observer, OrRefuse, Step, Subject},
    reason::Reason,
    sys::{
        caller::Caller,
        file::{pidfd_pid, proc_ns_file, Fd},
        namespace::{self, Ns},
        target::Pid,
    },
};
use kernel::prelude::*;

/// Whether a call takes effect.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// The call enters the namespaces.
    Commit,
    /// The call makes all checks, ends before the point of no return and changes nothing.
    DryRun,
}

/// The object that the file descriptor refers to.
enum Request<'a> {
    /// The namespace of an nsfs file.
    Namespace(&'a Ns),
    /// The process of a pidfd.
    Process(&'a Pid),
}

/// Enters the namespace of an nsfs file, or namespaces of the process of a pidfd.
///
/// For an nsfs file, `flags` are 0 or the `CLONE_NEW*` of the namespace. For a pidfd, they are the
/// `CLONE_NEW*` of each kind to enter. The call enters all requested namespaces or none. Returns
/// the `CLONE_NEW*` of the namespaces that it entered, or would enter in a dry run.
///
/// `observer` receives each step and the reason of a refusal.
///
/// # Errors
///
/// - [`EBADF`]: `fd` is not open, or open with `O_PATH`;
/// - [`EINVAL`]: the file is neither an nsfs file nor a pidfd; the namespace is of another kind
///   than `flags`; no or unknown flags for a pidfd;
/// - [`ENOMEM`] of [`NsSet::prepare`];
/// - errors of [`NsSet::validate_ns`] and [`NsSet::validate_nsset`].
#[doc(alias = "SYSCALL_DEFINE2")]
pub(crate) fn setns(
    caller: &mut Caller<'_>,
    fd: i32,
    flags: u32,
    mode: Mode,
    observer: &mut impl Observer,
) -> Result<u32> {
    let file = Fd::get(fd as u32).or_refuse(Reason::BadFd, observer)?;
    observer.on_step(Step::Fget, Subject::Nothing);

    let (request, kinds) = if let Some(ns) = proc_ns_file(&file) {
        observer.on_namespace(ns);
        if flags != 0 && flags != ns.ns_type() {
            return Err(Reason::NsType.refuse(Some(ns), observer));
        }
        observer.on_step(Step::Type, Subject::Namespace(ns));
        (Request::Namespace(ns), ns.ns_type())
    } else if let Some(pid) = pidfd_pid(&file) {
        check_setns_flags(flags, observer)?;
        observer.on_step(Step::Type, Subject::Nothing);
        (Request::Process(pid), flags)
    } else {
        return Err(Reason::Neither.refuse(None, observer));
    };

    let nsset = NsSet::prepare(caller, kinds, mode, observer)?;
    let nsset = match request {
        Request::Namespace(ns) => nsset.validate_ns(caller, ns, observer)?,
        Request::Process(pid) => nsset.validate_nsset(caller, pid, observer)?,
    };
    if mode == Mode::DryRun {
        return Ok(kinds);
    }

    nsset.commit(caller, observer);
    caller.perf_event_namespaces();
    observer.on_step(Step::Perf, Subject::Nothing);
    Ok(kinds)
}

/// Checks that the flags for a pidfd are one or more `CLONE_NEW*`, and nothing else.
///
/// # Errors
///
/// [`EINVAL`].
#[inline(always)]
fn check_setns_flags(flags: u32, observer: &mut impl Observer) -> Result {
    if flags == 0 {
        return Err(Reason::NoFlags.refuse(None, observer));
    }
    if flags & !namespace::ALL != 0 {
        return Err(Reason::UnknownFlags.refuse(None, observer));
    }
    Ok(())
}
