// SPDX-License-Identifier: GPL-2.0-only

//! Calls that create namespaces: their options, their dry runs, and the description of refusals.

use crate::{
    caller::Caller,
    clone_flags, dry_run,
    explainer::{Answer, Description, Explainer},
    kinds, lookup,
    refusal::{self, Refused},
    target_args::{TargetArgs, usage},
};
use anyhow::Result;
use clap::error::Error as UsageError;
use nsproxy_uapi::{Device, Journal, Kind, Limit, Reason, Refusal};
use rustix::io::Errno;
use std::fmt;

/// The description of the options below in the help of commands.
pub(crate) const HELP: &str = "\
FLAGS are further flags, as strace(1) prints them.";

/// The option that selects unshare(2) instead of setns(2).
#[derive(Debug, clap::Args)]
pub(crate) struct UnshareArg {
    /// Make the call of unshare(2): create the kinds
    #[arg(
        long,
        value_name = "FLAGS",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "0",
        value_parser = |text: &str| clone_flags::parse(Call::Unshare, text),
        conflicts_with_all = ["target", "all", "as_of_2011"]
    )]
    unshare: Option<u64>,
}

/// The options that select a call that creates namespaces instead of setns(2).
#[derive(Debug, clap::Args)]
pub(crate) struct CreationArgs {
    #[command(flatten)]
    unshare: UnshareArg,

    /// Make the checks of clone3(2): create the kinds
    #[arg(
        long,
        value_name = "FLAGS",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "0",
        value_parser = |text: &str| clone_flags::parse(Call::Clone, text),
        conflicts_with_all = ["target", "all", "as_of_2011", "unshare"]
    )]
    clone: Option<u64>,
}

impl UnshareArg {
    /// Returns the call of unshare(2), if it is selected.
    ///
    /// # Errors
    ///
    /// Errors of [`Creation::of`].
    pub(crate) fn creation(&self, args: &TargetArgs) -> Result<Option<Creation>, UsageError> {
        self.unshare
            .map(|flags| Creation::of(Call::Unshare, flags, args))
            .transpose()
    }
}

impl CreationArgs {
    /// Returns the call that is selected, if one is.
    ///
    /// # Errors
    ///
    /// Errors of [`Creation::of`].
    pub(crate) fn creation(&self, args: &TargetArgs) -> Result<Option<Creation>, UsageError> {
        match self.clone {
            Some(flags) => Creation::of(Call::Clone, flags, args).map(Some),
            None => self.unshare.creation(args),
        }
    }
}

/// A system call that creates namespaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Call {
    Unshare,
    Clone,
}

/// A call that creates namespaces, with its flags.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Creation {
    call: Call,
    pub(crate) flags: u64,
}

impl Creation {
    /// Creates the call for some kinds and other flags.
    pub(crate) fn new(call: Call, kinds: &[Kind], flags: u64) -> Self {
        Self {
            call,
            flags: flags | u64::from(Kind::flags_of(kinds)),
        }
    }

    /// Creates the call for the kinds of the command line and other flags.
    ///
    /// # Errors
    ///
    /// A kind has a file, which nothing is created from, or there is neither a kind nor a flag.
    fn of(call: Call, flags: u64, args: &TargetArgs) -> Result<Self, UsageError> {
        let kinds = &args.kinds.0;
        if let Some((kind, _)) = kinds.iter().find(|(_, file)| file.is_some()) {
            return Err(usage(format!(
                "-{}: {} takes no file",
                kind.letter(),
                call.option()
            )));
        }
        let kinds: Vec<_> = kinds.iter().map(|(kind, _)| *kind).collect();
        if kinds.is_empty() && flags == 0 && call == Call::Unshare {
            return Err(usage("missing namespaces: select kinds (-U -m …)"));
        }
        Ok(Self::new(call, &kinds, flags))
    }

    /// Returns the kinds to create.
    fn kinds(self) -> Vec<Kind> {
        let is_new = |kind: &Kind| {
            let implied = if *kind == Kind::Mnt {
                self.call.empty_mntns()
            } else {
                0
            };
            self.flags & (u64::from(kind.flag()) | implied) != 0
        };
        Kind::ALL.into_iter().filter(is_new).collect()
    }

