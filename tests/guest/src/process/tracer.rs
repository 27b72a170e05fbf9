// SPDX-License-Identifier: GPL-2.0-only

//! The port that `NSPROXY_TRACER` names, through which a host notes each instruction: `make profile`
//! gives its guest one.

use anyhow::{Context as _, Result, ensure};
use std::{
    env,
    fs::{self, File},
    io::{BufRead as _, BufReader, Write as _},
};

/// The port. Only one process can have it open.
pub(crate) struct Tracer {
    port: BufReader<File>,
}

impl Tracer {
    /// # Errors
    ///
    /// There is none.
    pub(crate) fn open() -> Result<Self> {
        let port = env::var_os("NSPROXY_TRACER")
            .filter(|port| !port.is_empty())
            .context("nobody notes instructions here: `make profile` starts a host that does")?;
        let port = File::options()
            .read(true)
            .write(true)
            .open(&port)
            .with_context(|| format!("NSPROXY_TRACER={}", port.display()))?;
        Ok(Self {
            port: BufReader::new(port),
        })
    }

    /// Tells where each function of the kernel and its modules is.
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
        self.ask("symbols-end")
    }

    /// Has the host note what is done from here on. `what` is called by `who`, a word.
    pub(crate) fn begin(&mut self, what: &str, who: &str) -> Result<()> {
        self.ask(&format!("begin {who} {what}"))
    }

    /// Has it stop.
    pub(crate) fn end(&mut self) -> Result<()> {
        self.ask("end")
    }

    fn ask(&mut self, line: &str) -> Result<()> {
        self.port
            .get_mut()
            .write_all(format!("{line}\n").as_bytes())?;
        let mut answer = String::new();
        self.port.read_line(&mut answer)?;
        ensure!(answer == "ok\n", "the host could not: {}", answer.trim());
        Ok(())
    }
}
