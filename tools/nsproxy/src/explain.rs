// SPDX-License-Identifier: GPL-2.0-only

//! `nsproxy explain`.

use crate::{
    creation::{self, Creation, CreationArgs},
    dry_run, errno, explain_command,
    explainer::{self, Explainer, ViaArg},
    request::Request,
    status::ExitCode,
    target_args::TargetArgs,
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

Example:
  nsproxy explain -t 1234 -U -n
  nsproxy explain --unshare -U
  nsproxy explain --clone='CLONE_NEWUSER|CLONE_FS'
  nsproxy explain -- unshare -m true

Exit status:
  0  all calls would succeed
  1  a call would fail, or there is no answer
  2  usage error

{}",
        dry_run::HELP,
        creation::HELP,
        explainer::HELP,
        explain_command::HELP,
        explain_command::EXIT_STATUS
    )
}

#[derive(Debug, clap::Args)]
#[command(after_help = after_help())]
pub(crate) struct Args {
    #[command(flatten)]
    target_args: TargetArgs,

    #[command(flatten)]
    creation_args: CreationArgs,

    #[command(flatten)]
    via: ViaArg,

    #[command(flatten)]
    command_args: explain_command::CommandArgs,
}

pub(crate) fn main(mut args: Args) -> Result<ExitCode> {
    if args.command_args.has_command() {
        return explain_command::main(args.command_args);
    }
    if let Some(creation) = args.creation_args.creation(&args.target_args)? {
        return explain_creation(creation, &args.via.open(false)?);
    }
    let plan = args.target_args.plan()?;
    let explainer = args.via.open(args.target_args.as_of_2011)?;
    args.target_args.report_nothing();
    let mut not_made: Vec<_> = plan.calls().collect();
    let refused = plan.dry_run(&explainer, args.target_args.as_of_2011, |turn, how| {
        let call = turn.call;
        let answer = dry_run::explain(&explainer, call, turn.file, how)?;
        match &answer {
            Some(answer) if turn.is_retried => {
                let (errno, checks) = (errno::word(answer.errno), answer.names());
                println!(
                    "{call}: {errno} {checks}, made again after the user namespace is entered"
                );
                return Ok(Some(answer.clone()));
            }
            Some(answer) => {
                let file = turn.file;
                let described = answer.describe(&Request::Setns { call, file });
                println!("{call}: {described}");
            }
            None => println!("{call}: can be entered"),
        }
        not_made.retain(|other| *other != call);
        Ok(answer)
    })?;
    for call in not_made {
        println!("{call}: not made after this failure");
    }
    explainer.print_unknown();
    Ok(match refused {
        Some(_) => ExitCode::FAILURE,
        None => ExitCode::SUCCESS,
    })
}

/// Explains a call that creates namespaces.
fn explain_creation(creation: Creation, explainer: &Explainer) -> Result<ExitCode> {
    let answer = creation.explain(explainer)?;
    let status = match answer {
        Some(answer) => {
            let described = answer.describe(&Request::Creation(creation));
            println!("{creation}: {described}");
            ExitCode::FAILURE
        }
        None => {
            println!("{creation}: {}", creation.success());
            ExitCode::SUCCESS
        }
    };
    explainer.print_unknown();
    Ok(status)
}
