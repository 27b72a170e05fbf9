// SPDX-License-Identifier: GPL-2.0-only

//! `nsproxy setns`.

use crate::{
    dry_run, exec, open,
    plan::Turn,
    status::ExitCode,
    target_args::{self, TargetArgs},
};
use anyhow::{Result, bail};
use nsproxy_uapi::{Implementation, Kind, setns_raw};
use std::{ffi::OsString, os::fd::AsRawFd as _};

const AFTER_HELP: &str = "\
Kinds without a FILE come from the target process. One call
with its pidfd enters all of them or none. Each FILE is a
call of its own. The user namespace is entered last; calls
that were refused before are then made again.

id:N stands for the FILE of the namespace with that id, as
nsproxy list prints it. It requires Linux 6.18.

With --all, kinds that already match the caller's are left
out. If none is left, a message says so, and the command
runs in the caller's namespaces.

The prompt of a shell without COMMAND names the kinds, by
PS1 and NSPROXY_NAMESPACES in its environment.

Example:
  nsproxy setns -t 1234 -n ip link

Exit status:
  1    a namespace cannot be entered
  2    usage error
  126  the command cannot be run
  127  the command is not found
  *    the exit status of the command";

#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Args {
    #[command(flatten)]
    target_args: TargetArgs,

    /// Implementation to use
    #[arg(
        long,
        value_parser = target_args::implementation(),
        default_value = "device",
        conflicts_with = "as_of_2011"
    )]
    via: Implementation,

    /// Run without fork(2) after entering a pid namespace
    #[arg(short = 'F', long)]
    no_fork: bool,

    /// Keep uid and gid when entering a user namespace
    #[arg(long)]
    preserve_credentials: bool,

    /// Command to run [default: $SHELL, or /bin/sh]
    #[arg(trailing_var_arg = true, value_name = "COMMAND")]
    command: Vec<OsString>,
}

pub(crate) fn main(mut args: Args) -> Result<ExitCode> {
    let plan = args.target_args.plan()?;
    let device = match args.via {
        Implementation::Kernel => None,
        Implementation::Module => Some(open::device()?),
    };
    let as_of_2011 = args.target_args.as_of_2011;
    let setns = |fd, nstype| match &device {
        None => setns_raw(fd, nstype),
        Some(device) if as_of_2011 => device.setns_2011_raw(fd, nstype),
        Some(device) => device.setns_raw(fd, nstype),
    };
    args.target_args.report_nothing();

    let kinds = args.target_args.kinds.0.iter();
    let kinds: Vec<_> = kinds.map(|(kind, _)| *kind).collect();
    let become_root = kinds.contains(&Kind::User) && !args.preserve_credentials;
    let groups_dropped = become_root && exec::drop_groups();
    let refused =
        plan.execute(|turn| Ok(setns(turn.file.as_raw_fd(), turn.call.nstype() as i32).err()))?;
    if let Some((Turn { call, file, .. }, errno)) = refused {
        let reason = dry_run::describe_setns(errno, call, file, as_of_2011);
        bail!("cannot enter {call}: {reason}");
    }
    drop((plan, device));

    if become_root {
        exec::become_root(groups_dropped)?;
    }
    let fork = kinds.contains(&Kind::Pid) && !args.no_fork;
    Ok(exec::run(args.command, fork, &kinds))
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
                (args.target_args.target, args.via),
                (Some(7), Implementation::Module),
                "{line}"
            );
            assert_eq!(
                args.target_args.kinds,
                Kinds(vec![(Kind::Net, None)]),
                "{line}"
            );
        }
    }

    #[test]
    fn conflicting_options_are_refused() {
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
    fn missing_kinds_and_sources_are_usage_errors() {
        for line in ["-t 7", "-n"] {
            let error = main(parse(line).unwrap()).unwrap_err();
            assert!(error.is::<clap::Error>(), "{line}: {error}");
        }
    }
}
