// SPDX-License-Identifier: GPL-2.0-only

//! QEMU's monitor (QMP).

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::{Value, json};
use std::{
    io::{BufRead as _, BufReader, Write as _},
    os::unix::net::UnixStream,
    path::Path,
};

/// A connection to the monitor.
pub(super) struct Monitor {
    from: BufReader<UnixStream>,
    to: UnixStream,
}

impl Monitor {
    pub(super) fn new(stream: UnixStream) -> Result<Self> {
        Ok(Self {
            from: BufReader::new(stream.try_clone()?),
            to: stream,
        })
    }

    /// Begins the session. The caller does so once, when QEMU runs.
    pub(super) fn greet(&mut self) -> Result<()> {
        self.execute(&json!({ "execute": "qmp_capabilities" }))?;
        Ok(())
    }

    /// Logs each instruction to a file from now on.
    pub(super) fn log_to(&mut self, path: &Path) -> Result<()> {
        self.one_instruction_a_block(true)?;
        self.human(&format!("logfile {}", path.display()))?;
        self.human("log exec,nochain")
    }

    /// Stops logging. The file is complete then.
    pub(super) fn log_end(&mut self) -> Result<()> {
        self.human("log none")?;
        self.one_instruction_a_block(false)
    }

    /// Limits translation blocks to one instruction. QEMU 8.1 renamed the command.
    fn one_instruction_a_block(&mut self, on: bool) -> Result<()> {
        let on = if on { "on" } else { "off" };
        self.human(&format!("one-insn-per-tb {on}"))
            .or_else(|_| self.human(&format!("singlestep {on}")))
    }

    /// Runs a command of the human monitor that prints nothing on success.
    fn human(&mut self, line: &str) -> Result<()> {
        let command = json!({
            "execute": "human-monitor-command",
            "arguments": { "command-line": line },
        });
        let said = self.execute(&command)?;
        let said = said.as_str().unwrap_or_default().trim();
        ensure!(said.is_empty(), "QEMU's monitor: {line}: {said}");
        Ok(())
    }

    fn execute(&mut self, command: &Value) -> Result<Value> {
        writeln!(self.to, "{command}").context("QEMU's monitor")?;
        loop {
            let mut line = String::new();
            self.from.read_line(&mut line).context("QEMU's monitor")?;
            ensure!(!line.is_empty(), "QEMU's monitor closed the connection");
            let mut message: Value = serde_json::from_str(&line).context("QEMU's monitor")?;
            if let Some(error) = message.get("error") {
                bail!("QEMU's monitor: {command}: {error}");
            }
            // A greeting precedes the first reply, and events arrive at any time.
            if let Some(result) = message.get_mut("return") {
                return Ok(result.take());
            }
        }
    }
}
