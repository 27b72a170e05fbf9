// SPDX-License-Identifier: GPL-2.0-only

//! `nsproxy serve`.

use crate::{enter, errno::show, open};
use anyhow::{Result, anyhow};
use rustix::io::Errno;
use std::{ffi::OsString, process::ExitCode};

const AFTER_HELP: &str = "\
The command is any program: it calls setns(2), and the module answers. That
holds for all that it starts, too. /sys/kernel/debug/nsproxy_rs/served counts
the calls.

The exit status is the command's; 1 when it cannot be served, 126 or 127 when it
could not be run.";

#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Args {
    /// What to run, a shell by default
    #[arg(trailing_var_arg = true, value_name = "COMMAND")]
    command: Vec<OsString>,
}

pub(crate) fn main(Args { command }: Args) -> Result<ExitCode> {
    open::device()?.serve(true).map_err(|errno| {
        let remedy = match errno {
            Errno::OPNOTSUPP => "the kernel is built without CONFIG_FUNCTION_TRACER",
            Errno::BUSY => {
                "somebody else redirects the system call, see /sys/kernel/livepatch and \
                 /sys/kernel/tracing/enabled_functions"
            }
            Errno::NOTTY => "the module that is loaded is older than this program",
            _ => "see the kernel's log",
        };
        anyhow!("setns(2) cannot be served: {}; {remedy}", show(errno))
    })?;
    Ok(enter::run(command, false))
}
