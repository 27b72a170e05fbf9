// SPDX-License-Identifier: GPL-2.0-only

//! Tests of `make test-kernels`, with a fake of `scripts/guest`: no guest boots.

use anyhow::{Context as _, Result, bail, ensure};
use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use std::{
    env,
    fs::{self, OpenOptions},
    io::Write as _,
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

/// The time limit of a fake on a busy host.
const PATIENCE: Duration = Duration::from_secs(60);

/// Checks that all kernels run although one fails, that the exit status is the highest one, and that
/// suites without results count as failures.
pub(crate) fn statuses(results: &str) -> Result<()> {
    let fake = r#"echo "$1 $2 $3"; case $2 in */bad) exit 125 ;; bad) exit 1 ;; esac"#;
    let output = runner(results, fake)?
        .args(["--kernels", "/a/bad bad good", "kinds"])
        .output()
        .context("cannot start the runner")?;
    let said = String::from_utf8_lossy(&output.stdout);
    ensure!(
        output.status.code() == Some(125),
        "{}: {said}",
        output.status
    );
    for words in ["test /a/bad kinds", "test bad kinds", "test good kinds"] {
        ensure!(said.contains(words), "no {words:?} in\n{said}");
    }
    ensure!(said.ends_with("\n0 passed, 3 failed\n"), "{said}");
    Ok(())
}

/// Checks that a signal terminates the script and its children, and is the exit status.
pub(crate) fn interrupted(results: &str) -> Result<()> {
    for (signal, status) in [(Signal::INT, 130), (Signal::TERM, 143)] {
        let mut child = runner(
            results,
            "sleep 1000 & echo $! >pid.new; mv pid.new pid; wait",
        )?
        .args(["--kernels", "lab", "kinds"])
        .current_dir(results)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .context("cannot start the runner")?;
        let path = Path::new(results).join("pid");
        let grandchild = poll(|| {
            let pid = fs::read_to_string(&path).ok()?;
            Pid::from_raw(pid.trim().parse().ok()?)
        });
        kill_process(Pid::from_child(&child), signal)?;
        let end = child.wait()?;
        fs::remove_file(path)?;
        ensure!(end.code() == Some(status), "{end}, expected {status}");
        let grandchild = grandchild?;
        poll(|| test_kill_process(grandchild).is_err().then_some(()))
            .context("the child of the script was still running")?;
    }
    Ok(())
}

/// Returns the command of the runner, with a shell script instead of `scripts/guest`.
fn runner(results: &str, fake: &str) -> Result<Command> {
    fs::create_dir_all(results)?;
    let results = Path::new(results).canonicalize()?;
    let script = results.join("guest");
    OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o755)
        .open(&script)?
        .write_all(format!("#!/bin/sh\n{fake}\n").as_bytes())?;
    let mut command = Command::new(env::var("NSPROXY_VM").context("NSPROXY_VM is not set")?);
    command
        .args(["test-kernels", "--bin-dir", "/nonexistent"])
        .arg("--guest-script")
        .arg(script)
        .arg("--results")
        .arg(results);
    Ok(command)
}

/// Waits until `check` returns a value.
fn poll<T>(check: impl Fn() -> Option<T>) -> Result<T> {
    let begun = Instant::now();
    while begun.elapsed() < PATIENCE {
        if let Some(value) = check() {
            return Ok(value);
        }
        thread::sleep(Duration::from_millis(50));
    }
    bail!("nothing after {PATIENCE:?}")
}