    /// Describes a call that would succeed.
    pub(crate) fn success(self) -> &'static str {
        match self.kinds()[..] {
            [] => "would succeed",
            _ => "can be created",
        }
    }

    /// Explains the call. Returns the refusal, if any.
    ///
    /// # Errors
    ///
    /// The module does not answer; with a hint.
    pub(crate) fn explain(self, explainer: &Explainer) -> Result<Option<Answer>> {
        explainer.explain(self.as_call(), |device| self.dry_run(device))
    }

    /// Makes a dry run by the module. Returns the refusal, if any.
    fn dry_run(self, device: &Device) -> Result<Option<Refusal>, Errno> {
        self.request(device, true).map(|(refusal, _)| refusal)
    }

    fn as_call(self) -> nsproxy_diagnose::Call {
        let flags = self.flags;
        match self.call {
            Call::Unshare => nsproxy_diagnose::Call::Unshare { flags },
            Call::Clone => nsproxy_diagnose::Call::Clone { flags },
        }
    }

    /// Makes the call or a dry run. Returns the refusal, if any, and the journal. The call must be
    /// that of unshare(2), unless it is a dry run.
    ///
    /// # Errors
    ///
    /// The module does not answer; with a hint.
    pub(crate) fn trace(
        self,
        device: &Device,
        dry_run: bool,
    ) -> Result<(Option<Refused>, Journal)> {
        let (refusal, journal) = self.request(device, dry_run).map_err(dry_run::no_answer)?;
        Ok((refusal.map(|refusal| self.refused(refusal)), journal))
    }

    fn request(self, device: &Device, dry_run: bool) -> Result<(Option<Refusal>, Journal), Errno> {
        match self.call {
            Call::Unshare => device.trace_unshare(self.flags, dry_run),
            Call::Clone => device.trace_clone(self.flags),
        }
    }

    /// Describes the call, which failed with `errno`. Must be called in the state in which the call was
    /// made.
    pub(crate) fn describe(self, errno: Errno) -> Description {
        let explainer = Explainer::default();
        let answer =
            explainer.explain_failure(errno, self.as_call(), |device| self.dry_run(device));
        answer.describe(|refusal| self.refused(refusal))
    }

    /// Describes a refusal for the user. The process must be in the state in which the call was made.
    pub(crate) fn refused(self, refusal: Refusal) -> Refused {
        let refusal = refusal::with_init(refusal);
        let caller = Caller::current();
        let mut says = refusal::sentence(refusal.reason, refusal.count);
        if let (Reason::Limit, Some((kind, _))) = (refusal.reason, refusal.namespace) {
            says = format!("{says}: {}", limit_text(refusal.limit, kind));
        }
        Refused::without_call(refusal, says, hints(&refusal, self.flags, &caller))
    }
}

impl fmt::Display for Creation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kinds()[..] {
            [] => f.write_str(self.call.name())?,
            kinds => write!(f, "new {}", kinds::names(kinds))?,
        }
        match self.flags & !u64::from(Kind::flags_of(&Kind::ALL)) {
            0 => Ok(()),
            others => write!(f, " with {}", clone_flags::names(self.call, others)),
        }
    }
}

impl Call {
    fn option(self) -> &'static str {
        match self {
            Self::Unshare => "--unshare",
            Self::Clone => "--clone",
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Unshare => "unshare(2)",
            Self::Clone => "clone3(2)",
        }
    }

    /// Returns the flag for a mount namespace that has only the root mount, which implies that one is
    /// created.
    fn empty_mntns(self) -> u64 {
        match self {
            Self::Unshare => 1 << 20,
            Self::Clone => 1 << 37,
        }
    }
}

const FROM_A_CHILD: &str = "make the call from a child made by fork(2)";

/// Returns the name of the sysctl that limits the namespaces of a kind.
fn sysctl(kind: Kind) -> String {
    format!("user.max_{}_namespaces", kind.name())
}

/// Describes a limit and where it is. User space may not know that.
pub(crate) fn limit_text(limit: Option<Limit>, kind: Kind) -> String {
    let Some(Limit {
        max,
        user_ns,
        levels,
    }) = limit
    else {
        return format!(
            "{} of the caller's user namespace, or of one above it",
            sysctl(kind)
        );
    };
    let value = max.map_or("a limit".to_owned(), |max| max.to_string());
    let levels = match levels {
        0 => String::new(),
        1 => ", one level up".to_owned(),
        levels => format!(", {levels} levels up"),
    };
    let place = lookup::name(Kind::User, user_ns);
    format!("{} is {value} in {place}{levels}", sysctl(kind))
}

