// SPDX-License-Identifier: GPL-2.0-only

//! `unshare(2)` of the running kernel: `ksys_unshare()` of `kernel/fork.c`, and
//! `unshare_nsproxy_namespaces()` of `kernel/nsproxy.c`.

use crate::{
    nsproxy::{create_new_namespaces, switch_task_namespaces},
    observer::{Observer, OrRefuse, Refused, RefusedCreation, Step, Subject},
    reason::{ensure, Reason, Refusal},
    setns::Mode,
    sys::{
        caller::Caller,
        create::{Flags, CLONE_EMPTY_MNTNS, UNSHARE_EMPTY_MNTNS},
        cred::{PreparedCred, SetCred},
        files::FilesStruct,
        fs::FsStruct,
        namespace,
        nsproxy::NewNsProxy,
        symbols::unprivileged_userns_clone,
    },
};
use kernel::{
    bindings::{
        CAP_SYS_ADMIN, CLONE_FILES, CLONE_FS, CLONE_NEWIPC, CLONE_NEWNS, CLONE_NEWUSER,
        CLONE_SIGHAND, CLONE_SYSVSEM, CLONE_THREAD, CLONE_VM,
    },
    prelude::*,
};

/// Creates namespaces and moves the caller into them, and stops to share objects with other tasks.
///
/// `flags` are any number of `CLONE_NEW*`, `CLONE_FS`, `CLONE_FILES`, `CLONE_SYSVSEM`,
/// `CLONE_THREAD`, `CLONE_SIGHAND`, `CLONE_VM` and `UNSHARE_EMPTY_MNTNS`. The call does all of it or
/// nothing. Returns the `CLONE_NEW*` of the namespaces that it created, or would create: a dry run
/// creates them, and releases them.
///
/// `observer` receives each step and the reason of a refusal.
///
/// # Errors
///
/// - [`EINVAL`]: unknown flags, or the caller shares what cannot be unshared;
/// - [`EPERM`]: a capability is missing;
/// - errors of [`Unshared::prepare`].
#[doc(alias = "ksys_unshare")]
#[doc(alias = "SYSCALL_DEFINE1")]
pub(crate) fn unshare(
    caller: &mut Caller<'_>,
    flags: Flags,
    mode: Mode,
    observer: &mut impl Observer,
) -> Result<u32> {
    let flags = flags.with_implied();
    if flags.has(CLONE_NEWUSER) && !may_create_user_ns(caller) {
        return Err(Reason::UsernsOff.refuse(None, observer));
    }
    check_unshare_flags(caller, flags).map_err(|refusal| refusal.refuse(None, observer))?;
    observer.on_step(Step::Flags, Subject::Nothing);

    let unshared = Unshared::prepare(caller, flags, observer)?;
    if mode == Mode::Commit {
        unshared.commit(caller, observer);
        caller.perf_event_namespaces();
        observer.on_step(Step::Perf, Subject::Nothing);
    }
    Ok(flags.kinds())
}

impl Flags {
    /// All flags of unshare(2).
    const OF_UNSHARE: u32 = namespace::ALL
        | UNSHARE_EMPTY_MNTNS
        | CLONE_THREAD
        | CLONE_FS
        | CLONE_SIGHAND
        | CLONE_VM
        | CLONE_FILES
        | CLONE_SYSVSEM;

    /// Sets the flags that others imply.
    fn with_implied(mut self) -> Self {
        // The threads of a process share a user namespace. Root and working directory of another
        // task must not be in another user namespace either.
        self.imply(CLONE_NEWUSER, CLONE_THREAD | CLONE_FS);
        self.imply(CLONE_VM, CLONE_SIGHAND);
        self.imply(CLONE_SIGHAND, CLONE_THREAD);
        self.imply(UNSHARE_EMPTY_MNTNS, CLONE_NEWNS);
        self.imply(CLONE_NEWNS, CLONE_FS);
        self
    }

    fn imply(&mut self, flag: u32, implied: u32) {
        if self.has(flag) {
            self.0 |= u64::from(implied);
        }
    }

    /// Returns the flags of `copy_*()`: as those of clone3(2).
    fn for_copy(self) -> Self {
        if self.has(UNSHARE_EMPTY_MNTNS) {
            Self(self.0 & !u64::from(UNSHARE_EMPTY_MNTNS) | CLONE_EMPTY_MNTNS)
        } else {
            self
        }
    }
}

