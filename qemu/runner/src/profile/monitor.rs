// SPDX-License-Identifier: GPL-2.0-only

//! QEMU's monitor, by QMP.

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::{Value, json};
use std::{
    io::{BufRead as _, BufReader, Write as _},
    os::unix::net::UnixStream,
    path::Path,
};

/// A connection to it.
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

    /// Has it take commands. To be called once, when QEMU runs.
    pub(super) fn greet(&mut self) -> Result<()> {
        self.execute(&json!({ "execute": "qmp_capabilities" }))?;
        Ok(())
    }

    /// Notes each instruction in that file from here on.
    pub(super) fn log_to(&mut self, path: &Path) -> Result<()> {
        self.one_instruction_a_block(true)?;
        self.human(&format!("logfile {}", path.display()))?;
        self.human("log exec,nochain")
    }

    /// Stops that; the file is whole then.
    pub(super) fn log_end(&mut self) -> Result<()> {
        self.human("log none")?;
        self.one_instruction_a_block(false)
    }

    /// QEMU 8.1 has another name for it.
    fn one_instruction_a_block(&mut self, on: bool) -> Result<()> {
        let on = if on { "on" } else { "off" };
        self.human(&format!("one-insn-per-tb {on}"))
            .or_else(|_| self.human(&format!("singlestep {on}")))
    }

    /// A command for people, which is to say nothing.
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
            ensure!(!line.is_empty(), "QEMU's monitor is gone");
            let mut message: Value = serde_json::from_str(&line).context("QEMU's monitor")?;
            if let Some(error) = message.get("error") {
                bail!("QEMU's monitor: {command}: {error}");
            }
            // Before the first answer comes a greeting, and events come whenever.
            if let Some(result) = message.get_mut("return") {
                return Ok(result.take());
            }
        }
    }
}
