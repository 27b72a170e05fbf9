// SPDX-License-Identifier: GPL-2.0-only

//! A kernel, the suites that run on it, and what they make of a module.

use crate::known::Key;
use anyhow::{Context as _, Result, bail, ensure};
use serde::{Deserialize, Serialize};
use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// A kernel to boot, and the suites.
pub(crate) struct Kernel {
    /// What `make` calls it.
    pub(crate) which: String,
    /// What its results are filed under.
    pub(crate) name: String,
    /// Of the kernel and the programs.
    pub(crate) key: Key,
    /// What `nsproxy-vm` is told of a guest, but for the module.
    arguments: Vec<String>,
    /// Where the programs are.
    bin: PathBuf,
    /// The cheapest one first.
    suites: Vec<Suite>,
}

struct Suite {
    name: String,
    /// What it takes on the module as it is.
    seconds: f64,
}

impl Suite {
    /// How long it may take on a mutant, in seconds: some make a process spin as it ends.
    fn timeout(&self) -> u64 {
        60 + 5 * self.seconds as u64
    }
}

/// What a suite noticed.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub(crate) struct Notice {
    pub(crate) kernel: String,
    pub(crate) suite: String,
    /// The first test that failed, the gate, or what the kernel said.
    pub(crate) by: String,
}

/// What `nsproxy-vm` keeps of a suite.
#[derive(Deserialize)]
struct Record {
    class: String,
    seconds: f64,
    why: Option<String>,
}

impl Record {
    /// Nothing is wrong but that it took too long.
    fn is_slow(&self) -> bool {
        const SIGNS: &[&str] = &[
            "soft lockup",
            "hard LOCKUP",
            " stall",
            "blocked for more than",
        ];
        let why = self.why.as_deref().unwrap_or_default();
        self.class == "timed-out" || SIGNS.iter().any(|sign| why.contains(sign))
    }
}

impl Kernel {
    /// Gets a kernel, by the name that `make` has for it. It is built if it is not there yet.
    pub(crate) fn get(root: &Path, which: &str) -> Result<Self> {
        let output = Command::new(root.join("scripts/guest"))
            .args(["arguments", which])
            .stderr(Stdio::inherit())
            .output()
            .context("scripts/guest")?;
        ensure!(output.status.success(), "no kernel {which}, see above");
        let arguments: Vec<_> = String::from_utf8(output.stdout)?
            .lines()
            .map(str::to_owned)
            .collect();
        let after = |option: &str| {
            let at = arguments.iter().position(|word| word == option);
            let value = at.and_then(|at| arguments.get(at + 1));
            value.with_context(|| format!("scripts/guest arguments: no {option}"))
        };
        let bin = PathBuf::from(after("--bin-dir")?);
        let mut key = Key::default();
        key.add(&arguments);
        key.add_file(&Path::new(after("--kernel-dir")?).join("arch/x86/boot/bzImage"))?;
        for program in [
            "nsproxy-vm",
            "nsproxy-tests",
            "nsproxy",
            "libnsproxy_preload.so",
        ] {
            key.add_file(&bin.join(program))?;
        }
        Ok(Self {
            which: which.to_owned(),
            name: after("--kernel-name")?.clone(),
            bin,
            key,
            arguments,
            suites: Vec::new(),
        })
    }

    /// Runs all suites on the module as it is, and shows it.
    ///
    /// # Errors
    ///
    /// Not all of them pass: then it would mean nothing that one does not.
    pub(crate) fn baseline(&self, module: &Path, results: &Path) -> Result<()> {
        let status = self
            .run(module, results)
            .args(self.list()?)
            .status()
            .context("nsproxy-vm")?;
        ensure!(
            status.success(),
            "the tests do not all pass on the module as it is, so that none can notice a mutant"
        );
        Ok(())
    }

    /// Learns from the `results` of [`baseline`](Self::baseline) how long each suite takes.
    pub(crate) fn learn(&mut self, results: &Path) -> Result<()> {
        for name in self.list()? {
            let Record { seconds, .. } = self.record(results, &name)?;
            self.suites.push(Suite { name, seconds });
        }
        self.suites
            .sort_by(|one, other| one.seconds.total_cmp(&other.seconds));
        Ok(())
    }

    /// The names of all suites.
    fn list(&self) -> Result<Vec<String>> {
        let output = Command::new(self.bin.join("nsproxy-tests"))
            .arg("--list")
            .output()
            .context("nsproxy-tests --list")?;
        let list = String::from_utf8(output.stdout)?;
        Ok(list.lines().map(str::to_owned).collect())
    }

