// SPDX-License-Identifier: GPL-2.0-only

//! The steps of the path: `NSPROXY_STEP_*`.

use crate::abi_enum::abi_enum;

abi_enum! {
    /// A step of the path. Up to [`Step::Return`], the order is that of setns(2).
    Step;

    /// Before the call: the namespaces that the caller has.
    Caller = NSPROXY_STEP_CALLER, "caller";
    /// 2011: `capable()`.
    Capable = NSPROXY_STEP_CAPABLE, "capable";
    /// `fget()`.
    Fget = NSPROXY_STEP_FGET, "fget";
    /// `proc_ns_file()`, `pidfd_pid()` and the check of the second argument.
    Type = NSPROXY_STEP_TYPE, "type";
    /// `create_new_namespaces()`.
    Create = NSPROXY_STEP_CREATE, "create-new-namespaces";
    /// `prepare_creds()`.
    Cred = NSPROXY_STEP_CRED, "prepare-creds";
    /// `copy_fs_struct()`.
    Fs = NSPROXY_STEP_FS, "copy-fs-struct";
    /// `validate_nsset()`: references to the target's namespaces are acquired.
    Target = NSPROXY_STEP_TARGET, "target";
    /// `install()` of a kind.
    Install = NSPROXY_STEP_INSTALL, "install";
    /// `validate_nsset()`: these references are released.
    TargetPut = NSPROXY_STEP_TARGET_PUT, "target-put";
    /// `commit_creds()`.
    CommitCreds = NSPROXY_STEP_COMMIT_CREDS, "commit-creds";
    /// `set_fs_root()` and `set_fs_pwd()`.
    SetFs = NSPROXY_STEP_SET_FS, "set-fs";
    /// `exit_sem()`.
    ExitSem = NSPROXY_STEP_EXIT_SEM, "exit-sem";
    /// `timens_commit()`.
    Timens = NSPROXY_STEP_TIMENS, "timens-commit";
    /// `nsproxy_ns_active_get()`.
    Activate = NSPROXY_STEP_ACTIVATE, "nsproxy-ns-active-get";
    /// `switch_task_namespaces()`: the pointer in the task.
    Switch = NSPROXY_STEP_SWITCH, "switch";
    /// `put_nsproxy()` of the old nsproxy.
    PutNsproxy = NSPROXY_STEP_PUT_NSPROXY, "put-nsproxy";
    /// `perf_event_namespaces()`.
    Perf = NSPROXY_STEP_PERF, "perf-event-namespaces";
    /// `put_nsset()` and `fput()`: all objects held for the call are released.
    Return = NSPROXY_STEP_RETURN, "return";
    /// unshare(2): `check_unshare_flags()`; the checks of flags by clone3(2).
    Flags = NSPROXY_STEP_FLAGS, "check-unshare-flags";
    /// unshare(2): `dup_fd()`.
    Files = NSPROXY_STEP_FILES, "dup-fd";
    /// unshare(2): `create_user_ns()`, or `copy_*()` of a kind.
    NewNs = NSPROXY_STEP_NEW_NS, "new-ns";
    /// unshare(2): `set_cred_ucounts()`.
    Ucounts = NSPROXY_STEP_UCOUNTS, "set-cred-ucounts";
    /// unshare(2): `exit_shm()`.
    ExitShm = NSPROXY_STEP_EXIT_SHM, "exit-shm";
    /// unshare(2): `switch_fs_struct()`.
    SwitchFs = NSPROXY_STEP_SWITCH_FS, "switch-fs";
    /// unshare(2): the table of file descriptors in the task.
    SwitchFiles = NSPROXY_STEP_SWITCH_FILES, "switch-files";
}
