// SPDX-License-Identifier: GPL-2.0-only

//! Boots a guest for each suite, and classifies the result.
//!
//! The runner fails closed: a guest that does not report a pass on its verdict port has failed,
//! regardless of its other output.

mod accel;
mod arch;
mod classify;
mod cli;
mod clock;
mod cpio;
mod guest;
mod host_port;
mod in_guest;
mod initramfs;
mod kcsan;
mod kernel;
mod pages;
mod profile;
mod qemu;
mod record;
mod report;
mod results;
mod run;
mod self_test;
mod shell;
mod suite;
mod sum;
mod sys;
mod terminal;
mod test_kernels;
mod verdict;

use clap::Parser as _;
use std::process::ExitCode;

/// The exit status if something is missing on the host.
const MISSING: u8 = 3;

fn main() -> ExitCode {
    let result = match cli::Args::parse().command {
        cli::Command::Run(args) => run::main(&args),
        cli::Command::Shell(args) => shell::main(&args),
        cli::Command::Accel(args) => accel::main(&args),
        cli::Command::Profile(args) => profile::main(&args),
        cli::Command::Pages(args) => pages::main(&args),
        cli::Command::TestKernels(args) => test_kernels::main(&args),
        cli::Command::InGuest(args) => in_guest::main(&args),
        cli::Command::Sum(args) => sum::main(&args),
    };
    result.unwrap_or_else(|error| {
        eprintln!("nsproxy-vm: {error:#}");
        ExitCode::from(MISSING)
    })
}