/// Returns ways to pass the check that refused a call with `flags`, each of which is enough.
pub(crate) fn hints(refusal: &Refusal, flags: u64, caller: &Caller) -> Vec<String> {
    // Without these flags, an earlier call has set the pid namespace for children.
    let of_thread = u64::from(Kind::User.flag() | Kind::Pid.flag());
    let hint = match refusal.reason {
        Reason::CapNew => {
            let cap = refusal.cap.map_or(0, |(cap, _)| cap);
            let new_user_ns = "create a user namespace as well, with -U or -r".to_owned();
            return vec![new_user_ns, caller.gain(cap)];
        }
        Reason::UsernsOff => {
            return vec![
                "sysctl kernel.unprivileged_userns_clone=1, as root".to_owned(),
                caller.gain(refusal.cap.map_or(0, |(cap, _)| cap)),
            ];
        }
        Reason::Limit => {
            let Some((kind, _)) = refusal.namespace else {
                return Vec::new();
            };
            let (name, kind) = (sysctl(kind), kind.name());
            let mut hints = vec![format!(
                "raise the limit: write a higher number to {name} as root there"
            )];
            let is_zero = refusal.limit.is_some_and(|limit| limit.max == Some(0));
            if !is_zero {
                hints.push(format!(
                    "end processes in other {kind} namespaces of this user"
                ));
            }
            return hints;
        }
        Reason::Chrooted => {
            "call it outside of the chroot, or enter the directory with pivot_root(2) instead"
        }
        Reason::Unmapped => "write the maps of the user namespace first: uid_map and gid_map",
        Reason::UnshareThreads => {
            "make the call before a second thread starts, or from a child made by fork(2)"
        }
        Reason::PidForChildren | Reason::SighandShared | Reason::VmShared => FROM_A_CHILD,
        Reason::CloneThread if flags & of_thread == 0 => FROM_A_CHILD,
        Reason::Lsm => {
            "see the kernel log for the security module; AppArmor: \
             sysctl kernel.apparmor_restrict_unprivileged_userns=0"
        }
        Reason::CloneFs => "omit CLONE_FS",
        Reason::CloneParent => "omit CLONE_PARENT",
        Reason::CloneThread => "omit CLONE_THREAD",
        Reason::CloneSysvsem => "omit CLONE_SYSVSEM",
        Reason::PidOwner => {
            "enter the user namespace that owns the caller's pid namespace, or one below it"
        }
        _ => return Vec::new(),
    };
    vec![hint.to_owned()]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limited(limit: Limit) -> String {
        let creation = Creation::new(Call::Unshare, &[Kind::Net], 0);
        let refused = creation.refused(Refusal {
            errno: Errno::NOSPC,
            reason: Reason::Limit,
            cap: None,
            count: 0,
            namespace: Some((Kind::Net, 0)),
            limit: Some(limit),
        });
        refused.to_string()
    }

    #[test]
    fn a_limit_has_its_name_its_value_and_its_place() {
        let text = limited(Limit {
            max: Some(3),
            user_ns: u64::MAX,
            levels: 2,
        });
        let expected = format!(
            "user.max_net_namespaces is 3 in user namespace {}, 2 levels up",
            u64::MAX
        );
        assert!(text.contains(&expected), "{text}");
        assert!(text.starts_with("ENOSPC: "), "{text}");
    }

    #[test]
    fn the_sysctl_needs_a_capability() {
        let creation = Creation::new(Call::Unshare, &[Kind::User], 0);
        // As from user space
        let refused = creation.refused(Refusal {
            errno: Errno::PERM,
            reason: Reason::UsernsOff,
            cap: None,
            count: 0,
            namespace: None,
            limit: None,
        });
        assert!(refused.hints[1].contains("CAP_SYS_ADMIN"), "{refused}");
    }

    #[test]
    fn a_thread_after_another_pid_namespace_was_set_needs_a_child() {
        let hint = |flags: i32| {
            let refusal = Refusal {
                errno: Errno::INVAL,
                reason: Reason::CloneThread,
                cap: None,
                count: 0,
                namespace: None,
                limit: None,
            };
            Creation::new(Call::Clone, &[], flags as u64)
                .refused(refusal)
                .hints
                .concat()
        };
        assert_eq!(hint(libc::CLONE_THREAD), FROM_A_CHILD);
        assert_eq!(
            hint(libc::CLONE_THREAD | libc::CLONE_NEWUSER),
            "omit CLONE_THREAD"
        );
    }

    #[test]
    fn a_limit_that_is_hidden_has_no_value() {
        let text = limited(Limit {
            max: None,
            user_ns: 0,
            levels: 1,
        });
        let expected = "is a limit in a user namespace outside the caller's, one level up";
        assert!(!text.contains(" 0 "), "{text}");
        assert!(text.contains(expected), "{text}");
    }
}