    /// Runs one suite after the other until one notices something: first the one that did so when
    /// `results` were made the last time, then the cheapest.
    ///
    /// # Errors
    ///
    /// It cannot be told, because a guest could not be run or was lost.
    pub(crate) fn notice(&self, module: &Path, results: &Path) -> Result<Option<Notice>> {
        let mut suites: Vec<_> = self.suites.iter().collect();
        suites.sort_by_key(|suite| {
            let last = self.record(results, &suite.name);
            last.map_or(true, |last| last.class == "passed")
        });
        for suite in suites {
            let mut seen = self.fails(suite, module, results)?;
            if seen.as_ref().is_some_and(Record::is_slow) {
                // On a busy host that may happen to any module, but hardly twice.
                seen = self.fails(suite, module, results)?;
            }
            if let Some(Record { class, why, .. }) = seen {
                let output = fs::read(self.dir(results, &suite.name).join("output.log"));
                let output = output.unwrap_or_default();
                let output = String::from_utf8_lossy(&output);
                return Ok(Some(Notice {
                    kernel: self.name.clone(),
                    suite: suite.name.clone(),
                    by: first_word_of_it(&class, &why.unwrap_or_default(), &output),
                }));
            }
        }
        Ok(None)
    }

    /// Runs a suite; [`None`] if it passes.
    fn fails(&self, suite: &Suite, module: &Path, results: &Path) -> Result<Option<Record>> {
        let path = results.join("log");
        let log = File::create(&path)?;
        let status = self
            .run(module, results)
            .args(["--timeout", &suite.timeout().to_string()])
            .args(["--fail-fast", &suite.name])
            .stdout(log.try_clone()?)
            .stderr(log)
            .status()
            .context("nsproxy-vm")?;
        match status.code() {
            Some(0) => Ok(None),
            // A test or a gate, a timeout, an alarm.
            Some(1 | 124 | 125) => self.record(results, &suite.name).map(Some),
            _ => {
                let log = fs::read_to_string(&path).unwrap_or_default();
                let last = log.lines().last().unwrap_or_default();
                bail!("suite {}: nsproxy-vm: {status}: {last}", suite.name)
            }
        }
    }

    fn run(&self, module: &Path, results: &Path) -> Command {
        // It ends when this program does, however that comes, and its guest with it.
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "TERM"]);
        command.arg(self.bin.join("nsproxy-vm"));
        command.arg("run").args(&self.arguments);
        command.arg("--module").arg(module);
        command.arg("--results").arg(results);
        command
    }

    /// Where `nsproxy-vm` keeps what it has of a suite.
    fn dir(&self, results: &Path, suite: &str) -> PathBuf {
        results.join(&self.name).join(suite)
    }

    fn record(&self, results: &Path, suite: &str) -> Result<Record> {
        let path = self.dir(results, suite).join("result.json");
        let text = fs::read_to_string(&path)
            .with_context(|| format!("suite {suite} was not run: {}", path.display()))?;
        serde_json::from_str(&text).with_context(|| path.display().to_string())
    }
}

/// What is worth a line of what went wrong: the first test that failed, or what a story says of
/// it, or else why the suite did.
fn first_word_of_it(class: &str, why: &str, output: &str) -> String {
    let failed = output.lines().find_map(|line| {
        let line = line.trim_start();
        let test = line
            .strip_prefix("not ok ")
            .and_then(|test| test.split_once(' '));
        test.map(|(_number, name)| name)
            .or_else(|| line.strip_prefix("!! "))
    });
    match failed {
        Some(name) if class == "failed" => name.to_owned(),
        _ => {
            // When the kernel said it says nothing.
            let why = why.trim_start();
            let time = why.strip_prefix('[').and_then(|why| why.split_once(']'));
            time.map_or(why, |(_, why)| why).trim().to_owned()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_of_a_failure() {
        let output = "ok 1 a b\n# c\nnot ok 2 d: e\nnot ok 3 f\n";
        for (class, why, output, word) in [
            ("failed", "2 tests failed", output, "d: e"),
            (
                "failed",
                "after the suite: taint: 1",
                "ok 1 a\n",
                "after the suite: taint: 1",
            ),
            ("failed", "1 test failed", "a\n  !! b\n  !! c\n", "b"),
            ("alarm", "[    2.5] BUG: [x] y", output, "BUG: [x] y"),
            ("timed-out", "still running", output, "still running"),
        ] {
            assert_eq!(first_word_of_it(class, why, output), word);
        }
    }

    #[test]
    fn slowness_is_no_proof_the_first_time() {
        for (class, why, slow) in [
            ("timed-out", "it was still running after 300 s", true),
            (
                "alarm",
                "watchdog: BUG: soft lockup - CPU#1 stuck for 32s!",
                true,
            ),
            (
                "alarm",
                "rcu: INFO: rcu_preempt detected stalls on CPUs/tasks:",
                true,
            ),
            ("alarm", "BUG: kernel NULL pointer dereference", false),
            ("failed", "1 test failed", false),
        ] {
            let record = Record {
                class: class.to_owned(),
                seconds: 1.0,
                why: Some(why.to_owned()),
            };
            assert_eq!(record.is_slow(), slow, "{why}");
        }
    }
}