/// Returns whether the caller may create user namespaces at all, see
/// [`unprivileged_userns_clone`].
pub(crate) fn may_create_user_ns(caller: &Caller<'_>) -> bool {
    unprivileged_userns_clone(caller) || caller.is_capable_of_sys_admin()
}

/// Checks the flags, and that the caller does not share what cannot be unshared.
///
/// # Errors
///
/// The first check that fails.
fn check_unshare_flags(caller: &Caller<'_>, flags: Flags) -> Result<(), Refusal> {
    ensure(
        flags.0 & !u64::from(Flags::OF_UNSHARE) == 0,
        Reason::UnshareFlags,
    )?;
    // Not implemented, but successful if nothing is shared.
    if flags.has(CLONE_THREAD | CLONE_SIGHAND | CLONE_VM) && !caller.is_only_thread() {
        return Err(Reason::UnshareThreads.shared_by(caller.threads()));
    }
    if flags.has(CLONE_SIGHAND | CLONE_VM) && caller.sighand_users() > 1 {
        return Err(Reason::SighandShared.shared_by(caller.sighand_users()));
    }
    if flags.has(CLONE_VM) && !caller.is_single_threaded() {
        return Err(Reason::VmShared.shared_by(caller.mm_users()));
    }
    Ok(())
}

/// The new objects of a call, which no task uses yet. [`commit`](Self::commit) cannot fail.
///
/// They are dropped in the order of their declaration, which is that of `ksys_unshare()`.
#[must_use = "objects that are not committed are released"]
struct Unshared {
    flags: Flags,
    nsproxy: Option<NewNsProxy>,
    cred: SetCred,
    files: Option<FilesStruct>,
    fs: Option<FsStruct>,
}

impl Unshared {
    /// Creates all objects that the flags request.
    ///
    /// # Errors
    ///
    /// - [`ENOMEM`];
    /// - [`EPERM`]: `CAP_SYS_ADMIN` is missing in the user namespace that would own the new
    ///   namespaces;
    /// - errors of [`PreparedCred::create_user_ns`] and of
    ///   [`CopyNs::copy`](crate::sys::create::CopyNs::copy).
    fn prepare(caller: &Caller<'_>, flags: Flags, observer: &mut impl Observer) -> Result<Self> {
        let mut fs = unshare_fs(caller, flags, observer)?;
        let files = unshare_fd(caller, flags, observer)?;
        let mut cred = unshare_userns(caller, flags, observer)?;
        let nsproxy = unshare_nsproxy_namespaces(caller, flags, &cred, fs.as_mut(), observer)?;
        set_cred_ucounts(&mut cred, observer)?;
        Ok(Self {
            flags,
            nsproxy,
            cred,
            files,
            fs,
        })
    }

    /// Moves the caller to the new objects. This is the point of no return.
    fn commit(self, caller: &mut Caller<'_>, observer: &mut impl Observer) {
        // Before the switch: the objects to release are in the old ipc namespace.
        if self.flags.has(CLONE_NEWIPC | CLONE_SYSVSEM) {
            caller.exit_sem();
            observer.on_step(Step::ExitSem, Subject::Nothing);
        }
        if self.flags.has(CLONE_NEWIPC) {
            caller.exit_shm();
            observer.on_step(Step::ExitShm, Subject::Nothing);
        }

        if let Some(fs) = self.fs {
            drop(caller.replace_fs(fs));
            observer.on_step(Step::SwitchFs, Subject::Nothing);
        }

        if let Some(nsproxy) = self.nsproxy {
            switch_task_namespaces(caller, nsproxy, observer);
        }

        let old_files = self.files.map(|files| caller.replace_files(files));
        if old_files.is_some() {
            observer.on_step(Step::SwitchFiles, Subject::Nothing);
        }

        if let SetCred::Prepared(cred) = self.cred {
            caller.commit_creds(cred);
            observer.on_step(Step::CommitCreds, Subject::Nothing);
        }
        // Closing files may sleep and run code that expects the new credentials: last, as in C.
        drop(old_files);
    }
}

