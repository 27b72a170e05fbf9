// SPDX-License-Identifier: GPL-2.0-only

//! Tests of the runner: guests that fail on purpose must be classified correctly.
//!
//! `NSPROXY_VM` is the runner, `NSPROXY_VM_GUEST` its arguments for a guest, one word per line.

mod kernels;
mod shell;

use anyhow::{Context as _, Result, ensure};
use libtest_mimic::{Arguments, Failed, Trial};
use rustix::process::{Pid, Signal, kill_process};
use std::{
    env, fs,
    path::Path,
    process::{Child, Command, ExitCode, Stdio},
    thread,
    time::{Duration, Instant},
};

/// A suite of `qemu/init`, with the expected output and exit status of the runner.
struct Case {
    suite: &'static str,
    options: &'static [&'static str],
    /// An action on the runner's QEMU while it runs.
    meanwhile: fn(&Child) -> Result<()>,
    status: i32,
    says: &'static [&'static str],
}

// A command to rerun also has `ARCH=`, if the guest has another architecture than the host.
const CASES: &[Case] = &[
    Case {
        suite: "runner-pass",
        says: &["pass", "1 passed, 0 failed"],
        status: 0,
        ..Case::QUIET
    },
    Case {
        suite: "runner-fail",
        says: &[
            "FAIL",
            "not ok: this fails on purpose\n      this is why\n    logs: ",
            "2 passed, 1 failed",
        ],
        status: 1,
        ..Case::QUIET
    },
    Case {
        suite: "failing",
        options: &["--test", "fails alone"],
        says: &[
            "FAIL",
            "not ok: fails alone\n      the reason of the lone one\n      \
             rerun: make test KERNEL=lab",
            " SUITES=failing TEST='fails alone'\n    logs: ",
            "0 passed, 1 failed",
        ],
        status: 1,
        ..Case::QUIET
    },
    Case {
        suite: "failing",
        options: &["--test", "fails allone"],
        says: &[
            "USAGE",
            "failing has no test \"fails allone\"; it has \"fails alone\" or ",
        ],
        status: 2,
        ..Case::QUIET
    },
    // All tests, including the one that hangs.
    Case {
        suite: "failing",
        options: &["--silence", "30"],
        says: &[
            "TIMEOUT",
            "why: hung in test \"hangs\": no progress for 30 s",
            "unfinished: hangs\n      finished before it: fails as one of many: 200\n      \
             rerun: make test KERNEL=lab",
            " SUITES=failing TEST=hangs\n",
            "not ok: fails alone\n      the reason of the lone one\n      rerun: ",
            "not ok: fails, with words\n      the reason of the first in a row\n      rerun: ",
            "      line 12\n      ... 27 more lines in ",
            "not ok: fails without a reason\n      (no reason reported)\n      rerun: ",
            "not ok: fails as one of many: 1\n      the reason of 1\n      rerun: ",
            "    ... 199 more failed tests in ",
            // The test that hung counts as failed.
            "2 passed, 205 failed, 1 skipped",
        ],
        status: 124,
        ..Case::QUIET
    },
    Case {
        suite: "runner-empty",
        says: &["FAIL", "no test was run", "0 passed, 1 failed"],
        status: 1,
        ..Case::QUIET
    },
    Case {
        suite: "runner-leak",
        says: &["FAIL", "namespaces: ", "1 passed, 1 failed"],
        status: 1,
        ..Case::QUIET
    },
    Case {
        suite: "runner-hang",
        options: &["--timeout", "12"],
        says: &[
            "TIMEOUT",
            "still running after 12 s, ",
            "0 passed, 1 failed",
        ],
        status: 124,
        ..Case::QUIET
    },
    Case {
        suite: "runner-panic",
        says: &[
            "ALARM",
            "Kernel panic - not syncing: dumptest",
            "0 passed, 1 failed",
        ],
        status: 125,
        ..Case::QUIET
    },
    Case {
        suite: "runner-warning",
        says: &["ALARM", "WARNING: ", "lkdtm", "0 passed, 1 failed"],
        status: 125,
        ..Case::QUIET
    },
    Case {
        suite: "runner-silent",
        says: &["LOST", "without a verdict", "0 passed, 1 failed"],
        status: 128,
        ..Case::QUIET
    },
    Case {
        suite: "runner-hang",
        meanwhile: kill_qemu,
        says: &["LOST", "killed by signal 9", "0 passed, 1 failed"],
        status: 128,
        ..Case::QUIET
    },
];

impl Case {
    const QUIET: Self = Self {
        suite: "",
        options: &[],
        meanwhile: |_| Ok(()),
        status: 0,
        says: &[],
    };

