// SPDX-License-Identifier: GPL-2.0-only

//! What goes to the host, line by line, through the verdict port that `NSPROXY_VERDICT` names.
//! Without one, as in a shell, nothing is told.

use anyhow::{Context as _, Result, ensure};
use std::{
    env,
    fmt::Display,
    fs::{self, File, OpenOptions},
    io::{BufRead as _, BufReader, Write as _},
};

/// The one line that says what a suite came to; the host shows it below the suite's counts.
pub(crate) fn summary(text: impl Display) -> Result<()> {
    tell(&format!("summary {text}"))
}

/// Something to keep beside the counts, for `docs/fidelity.md`. `name` has no spaces.
pub(crate) fn fact(name: impl Display, value: impl Display) -> Result<()> {
    tell(&format!("fact {name} {value}"))
}

/// Tells the host a line.
pub(crate) fn tell(line: &str) -> Result<()> {
    let Some(port) = env::var_os("NSPROXY_VERDICT") else {
        return Ok(());
    };
    // One write: a port hands each on as it comes.
    OpenOptions::new()
        .append(true)
        .open(&port)
        .and_then(|mut port| port.write_all(format!("{line}\n").as_bytes()))
        .with_context(|| format!("NSPROXY_VERDICT={}", port.display()))
}

/// The port through which the host is asked to note each instruction: `make profile` gives its guest
/// one. Only one process can have it open.
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
