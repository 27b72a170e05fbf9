// SPDX-License-Identifier: GPL-2.0-only

//! `nsproxy serve`.

use crate::{errno::show, exec, open, status::ExitCode};
use anyhow::{Result, anyhow};
use rustix::io::Errno;
use std::{ffi::OsString, fs};

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
            Errno::OPNOTSUPP => "the kernel is built without CONFIG_FUNCTION_TRACER".to_owned(),
            Errno::BUSY => somebody_else(),
            Errno::NOTTY => "the module that is loaded is older than this program".to_owned(),
            _ => "see the kernel's log".to_owned(),
        };
        anyhow!("setns(2) cannot be served: {}; {remedy}", show(errno))
    })?;
    Ok(exec::run(command, false))
}

/// Who has redirected the system call, as ftrace tells it.
fn somebody_else() -> String {
    // Mounted by people, or by whoever looks there.
    let directories = ["/sys/kernel/tracing", "/sys/kernel/debug/tracing"];
    let functions = directories
        .iter()
        .find_map(|dir| fs::read_to_string(format!("{dir}/enabled_functions")).ok());
    let Some(functions) = functions else {
        return "somebody else redirects the system call: with tracefs mounted at \
                /sys/kernel/tracing, this says who"
            .to_owned();
    };
    let of_setns = |line: &&str| {
        let mut words = line.split_whitespace();
        let function = words.next().unwrap_or_default();
        // I is for IPMODIFY.
        function.ends_with("_sys_setns") && words.any(|word| word == "I")
    };
    let lines: Vec<_> = functions.lines().filter(of_setns).map(str::trim).collect();
    format!(
        "somebody else redirects the system call, says ftrace: {}",
        lines.join("; ")
    )
}
