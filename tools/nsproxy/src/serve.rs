// SPDX-License-Identifier: GPL-2.0-only

//! `nsproxy serve`.

use crate::{
    errno::show,
    exec,
    explain_command::{Refusals, Run},
    open,
    refusal::hint_lines,
    status::ExitCode,
    tracefs,
};
use anyhow::{Result, anyhow};
use rustix::io::Errno;
use std::{
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
};

const AFTER_HELP: &str = "\
The module handles setns(2) and unshare(2) of the command
and of its descendants, and gives them their namespaces in
clone(2), execve(2) and exit(2). The command is any program.
/sys/kernel/debug/nsproxy_rs/served has the counts.

With --explain, nsproxy traces the command and reports each
failed call, as nsproxy explain -- COMMAND does. The reasons
are those of the module, which needs tracefs, as root, in
the initial pid namespace. Checks before those of the module
are explained from user space.

Example:
  nsproxy serve nsenter -t 1234 -n ip link
  nsproxy serve --explain unshare --user true

Exit status:
  1    the module cannot serve the command
  2    usage error
  126  the command cannot be run
  127  the command is not found
  *    the exit status of the command";

#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Args {
    /// Report each call that fails, and the module's reason
    #[arg(long)]
    explain: bool,

    /// Print JSON lines
    #[arg(long, requires = "explain")]
    json: bool,

    /// Write the report to FILE [default: standard error]
    #[arg(short, long, value_name = "FILE", requires = "explain")]
    output: Option<PathBuf>,

    /// Command to run [default: $SHELL, or /bin/sh]
    #[arg(trailing_var_arg = true, value_name = "COMMAND")]
    command: Vec<OsString>,
}

pub(crate) fn main(args: Args) -> Result<ExitCode> {
    let device = open::device()?;
    let refusals = args.explain.then(Refusals::trace).transpose()?;
    device.serve(true).map_err(|errno| {
        let hint = match errno {
            Errno::OPNOTSUPP => "use a kernel with CONFIG_FUNCTION_TRACER".to_owned(),
            Errno::BUSY => other_redirect(),
            Errno::NOTTY => "load a newer module: it is older than this program".to_owned(),
            _ => "see the kernel log".to_owned(),
        };
        anyhow!("cannot serve: {}{}", show(errno), hint_lines(&[hint]))
    })?;
    drop(device);
    if refusals.is_none() {
        return Ok(exec::run(args.command, false, &[]));
    }
    let run = Run {
        command: args.command,
        output: args.output,
        json: args.json,
        refusals,
    };
    run.execute()
}

/// The ends of the names of the functions that the module redirects.
const REDIRECTED: [&str; 3] = ["_sys_setns", "_sys_unshare", "_namespaces"];

/// Returns a hint about the other redirect, which ftrace lists.
fn other_redirect() -> String {
    let read = |dir: &Path| fs::read_to_string(dir.join("enabled_functions")).ok();
    let functions = tracefs::mounted().and_then(read);
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
