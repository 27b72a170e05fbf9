// SPDX-License-Identifier: GPL-2.0-only

//! `nsproxy serve`.

use crate::{errno::show, exec, open, refusal::hint_lines, status::ExitCode};
use anyhow::{Result, anyhow};
use rustix::io::Errno;
use std::{ffi::OsString, fs};

const AFTER_HELP: &str = "\
The module handles setns(2) and unshare(2) of the command
and of its descendants, and gives them their namespaces in
clone(2), execve(2) and exit(2). The command is any program.
/sys/kernel/debug/nsproxy_rs/served has the counts.

Example:
  nsproxy serve nsenter -t 1234 -n ip link

Exit status:
  1    the module cannot serve the command
  2    usage error
  126  the command cannot be run
  127  the command is not found
  *    the exit status of the command";

#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Args {
    /// Command to run [default: $SHELL, or /bin/sh]
    #[arg(trailing_var_arg = true, value_name = "COMMAND")]
    command: Vec<OsString>,
}

pub(crate) fn main(Args { command }: Args) -> Result<ExitCode> {
    open::device()?.serve(true).map_err(|errno| {
        let hint = match errno {
            Errno::OPNOTSUPP => "use a kernel with CONFIG_FUNCTION_TRACER".to_owned(),
            Errno::BUSY => other_redirect(),
            Errno::NOTTY => "load a newer module: it is older than this program".to_owned(),
            _ => "see the kernel log".to_owned(),
        };
        anyhow!("cannot serve: {}{}", show(errno), hint_lines(&[hint]))
    })?;
    Ok(exec::run(command, false))
}

/// The ends of the names of the functions that the module redirects.
const REDIRECTED: [&str; 3] = ["_sys_setns", "_sys_unshare", "_namespaces"];

/// Returns a hint about the other redirect, which ftrace lists.
fn other_redirect() -> String {
    // tracefs is mounted by hand, or on the first access to debugfs.
    let directories = ["/sys/kernel/tracing", "/sys/kernel/debug/tracing"];
    let functions = directories
        .iter()
        .find_map(|dir| fs::read_to_string(format!("{dir}/enabled_functions")).ok());
    let Some(functions) = functions else {
        return "remove the other redirect; enabled_functions of tracefs lists it, mounted at \
                /sys/kernel/tracing"
            .to_owned();
    };
    let of_ours = |line: &&str| {
        let mut words = line.split_whitespace();
        let function = words.next().unwrap_or_default();
        // I is for IPMODIFY.
        REDIRECTED.iter().any(|name| function.ends_with(name)) && words.any(|word| word == "I")
    };
    let lines: Vec<_> = functions.lines().filter(of_ours).map(str::trim).collect();
    format!("remove the other redirect: {}", lines.join("; "))
}
