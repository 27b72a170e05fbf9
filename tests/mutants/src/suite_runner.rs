// SPDX-License-Identifier: GPL-2.0-only

//! Guests of a kernel, and what they make of a module.

use crate::cache::Key;
use anyhow::{Context as _, Result, bail, ensure};
use serde::Deserialize;
use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// A kernel to boot.
#[derive(Clone)]
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
}

/// A module, as it is or as a mutant, for a kernel.
pub(crate) struct Module {
    /// Where it is when it is built.
    pub(crate) file: PathBuf,
    /// Where the logs of the guests with it are, in KERNEL/SUITE.
    pub(crate) logs: PathBuf,
    /// Of it, the kernel and the programs.
    pub(crate) key: Key,
}

/// What `nsproxy-vm` keeps of a suite.
#[derive(Deserialize)]
pub(crate) struct Record {
    pub(crate) class: String,
    pub(crate) seconds: f64,
    pub(crate) why: Option<String>,
    /// The failed tests, in order.
    pub(crate) failures: Vec<Failure>,
}

/// A test that failed.
#[derive(Deserialize)]
pub(crate) struct Failure {
    pub(crate) name: String,
    /// The lines of the reason.
    pub(crate) said: Vec<String>,
}

impl Module {
    /// Where the kernel is that it runs on, if that is the mutant.
    pub(crate) fn patched_kernel(&self) -> PathBuf {
        self.logs.join("kernel")
    }
}

impl Record {
    /// Whether nothing is wrong.
    pub(crate) fn is_passed(&self) -> bool {
        self.class == "passed"
    }

    /// Whether nothing is wrong but that it took too long.
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
        for program in ["nsproxy-vm", "nsproxy-tests", "nsproxy"] {
            key.add_file(&bin.join(program))?;
        }
        Ok(Self {
            which: which.to_owned(),
            name: after("--kernel-name")?.clone(),
            bin,
            key,
            arguments,
        })
    }

    /// The same, but for where it was built: another one, whose results go by its name.
    pub(crate) fn built_in(&self, dir: &Path) -> Self {
        let mut other = self.clone();
        let option = other
            .arguments
            .iter()
            .position(|word| word == "--kernel-dir");
        if let Some(value) = option.and_then(|at| other.arguments.get_mut(at + 1)) {
            *value = dir.display().to_string();
        }
        other
    }

    /// The names of all suites that there are.
    pub(crate) fn suites(&self) -> Result<Vec<String>> {
        let output = Command::new(self.bin.join("nsproxy-tests"))
            .arg("--list")
            .output()
            .context("nsproxy-tests --list")?;
        let list = String::from_utf8(output.stdout)?;
        Ok(list.lines().map(str::to_owned).collect())
    }

    /// Runs a suite with a module, for so many seconds at most, or what the runner has for the
    /// kernel. If it takes too long it is run once more: on a busy host that may happen with any
    /// module, but hardly twice.
    ///
    /// # Errors
    ///
    /// It cannot be told, because the guest could not be run or was lost.
    pub(crate) fn run(&self, suite: &str, module: &Module, limit: Option<u64>) -> Result<Record> {
        let record = self.run_once(suite, module, limit)?;
        if record.is_slow() {
            return self.run_once(suite, module, limit);
        }
        Ok(record)
    }

    fn run_once(&self, suite: &str, module: &Module, limit: Option<u64>) -> Result<Record> {
        let path = module.logs.join("log");
        let log = File::create(&path).with_context(|| path.display().to_string())?;
        // It ends when this program does, however that comes, and its guest with it.
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "TERM"]);
        command.arg(self.bin.join("nsproxy-vm"));
        command.arg("run").args(&self.arguments);
        command.arg("--module").arg(&module.file);
        command.arg("--results").arg(&module.logs);
        if let Some(limit) = limit {
            command.args(["--timeout", &limit.to_string()]);
        }
        command.args(["--fail-fast", suite]);
        let status = command
            .stdout(log.try_clone()?)
            .stderr(log)
            .status()
            .context("nsproxy-vm")?;
        match status.code() {
            // Passed; a test or a gate, a timeout, an alarm.
            Some(0 | 1 | 124 | 125) => self.record(suite, module),
            _ => {
                let log = fs::read_to_string(&path).unwrap_or_default();
                let last = log.lines().last().unwrap_or_default();
                bail!("suite {suite}: nsproxy-vm: {status}: {last}")
            }
        }
    }

    /// What came of a suite when it was run with a module the last time.
    pub(crate) fn record(&self, suite: &str, module: &Module) -> Result<Record> {
        let path = self.logs(suite, module).join("result.json");
        let text = fs::read_to_string(&path)
            .with_context(|| format!("suite {suite} was not run: {}", path.display()))?;
        serde_json::from_str(&text).with_context(|| path.display().to_string())
    }

    /// What the suite printed then.
    pub(crate) fn output(&self, suite: &str, module: &Module) -> String {
        let output = fs::read(self.logs(suite, module).join("output.log")).unwrap_or_default();
        String::from_utf8_lossy(&output).into_owned()
    }

    /// Where `nsproxy-vm` keeps what it has of a suite.
    pub(crate) fn logs(&self, suite: &str, module: &Module) -> PathBuf {
        module.logs.join(&self.name).join(suite)
    }

    /// Removes what is large and can be made again.
    pub(crate) fn tidy(&self, module: &Module) {
        let _ = fs::remove_file(&module.file);
        let _ = fs::remove_file(module.logs.join(&self.name).join("initramfs.cpio"));
        let _ = fs::remove_dir_all(module.patched_kernel());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
                failures: Vec::new(),
            };
            assert_eq!(record.is_slow(), slow, "{why}");
        }
    }
}
