// SPDX-License-Identifier: GPL-2.0-only

//! The options that select namespaces, as in nsenter(1), for all commands that have them.

use crate::{
    differing_kinds,
    kinds::Kinds,
    plan::{self, Plan},
};
use anyhow::Result;
use clap::{
    builder::{PossibleValue, PossibleValuesParser, TypedValueParser},
    error::{Error as UsageError, ErrorKind},
};
use nsproxy_uapi::{Implementation, Kind};

#[derive(Debug, clap::Args)]
pub(crate) struct TargetArgs {
    /// Enter namespaces of this process or thread
    #[arg(short, long, value_name = "PID", value_parser = clap::value_parser!(i32).range(1..))]
    pub(crate) target: Option<i32>,

    /// Enter every namespace that differs from the caller's
    #[arg(short, long, requires = "target")]
    pub(crate) all: bool,

    #[command(flatten)]
    pub(crate) kinds: Kinds,

    /// Use setns(2) of 2011: one call per kind; net, uts, ipc
    #[arg(long = "2011")]
    pub(crate) as_of_2011: bool,
}

/// The option that selects unshare(2) instead of setns(2).
#[derive(Debug, clap::Args)]
pub(crate) struct UnshareArg {
    /// Make the call of unshare(2): create the kinds
    #[arg(long, conflicts_with_all = ["target", "all", "as_of_2011"])]
    unshare: bool,
}

impl UnshareArg {
    /// Returns the kinds to create; [`None`] if the call is setns(2).
    ///
    /// # Errors
    ///
    /// A kind has a file, which nothing is created from, or there is no kind.
    pub(crate) fn kinds(&self, args: &TargetArgs) -> Result<Option<Vec<Kind>>, UsageError> {
        if !self.unshare {
            return Ok(None);
        }
        let kinds = &args.kinds.0;
        if let Some((kind, _)) = kinds.iter().find(|(_, file)| file.is_some()) {
            return Err(usage(format!(
                "-{}: --unshare takes no file",
                kind.letter()
            )));
        }
        if kinds.is_empty() {
            return Err(usage("missing namespaces: select kinds (-U -m …)"));
        }
        Ok(Some(kinds.iter().map(|(kind, _)| *kind).collect()))
    }
}

/// Returns the parser of an implementation, which is named by its entry.
pub(crate) fn implementation() -> impl TypedValueParser<Value = Implementation> {
    PossibleValuesParser::new([
        PossibleValue::new("device").help("/dev/nsproxy of the module"),
        PossibleValue::new("syscall").help("setns(2) of the kernel"),
    ])
    .map(|name| match &*name {
        "syscall" => Implementation::Kernel,
        _ => Implementation::Module,
    })
}

impl TargetArgs {
    /// Makes the plan. Adds the kinds of `--all` to [`kinds`](Self::kinds).
    ///
    /// # Errors
    ///
    /// [`UsageError`]; [`open::Failed`](crate::open::Failed) for a file or a target; no `/proc`.
    pub(crate) fn plan(&mut self) -> Result<Plan> {
        if let (true, Some(target)) = (self.all, self.target) {
            let named = std::mem::replace(&mut self.kinds, differing_kinds::differing(target)?);
            self.kinds.override_with(named);
        } else if self.kinds.0.is_empty() {
            return Err(usage("missing namespaces: select kinds (-m -u …), or --all").into());
        }
        Plan::open(plan::calls(&self.kinds, self.target, self.as_of_2011)?)
    }

    /// Reports that there is nothing to enter, if so. A command then runs in the namespaces of the
    /// caller.
    pub(crate) fn report_nothing(&self) {
        if let (true, Some(target)) = (self.kinds.0.is_empty(), self.target) {
            eprintln!(
                "nsproxy: process {target} is in the namespaces of the caller: nothing to enter"
            );
        }
    }
}

/// Returns a usage error that clap cannot detect. The command's name is added when it is printed.
pub(crate) fn usage(message: impl std::fmt::Display) -> UsageError {
    UsageError::raw(ErrorKind::MissingRequiredArgument, message)
}