/// Returns a copy of the caller's root and working directory, if another task shares them or a
/// mount namespace is requested.
///
/// # Errors
///
/// [`Reason::NoFs`].
fn unshare_fs(
    caller: &Caller<'_>,
    flags: Flags,
    observer: &mut impl Observer,
) -> Result<Option<FsStruct>> {
    if !flags.has(CLONE_FS) || !flags.has(CLONE_NEWNS) && caller.fs_users() == 1 {
        return Ok(None);
    }
    copy_fs_struct(caller, observer).map(Some)
}

/// Returns a copy of the caller's root and working directory.
///
/// # Errors
///
/// [`Reason::NoFs`].
pub(crate) fn copy_fs_struct(
    caller: &Caller<'_>,
    observer: &mut impl Observer,
) -> Result<FsStruct> {
    let fs = FsStruct::copy(caller).or_refuse(Reason::NoFs, observer)?;
    observer.on_step(Step::Fs, Subject::Nothing);
    Ok(fs)
}

/// Returns a copy of the caller's table of file descriptors, if another task shares it.
///
/// # Errors
///
/// [`Reason::NoFiles`].
fn unshare_fd(
    caller: &Caller<'_>,
    flags: Flags,
    observer: &mut impl Observer,
) -> Result<Option<FilesStruct>> {
    if !flags.has(CLONE_FILES) || caller.files_users() <= 1 {
        return Ok(None);
    }
    let files = FilesStruct::copy(caller).map_err(|error| {
        let refusal = Refusal {
            error,
            ..Reason::NoFiles.into()
        };
        refusal.refuse(None, observer)
    })?;
    observer.on_step(Step::Files, Subject::Nothing);
    Ok(Some(files))
}

/// Returns credentials in a new user namespace, if one is requested.
///
/// # Errors
///
/// [`Reason::NoCred`], errors of [`PreparedCred::create_user_ns`].
pub(crate) fn unshare_userns(
    caller: &Caller<'_>,
    flags: Flags,
    observer: &mut impl Observer,
) -> Result<SetCred> {
    if !flags.has(CLONE_NEWUSER) {
        return Ok(SetCred::Current);
    }
    let mut cred = PreparedCred::new(caller).or_refuse(Reason::NoCred, observer)?;
    observer.on_step(Step::Cred, Subject::Nothing);
    if let Err(error) = cred.create_user_ns() {
        let parent = caller.user_ns();
        observer.on_refusal(&Refused::Creation(RefusedCreation {
            caller,
            old: parent,
            user_ns: parent,
            error,
        }));
        return Err(error);
    }
    let cred = SetCred::Prepared(cred);
    observer.on_step(Step::NewNs, Subject::Namespace(cred.user_ns(caller)));
    Ok(cred)
}

/// Counts the user of new credentials in the new user namespace, if there is one.
///
/// # Errors
///
/// [`Reason::NewUcounts`].
pub(crate) fn set_cred_ucounts(cred: &mut SetCred, observer: &mut impl Observer) -> Result {
    if let SetCred::Prepared(cred) = cred {
        cred.set_ucounts().or_refuse(Reason::NewUcounts, observer)?;
        observer.on_step(Step::Ucounts, Subject::Nothing);
    }
    Ok(())
}

/// Returns an nsproxy with the requested namespaces, if any of its kinds is requested.
///
/// # Errors
///
/// - [`Reason::CapNew`];
/// - errors of [`create_new_namespaces`].
fn unshare_nsproxy_namespaces(
    caller: &Caller<'_>,
    flags: Flags,
    cred: &SetCred,
    fs: Option<&mut FsStruct>,
    observer: &mut impl Observer,
) -> Result<Option<NewNsProxy>> {
    if !flags.has(Flags::NSPROXY_KINDS) {
        return Ok(None);
    }
    let user_ns = cred.user_ns(caller);
    if !caller.ns_capable(user_ns, CAP_SYS_ADMIN) {
        return Err(Reason::CapNew.refuse(Some(user_ns), observer));
    }
    let fs = fs.filter(|_| flags.has(CLONE_NEWNS));
    let fs = fs.map(FsStruct::as_unused);
    create_new_namespaces(caller, flags.for_copy(), user_ns, fs, observer).map(Some)
}
