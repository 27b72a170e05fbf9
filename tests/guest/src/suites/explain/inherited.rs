// SPDX-License-Identifier: GPL-2.0-only

//! A command that the tool executes inherits the state of the tool: ignored signals, the signal
//! mask, and descriptors, including closed ones.

use crate::{case::implementation::Device, env::serve_status, report::ktap::Test, sys};
use anyhow::{Context as _, Result, ensure};
use std::{fs, process::Command};

/// Every way in which the tool executes a command.
const WAYS: [&str; 6] = [
    "nsproxy serve",
    "nsproxy setns -u=/proc/self/ns/uts",
    "nsproxy setns --via syscall -u=/proc/self/ns/uts",
    // A child executes it.
    "nsproxy setns -p=/proc/self/ns/pid",
    "nsproxy setns --no-fork -p=/proc/self/ns/pid",
    "nsproxy setns -t 1 -a",
];

/// A preparation by the shell, and the redirections of the command.
const STATES: [[&str; 2]; 8] = [
    ["", ""],
    ["trap '' PIPE;", ""],
    ["trap '' HUP INT QUIT PIPE TERM;", ""],
    ["", "<&-"],
    ["", ">&-"],
    ["", "2>&-"],
    ["", "<&- >&-"],
    ["trap '' PIPE;", "<&- >&- 2>&-"],
];

const FILE: &str = "/tmp/nsproxy-tests-inherited";

/// A command that writes the state of the shell to a file, from a child with its own descriptors. A
/// shell forks no child for its last command.
const LOOK: &str = "\
(
	for fd in 0 1 2; do readlink /proc/$$/fd/$fd || echo closed; done
	grep -E '^Sig(Blk|Ign)' /proc/$$/status
	ls /proc/$$/fd
) >/tmp/nsproxy-tests-inherited 2>/dev/null
:";

pub(super) fn tests() -> Vec<Test> {
    let mut tests: Vec<_> = WAYS
        .iter()
        .map(|way| Test::new(format!("{way}: what a command inherits"), |_| check(way)))
        .collect();
    tests.extend(
        ["-u=/proc/self/ns/uts", "-p=/proc/self/ns/pid"].map(|options| {
            let name = format!("nsproxy setns {options}: the status of a command");
            Test::new(name, move |_| statuses(options))
        }),
    );
    tests
}

fn check(way: &str) -> Result<()> {
    if way.ends_with("serve") {
        let device = Device::open()?;
        serve_status::enable(&device)?;
        device.serve(false)?;
    }
    for [before, redirections] in STATES {
        let look = |way: &str| -> Result<String> {
            let line = format!("{before} {way} sh -c \"$LOOK\" {redirections}");
            let mut shell = Command::new("/bin/sh");
            shell.args(["-c", &line]).env("LOOK", LOOK);
            sys::before_exec(&mut shell, sys::block_usr1);
            let output = shell.output().context("/bin/sh")?;
            let seen = fs::read_to_string(FILE);
            let _ = fs::remove_file(FILE);
            seen.with_context(|| format!("`{line}` wrote no file: {output:?}"))
        };
        let (plain, by_tool) = (look("")?, look(way)?);
        ensure!(
            plain.contains("SigBlk:\t0000000000000200"),
            "SIGUSR1 is not blocked:\n{plain}"
        );
        ensure!(
            // Pipes have other numbers each time.
            numberless(&plain) == numberless(&by_tool),
            "`{before} ... {redirections}`: without the tool\n{plain}by `{way}`\n{by_tool}"
        );
    }
    Ok(())
}

/// Removes the numbers of pipes.
fn numberless(text: &str) -> Vec<&str> {
    let line = |line: &'_ str| {
        line.split_once(":[")
            .map_or(line.len(), |(kind, _)| kind.len())
    };
    text.lines().map(|text| &text[..line(text)]).collect()
}

fn statuses(options: &str) -> Result<()> {
    for (command, expected) in [
        ("true", 0),
        ("sh -c 'exit 7'", 7),
        ("sh -c 'kill -9 $$'", 137),
        ("/dev/null", 126),
        ("/nowhere", 127),
    ] {
        let line = format!("nsproxy setns {options} {command}; exit $?");
        let output = Command::new("/bin/sh").args(["-c", &line]).output()?;
        let status = output.status.code();
        ensure!(
            status == Some(expected),
            "`{line}`: {status:?}, expected {expected}: {output:?}"
        );
    }
    Ok(())
}
