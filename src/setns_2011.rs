// SPDX-License-Identifier: GPL-2.0-only

//! `setns(2)` as it was posted in 2011: "ns: Introduce the setns syscall", v4.
//!
//! ```text
//!   capable(CAP_SYS_ADMIN)        in the initial user namespace, before anything else
//!   proc_ns_fget(fd)              a namespace file, of one of three kinds
//!   nstype == 0 || nstype == its type
//!   create_new_namespaces(0, ...)
//!   ops->install()                no check of its own: the first line was it
//!   switch_task_namespaces()
//! ```
//!
//! The patch does not look at what `create_new_namespaces()` returns and would follow an
//! `ERR_PTR` when memory is short. The semantics are kept, the bug is not: a `Result` cannot be
//! installed into.

use crate::{
    nsproxy::{create_new_namespaces, switch_task_namespaces},
    observer::{About, Record, Step},
    reason::Reason,
    sys::{
        caller::Caller,
        file::{proc_ns_file, Fd},
        namespace::{IpcNamespace, NetNamespace, Ns, UtsNamespace},
        nsproxy::NewNsProxy,
    },
};
use kernel::{
    bindings::{CLONE_NEWIPC, CLONE_NEWNET, CLONE_NEWUTS},
    prelude::*,
};

/// The kinds that had a file in `/proc/PID/ns` then.
const KINDS: u32 = CLONE_NEWNET | CLONE_NEWUTS | CLONE_NEWIPC;

/// Moves the caller into the namespace that `fd` refers to.
///
/// `nstype` is 0 or the namespace's `CLONE_NEW*`. `record` is told why not; a dry run ends before
/// `install()`, which refuses nothing.
///
/// # Errors
///
/// - [`EPERM`]: the caller lacks `CAP_SYS_ADMIN` in the initial user namespace;
/// - [`EBADF`]: `fd` is not open;
/// - [`EINVAL`]: not a namespace file, or of a kind that was none then; of another type;
/// - [`ENOMEM`].
pub(crate) fn setns(
    caller: &mut Caller<'_>,
    fd: i32,
    nstype: u32,
    record: &mut impl Record,
) -> Result {
    if !caller.is_capable_of_sys_admin() {
        return Err(record.refuse(Reason::CapInit, None));
    }
    record.step(Step::Capable, About::Nothing);

    let file = Fd::get(fd as u32).map_err(|_| record.refuse(Reason::BadFd, None))?;
    record.step(Step::Fget, About::Nothing);
    let ns = proc_ns_file(&file)
        .filter(|ns| ns.ns_type() & KINDS != 0)
        .ok_or_else(|| record.refuse(Reason::NoNs, None))?;
    record.meet(ns);
    if nstype != 0 && nstype != ns.ns_type() {
        return Err(record.refuse(Reason::NsType, Some(ns)));
    }
    record.step(Step::Type, About::Namespace(ns));

    let mut new = create_new_namespaces(caller.nsproxy())
        .map_err(|_| record.refuse(Reason::NoNsProxy, None))?;
    record.step(Step::Create, About::NsProxy([0, 1]));
    if record.is_dry_run() {
        return Ok(());
    }
    install(caller, &mut new, ns, record)?;
    switch_task_namespaces(caller, new, record);
    Ok(())
}

/// `netns_install()`, `utsns_install()` and `ipcns_install()` of then.
fn install(
    caller: &mut Caller<'_>,
    new: &mut NewNsProxy,
    ns: &Ns,
    record: &mut impl Record,
) -> Result {
    if let Some(net) = ns.downcast::<NetNamespace>() {
        new.replace(net);
    } else if let Some(uts) = ns.downcast::<UtsNamespace>() {
        new.replace(uts);
    } else if let Some(ipc) = ns.downcast::<IpcNamespace>() {
        // The undo belongs to the old namespace, in which the caller still is.
        caller.exit_sem();
        record.step(Step::ExitSem, About::Nothing);
        new.replace(ipc);
    } else {
        return Err(EINVAL);
    }
    record.step(Step::Install, About::Namespace(ns));
    Ok(())
}
