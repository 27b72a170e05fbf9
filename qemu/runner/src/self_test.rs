// SPDX-License-Identifier: GPL-2.0-only

//! The tests of the runner itself: guests that fail on purpose.

use crate::{cli::GuestArgs, sys};
use anyhow::{Context as _, Result};
use nsproxy_results::Counts;
use std::{
    env,
    io::{BufRead as _, BufReader},
    process::{Command, Stdio},
};

/// The program, in the directory of the other programs.
const PROGRAM: &str = "nsproxy-runner-tests";

/// Runs the tests, and returns their counts.
pub(crate) fn run(args: &GuestArgs) -> Result<Counts> {
    eprintln!("==> the tests of the runner: guests that fail on purpose");
    let mut command = Command::new(args.host_bin_dir().join(PROGRAM));
    command
        .env("NSPROXY_VM", env::current_exe()?)
        .env("NSPROXY_VM_GUEST", args.words().join("\n"))
        .stdout(Stdio::piped());
    sys::exit_with_parent(&mut command);
    let mut child = command.spawn().context(PROGRAM)?;
    let stdout = child.stdout.take().context("no standard output")?;
    let mut output = String::new();
    for line in BufReader::new(stdout).lines() {
        let line = line?;
        println!("{line}");
        output += &(line + "\n");
    }
    let mut counts = Counts::of_output(&output);
    if !child.wait()?.success() && counts.failed == 0 {
        counts += Counts::ONE_FAILURE;
    }
    Ok(counts)
}
