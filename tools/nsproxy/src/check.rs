// SPDX-License-Identifier: GPL-2.0-only

//! `nsproxy check`: `nsproxy explain` for scripts.

use crate::{
    ask::{self, AskArgs},
    asked::{Format, Outcome},
    dry_run, errno,
    status::ExitCode,
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
by \"|\". For a call that cannot be predicted, the line is the
word \"unknown\" and the checks that decide.

{}

{}

Example:
  nsproxy check -t 1234 -n || echo \"status $?\"
  nsproxy check --unshare -U
  nsproxy check --from 1234 -n=/run/netns/blue

Exit status:
  0  all calls would succeed, as far as is visible
  1  undetermined: not predictable, or no answer
  2  usage error
{}  {OTHER}  a call would fail: any other errno",
        dry_run::HELP,
        ask::HELP,
        rows.concat()
    )
}

#[derive(Debug, clap::Args)]
#[command(after_help = after_help())]
pub(crate) struct Args {
    #[command(flatten)]
    ask_args: AskArgs,
}

pub(crate) fn main(args: Args) -> Result<ExitCode> {
    let is_json = args.ask_args.json;
    let asked = args.ask_args.ask(if is_json {
        Format::Json
    } else {
        Format::Nothing
    })?;
    let Some(entry) = asked.decisive() else {
        return Ok(ExitCode::SUCCESS);
    };
    let (word, code) = match entry.failed_with() {
        Some(errno) if asked.result == Outcome::Fails => (errno::word(errno), status(errno).into()),
        _ => ("unknown".to_owned(), ExitCode::FAILURE),
    };
    if !is_json {
        println!("{word} {}", entry.names());
    }
    Ok(code)
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
