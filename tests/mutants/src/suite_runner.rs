// SPDX-License-Identifier: GPL-2.0-only

//! Guests of a kernel, and what they make of a module.

use crate::cache::Key;
use anyhow::{Context as _, Result, bail, ensure};
use nsproxy_results::{Class, SuiteResult};
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

impl Module {
    /// Where the kernel is that it runs on, if that is the mutant.
    pub(crate) fn patched_kernel(&self) -> PathBuf {
        self.logs.join("kernel")
    }
}

/// Returns whether the only fault is that the suite took too long.
fn is_slow(record: &SuiteResult) -> bool {
    const SIGNS: &[&str] = &[
        "soft lockup",
        "hard LOCKUP",
        " stall",
        "blocked for more than",
    ];
    let why = record.why.as_deref().unwrap_or_default();
    record.class == Class::TimedOut || SIGNS.iter().any(|sign| why.contains(sign))
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
    pub(crate) fn run(
        &self,
        suite: &str,
        module: &Module,
        limit: Option<u64>,
    ) -> Result<SuiteResult> {
        let record = self.run_once(suite, module, limit)?;
        if is_slow(&record) {
            return self.run_once(suite, module, limit);
        }
        Ok(record)
    }

    fn run_once(&self, suite: &str, module: &Module, limit: Option<u64>) -> Result<SuiteResult> {
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
    pub(crate) fn record(&self, suite: &str, module: &Module) -> Result<SuiteResult> {
        let path = self.logs(suite, module).join("result.json");
        nsproxy_results::read(&path).with_context(|| format!("suite {suite} was not run"))
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

/// Returns the result of a suite that did not pass, for tests.
#[cfg(test)]
pub(crate) fn example(class: Class, why: &str) -> SuiteResult {
    SuiteResult {
        suite: "kinds".to_owned(),
        kernel: "lab".to_owned(),
        accel: "emulation".to_owned(),
        source: nsproxy_results::Source::default(),
        class,
        counts: nsproxy_results::Counts::ONE_FAILURE,
        seconds: 1.0,
        why: Some(why.to_owned()),
        races_of_kernel: 0,
        summary: None,
        facts: std::collections::BTreeMap::new(),
        failures: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slowness_is_no_proof_the_first_time() {
        for (class, why, slow) in [
            (Class::TimedOut, "it was still running after 300 s", true),
            (
                Class::Alarm,
                "watchdog: BUG: soft lockup - CPU#1 stuck for 32s!",
                true,
            ),
            (
                Class::Alarm,
                "rcu: INFO: rcu_preempt detected stalls on CPUs/tasks:",
                true,
            ),
            (Class::Alarm, "BUG: kernel NULL pointer dereference", false),
            (Class::Failed, "1 test failed", false),
        ] {
            assert_eq!(is_slow(&example(class, why)), slow, "{why}");
        }
    }
}
