// SPDX-License-Identifier: GPL-2.0-only

//! Shell commands in which the tool explains a failure, and commands that follow its hints.

use crate::env::kernel::Feature;
use anyhow::{Context as _, Result, ensure};
use std::process::{Command, Output};

/// A shell command that must fail, and what the tool must print.
pub(crate) struct Failing<'a> {
    pub(crate) command: &'a str,
    pub(crate) errno: &'a str,
    /// The errno is in the first line.
    pub(crate) is_first: bool,
    /// The exit status.
    pub(crate) status: i32,
    /// A part of the text that is specific to the situation.
    pub(crate) prints: &'a str,
}

impl Failing<'_> {
    /// Runs the command, in which `$t` is the pid of the target. Returns the printed hints.
    ///
    /// # Errors
    ///
    /// It succeeds, or prints something else.
    pub(crate) fn hints(&self, target: u32) -> Result<Vec<String>> {
        let output = shell(self.command, target, "")?;
        let text = text(&output);
        let prints = on_this_kernel(self.prints)?;
        let within = match self.is_first {
            true => text.lines().next().unwrap_or_default(),
            false => &text,
        };
        ensure!(
            output.status.code() == Some(self.status)
                && within.contains(self.errno)
                && text.contains(&prints),
            "`{}` ended with {} and printed\n{text}expected {}, and \"{}\"",
            self.command,
            output.status,
            self.errno,
            prints
        );
        let hints = text
            .lines()
            .filter_map(|line| line.strip_prefix("  hint: "));
        Ok(hints.map(str::to_owned).collect())
    }
}

/// Returns a text of the tool as it is on this kernel: without ids of namespaces, the initial user
/// namespace is not that with id 3.
fn on_this_kernel(text: &str) -> Result<String> {
    const LINK: &str = "user:[4026531837]";
    if Feature::NamespaceIds.exists()? {
        return Ok(text.to_owned());
    }
    let with_process = format!("namespace 3 ({LINK}, process 1)");
    let text = text.replace(&with_process, &format!("namespace {LINK}, process 1"));
    Ok(text.replace("namespace 3", &format!("namespace {LINK}")))
}

/// Runs a shell command that follows a hint, in which `$hint` is the hint. It must succeed.
pub(crate) fn follow(hint: &str, command: &str, target: u32) -> Result<()> {
    let output = shell(command, target, hint)?;
    ensure!(
        output.status.success(),
        "\"{hint}\" does not help: `{command}` ended with {} and printed\n{}",
        output.status,
        text(&output)
    );
    Ok(())
}

/// Runs a shell command, in which `$t` and `$hint` are set.
pub(crate) fn shell(command: &str, target: u32, hint: &str) -> Result<Output> {
    Command::new("/bin/sh")
        .args(["-c", command])
        .env("t", target.to_string())
        .env("hint", hint)
        .output()
        .context("/bin/sh")
}

/// Returns what a command has printed, first on its standard output.
pub(crate) fn text(output: &Output) -> String {
    let [stdout, stderr] =
        [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text).into_owned());
    stdout + &stderr
}
