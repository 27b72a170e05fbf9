// SPDX-License-Identifier: GPL-2.0-only

//! The trace of the kernel, in tracefs.

use super::{kernel, serve_status};
use crate::report::ktap::Skip;
use anyhow::{Context as _, Result, ensure};
use nsproxy_uapi::{Refusal, TracedRefusal};
use std::{fs, path::Path};

/// The events of the module: steps, and refusals.
const STEP: &str = "nsproxy_rs/nsproxy_rs_step";
const REFUSED: &str = TracedRefusal::EVENT;
/// A kprobe on the function that decides about capabilities. The tracepoint in it has no options.
const CAPABLE: &str = "nsproxy_tests/capable";
/// The system calls during which capabilities are checked.
const SYSCALLS: [&str; 2] = ["raw_syscalls/sys_enter", "raw_syscalls/sys_exit"];

/// The trace, which records until it is dropped. Holds the mount point of tracefs.
pub(crate) struct Trace(&'static Path);

impl Trace {
    fn new() -> Result<Self> {
        let trace = Self(kernel::tracefs()?);
        trace.clear()?;
        trace.write("tracing_on", "1")?;
        Ok(trace)
    }

    /// Traces the steps of the module.
    pub(crate) fn on() -> Result<Self> {
        let trace = Self::new()?;
        trace.enable(STEP, true)?;
        Ok(trace)
    }

    /// Traces the refusals of the module instead.
    pub(crate) fn of_refusals() -> Result<Self> {
        let trace = Self::new()?;
        trace.enable(REFUSED, true)?;
        Ok(trace)
    }

    /// Traces calls of these functions instead.
    pub(crate) fn of_functions(names: &[&str]) -> Result<Self> {
        let trace = Self::new()?;
        if !trace.has("set_ftrace_filter") {
            return Err(serve_status::unsupported());
        }
        trace.write("set_ftrace_filter", &names.join(" "))?;
        trace.write("current_tracer", "function")?;
        Ok(trace)
    }

    /// Traces the checks of capabilities and these system calls instead. See [`Self::checks_of`].
    ///
    /// # Errors
    ///
    /// [`Skip`] on a kernel without these events.
    pub(crate) fn of_capabilities(numbers: &[i64]) -> Result<Self> {
        let trace = Self::new()?;
        if !trace.has("kprobe_events") {
            let why = "the kernel is built without CONFIG_KPROBE_EVENTS";
            return Err(Skip::because(why));
        }
        if !SYSCALLS
            .iter()
            .all(|event| trace.has(&format!("events/{event}")))
        {
            let why = "the kernel has no tracepoint of system calls";
            return Err(Skip::because(why));
        }
        let probe = format!("p:{CAPABLE} cap_capable ns=$arg2:x64 cap=$arg3:s32 opts=$arg4:u32");
        trace.write("kprobe_events", &probe)?;
        trace.enable(CAPABLE, true)?;
        let numbers = numbers.iter().map(|number| format!("id == {number}"));
        let filter = numbers.collect::<Vec<_>>().join(" || ");
        for event in SYSCALLS {
            trace.write(&format!("events/{event}/filter"), &filter)?;
            trace.enable(event, true)?;
        }
        Ok(trace)
    }

    /// Disables the events of the module.
    pub(crate) fn off(&self) -> Result<()> {
        self.enable(STEP, false)?;
        self.enable(REFUSED, false)
    }

    /// Stops recording.
    pub(crate) fn stop(&self) -> Result<()> {
        self.write("tracing_on", "0")
    }

    /// Removes all lines.
    pub(crate) fn clear(&self) -> Result<()> {
        self.write("trace", "")
    }

    fn enable(&self, event: &str, enable: bool) -> Result<()> {
        let text = if enable { "1" } else { "0" };
        self.write(&format!("events/{event}/enable"), text)
    }

    fn has(&self, file: &str) -> bool {
        self.0.join(file).exists()
    }

    fn write(&self, file: &str, text: &str) -> Result<()> {
        fs::write(self.0.join(file), text).with_context(|| file.to_owned())
    }

    /// Returns the lines of a process.
    pub(crate) fn of_process(&self, process: u32) -> Result<Vec<String>> {
        let process = format!("-{process}");
        let all = fs::read_to_string(self.0.join("trace"))?;
        let lines = all.lines().filter(|line| !line.starts_with('#'));
        let is_of = |line: &&str| {
            let task = line.split_whitespace().next();
            task.is_some_and(|task| task.ends_with(&process))
        };
        Ok(lines.filter(is_of).map(str::to_owned).collect())
    }

    /// Returns the refusals of a process.
    pub(crate) fn refusals_of(&self, process: u32) -> Result<Vec<Refusal>> {
        let lines = self.of_process(process)?;
        let parse = |line: &String| {
            let parsed = TracedRefusal::parse(line).with_context(|| line.clone())?;
            ensure!(parsed.task == process, "of task {}: {line}", parsed.task);
            Ok(parsed.refusal)
        };
        lines.iter().map(parse).collect()
    }

    /// Returns all checks of capabilities that a process made.
    pub(crate) fn all_checks_of(&self, process: u32) -> Result<Vec<CapCheck>> {
        let lines = self.of_process(process)?;
        let checks = lines.iter().filter(|line| line.contains(" capable: "));
        checks.map(|line| CapCheck::parse(line)).collect()
    }

    /// Returns the checks of capabilities that a process made in each of the traced system calls, with
    /// the number of the call.
    pub(crate) fn checks_of(&self, process: u32) -> Result<Vec<(i64, Vec<CapCheck>)>> {
        let mut calls: Vec<(i64, Vec<CapCheck>)> = Vec::new();
        let mut is_inside = false;
        for line in self.of_process(process)? {
            if let Some((_, rest)) = line.split_once(" sys_enter: NR ") {
                let number = rest.split(' ').next().unwrap_or_default();
                let number = number.parse().with_context(|| line.clone())?;
                ensure!(!is_inside, "a system call in a system call: {line}");
                calls.push((number, Vec::new()));
                is_inside = true;
            } else if line.contains(" sys_exit: NR ") {
                is_inside = false;
            } else if is_inside
                && line.contains(" capable: ")
                && let Some((_, checks)) = calls.last_mut()
            {
                checks.push(CapCheck::parse(&line)?);
            }
        }
        Ok(calls)
    }
}

impl Drop for Trace {
    fn drop(&mut self) {
        let _ = self.write("current_tracer", "nop");
        let _ = self.off();
        if self.has(&format!("events/{CAPABLE}")) {
            for event in SYSCALLS {
                let _ = self.enable(event, false);
                let _ = self.write(&format!("events/{event}/filter"), "0");
            }
            let _ = self.enable(CAPABLE, false);
            // Opening the list for writing empties it.
            let _ = self.write("kprobe_events", "");
        }
    }
}

/// A check of a capability: the arguments of `cap_capable()`. The credentials are those of the
/// process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CapCheck {
    /// The address of the user namespace.
    pub(crate) user_ns: u64,
    /// `CAP_*`.
    pub(crate) cap: u32,
    /// `CAP_OPT_*`.
    pub(crate) options: u32,
}

impl CapCheck {
    /// Parses a line of the trace.
    fn parse(line: &str) -> Result<Self> {
        let field = |name: &str| {
            let mut words = line.split_whitespace();
            words
                .find_map(|word| word.strip_prefix(name)?.strip_prefix('='))
                .with_context(|| format!("no {name} in {line:?}"))
        };
        let address = field("ns")?;
        let address = address.strip_prefix("0x").unwrap_or(address);
        Ok(Self {
            user_ns: u64::from_str_radix(address, 16)?,
            cap: field("cap")?.parse()?,
            options: field("opts")?.parse()?,
        })
    }
}
