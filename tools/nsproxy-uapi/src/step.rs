// SPDX-License-Identifier: GPL-2.0-only

//! The steps of the path: `NSPROXY_STEP_*`.

use crate::sys;

macro_rules! steps {
    ($($(#[$doc:meta])* $step:ident = $code:ident, $name:literal;)*) => {
        /// A step of the path.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Step {
            $($(#[$doc])* $step,)*
        }

        impl Step {
            /// Every step, in the order in which today's path takes them.
            pub const ALL: &[Self] = &[$(Self::$step,)*];

            /// The number that the module gives it.
            pub const fn number(self) -> u32 {
                match self {
                    $(Self::$step => sys::$code,)*
                }
            }

            /// Its name, for programs: stable.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$step => $name,)*
                }
            }
        }
    };
}

steps! {
    /// What the caller has before the call.
    Caller = NSPROXY_STEP_CALLER, "caller";
    /// 2011: `capable()`.
    Capable = NSPROXY_STEP_CAPABLE, "capable";
    /// `fget()`.
    Fget = NSPROXY_STEP_FGET, "fget";
    /// What file it is, and whether the second argument fits.
    Type = NSPROXY_STEP_TYPE, "type";
    /// `create_new_namespaces()`.
    Create = NSPROXY_STEP_CREATE, "create-new-namespaces";
    /// `prepare_creds()`.
    Cred = NSPROXY_STEP_CRED, "prepare-creds";
    /// `copy_fs_struct()`.
    Fs = NSPROXY_STEP_FS, "copy-fs-struct";
    /// A process: its namespaces are taken hold of.
    Target = NSPROXY_STEP_TARGET, "target";
    /// `install()` of a kind.
    Install = NSPROXY_STEP_INSTALL, "install";
    /// A process: its namespaces are let go.
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
    /// `switch_task_namespaces()`: the pointer.
    Switch = NSPROXY_STEP_SWITCH, "switch";
    /// `put_nsproxy()`, of the old one.
    PutNsproxy = NSPROXY_STEP_PUT_NSPROXY, "put-nsproxy";
    /// `perf_event_namespaces()`.
    Perf = NSPROXY_STEP_PERF, "perf-event-namespaces";
    /// All is released that was held for the call.
    Return = NSPROXY_STEP_RETURN, "return";
}

impl Step {
    /// The step of that number.
    pub fn of(number: u32) -> Option<Self> {
        let mut all = Self::ALL.iter().copied();
        all.find(|step| step.number() == number)
    }
}

#[cfg(test)]
mod tests {
    use super::Step;

    #[test]
    fn numbers_are_found_again() {
        for (index, step) in Step::ALL.iter().enumerate() {
            assert_eq!(step.number() as usize, index + 1);
            assert_eq!(Step::of(step.number()), Some(*step));
        }
        assert_eq!(Step::of(0), None);
        assert_eq!(Step::of(Step::ALL.len() as u32 + 1), None);
    }
}
