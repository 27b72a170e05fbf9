// SPDX-License-Identifier: GPL-2.0-only

//! The port through which the host records instructions, named by `NSPROXY_TRACER`. `make profile`
//! starts a guest that has one.

use anyhow::{Context as _, Result, ensure};
use std::{
    env,
    fs::{self, File},
    io::{BufRead as _, BufReader, Write as _},
};

/// The port, which only one process can open.
pub(crate) struct Tracer {
    port: BufReader<File>,
}

impl Tracer {
    /// Opens the port.
    ///
    /// # Errors
    ///
    /// The guest has no such port.
    pub(crate) fn open() -> Result<Self> {
        let port = env::var_os("NSPROXY_TRACER")
            .filter(|port| !port.is_empty())
            .context("this guest has no tracer port; hint: `make profile` starts one that has")?;
        let port = File::options()
            .read(true)
            .write(true)
            .open(&port)
            .with_context(|| format!("NSPROXY_TRACER={}", port.display()))?;
        Ok(Self {
            port: BufReader::new(port),
        })
    }

    /// Sends the address of each function of the kernel and its modules.
    pub(crate) fn symbols(&mut self) -> Result<()> {
        let symbols = fs::read_to_string("/proc/kallsyms")?;
        let mut lines = String::new();
        for line in symbols.lines() {
            let mut words = line.split_whitespace();
            let (Some(address), Some(kind), Some(name)) =
                (words.next(), words.next(), words.next())
            else {
                continue;
            };
            if matches!(kind, "t" | "T" | "w" | "W") {
                let module = words.next().unwrap_or_default();
                lines += &format!("symbol {address} {name} {module}\n");
            }
        }
        self.port.get_mut().write_all(lines.as_bytes())?;
        self.request("symbols-end")
    }

    /// Starts recording `work`. `entry` is a word.
    pub(crate) fn begin(&mut self, work: &str, entry: &str) -> Result<()> {
        self.request(&format!("begin {entry} {work}"))
    }

    /// Stops recording.
    pub(crate) fn end(&mut self) -> Result<()> {
        self.request("end")
    }

    fn request(&mut self, line: &str) -> Result<()> {
        self.port
            .get_mut()
            .write_all(format!("{line}\n").as_bytes())?;
        let mut answer = String::new();
        self.port.read_line(&mut answer)?;
        ensure!(answer == "ok\n", "the host failed: {}", answer.trim());
        Ok(())
    }
}
