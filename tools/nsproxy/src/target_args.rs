// SPDX-License-Identifier: GPL-2.0-only

//! Which namespaces are asked for: nsenter(1)'s options, for all commands that have them.

use crate::{
    differing_kinds,
    kinds::Kinds,
    plan::{self, Plan},
    status::ExitCode,
};
use anyhow::Result;
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use nsproxy_uapi::Implementation;

#[derive(Debug, clap::Args)]
pub(crate) struct Asked {
    /// Enter namespaces of this process or thread
    #[arg(short, long, value_name = "PID", value_parser = clap::value_parser!(i32).range(1..))]
    pub(crate) target: Option<i32>,

    /// Enter every namespace in which the target is and we are not
    #[arg(short, long, requires = "target")]
    pub(crate) all: bool,

    #[command(flatten)]
    pub(crate) kinds: Kinds,

    /// Take the path of 2011: net, uts and ipc, one call each, for root only
    #[arg(long = "2011")]
    pub(crate) as_of_2011: bool,
}

/// Returns the parser of an implementation, which is named by its way into the kernel.
pub(crate) fn implementation() -> impl TypedValueParser<Value = Implementation> {
    PossibleValuesParser::new([
        PossibleValue::new("device").help("/dev/nsproxy, the mirror"),
        PossibleValue::new("syscall").help("setns(2), the original"),
    ])
    .map(|name| match &*name {
        "syscall" => Implementation::Kernel,
        _ => Implementation::Module,
    })
}

impl Asked {
    /// Makes the plan; the inner error describes a mistake in the options. Adds the kinds of
    /// `--all` to [`kinds`](Self::kinds).
    ///
    /// # Errors
    ///
    /// [`open::Failed`](crate::open::Failed) for a file or a target; no `/proc`.
    pub(crate) fn plan(&mut self) -> Result<Result<Plan, String>> {
        if let (true, Some(target)) = (self.all, self.target) {
            let named = std::mem::replace(&mut self.kinds, differing_kinds::differing(target)?);
            self.kinds.override_with(named);
        } else if self.kinds.0.is_empty() {
            let message = "no namespace is asked for: name kinds (-m -u …), or --all";
            return Ok(Err(message.to_owned()));
        }
        plan::calls(&self.kinds, self.target, self.as_of_2011)
            .map(Plan::open)
            .map_or_else(|message| Ok(Err(message)), |plan| plan.map(Ok))
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

/// What clap says of mistakes that it can see, for those that it cannot.
pub(crate) fn usage(command: &str, message: &str) -> ExitCode {
    eprintln!("nsproxy: {message}\nFor more information, try 'nsproxy {command} --help'.");
    ExitCode::USAGE
}
