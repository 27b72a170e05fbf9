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
use nsproxy_uapi::Implementation;

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
