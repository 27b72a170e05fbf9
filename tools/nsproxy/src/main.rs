// SPDX-License-Identifier: GPL-2.0-only

//! `nsproxy`: what a person types to go through `/dev/nsproxy`.

mod all;
mod asked;
mod enter;
mod errno;
mod explain;
mod kinds;
mod open;
mod plan;
mod seen;
mod serve;
mod setns;
mod version;
mod why;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

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
    /// Run a command whose setns(2) the module serves, whatever program it is.
    Serve(serve::Args),
    /// Say which module is loaded, and what it can do.
    Version,
}

fn main() -> ExitCode {
    let result = match Args::parse().command {
        Command::Setns(args) => setns::main(args),
        Command::Explain(args) => explain::main(args),
        Command::Serve(args) => serve::main(args),
        Command::Version => version::main(),
    };
    result.unwrap_or_else(|error| {
        eprintln!("nsproxy: {error:#}");
        ExitCode::FAILURE
    })
}
