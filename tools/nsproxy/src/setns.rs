// SPDX-License-Identifier: GPL-2.0-only

//! `nsproxy setns`.

use crate::{all, enter, kinds::Kinds, open, plan, seen::Seen, why};
use anyhow::{Result, anyhow};
use clap::ValueEnum;
use nsproxy_uapi::{Kind, Via};
use std::{ffi::OsString, os::fd::AsFd as _, process::ExitCode};

const AFTER_HELP: &str = "\
Kinds without a FILE are taken of the target process, all of them by one call
with its pidfd, as nsenter(1) does since Linux 5.8: either all are entered or
none. Each FILE is a call of its own. A user namespace comes last, and what was
refused before it is tried again after it.

The exit status is the command's; 1 when a namespace could not be entered, 2
for a mistake in the options, 126 or 127 when the command could not be run.";

#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Args {
    /// The process whose namespaces to enter
    #[arg(short, long, value_name = "PID", value_parser = clap::value_parser!(i32).range(1..))]
    target: Option<i32>,

    /// Enter every namespace in which the target is and we are not
    #[arg(short, long, requires = "target")]
    all: bool,

    #[command(flatten)]
    kinds: Kinds,

    /// Take the path of 2011: net, uts and ipc, one call each, for root only
    #[arg(long = "2011")]
    as_of_2011: bool,

    /// Who switches the namespaces
    #[arg(long, value_enum, default_value_t = Through::Device, conflicts_with = "as_of_2011")]
    via: Through,

    /// Do not fork before running the command in another pid namespace
    #[arg(short = 'F', long)]
    no_fork: bool,

    /// Keep user and group ids when entering a user namespace
    #[arg(long)]
    preserve_credentials: bool,

    /// What to run there, a shell by default
    #[arg(trailing_var_arg = true, value_name = "COMMAND")]
    command: Vec<OsString>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Through {
    /// /dev/nsproxy, the mirror
    Device,
    /// setns(2), the original
    Syscall,
}

pub(crate) fn main(mut args: Args) -> Result<ExitCode> {
    if let (true, Some(target)) = (args.all, args.target) {
        let named = std::mem::replace(&mut args.kinds, all::differing(target)?);
        args.kinds.override_with(named);
    } else if args.kinds.0.is_empty() {
        return Ok(usage(
            "no namespace is asked for: name kinds (-m -u …), or --all",
        ));
    }
    let calls = match plan::calls(&args.kinds, args.target, args.as_of_2011) {
        Ok(calls) => calls,
        Err(message) => return Ok(usage(&message)),
    };

    let via = match args.via {
        Through::Syscall => Via::Syscall,
        Through::Device if args.as_of_2011 => Via::Device2011(open::device()?),
        Through::Device => Via::Device(open::device()?),
    };
    // All files first: /proc may be another one after the first call.
    let files = calls.iter().map(open::source).collect::<Result<Vec<_>>>()?;

    let entered = |kind| args.kinds.0.iter().any(|(entered, _)| *entered == kind);
    let become_root = entered(Kind::User) && !args.preserve_credentials;
    let groups_dropped = become_root && enter::drop_groups();
    plan::make(&calls, |index| {
        via.setns(files[index].as_fd(), calls[index].nstype())
    })
    .map_err(|(index, errno)| {
        let call = &calls[index];
        let seen = Seen::look(call, files[index].as_fd());
        anyhow!(
            "cannot enter {call}: {}",
            why::explain(errno, call, &via, &seen)
        )
    })?;
    drop((files, via));

    if become_root {
        enter::become_root(groups_dropped)?;
    }
    let fork = entered(Kind::Pid) && !args.no_fork;
    Ok(enter::run(args.command, fork))
}

/// What clap says of mistakes that it can see, for those that it cannot.
fn usage(message: &str) -> ExitCode {
    eprintln!("nsproxy: {message}\nFor more information, try 'nsproxy setns --help'.");
    ExitCode::from(2)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::{Parser, error::ErrorKind};

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        args: Args,
    }

    fn parse(line: &str) -> Result<Args, ErrorKind> {
        Line::try_parse_from(["test"].into_iter().chain(line.split(' ')))
            .map(|line| line.args)
            .map_err(|error| error.kind())
    }

    #[test]
    fn options_of_the_command_are_its_own() {
        for line in ["-t 7 -n ip -t -m", "-t 7 -n -- ip -t -m"] {
            let args = parse(line).unwrap();
            assert_eq!(args.command, ["ip", "-t", "-m"], "{line}");
            assert_eq!(
                (args.target, args.via),
                (Some(7), Through::Device),
                "{line}"
            );
            assert_eq!(args.kinds, Kinds(vec![(Kind::Net, None)]), "{line}");
        }
    }

    #[test]
    fn what_cannot_be_asked_for() {
        assert_eq!(parse("-t 0 -n").unwrap_err(), ErrorKind::ValueValidation);
        assert_eq!(
            parse("--all").unwrap_err(),
            ErrorKind::MissingRequiredArgument
        );
        assert_eq!(
            parse("-t 7 -n --2011 --via syscall").unwrap_err(),
            ErrorKind::ArgumentConflict
        );
    }

    #[test]
    fn mistakes_have_a_status_of_their_own() {
        for line in ["-t 7", "-n"] {
            assert_eq!(main(parse(line).unwrap()).unwrap(), ExitCode::from(2));
        }
    }
}
