// SPDX-License-Identifier: GPL-2.0-only

//! `setns(2)` as it was posted in 2011: "ns: Introduce the setns syscall", v4.
//!
//! ```text
//!   capable(CAP_SYS_ADMIN)        in the initial user namespace, before all other checks
//!   proc_ns_fget(fd)              an open file of a namespace of one of three kinds
//!   nstype == 0 || nstype == its type
//!   create_new_namespaces(0, ...)
//!   ops->install()                without checks of its own
//!   switch_task_namespaces()
//! ```
//!
//! The patch ignores an error of `create_new_namespaces()` and dereferences an `ERR_PTR` if it runs
//! out of memory. This implementation keeps the semantics but not the bug: a `Result` must be
//! unwrapped first.

use crate::{
    nsproxy::{create_new_namespaces, switch_task_namespaces},
    observer::{Observer, OrRefuse, Step, Subject},
    reason::Reason,
    setns::Mode,
    sys::{
        caller::Caller,
        create::Flags,
        file::{proc_ns_file, Fd},
        namespace::{Ns, OfKind},
        nsproxy::NewNsProxy,
    },
};
use kernel::{
    bindings::{CLONE_NEWIPC, CLONE_NEWNET, CLONE_NEWUTS},
    prelude::*,
};

/// The kinds that had a file in `/proc/PID/ns` in 2011.
const KINDS: u32 = CLONE_NEWNET | CLONE_NEWUTS | CLONE_NEWIPC;

/// Enters the namespace of the file `fd`.
///
/// `nstype` is 0 or the `CLONE_NEW*` of the namespace. `observer` receives each step and the reason
/// of a refusal. A dry run ends before `install()`, which never refuses.
///
/// # Errors
///
/// - [`EPERM`]: the caller does not have `CAP_SYS_ADMIN` in the initial user namespace;
/// - [`EBADF`]: `fd` is not open;
/// - [`EINVAL`]: the file is not a namespace of one of the [`KINDS`], or of another kind than
///   `nstype`;
/// - [`ENOMEM`].
pub(crate) fn setns(
    caller: &mut Caller<'_>,
    fd: i32,
    nstype: u32,
    mode: Mode,
    observer: &mut impl Observer,
) -> Result {
    if !caller.is_capable_of_sys_admin() {
        return Err(Reason::CapInit.refuse(None, observer));
    }
    observer.on_step(Step::Capable, Subject::Nothing);

    let file = Fd::get(fd as u32).or_refuse(Reason::BadFd, observer)?;
    observer.on_step(Step::Fget, Subject::Nothing);
    let ns = proc_ns_file(&file)
        .filter(|ns| ns.ns_type() & KINDS != 0)
        .or_refuse(Reason::NoNs, observer)?;
    observer.on_namespace(ns);
    if nstype != 0 && nstype != ns.ns_type() {
        return Err(Reason::NsType.refuse(Some(ns), observer));
    }
    observer.on_step(Step::Type, Subject::Namespace(ns));

    let mut new = create_new_namespaces(caller, Flags::NONE, caller.user_ns(), None, observer)?;
    if mode == Mode::DryRun {
        return Ok(());
    }
    install(caller, &mut new, ns, observer)?;
    switch_task_namespaces(caller, new, observer);
    Ok(())
}

/// Puts `ns` into the set: `netns_install()`, `utsns_install()` and `ipcns_install()` of 2011.
///
/// # Errors
///
/// [`EINVAL`] for a kind that is not one of the [`KINDS`].
fn install(
    caller: &mut Caller<'_>,
    new: &mut NewNsProxy,
    ns: &Ns,
    observer: &mut impl Observer,
) -> Result {
    match ns.of_kind() {
        OfKind::NetNamespace(net) => new.replace_net_ns(net),
        OfKind::UtsNamespace(uts) => new.replace_uts_ns(uts),
        OfKind::IpcNamespace(ipc) => {
            // Before the switch: the semaphores to undo are in the old ipc namespace.
            caller.exit_sem();
            observer.on_step(Step::ExitSem, Subject::Nothing);
            new.replace_ipc_ns(ipc);
        }
        _ => return Err(EINVAL),
    }
    observer.on_step(Step::Install, Subject::Namespace(ns));
    Ok(())
}
