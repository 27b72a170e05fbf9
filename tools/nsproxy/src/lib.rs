// SPDX-License-Identifier: GPL-2.0-only

//! The command-line tool `nsproxy`, as a library: its binary, and for other programs the scan of
//! `nsproxy list`, the formats of `nsproxy diff` and the page of a trace.

mod ask;
mod asked;
mod attributes;
mod caller;
mod cause;
mod check;
mod creation;
mod denied_access;
mod diff;
mod differing_kinds;
mod dry_run;
mod errno;
mod exec;
mod explain;
mod explain_command;
mod explainer;
mod from_process;
mod generate;
mod hints;
mod id_maps;
mod json;
mod kinds;
mod list;
mod lookup;
mod ns_file;
mod open;
mod open_by_id;
mod page;
mod plan;
mod proc_text;
mod prompt;
mod refusal;
mod request;
mod serve;
mod setns;
mod show;
mod status;
mod target_args;
mod trace;
mod tracefs;
mod unshare;
mod version;

pub use list::{Holder, Identity, NamespaceInfo, ProcessInfo, Related, Scan};
pub use page::{page, page_document};
pub use proc_text::{interfaces, one_line};
pub use trace::{TracedStep, traced_steps};

use clap::{ArgMatches, CommandFactory as _, FromArgMatches as _, Parser, Subcommand};
use status::ExitCode;
use std::ffi::c_int;

/// Enter and create namespaces through /dev/nsproxy.
#[derive(Parser)]
#[command(version, arg_required_else_help = true, after_help = AFTER_HELP)]
struct Args {
    #[command(subcommand)]
    command: Command,
}

const AFTER_HELP: &str = "\
Example:
  nsproxy explain -t 1234 -n

nsproxy COMMAND --help lists options and exit statuses.";

#[derive(Subcommand)]
enum Command {
    /// Run a command in other namespaces, as nsenter(1) does
    Setns(setns::Args),
    /// Run a command in new namespaces, as unshare(1) does
    Unshare(unshare::Args),
    /// Explain which check refuses a call, and how to pass it
    Explain(explain::Args),
    /// Check by exit status if namespaces can be entered
    Check(check::Args),
    /// Enter namespaces, and print each step and its counts
    Trace(trace::Args),
    /// Compare the effects of setns(2) and of the module
    Diff(diff::Args),
    /// Show the namespaces of a process, owners and counts
    Show(show::Args),
    /// List the namespaces of the system, and their holders
    List(list::Args),
    /// Run a command whose namespaces the module handles
    Serve(serve::Args),
    /// Print the version and features of the loaded module
    Version(version::Args),
    /// Write manual pages and completions
    #[command(hide = true)]
    Generate(generate::Args),
}

/// Runs the tool with the arguments of this process. Returns the exit status.
pub fn run() -> c_int {
    let matches = Args::command()
        .try_get_matches()
        .unwrap_or_else(|error| kinds::hint(error).exit());
    let result = Args::from_arg_matches(&matches)
        .map_err(anyhow::Error::from)
        .and_then(|args| execute(args.command));
    let code = result.unwrap_or_else(|error| match error.downcast::<clap::Error>() {
        Ok(usage) => with_usage(usage, &matches).exit(),
        Err(error) => {
            eprintln!("nsproxy: {error:#}");
            ExitCode::FAILURE
        }
    });
    code.into()
}

fn execute(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Setns(args) => setns::main(args),
        Command::Unshare(args) => unshare::main(args),
        Command::Explain(args) => explain::main(args),
        Command::Check(args) => check::main(args),
        Command::Trace(args) => trace::main(args),
        Command::Diff(args) => diff::main(args),
        Command::Show(args) => show::main(args),
        Command::List(args) => list::main(&args),
        Command::Serve(args) => serve::main(args),
        Command::Version(args) => version::main(&args),
        Command::Generate(args) => generate::main(&args, Args::command()),
    }
}

/// Adds the usage of the command to an error.
fn with_usage(error: clap::Error, matches: &ArgMatches) -> clap::Error {
    let mut command = Args::command();
    command.build();
    let name = matches.subcommand_name().unwrap_or_default();
    match command.find_subcommand_mut(name) {
        Some(command) => error.format(command),
        None => error,
    }
}

#[cfg(test)]
mod tests {
    use super::Args;
    use clap::{Command, CommandFactory as _};

    fn texts(command: &Command) -> Vec<String> {
        let help = [command.get_about(), command.get_after_help()];
        let arguments = command.get_arguments().filter(|arg| !arg.is_hide_set());
        let help = help.into_iter().chain(arguments.map(|arg| arg.get_help()));
        let own = help.flatten().map(ToString::to_string);
        own.chain(command.get_subcommands().flat_map(texts))
            .collect()
    }

    #[test]
    fn help_fits_60_columns() {
        for text in texts(&Args::command()) {
            for line in text.lines() {
                assert!(line.chars().count() <= 60, "{line}");
            }
        }
    }

    #[test]
    fn each_command_has_an_example_and_its_exit_statuses() {
        for command in Args::command()
            .get_subcommands()
            .filter(|command| !command.is_hide_set())
        {
            let after = command.get_after_help().unwrap().to_string();
            let example = format!("Example:\n  nsproxy {}", command.get_name());
            assert!(after.contains(&example), "{after}");
            assert!(after.contains("Exit status:\n  "), "{after}");
        }
    }
}
