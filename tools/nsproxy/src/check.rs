// SPDX-License-Identifier: GPL-2.0-only

//! `nsproxy check`: would it work? For scripts.

use crate::{
    errno, explain, open,
    status::ExitCode,
    target_args::{self, Asked},
};
use anyhow::Result;
use rustix::io::Errno;

/// The exit statuses of a call that would fail, each with its errnos.
const STATUSES: [(u8, &[Errno]); 3] = [
    (3, &[Errno::PERM, Errno::ACCESS]),
    (4, &[Errno::INVAL, Errno::USERS]),
    (5, &[Errno::SRCH, Errno::BADF, Errno::NOENT]),
];

/// The exit status for all other errnos.
const OTHER: u8 = 6;

fn after_help() -> String {
    let rows = STATUSES.map(|(status, errnos)| {
        let words: Vec<_> = errnos.iter().copied().map(errno::word).collect();
        format!("  {status}  {}\n", words.join(", "))
    });
    format!(
        "\
If a call would fail, one line is printed: the errno, and the name of the check
that refuses, or \"open\" if a file or a process cannot be opened. These names do
not change from version to version; nsproxy explain describes the check.

{}

Exit status:
  0  all calls would succeed
  1  undetermined: the module does not answer
  2  usage error
{}  {OTHER}  any other errno",
        explain::ASKS,
        rows.concat()
    )
}

#[derive(Debug, clap::Args)]
#[command(after_help = after_help())]
pub(crate) struct Args {
    #[command(flatten)]
    asked: Asked,
}

pub(crate) fn main(mut args: Args) -> Result<ExitCode> {
    let plan = match args.asked.plan() {
        Ok(Ok(plan)) => plan,
        Ok(Err(message)) => return Ok(target_args::usage("check", &message)),
        Err(error) => {
            let errno = error
                .downcast_ref()
                .map(|open::Failed { errno, .. }| *errno);
            eprintln!("nsproxy: {error:#}");
            return Ok(errno.map_or(ExitCode::FAILURE, |errno| answer(errno, "open")));
        }
    };
    let device = open::device()?;
    args.asked.report_nothing();
    let refused = plan.ask(&device, args.asked.as_of_2011, |turn, how| {
        explain::ask(&device, turn.call, turn.file, how)
    })?;
    Ok(refused.map_or(ExitCode::SUCCESS, |(_, refusal)| {
        answer(refusal.errno, refusal.reason.name())
    }))
}

/// Prints which check fails with `errno`. Returns the exit status.
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
            (Errno::ACCESS, "  3  EPERM, EACCES\n"),
            (Errno::USERS, "  4  EINVAL, EUSERS\n"),
            (Errno::NOENT, "  5  ESRCH, EBADF, ENOENT\n"),
            (Errno::NOMEM, "  6  any other errno"),
        ] {
            assert!(help.contains(line), "{help}");
            let number: u8 = line.trim().split(' ').next().unwrap().parse().unwrap();
            assert_eq!(status(errno), number, "{line}");
        }
    }
}
