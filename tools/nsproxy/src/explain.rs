// SPDX-License-Identifier: GPL-2.0-only

//! `nsproxy explain`.

use crate::{
    ask::{self, AskArgs},
    asked::{Format, Outcome},
    creation, dry_run, explain_command, explainer,
    status::ExitCode,
};
use anyhow::Result;

fn after_help() -> String {
    format!(
        "\
{}

A call that is refused before the user namespace is entered
is made again afterwards. Each attempt is printed.

With --unshare and --clone, the dry run creates the
namespaces and releases them, which uses up their ids.
{}
--clone checks only the flags and the namespaces: it creates
no task.

{}

{}

{}

Example:
  nsproxy explain -t 1234 -U -n
  nsproxy explain --unshare -U
  nsproxy explain --clone='CLONE_NEWUSER|CLONE_FS'
  nsproxy explain --from 1234 --unshare -U
  nsproxy explain -- unshare -m true

Exit status:
  0  all calls would succeed, as far as is visible
  1  a call would fail, or there is no answer
  2  usage error

{}",
        dry_run::HELP,
        creation::HELP,
        explainer::HELP,
        ask::HELP,
        explain_command::HELP,
        explain_command::EXIT_STATUS
    )
}

#[derive(Debug, clap::Args)]
#[command(after_help = after_help())]
pub(crate) struct Args {
    #[command(flatten)]
    ask_args: AskArgs,

    #[command(flatten)]
    command_args: explain_command::CommandArgs,
}

pub(crate) fn main(args: Args) -> Result<ExitCode> {
    let json = args.ask_args.json;
    if args.command_args.has_command() {
        return args.command_args.run(json);
    }
    let format = if json { Format::Json } else { Format::Lines };
    let asked = args.ask_args.ask(format)?;
    Ok(match asked.result {
        Outcome::Succeeds => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    })
}
