// SPDX-License-Identifier: GPL-2.0-only

//! `nsproxy explain`.

use crate::{
    creation::{self, Creation, CreationArgs},
    dry_run, errno, open,
    refusal::Refused,
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

Example:
  nsproxy explain -t 1234 -U -n
  nsproxy explain --unshare -U
  nsproxy explain --clone='CLONE_NEWUSER|CLONE_FS'

Exit status:
  0  all calls would succeed
  1  a call would fail, or the module does not answer
  2  usage error",
        dry_run::HELP,
        creation::HELP
    )
}

#[derive(Debug, clap::Args)]
#[command(after_help = after_help())]
pub(crate) struct Args {
    #[command(flatten)]
    target_args: TargetArgs,

    #[command(flatten)]
    creation_args: CreationArgs,
}

pub(crate) fn main(mut args: Args) -> Result<ExitCode> {
    if let Some(creation) = args.creation_args.creation(&args.target_args)? {
        return explain_creation(creation);
    }
    let plan = args.target_args.plan()?;
    let device = open::device()?;
    args.target_args.report_nothing();
    let mut not_made: Vec<_> = plan.calls().collect();
    let refused = plan.dry_run(&device, args.target_args.as_of_2011, |turn, how| {
        let call = turn.call;
        let refusal = dry_run::explain(&device, call, turn.file, how)?;
        match refusal {
            Some(refusal) if turn.is_retried => {
                let (errno, check) = (errno::word(refusal.errno), refusal.reason.name());
                println!("{call}: {errno} {check}, made again after the user namespace is entered");
                return Ok(Some(refusal));
            }
            Some(refusal) => println!("{call}: {}", Refused::new(refusal, call, turn.file)),
            None => println!("{call}: can be entered"),
        }
        not_made.retain(|other| *other != call);
        Ok(refusal)
    })?;
    for call in not_made {
        println!("{call}: not made after this failure");
    }
    Ok(match refused {
        Some(_) => ExitCode::FAILURE,
        None => ExitCode::SUCCESS,
    })
}

/// Explains a call that creates namespaces.
fn explain_creation(creation: Creation) -> Result<ExitCode> {
    Ok(match creation.explain(&open::device()?)? {
        Some(refused) => {
            println!("{creation}: {refused}");
            ExitCode::FAILURE
        }
        None => {
            println!("{creation}: {}", creation.success());
            ExitCode::SUCCESS
        }
    })
}
