// SPDX-License-Identifier: GPL-2.0-only

//! The host's end of the guest's tracer port.

use super::{
    monitor::Monitor,
    symbols::Symbols,
    trace::{self, Call},
};
use anyhow::{Context as _, Result, ensure};
use std::{
    fs::{self, File},
    io::{BufRead, BufReader, Read, Write},
    path::PathBuf,
};

/// Handles the requests of the guest.
pub(super) struct Tracer {
    monitor: Monitor,
    /// The log of QEMU, until it has been read.
    log: PathBuf,
    symbols: Symbols,
    profiles: Profiles,
    /// The call that is being logged, and its implementation.
    noting: Option<(String, String)>,
}

/// All logged calls, in order.
#[derive(Default)]
pub(super) struct Profiles {
    /// The name of each call, with its implementation.
    calls: Vec<(String, Side)>,
}

/// A call by one of two compared implementations.
pub(super) struct Side {
    pub(super) who: String,
    pub(super) call: Call,
}

impl Profiles {
    /// Iterates over pairs of successive calls with the same name.
    pub(super) fn pairs(&self) -> impl Iterator<Item = (&str, [&Side; 2])> {
        self.calls.windows(2).filter_map(|calls| match calls {
            [(name, reference), (other, subject)] if name == other => {
                Some((name.as_str(), [reference, subject]))
            }
            _ => None,
        })
    }

    /// Adds a call. Of several with the same name and implementation, the shortest is kept.
    fn add(&mut self, what: String, who: String, call: Call) {
        let known = self
            .calls
            .iter_mut()
            .find(|(name, side)| *name == what && side.who == who);
        match known {
            Some((_, side)) if side.call.instructions() <= call.instructions() => {}
            Some((_, side)) => side.call = call,
            None => self.calls.push((what, Side { who, call })),
        }
    }
}

impl Tracer {
    pub(super) fn new(monitor: Monitor, log: PathBuf) -> Self {
        Self {
            monitor,
            log,
            symbols: Symbols::default(),
            profiles: Profiles::default(),
            noting: None,
        }
    }

    /// Answers the guest until it exits. Errors are sent to the guest, where they fail the test.
    pub(super) fn serve(mut self, from: impl Read, mut to: impl Write) -> Result<Profiles> {
        self.monitor.greet()?;
        for line in BufReader::new(from).lines() {
            let line = line.context("the guest's tracer port")?;
            if let Some(symbol) = line.strip_prefix("symbol ") {
                self.symbols.add(symbol);
                continue;
            }
            let answer = match self.obey(&line) {
                Ok(()) => "ok".to_owned(),
                Err(error) => format!("{error:#}"),
            };
            // The guest may have exited meanwhile.
            let _ = writeln!(to, "{answer}").and_then(|()| to.flush());
        }
        Ok(self.profiles)
    }

    fn obey(&mut self, line: &str) -> Result<()> {
        let mut words = line.splitn(3, ' ');
        match words.next() {
            Some("symbols-end") => Ok(()),
            Some("begin") => {
                let (Some(who), Some(what)) = (words.next(), words.next()) else {
                    anyhow::bail!("begin: missing name");
                };
                self.noting = Some((what.to_owned(), who.to_owned()));
                self.monitor.log_to(&self.log)
            }
            Some("end") => {
                self.monitor.log_end()?;
                let (what, who) = self.noting.take().context("end without begin")?;
                let log = File::open(&self.log)
                    .with_context(|| format!("cannot read {}", self.log.display()))?;
                let call = trace::shortest(BufReader::new(log), &self.symbols)?;
                fs::remove_file(&self.log)?;
                ensure!(call.instructions() > 0, "an empty call");
                self.profiles.add(what, who, call);
                Ok(())
            }
            _ => anyhow::bail!("unknown request {line:?}"),
        }
    }
}
