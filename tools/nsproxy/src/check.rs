// SPDX-License-Identifier: GPL-2.0-only

//! `nsproxy check`: `nsproxy explain` for scripts.

use crate::{
    creation::CreationArgs, dry_run, errno, explainer::ViaArg, open, status::ExitCode,
    target_args::TargetArgs,
};
use anyhow::Result;
use rustix::io::Errno;

/// The exit statuses of a call that would fail, each with its errnos.
const STATUSES: [(u8, &[Errno]); 3] = [
    (3, &[Errno::PERM, Errno::ACCESS]),
    (4, &[Errno::INVAL, Errno::USERS]),
    (5, &[Errno::SRCH, Errno::BADF, Errno::NOENT, Errno::STALE]),
];

/// The exit status for all other errnos.
const OTHER: u8 = 6;

fn after_help() -> String {
    let rows = STATUSES.map(|(status, errnos)| {
        let words: Vec<_> = errnos.iter().copied().map(errno::word).collect();
        format!("  {status}  a call would fail: {}\n", words.join(", "))
    });
    format!(
        "\
If a call would fail, one line is printed: the errno and the
name of the check that refuses. The name is \"open\" if a file
or a process cannot be opened. Names do not change between
versions; nsproxy explain describes the check. Without the
module, names of checks that cannot be told apart are joined
by \"|\".

{}

Example:
  nsproxy check -t 1234 -n || echo \"status $?\"
  nsproxy check --unshare -U

Exit status:
  0  all calls would succeed
  1  undetermined: the module does not answer
  2  usage error
{}  {OTHER}  a call would fail: any other errno",
        dry_run::HELP,
        rows.concat()
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
}

pub(crate) fn main(mut args: Args) -> Result<ExitCode> {
    if let Some(creation) = args.creation_args.creation(&args.target_args)? {
        let answer_of = creation.explain(&args.via.open(false)?)?;
        return Ok(answer_of.map_or(ExitCode::SUCCESS, |refused| {
            answer(refused.errno, &refused.names())
        }));
    }
    let plan = match args.target_args.plan() {
        Ok(plan) => plan,
        Err(error) => match error.downcast_ref() {
            Some(open::Failed { errno, .. }) => {
                eprintln!("nsproxy: {error}");
                return Ok(answer(*errno, "open"));
            }
            None => return Err(error),
        },
    };
    let explainer = args.via.open(args.target_args.as_of_2011)?;
    args.target_args.report_nothing();
    let refused = plan.dry_run(&explainer, args.target_args.as_of_2011, |turn, how| {
        dry_run::explain(&explainer, turn.call, turn.file, how)
    })?;
    Ok(refused.map_or(ExitCode::SUCCESS, |(_, refused)| {
        answer(refused.errno, &refused.names())
    }))
}

/// Prints `errno` and the check that returned it. Returns the exit status.
fn answer(errno: Errno, check: &str) -> ExitCode {
    println!("{} {check}", errno::word(errno));
    ExitCode::from(status(errno))
}

fn status(errno: Errno) -> u8 {
    let row = STATUSES.iter().find(|(_, errnos)| errnos.contains(&errno));
    row.map_or(OTHER, |(status, _)| *status)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_help_has_the_statuses() {
        let help = after_help();
        for (errno, line) in [
            (Errno::ACCESS, "  3  a call would fail: EPERM, EACCES\n"),
            (Errno::USERS, "  4  a call would fail: EINVAL, EUSERS\n"),
            (
                Errno::NOENT,
                "  5  a call would fail: ESRCH, EBADF, ENOENT, ESTALE\n",
            ),
            (Errno::NOMEM, "  6  a call would fail: any other errno"),
        ] {
            assert!(help.contains(line), "{help}");
            let number: u8 = line.trim().split(' ').next().unwrap().parse().unwrap();
            assert_eq!(status(errno), number, "{line}");
        }
    }
}
