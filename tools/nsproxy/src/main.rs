// SPDX-License-Identifier: GPL-2.0-only

//! `nsproxy`: what a person types to go through `/dev/nsproxy`.
#![cfg_attr(not(test), no_main)]

mod caller;
mod check;
mod diff;
mod differing_kinds;
mod errno;
mod exec;
mod explain;
mod generate;
mod kinds;
mod lookup;
mod open;
mod page;
mod plan;
mod seen;
mod serve;
mod setns;
mod show;
mod status;
mod target;
mod target_args;
mod trace;
mod version;
mod why;

use clap::{CommandFactory as _, Parser, Subcommand};
use rustix::fs::{Mode, OFlags};
use status::ExitCode;
use std::{
    ffi::c_int,
    io::{self, Write as _},
    os::fd::{AsRawFd as _, IntoRawFd as _},
};

/// Enter namespaces through /dev/nsproxy, the mirror of setns(2).
#[derive(Parser)]
#[command(version, arg_required_else_help = true)]
struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run a command in other namespaces, as nsenter(1) does.
    Setns(setns::Args),
    /// Say whether namespaces could be entered, and if not, which check refuses and what helps.
    Explain(explain::Args),
    /// Say by the exit status whether namespaces could be entered, and which check refuses.
    Check(check::Args),
    /// Enter namespaces, and show step by step what that does to them.
    Trace(trace::Args),
    /// Make the same calls by setns(2) and by the module, and show both.
    Diff(diff::Args),
    /// Show the namespaces of a process, their owners and counts.
    Show(show::Args),
    /// Run a command whose setns(2) the module serves, whatever program it is.
    Serve(serve::Args),
    /// Say which module is loaded, and what it can do.
    Version,
    /// Write manual pages and completions.
    #[command(hide = true)]
    Generate(generate::Args),
}

/// Runs as C's `main()`, without the start of Rust's runtime. The runtime ignores SIGPIPE and opens
/// `/dev/null` in place of closed standard streams, and an executed command would inherit both.
/// glibc has passed the arguments to [`mod@std::env`] before this.
#[cfg_attr(not(test), unsafe(no_mangle))]
extern "C" fn main() -> c_int {
    occupy_closed_streams();
    let status = run();
    // Rust's runtime would flush it.
    let _ = io::stdout().flush();
    status.into()
}

/// Keeps files that this program opens from becoming its standard input, output or error where
/// those are closed.
///
/// Reading or writing an `O_PATH` descriptor fails with `EBADF`, as on a closed one. execve(2)
/// closes them again.
fn occupy_closed_streams() {
    let flags = OFlags::PATH | OFlags::CLOEXEC;
    while let Ok(file) = rustix::fs::open("/", flags, Mode::empty())
        && file.as_raw_fd() <= libc::STDERR_FILENO
    {
        let _ = file.into_raw_fd();
    }
}

fn run() -> ExitCode {
    let args = Args::try_parse().unwrap_or_else(|error| kinds::hint(error).exit());
    let result = match args.command {
        Command::Setns(args) => setns::main(args),
        Command::Explain(args) => explain::main(args),
        Command::Check(args) => check::main(args),
        Command::Trace(args) => trace::main(args),
        Command::Diff(args) => diff::main(args),
        Command::Show(args) => show::main(args),
        Command::Serve(args) => serve::main(args),
        Command::Version => version::main(),
        Command::Generate(args) => generate::main(&args, Args::command()),
    };
    result.unwrap_or_else(|error| {
        eprintln!("nsproxy: {error:#}");
        ExitCode::FAILURE
    })
}
