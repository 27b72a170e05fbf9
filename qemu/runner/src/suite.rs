// SPDX-License-Identifier: GPL-2.0-only

//! A suite as named by the user: `races`, or `races@4` in a guest with four CPUs.

use crate::cli::file_name;
use anyhow::{Context as _, Result, bail, ensure};
use std::{
    fmt::{self, Display, Formatter},
    path::Path,
    process::Command,
    str::FromStr,
};

/// The suite whose cases are independent, and run on all CPUs of the guest.
const PARALLEL_SUITE: &str = "matrix";

/// The suite of a guest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Suite {
    /// Its name in the guest.
    pub(crate) name: String,
    /// The number of CPUs, if the user named one.
    cpus: Option<u32>,
}

impl Suite {
    /// Returns the suite of that name.
    pub(crate) fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            cpus: None,
        }
    }

    /// Sets the number of CPUs of its guest.
    pub(crate) fn with_cpus(self, cpus: u32) -> Self {
        Self {
            cpus: Some(cpus),
            ..self
        }
    }

    /// Returns one CPU for a suite that uses more CPUs only to finish sooner, if a single thread
    /// emulates all of them. There more CPUs cost time: the emulator switches between them, and
    /// they interrupt each other. [`None`] if the usual number applies.
    pub(crate) fn cpus_for_speed(&self, is_single_threaded: bool) -> Option<u32> {
        let applies = is_single_threaded && self.cpus.is_none() && self.name == PARALLEL_SUITE;
        applies.then_some(1)
    }

    /// Returns the number of CPUs of its guest. If the user named none, `tests`, the program
    /// `nsproxy-tests`, prints the number. The runner's own suites (`runner-*`) have one.
    ///
    /// # Errors
    ///
    /// The suite does not exist.
    pub(crate) fn cpus(&self, tests: &Path) -> Result<u32> {
        if self.name.starts_with("runner-") {
            return Ok(self.cpus.unwrap_or(1));
        }
        let asked = Command::new(tests).args(["--cpus", &self.name]).output();
        let asked = asked.with_context(|| tests.display().to_string())?;
        match String::from_utf8_lossy(&asked.stdout).trim().parse() {
            Ok(default) => Ok(self.cpus.unwrap_or(default)),
            Err(_) => {
                let why = String::from_utf8_lossy(&asked.stderr);
                let why = why.lines().next().unwrap_or_default();
                bail!("{}", why.trim_start_matches("Error: "))
            }
        }
    }
}

/// Returns the names of the suites that need no module, as `tests`, the program `nsproxy-tests`, prints
/// them.
pub(crate) fn without_module(tests: &Path) -> Result<Vec<String>> {
    let listed = Command::new(tests).arg("--list-without-module").output();
    let listed = listed.with_context(|| tests.display().to_string())?;
    let names = String::from_utf8_lossy(&listed.stdout);
    ensure!(
        listed.status.success() && !names.is_empty(),
        "{} does not list its suites",
        tests.display()
    );
    Ok(names.lines().map(str::to_owned).collect())
}

impl FromStr for Suite {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (name, cpus) = match text.split_once('@') {
            Some((name, cpus)) => match cpus.parse() {
                Ok(cpus @ 1..=8) => (name, Some(cpus)),
                _ => return Err("a guest has 1 to 8 CPUs"),
            },
            None => (text, None),
        };
        Ok(Self {
            name: file_name(name)?,
            cpus,
        })
    }
}

impl Display for Suite {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        self.cpus.map_or(Ok(()), |cpus| write!(f, "@{cpus}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_thread_emulates_one_cpu_unless_the_user_named_more() {
        for (suite, is_single_threaded, cpus) in [
            ("matrix", true, Some(1)),
            ("matrix", false, None),
            ("matrix@4", true, None),
            // Its tests are about several CPUs.
            ("races", true, None),
        ] {
            let suite: Suite = suite.parse().unwrap();
            assert_eq!(suite.cpus_for_speed(is_single_threaded), cpus, "{suite}");
        }
    }

    #[test]
    fn with_cpus_or_without() {
        for text in ["races@4", "races"] {
            assert_eq!(text.parse::<Suite>().unwrap().to_string(), text);
        }
        for text in ["races@", "races@0", "races@9", "races@4/..", "@4"] {
            assert!(text.parse::<Suite>().is_err(), "{text}");
        }
    }
}
