// SPDX-License-Identifier: GPL-2.0-only

//! Tests of `/dev/nsproxy`, for the guest: everything is compared with setns(2).

mod case;
mod checks;
mod env;
mod errno;
mod helper_commands;
mod process;
mod report;
mod snapshot;
mod suites;
mod sys;

use anyhow::{Result, ensure};
use case::effort::{Effort, Shard};
use case::implementation::Device;
use clap::Parser;
use report::ktap::Usage;
use std::{path::Path, process::ExitCode};

/// Tests of /dev/nsproxy. To be run as root in a guest: they make namespaces, cgroups and
/// processes, and load and unload the module.
#[derive(Parser)]
#[command(version, arg_required_else_help = true)]
struct Args {
    /// Prints the names of the suites, one a line.
    #[arg(long)]
    list: bool,

    /// Prints how many CPUs the guest of a suite has, and does nothing.
    #[arg(long)]
    cpus: bool,

    /// A suite; or `gate-namespaces`, which tells whether the suites left namespaces behind; or
    /// `look`, which tells all that it sees of its own; or `share-fs COMMAND...`, which runs a
    /// command that shares root and working directory with another; or `two-threads FILE...`,
    /// which tells whether a process of two threads could enter these namespaces.
    #[arg(required_unless_present = "list")]
    suite: Option<String>,

    /// Runs only the test of this name, or else those with this in their names.
    #[arg(default_value = "")]
    filter: String,

    /// The long form of a suite that has one; with --list, the suites of `make test-long`.
    #[arg(long)]
    long: bool,

    /// Where what is random begins; the suite prints it.
    #[arg(long)]
    seed: Option<u64>,

    /// Ends a suite at the first test that fails.
    #[arg(long)]
    fail_fast: bool,

    /// Which part of the matrix is run: part I of N.
    #[arg(long, value_name = "I/N")]
    shard: Option<Shard>,
}

/// The exit status of a usage error, the same as that of clap.
const USAGE: u8 = 2;

fn main() -> Result<ExitCode> {
    // Before anything else: it is started by the thousand.
    if std::env::args_os().nth(1).is_some_and(|arg| arg == "links") {
        return snapshot::print_links();
    }
    if let Some(result) = helper_commands::main(std::env::args_os().skip(1)) {
        return result;
    }
    sys::one_heap();
    let args = Args::parse();
    if args.list {
        for name in suites::list(args.long) {
            println!("{name}");
        }
        return Ok(ExitCode::SUCCESS);
    }
    let name = args.suite.unwrap_or_default();
    if name == "gate-namespaces" {
        return checks::leaked_namespaces::namespaces();
    }
    if name == "look" {
        return snapshot::print::main();
    }
    let suite = suites::find(&name)?;
    if args.cpus {
        println!("{}", suite.cpus);
        return Ok(ExitCode::SUCCESS);
    }
    ensure!(
        Path::new(Device::PATH).exists(),
        "{} is not there: the tests are for a guest with the module loaded",
        Device::PATH
    );
    sys::do_not_randomize_addresses();
    let effort = Effort::new(args.long, args.seed, args.fail_fast, args.shard);
    let tally = match suite.run(&args.filter, effort) {
        Err(error) if error.is::<Usage>() => {
            report::verdict_port::send_line(&format!("usage {error}"))?;
            eprintln!("{error}");
            return Ok(ExitCode::from(USAGE));
        }
        tally => tally?,
    };
    tally.report()?;
    Ok(if tally.is_pass() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
