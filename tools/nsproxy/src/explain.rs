// SPDX-License-Identifier: GPL-2.0-only

//! `nsproxy explain`.

use crate::{
    dry_run, errno, open,
    refusal::Refused,
    status::ExitCode,
    target_args::{TargetArgs, UnshareArg},
    unshare,
};
use anyhow::Result;
use nsproxy_uapi::Kind;

fn after_help() -> String {
    format!(
        "\
{}

A call that is refused before the user namespace is entered
is made again afterwards. Each attempt is printed.

With --unshare, the dry run creates the namespaces and
releases them, which uses up their ids.

Example:
  nsproxy explain -t 1234 -U -n
  nsproxy explain --unshare -U

Exit status:
  0  all calls would succeed
  1  a call would fail, or the module does not answer
  2  usage error",
        dry_run::HELP
    )
}

#[derive(Debug, clap::Args)]
#[command(after_help = after_help())]
pub(crate) struct Args {
    #[command(flatten)]
    target_args: TargetArgs,

    #[command(flatten)]
    unshare: UnshareArg,
}

pub(crate) fn main(mut args: Args) -> Result<ExitCode> {
    if let Some(kinds) = args.unshare.kinds(&args.target_args)? {
        return explain_unshare(&kinds);
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

/// Explains a call of unshare(2). The dry run creates the namespaces, and releases them.
fn explain_unshare(kinds: &[Kind]) -> Result<ExitCode> {
    let (refusal, _) = open::device()?
        .trace_unshare(unshare::flags_of(kinds), true)
        .map_err(dry_run::no_answer)?;
    let names = unshare::names(kinds);
    Ok(match refusal {
        Some(refusal) => {
            println!("{names}: {}", unshare::refused(refusal));
            ExitCode::FAILURE
        }
        None => {
            println!("{names}: can be created");
            ExitCode::SUCCESS
        }
    })
}
