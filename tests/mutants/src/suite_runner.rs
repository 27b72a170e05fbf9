// SPDX-License-Identifier: GPL-2.0-only

//! Guests of a kernel, and the results of suites in them.

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
    /// Its flavour, as `make` names it.
    pub(crate) which: String,
    /// The name of the directory of its results.
    pub(crate) name: String,
    /// The hash of the kernel and the programs.
    pub(crate) key: Key,
    /// The arguments of `nsproxy-vm` for a guest, without the module.
    arguments: Vec<String>,
    /// The directory of the programs.
    bin: PathBuf,
    /// The only test to run; [`None`] for all, or for `TEST` of the environment.
    test: Option<String>,
}

/// A module for a kernel: the original or a mutant.
pub(crate) struct Module {
    /// The path of the built module.
    pub(crate) file: PathBuf,
    /// The directory of the logs of its guests, in KERNEL/SUITE.
    pub(crate) logs: PathBuf,
    /// The hash of the module, the kernel and the programs.
    pub(crate) key: Key,
}

impl Module {
    /// Returns the same module with another directory of logs, which is created.
    pub(crate) fn with_logs(&self, logs: PathBuf) -> Result<Self> {
        fs::create_dir_all(&logs).with_context(|| logs.display().to_string())?;
        Ok(Self {
            file: self.file.clone(),
            logs,
            key: self.key.clone(),
        })
    }
}

/// The option of `nsproxy-vm` for the directory that a kernel was built in.
const KERNEL_DIR: &str = "--kernel-dir";

/// Returns the position of the value of an option.
fn value_at(arguments: &[String], option: &str) -> Option<usize> {
    Some(arguments.iter().position(|word| word == option)? + 1)
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
    /// Returns the kernel of a flavour, and builds it if it is not cached.
    pub(crate) fn get(root: &Path, which: &str) -> Result<Self> {
        let output = Command::new(root.join("scripts/guest"))
            .args(["arguments", which])
            .stderr(Stdio::inherit())
            .output()
            .context("scripts/guest")?;
        ensure!(output.status.success(), "cannot get kernel {which}");
        let arguments: Vec<_> = String::from_utf8(output.stdout)?
            .lines()
            .map(str::to_owned)
            .collect();
        let after = |option: &str| {
            let value = value_at(&arguments, option).and_then(|at| arguments.get(at));
            value.with_context(|| format!("scripts/guest arguments: no {option}"))
        };
        let bin = PathBuf::from(after("--bin-dir")?);
        let mut key = Key::default();
        key.add(&arguments);
        key.add_file(&Path::new(after(KERNEL_DIR)?).join("arch/x86/boot/bzImage"))?;
        for program in ["nsproxy-vm", "nsproxy-tests", "nsproxy"] {
            key.add_file(&bin.join(program))?;
        }
        Ok(Self {
            which: which.to_owned(),
            name: after("--kernel-name")?.clone(),
            bin,
            key,
            arguments,
            test: None,
        })
    }

    /// Returns the directory that the kernel was built in.
    pub(crate) fn dir(&self) -> Option<&Path> {
        let at = value_at(&self.arguments, KERNEL_DIR)?;
        self.arguments.get(at).map(Path::new)
    }

    /// Returns a kernel that was built in `dir`, with results under the same name.
    pub(crate) fn built_in(&self, dir: &Path) -> Self {
        let mut other = self.clone();
        let at = value_at(&other.arguments, KERNEL_DIR);
        if let Some(value) = at.and_then(|at| other.arguments.get_mut(at)) {
            *value = dir.display().to_string();
        }
        other
    }

    /// Returns the kernel with an additional kernel parameter.
    pub(crate) fn with_parameter(&self, parameter: String) -> Self {
        let mut other = self.clone();
        other.arguments.extend(["--append".to_owned(), parameter]);
        other
    }

    /// Returns the kernel with suites that run this test only.
    pub(crate) fn with_test(&self, test: &str) -> Self {
        let mut other = self.clone();
        other.test = Some(test.to_owned());
        other
    }

    /// Returns the names of all suites.
    pub(crate) fn suites(&self) -> Result<Vec<String>> {
        let output = Command::new(self.bin.join("nsproxy-tests"))
            .arg("--list")
            .output()
            .context("nsproxy-tests --list")?;
        let list = String::from_utf8(output.stdout)?;
        Ok(list.lines().map(str::to_owned).collect())
    }

    /// Runs a suite with a module. `limit` is in seconds; [`None`] selects the limit of the runner.
    ///
    /// A suite that takes too long runs once more: on a busy host that may happen with any module,
    /// but hardly twice.
    ///
    /// # Errors
    ///
    /// There is no result: the guest did not run, or was lost.
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
        // The runner and its guest end with this program.
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "TERM"]);
        command.arg(self.bin.join("nsproxy-vm"));
        command.arg("run").args(&self.arguments);
        command.arg("--module").arg(&module.file);
        command.arg("--results").arg(&module.logs);
        if let Some(test) = &self.test {
            command.env("TEST", test);
        }
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
            // Passed, failed (a test or a gate), timed out, alarm
            Some(0 | 1 | 124 | 125) => self.record(suite, module),
            _ => {
                let log = fs::read_to_string(&path).unwrap_or_default();
                let last = log.lines().last().unwrap_or_default();
                bail!("suite {suite}: nsproxy-vm: {status}: {last}")
            }
        }
    }

    /// Returns the result of the last run of a suite with a module.
    pub(crate) fn record(&self, suite: &str, module: &Module) -> Result<SuiteResult> {
        let path = self.logs(suite, module).join("result.json");
        nsproxy_results::read(&path).with_context(|| format!("suite {suite} has no result"))
    }

    /// Returns the output of that run.
    pub(crate) fn output(&self, suite: &str, module: &Module) -> String {
        let output = fs::read(self.logs(suite, module).join("output.log")).unwrap_or_default();
        String::from_utf8_lossy(&output).into_owned()
    }

    /// Returns the directory in which `nsproxy-vm` stores that run.
    pub(crate) fn logs(&self, suite: &str, module: &Module) -> PathBuf {
        module.logs.join(&self.name).join(suite)
    }

    /// Removes large files that can be built again.
    pub(crate) fn tidy(&self, module: &Module) {
        let _ = fs::remove_file(&module.file);
        self.tidy_logs(module);
    }

    /// Like [`tidy`](Self::tidy), but keeps the module.
    pub(crate) fn tidy_logs(&self, module: &Module) {
        for file in ["initramfs.cpio", "initramfs-extra.cpio"] {
            let _ = fs::remove_file(module.logs.join(&self.name).join(file));
        }
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
    fn a_slow_suite_is_recognised() {
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
