// SPDX-License-Identifier: GPL-2.0-only

//! A dry run of clone3(2): the part of `copy_process()` of `kernel/fork.c` that is about namespaces.
//!
//! No task is created. The functions of `kernel/nsproxy.c` and those that create the user namespace
//! are the same as in the calls. The namespaces are created and released.

use crate::{
    nsproxy::new_for_task,
    observer::{Observer, Step, Subject},
    reason::{ensure, Reason, Refusal},
    sys::{
        caller::Caller,
        create::{Flags, CLONE3_FLAGS, CLONE_CLEAR_SIGHAND, CLONE_EMPTY_MNTNS, CLONE_NNP},
        fs::FsStruct,
    },
    unshare::{copy_fs_struct, may_create_user_ns, set_cred_ucounts, unshare_userns},
};
use kernel::{
    bindings::{
        CLONE_FS, CLONE_NEWNS, CLONE_NEWPID, CLONE_NEWUSER, CLONE_PARENT, CLONE_SIGHAND,
        CLONE_THREAD, CLONE_VM,
    },
    prelude::*,
};

/// Makes the checks of clone3(2) for its flags, creates the namespaces, and releases them.
///
/// Not checked are memory and a pid for the task, limits of processes, the exit signal,
/// `CLONE_AUTOREAP`, `CLONE_PIDFD` and `CLONE_PIDFD_AUTOKILL`, `CLONE_INTO_CGROUP`, and the pointers
/// of `struct clone_args`.
///
/// # Errors
///
/// - errors of [`check_clone_flags`], [`unshare_userns`] and [`new_for_task`];
/// - [`EAGAIN`]: out of memory to count the user in the new user namespace;
/// - [`ENOMEM`].
#[doc(alias = "copy_process")]
pub(crate) fn clone(caller: &Caller<'_>, flags: Flags, observer: &mut impl Observer) -> Result {
    let flags = flags.with_implied_by_clone();
    check_clone_flags(caller, flags).map_err(|refusal| refusal.refuse(None, observer))?;
    observer.on_step(Step::Flags, Subject::Nothing);

    // `copy_creds()`
    let mut cred = unshare_userns(caller, flags, observer)?;
    set_cred_ucounts(&mut cred, observer)?;

    // `copy_fs()`
    let mut fs = match flags.has(CLONE_NEWNS) {
        true => Some(copy_fs_struct(caller, observer)?),
        false => None,
    };

    let fs = fs.as_mut().map(FsStruct::as_unused);
    new_for_task(caller, flags, cred.user_ns(caller), fs, observer).map(drop)
}

impl Flags {
    /// Sets the flags that others imply in clone3(2): `kernel_clone()`.
    #[doc(alias = "kernel_clone")]
    fn with_implied_by_clone(self) -> Self {
        match self.0 & CLONE_EMPTY_MNTNS {
            0 => self,
            _ => Self(self.0 | u64::from(CLONE_NEWNS)),
        }
    }
}

/// Checks the flags, and whether the caller may create user namespaces at all.
///
/// # Errors
///
/// The first check that fails.
#[doc(alias = "clone3_args_valid")]
fn check_clone_flags(caller: &Caller<'_>, flags: Flags) -> Result<(), Refusal> {
    let are_exclusive = flags.has(CLONE_SIGHAND) && flags.0 & CLONE_CLEAR_SIGHAND != 0;
    ensure(
        flags.0 & !CLONE3_FLAGS == 0 && !are_exclusive,
        Reason::CloneFlags,
    )?;

    // A root directory is not shared with a task in another namespace.
    ensure(
        !flags.has(CLONE_FS) || !flags.has(CLONE_NEWNS | CLONE_NEWUSER),
        Reason::CloneFs,
    )?;
    ensure(
        !flags.has(CLONE_NEWUSER) || may_create_user_ns(caller),
        Reason::UsernsOff,
    )?;
    // Threads share signal handlers, and tasks that share signal handlers share memory.
    ensure(
        !flags.has(CLONE_THREAD) || flags.has(CLONE_SIGHAND),
        Reason::CloneFlags,
    )?;
    ensure(
        !flags.has(CLONE_SIGHAND) || flags.has(CLONE_VM),
        Reason::CloneFlags,
    )?;
    // A sibling of an init would be reaped by a process outside of the pid namespace.
    ensure(
        !flags.has(CLONE_PARENT) || !caller.is_init(),
        Reason::CloneParent,
    )?;
    // The threads of a process are in one pid namespace and in one user namespace.
    if flags.has(CLONE_THREAD) {
        let for_children = caller.nsproxy().pid_ns_for_children();
        ensure(
            !flags.has(CLONE_NEWUSER | CLONE_NEWPID) && caller.active_pid_ns().is(for_children),
            Reason::CloneThread,
        )?;
    }
    // Threads share whether execve(2) gains privileges.
    ensure(
        !flags.has(CLONE_THREAD) || flags.0 & CLONE_NNP == 0,
        Reason::CloneFlags,
    )
}
