// SPDX-License-Identifier: GPL-2.0-only

//! Calls that create namespaces: their options and their dry runs.

use crate::{
    dry_run,
    explainer::{Answer, Description, Explainer},
    kinds,
    refusal::Refused,
    request::Request,
    target_args::{TargetArgs, usage},
};
use anyhow::Result;
use clap::{Arg, ArgMatches, Args, Command, FromArgMatches, error::Error as UsageError};
use nsproxy_diagnose::Task;
pub(crate) use nsproxy_uapi::clone_flags::Call;
use nsproxy_uapi::{Device, Journal, Kind, Refusal, clone_flags};
use rustix::io::Errno;
use std::fmt;

/// The description of the options below in the help of commands.
pub(crate) const HELP: &str = "\
FLAGS are further flags, as strace(1) prints them.";

/// The options that select a call that creates namespaces instead of setns(2): unshare(2), and with
/// `CLONE` also clone3(2).
#[derive(Debug)]
pub(crate) struct CreationArgs<const CLONE: bool>(Option<(Call, u64)>);

/// Returns the option that selects a call, with further flags as its value.
fn flags_option(call: Call) -> Arg {
    let (name, help) = match call {
        Call::Unshare => ("unshare", "Make the call of unshare(2): create the kinds"),
        Call::Clone => ("clone", "Make the checks of clone3(2): create the kinds"),
    };
    Arg::new(name)
        .long(name)
        .value_name("FLAGS")
        .num_args(0..=1)
        .require_equals(true)
        .default_missing_value("0")
        .value_parser(move |text: &str| clone_flags::parse(call, text))
        .conflicts_with_all(["target", "all", "as_of_2011"])
        .help(help)
}

impl<const CLONE: bool> Args for CreationArgs<CLONE> {
    fn augment_args(command: Command) -> Command {
        let command = command.arg(flags_option(Call::Unshare));
        match CLONE {
            true => command.arg(flags_option(Call::Clone).conflicts_with("unshare")),
            false => command,
        }
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl<const CLONE: bool> FromArgMatches for CreationArgs<CLONE> {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, UsageError> {
        let selected = |call, name| {
            let flags = matches.try_get_one::<u64>(name).ok().flatten()?;
            Some((call, *flags))
        };
        let clone = || selected(Call::Clone, "clone");
        Ok(Self(selected(Call::Unshare, "unshare").or_else(clone)))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), UsageError> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl<const CLONE: bool> CreationArgs<CLONE> {
    /// Returns the call that is selected, if one is.
    ///
    /// # Errors
    ///
    /// Errors of [`Creation::of`].
    pub(crate) fn creation(&self, args: &TargetArgs) -> Result<Option<Creation>, UsageError> {
        self.0
            .map(|(call, flags)| Creation::of(call, flags, args))
            .transpose()
    }
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
                option(call)
            )));
        }
        let kinds: Vec<_> = kinds.iter().map(|(kind, _)| *kind).collect();
        if kinds.is_empty() && flags == 0 && call == Call::Unshare {
            return Err(usage("missing namespaces: select kinds (-U -m …)"));
        }
        Ok(Self::new(call, &kinds, flags))
    }

    /// Returns the kinds to create.
    pub(crate) fn kinds(self) -> Vec<Kind> {
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

    /// Explains the call.
    ///
    /// # Errors
    ///
    /// The module does not answer; with a hint.
    pub(crate) fn explain(self, explainer: &Explainer) -> Result<Answer> {
        explainer.explain(&Request::Creation(self), |device| self.dry_run(device))
    }

    /// Makes a dry run by the module. Returns the refusal, if any.
    fn dry_run(self, device: &Device) -> Result<Option<Refusal>, Errno> {
        self.request(device, true).map(|(refusal, _)| refusal)
    }

    /// Returns the system call.
    pub(crate) fn as_call(self) -> nsproxy_diagnose::Call {
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
        let request = Request::Creation(self);
        let refused = refusal.map(|refusal| Refused::new(refusal, &request));
        Ok((refused, journal))
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
        let request = Request::Creation(self);
        let explainer = Explainer::default();
        let answer = explainer.explain_failure(errno, &request, |device| self.dry_run(device));
        answer.describe(&request, &Task::current())
    }
}

impl fmt::Display for Creation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kinds()[..] {
            [] => f.write_str(name(self.call))?,
            kinds => write!(f, "new {}", kinds::names(kinds))?,
        }
        match self.flags & !u64::from(Kind::flags_of(&Kind::ALL)) {
            0 => Ok(()),
            others => write!(f, " with {}", clone_flags::names(self.call, others)),
        }
    }
}

/// Returns the option that selects a call.
fn option(call: Call) -> &'static str {
    match call {
        Call::Unshare => "--unshare",
        Call::Clone => "--clone",
    }
}

/// Returns the name of the system call.
fn name(call: Call) -> &'static str {
    match call {
        Call::Unshare => "unshare(2)",
        Call::Clone => "clone3(2)",
    }
}