    fn check(&self, results: &str) -> Result<()> {
        let child = runner("run", results)?
            .args(self.options)
            .arg(self.suite)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .context("cannot start the runner")?;
        (self.meanwhile)(&child)?;
        let output = child.wait_with_output()?;
        let said = String::from_utf8_lossy(&output.stdout);
        let status = output.status.code();
        ensure!(
            status == Some(self.status),
            "exit status {status:?}, expected {}:\n{said}",
            self.status
        );
        for words in self.says {
            ensure!(said.contains(words), "{words:?} is missing in:\n{said}");
        }
        Ok(())
    }
}

/// Returns the command of the runner, without suites.
fn runner(subcommand: &str, results: &str) -> Result<Command> {
    let get = |name| env::var(name).with_context(|| format!("{name} is not set; hint: make test"));
    let mut command = Command::new(get("NSPROXY_VM")?);
    command
        .arg(subcommand)
        .args(get("NSPROXY_VM_GUEST")?.lines())
        .args(["--results", results]);
    Ok(command)
}

/// Kills the QEMU that the runner started.
fn kill_qemu(runner: &Child) -> Result<()> {
    Ok(kill_process(qemu_of(runner)?, Signal::KILL)?)
}

/// Returns the QEMU of the runner once the guest runs. Earlier, the runner starts another QEMU to
/// read its version.
fn qemu_of(runner: &Child) -> Result<Pid> {
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(30) {
        thread::sleep(Duration::from_secs(2));
        if let Some(qemu) = child_of(runner.id())? {
            return Ok(qemu);
        }
    }
    anyhow::bail!("the runner started no QEMU")
}

/// Checks that a guest exits when its runner is killed.
fn no_orphan(results: &str) -> Result<()> {
    let mut child = runner("run", results)?
        .arg("runner-hang")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .context("cannot start the runner")?;
    let qemu = qemu_of(&child);
    child.kill()?;
    child.wait()?;
    let qemu = qemu?;
    let cmdline = format!("/proc/{}/cmdline", qemu.as_raw_nonzero());
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(15) {
        // A zombie has no command line either.
        if fs::read(&cmdline).unwrap_or_default().is_empty() {
            return Ok(());
        }
        thread::sleep(Duration::from_millis(100));
    }
    let _ = kill_process(qemu, Signal::KILL);
    anyhow::bail!("QEMU was still running after 15 s")
}

/// Returns the child of `parent` that is QEMU.
fn child_of(parent: u32) -> Result<Option<Pid>> {
    for entry in fs::read_dir("/proc")? {
        let Ok(stat) = fs::read_to_string(entry?.path().join("stat")) else {
            continue;
        };
        // "pid (name) state ppid ...", and a name may contain anything.
        let Some((head, tail)) = stat.rsplit_once(')') else {
            continue;
        };
        let ppid = tail.split_whitespace().nth(1);
        if ppid == Some(&parent.to_string()) && head.contains("(qemu-system") {
            let pid = head
                .split_whitespace()
                .next()
                .and_then(|pid| pid.parse().ok());
            return Ok(pid.and_then(Pid::from_raw));
        }
    }
    Ok(None)
}

/// Returns a test with its own directory in `results`.
fn trial(
    results: &Path,
    name: &str,
    check: impl FnOnce(&str) -> Result<()> + Send + 'static,
) -> Trial {
    let results = results.join(name).display().to_string();
    Trial::test(name, move || {
        check(&results).map_err(|error| Failed::from(format!("{error:#}")))
    })
}

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    // Some of these guests are idle for a while. If too many share the CPUs, they time out.
    arguments.test_threads.get_or_insert(4);
    let results = env::temp_dir().join(format!("nsproxy-runner-tests.{}", std::process::id()));
    let mut trials: Vec<_> = CASES
        .iter()
        .map(|case| {
            let name = format!("{}-{}", case.suite, case.status);
            trial(&results, &name, |results| case.check(results))
        })
        .collect();
    trials.extend([
        trial(&results, "runner-killed", no_orphan),
        trial(&results, "shell-pipe", shell::pipe),
        trial(&results, "shell-poweroff", shell::poweroff),
        trial(&results, "shell-terminal", shell::terminal),
        trial(&results, "shell-save", shell::save),
        trial(&results, "shell-command", shell::command),
        trial(&results, "kernels-statuses", kernels::statuses),
        trial(&results, "kernels-interrupted", kernels::interrupted),
    ]);
    let conclusion = libtest_mimic::run(&arguments, trials);
    let _ = fs::remove_dir_all(&results);
    println!(
        "{} passed, {} failed",
        conclusion.num_passed, conclusion.num_failed
    );
    if conclusion.has_failed() {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    }
}
