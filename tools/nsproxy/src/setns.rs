// SPDX-License-Identifier: GPL-2.0-only

//! `nsproxy setns`.

use crate::{
    exec, explain, open,
    plan::Turn,
    seen::Seen,
    status::ExitCode,
    target_args::{self, Asked},
    why,
};
use anyhow::{Result, bail};
use nsproxy_uapi::{Implementation, Kind, setns_raw};
use std::{ffi::OsString, os::fd::AsRawFd as _};

const AFTER_HELP: &str = "\
Kinds without a FILE are taken of the target process, all of them by one call
with its pidfd, as nsenter(1) does since Linux 5.8: either all are entered or
none. Each FILE is a call of its own. A user namespace comes last, and what was
refused before it is tried again after it. With --all, a kind is left out if the
target is seen to be where we are; if nothing is left, that is reported, and the
command runs here.

The exit status is the command's; 1 when a namespace could not be entered, 2
for a mistake in the options, 126 or 127 when the command could not be run.";

#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Args {
    #[command(flatten)]
    asked: Asked,

    /// Implementation to use
    #[arg(
        long,
        value_parser = target_args::implementation(),
        default_value = "device",
        conflicts_with = "as_of_2011"
    )]
    via: Implementation,

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

pub(crate) fn main(mut args: Args) -> Result<ExitCode> {
    let plan = match args.asked.plan()? {
        Ok(plan) => plan,
        Err(message) => return Ok(target_args::usage("setns", &message)),
    };
    let device = match args.via {
        Implementation::Kernel => None,
        Implementation::Module => Some(open::device()?),
    };
    let as_of_2011 = args.asked.as_of_2011;
    let setns = |fd, nstype| match &device {
        None => setns_raw(fd, nstype),
        Some(device) if as_of_2011 => device.setns_2011_raw(fd, nstype),
        Some(device) => device.setns_raw(fd, nstype),
    };
    args.asked.report_nothing();

    let kinds = &args.asked.kinds.0;
    let entered = |kind| kinds.iter().any(|(entered, _)| *entered == kind);
    let become_root = entered(Kind::User) && !args.preserve_credentials;
    let groups_dropped = become_root && exec::drop_groups();
    let refused =
        plan.execute(|turn| Ok(setns(turn.file.as_raw_fd(), turn.call.nstype() as i32).err()))?;
    if let Some((Turn { call, file, .. }, errno)) = refused {
        let why = explain::after(errno, call, file, as_of_2011).unwrap_or_else(|| {
            let seen = Seen::look(call, file);
            why::explain(errno, call, args.via, as_of_2011, &seen)
        });
        bail!("cannot enter {call}: {why}");
    }
    drop((plan, device));

    if become_root {
        exec::become_root(groups_dropped)?;
    }
    let fork = entered(Kind::Pid) && !args.no_fork;
    Ok(exec::run(args.command, fork))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kinds::Kinds;
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
                (args.asked.target, args.via),
                (Some(7), Implementation::Module),
                "{line}"
            );
            assert_eq!(args.asked.kinds, Kinds(vec![(Kind::Net, None)]), "{line}");
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
            assert_eq!(main(parse(line).unwrap()).unwrap(), ExitCode::USAGE);
        }
    }
}
