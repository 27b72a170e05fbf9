// SPDX-License-Identifier: GPL-2.0-only

//! Tests of `/dev/nsproxy` in the guest, by comparison with setns(2).

mod case;
mod checks;
mod env;
mod errno;
mod helper_commands;
mod process;
mod report;
mod snapshot;
mod socket_commands;
mod suites;
mod sys;

use anyhow::Result;
use case::effort::Effort;
use clap::Parser;
use env::module::{Module, NOT_LOADED};
use nsproxy_results::Shard;
use report::ktap::Usage;
use std::process::ExitCode;

/// Test /dev/nsproxy. Run this as root in a guest: it creates namespaces, cgroups and processes, and
/// loads and unloads the module.
#[derive(Parser)]
#[command(version, arg_required_else_help = true)]
struct Args {
    /// Print the names of the suites
    #[arg(long)]
    list: bool,

    /// Print the names of the suites that need no module
    #[arg(long)]
    list_without_module: bool,

    /// Print the number of CPUs that a suite needs
    #[arg(long)]
    cpus: bool,

    /// A suite, or a command.
    ///
    /// `gate-namespaces` prints namespaces that suites have leaked. `objects` counts kernel
    /// objects before a suite, and `gate-objects` prints those that it has leaked. `look` prints a snapshot of
    /// itself. `share-fs COMMAND...` runs a command that shares root and working directory.
    /// `two-threads FILE...` prints whether a process with two threads can enter namespaces.
    #[arg(required_unless_present_any = ["list", "list_without_module"])]
    suite: Option<String>,

    /// Run the test with this name, or those whose names contain it [default: all]
    #[arg(default_value = "")]
    filter: String,

    /// Run the long form of open-ended suites
    #[arg(long)]
    long: bool,

    /// Seed of random numbers [default: 1; random with --long]
    #[arg(long)]
    seed: Option<u64>,

    /// End at the first failed test
    #[arg(long)]
    fail_fast: bool,

    /// Run part I of N of the matrix
    #[arg(long, value_name = "I/N")]
    shard: Option<Shard>,

    /// Send the behaviour of the kernel in each case to the host
    #[arg(long)]
    record: bool,
}

/// The exit status of a usage error, the same as that of clap.
const USAGE: u8 = 2;
/// The exit status of a suite that was skipped, the same as that of the kernel's tests.
const SKIPPED: u8 = 4;

/// The comparisons that a guest without the module does not make.
const NOT_COMPARED: &str = "results, reasons, state after the call, counts of references";

fn main() -> Result<ExitCode> {
    // Before anything else: it is started thousands of times.
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
    if args.list_without_module {
        for name in suites::without_module() {
            println!("{name}");
        }
        return Ok(ExitCode::SUCCESS);
    }
    let name = args.suite.unwrap_or_default();
    if name == "gate-namespaces" {
        return checks::leaked_namespaces::report();
    }
    if name == "objects" {
        return checks::slab::begin();
    }
    if name == "gate-objects" {
        return checks::slab::gate();
    }
    if name == "look" {
        return snapshot::print::main();
    }
    let suite = suites::find(&name)?;
    if args.cpus {
        println!("{}", suite.cpus);
        return Ok(ExitCode::SUCCESS);
    }
    let module = Module::find()?;
    if module == Module::Missing {
        if suite.needs_module {
            println!("KTAP version 1\n1..0 # SKIP {NOT_LOADED}");
            return Ok(ExitCode::from(SKIPPED));
        }
        println!("# {NOT_LOADED}. Not compared with the module: {NOT_COMPARED}");
    }
    sys::do_not_randomize_addresses();
    let effort = Effort::new(
        args.long,
        args.seed,
        args.fail_fast,
        args.shard,
        args.record,
    );
    let tally = match suite.run(&args.filter, effort, module) {
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
