// SPDX-License-Identifier: GPL-2.0-only

//! Tests `nsproxy explain -- COMMAND` with programs of this host, and with [`programs`].
//!
//! Each test runs as the current user. Root also runs it as a user without privileges.

mod programs;
mod run;

use anyhow::{Context as _, Result, ensure};
use libtest_mimic::{Arguments, Failed, Trial};
use run::{Output, Program, User};
use rustix::process::Signal;
use serde_json::Value;
use std::{path::Path, process::ExitCode, time::Duration};

/// A test, and its name.
struct Test {
    name: &'static str,
    test: fn(&User) -> Result<()>,
    /// Programs of the host. Without them the test is ignored.
    needs: &'static [&'static str],
}

const TESTS: &[Test] = &[
    Test {
        name: "two threads share the root directory",
        test: two_threads,
        needs: &[],
    },
    Test {
        name: "a missing capability and its user namespace are named",
        test: missing_capability,
        needs: &["unshare"],
    },
    Test {
        name: "a namespace of an outer user namespace is out of reach",
        test: outer_user_ns,
        needs: &["unshare", "nsenter"],
    },
    Test {
        name: "a program without its set-user-ID is reported",
        test: set_user_id,
        needs: &["su"],
    },
    Test {
        name: "fork fails in a pid namespace without init",
        test: pid_ns_without_init,
        needs: &["unshare", "sh"],
    },
    Test {
        name: "effects of setns are printed",
        test: effects,
        needs: &["true"],
    },
    Test {
        name: "a dead init is reported when its namespace is entered",
        test: dead_init,
        needs: &["true"],
    },
    Test {
        name: "each line of JSON is an object, and the last one is the summary",
        test: json_lines,
        needs: &["unshare", "sh"],
    },
    Test {
        name: "a program that succeeds has a short report",
        test: success,
        needs: &["sh"],
    },
    Test {
        name: "the exit status is that of the program",
        test: exit_statuses,
        needs: &["sh"],
    },
    Test {
        name: "signals reach the program",
        test: signals,
        needs: &["sh"],
    },
    Test {
        name: "a stopped program continues",
        test: group_stop,
        needs: &["sh"],
    },
    Test {
        name: "a thread executes another program",
        test: thread_executes,
        needs: &["sh"],
    },
    Test {
        name: "threads are created and killed",
        test: many_threads,
        needs: &[],
    },
    Test {
        name: "the tracer waits for children, and leaves them alone on a signal",
        test: background,
        needs: &["sh"],
    },
];

/// The output must end in time, unlike that of a tracer that waits for a lost stop.
const TIMEOUT: Duration = Duration::from_secs(60);

fn two_threads(user: &User) -> Result<()> {
    let output = user.explain(&[], &Program::own("two-threads"))?;
    let line = output.failure()?;
    let [pid, tid] = output.ids(&line)?;
    ensure!(pid != tid, "not a thread: {line}");
    let head = format!("nsproxy: [{pid}/{tid} second] setns(fd ");
    let expected = "2 tasks share root and working directory (CLONE_FS), including the caller; hint: \
                    the threads of a process share them";
    ensure!(line.starts_with(&head), "{line}");
    ensure!(line.contains(" = mnt:["), "{line}");
    ensure!(
        line.contains(&format!("], mnt): EINVAL: {expected}")),
        "{line}"
    );
    output.ends_with("nsproxy: 1 call failed: 1 setns EINVAL", 3)
}

fn missing_capability(user: &User) -> Result<()> {
    let mut words = vec!["unshare", "-n", "true"];
    if user.is_root() {
        words.splice(0..0, ["setpriv", "--bounding-set", "-sys_admin"]);
    }
    let output = user.explain(&[], &Program::words(&words))?;
    let line = output.failure()?;
    let expected = "unshare(net): EPERM: missing capability in the user namespace that would own the \
                    namespace: CAP_SYS_ADMIN in user namespace ";
    ensure!(line.contains(expected), "{line}");
    ensure!(line.contains("; hint: add CLONE_NEWUSER"), "{line}");
    let gain = match user.is_root() {
        true => "; hint: run with CAP_SYS_ADMIN in the bounding set",
        false => "; hint: run as root, or with CAP_SYS_ADMIN",
    };
    ensure!(line.contains(gain), "{line}");
    output.ends_with("nsproxy: 1 call failed: 1 unshare EPERM", 1)
}

fn outer_user_ns(user: &User) -> Result<()> {
    let words = [
        "unshare",
        "-U",
        "nsenter",
        "--net=/proc/self/ns/net",
        "true",
    ];
    let output = user.explain(&[], &Program::words(&words))?;
    let capability = "net): EPERM: missing capability in the user namespace that owns the namespace: \
                      CAP_SYS_ADMIN in user namespace ";
    ensure!(output.report_lines(capability) > 0, "{output:?}");
    let hint = "; hint: run outside of the caller's user namespace: in user namespace ";
    ensure!(output.report_lines(hint) > 0, "{output:?}");
    Ok(())
}

/// The kernel ignores the privileges of a file for a tracer without `CAP_SYS_PTRACE`.
fn set_user_id(user: &User) -> Result<()> {
    let output = user.explain(&[], &Program::words(&["su", "--version"]))?;
    let warnings =
        output.report_lines("warning: the program runs without the privileges of its file");
    let is_ignored = !user.is_root() && run::is_set_user_id("su");
    ensure!(warnings == usize::from(is_ignored), "{output:?}");
    Ok(())
}

/// The first child of `sh` is the init, and exits at once.
fn pid_ns_without_init(user: &User) -> Result<()> {
    let script = "/bin/true; /bin/true; /bin/true";
    let words = ["unshare", "-U", "-p", "sh", "-c", script];
    let output = user.explain(&[], &Program::words(&words))?;
    let line = output.failure()?;
    ensure!(
        line.contains(": ENOMEM: the init of the pid namespace"),
        "{line}"
    );
    ensure!(line.contains("(unshare(1): --fork)"), "{line}");
    Ok(())
}

fn effects(user: &User) -> Result<()> {
    let output = user.explain(&[], &Program::own("enter"))?;
    let warnings = [
        "pid): warning: only new children of this process",
        "mnt): warning: root and working directory",
        "pid): warning: /proc still shows",
        "net): warning: /sys still shows",
    ];
    for warning in warnings {
        // The program enters each namespace twice.
        ensure!(
            output.report_lines(warning) == 1,
            "{warning:?} in {output:?}"
        );
    }
    ensure!(output.report_lines("warning") == 4, "{output:?}");
    output.ends_with("nsproxy: no call failed", 0)
}

fn dead_init(user: &User) -> Result<()> {
    let output = user.explain(&[], &Program::own("enter-without-init"))?;
    let warning = "warning: the init of the entered pid namespace is dead";
    ensure!(output.report_lines(warning) == 1, "{output:?}");
    ensure!(output.report_lines("only new children") == 0, "{output:?}");
    Ok(())
}

fn json_lines(user: &User) -> Result<()> {
    let script = "/bin/true; /bin/true; /bin/true";
    let words = ["unshare", "-U", "-p", "sh", "-c", script];
    let file = user.file("report");
    let options = ["--json", "--output", file.to_str().context("UTF-8")?];
    let output = user.explain(&options, &Program::words(&words))?;
    ensure!(!output.stderr.contains("nsproxy"), "{output:?}");
    let lines: Vec<Value> = std::fs::read_to_string(&file)?
        .lines()
        .map(serde_json::from_str)
        .collect::<Result<_, _>>()?;
    ensure!(lines.iter().all(|line| line["version"] == 1), "{lines:?}");
    let [failure, summary] = &lines[..] else {
        anyhow::bail!("{lines:?}");
    };
    ensure!(failure["event"] == "failure", "{failure}");
    ensure!(
        failure["causes"][0]["reason"] == "pid-ns-without-init",
        "{failure}"
    );
    ensure!(
        failure["errno"] == "ENOMEM" && failure["number"] == 12,
        "{failure}"
    );
    ensure!(
        failure["pid"] == failure["tid"] && failure["program"] == "sh",
        "{failure}"
    );
    ensure!(
        summary["event"] == "summary" && summary["failed"] == 1,
        "{summary}"
    );
    ensure!(summary["exit_status"] == output.status, "{summary}");
    Ok(())
}

fn success(user: &User) -> Result<()> {
    let output = user.explain(
        &[],
        &Program::words(&["sh", "-c", "echo out; echo err >&2"]),
    )?;
    ensure!(output.stdout == "out\n", "{output:?}");
    ensure!(
        output.stderr == "err\nnsproxy: no call failed\n",
        "{output:?}"
    );
    ensure!(output.status == 0, "{output:?}");
    Ok(())
}

fn exit_statuses(user: &User) -> Result<()> {
    let script = |script| Program::words(&["sh", "-c", script]);
    // The last one is a real-time signal.
    for (program, status) in [
        (script("exit 7"), 7),
        (script("kill -9 $$"), 137),
        (script("kill -35 $$"), 163),
        (Program::words(&["/nonexistent"]), 127),
        (Program::words(&["/dev/null"]), 126),
    ] {
        let output = user.explain(&[], &program)?;
        ensure!(output.status == status, "{status}: {output:?}");
        let is_run = !(126..=127).contains(&status);
        let summary = output.stderr.contains("nsproxy: no call failed");
        ensure!(is_run == summary, "{output:?}");
    }
    Ok(())
}

/// Signals to the tracer alone are forwarded. A terminal sends SIGINT to all.
fn signals(user: &User) -> Result<()> {
    let script = "trap 'exit 9' INT; trap 'exit 8' TERM; echo ready; while :; do sleep 0.1; done";
    for (signal, status) in [(Signal::TERM, 8), (Signal::INT, 9)] {
        // A shell cannot handle a signal that it was started with ignored, as in the background.
        if run::is_ignored(signal)? {
            continue;
        }
        let mut running = user.start(&[], &Program::words(&["sh", "-c", script]))?;
        running.wait_for_line("ready")?;
        running.kill(signal)?;
        let output = running.finish()?;
        ensure!(output.status == status, "{signal:?}: {output:?}");
    }
    Ok(())
}

fn group_stop(user: &User) -> Result<()> {
    let script = "(sleep 0.5; echo first; kill -CONT $$) & kill -STOP $$; echo second; exit 3";
    let output = user.explain(&[], &Program::words(&["sh", "-c", script]))?;
    ensure!(output.stdout == "first\nsecond\n", "{output:?}");
    output.ends_with("nsproxy: no call failed", 3)
}

fn thread_executes(user: &User) -> Result<()> {
    let output = user.explain(&[], &Program::own("thread-executes"))?;
    ensure!(output.status == 5, "{output:?}");
    // The new program is traced.
    output.ends_with("nsproxy: 1 call failed: 1 setns EBADF", 5)
}

fn many_threads(user: &User) -> Result<()> {
    for _ in 0..3 {
        let output = user.explain(&[], &Program::own("threads"))?;
        output.ends_with("nsproxy: no call failed", 4)?;
    }
    Ok(())
}

fn background(user: &User) -> Result<()> {
    let script = "(sleep 0.5; echo end) & exit 6";
    let output = user.explain(&[], &Program::words(&["sh", "-c", script]))?;
    ensure!(output.stdout == "end\n" && output.status == 6, "{output:?}");

    let script = "(sleep 1; echo end) & echo $! $$ ready; exit 6";
    let mut running = user.start(&[], &Program::words(&["sh", "-c", script]))?;
    let line = running.wait_for_line("ready")?;
    let mut words = line.split(' ');
    let (Some(child), Some(parent)) = (words.next(), words.next()) else {
        anyhow::bail!("{line}");
    };
    running.wait_for_adoption(child.parse()?, parent)?;
    running.kill(Signal::TERM)?;
    let output = running.finish()?;
    ensure!(output.status == 6, "{output:?}");
    ensure!(output.time < Duration::from_secs(1), "{output:?}");
    // The child has continued after the tool has exited.
    ensure!(output.stdout.ends_with("ready\nend\n"), "{output:?}");
    output.ends_with("nsproxy: no call failed", 6)
}

fn main() -> ExitCode {
    if let Some(status) = programs::run() {
        return status;
    }
    let arguments = Arguments::from_args();
    let users = match User::all() {
        Ok(users) => users,
        Err(error) => {
            eprintln!("{error:#}");
            return ExitCode::FAILURE;
        }
    };
    let mut trials = Vec::new();
    for user in users {
        for Test { name, test, needs } in TESTS {
            let user = user.clone();
            let is_missing = |program: &&str| !run::is_installed(Path::new(program));
            let is_ignored = needs.iter().any(is_missing) || !user.may_create_user_ns();
            let trial = Trial::test(format!("{name}, as {user}"), move || {
                test(&user).map_err(|error| Failed::from(format!("{error:#}")))
            });
            trials.push(trial.with_ignored_flag(is_ignored));
        }
    }
    libtest_mimic::run(&arguments, trials).exit_code()
}

impl Output {
    /// Returns the only line about a failure.
    fn failure(&self) -> Result<String> {
        let is_failure = |line: &&str| line.starts_with("nsproxy: [") && !line.contains("warning:");
        let lines: Vec<_> = self.stderr.lines().filter(is_failure).collect();
        match lines[..] {
            [line] => Ok(line.to_owned()),
            _ => anyhow::bail!("not one failure: {self:?}"),
        }
    }

    /// Returns the numbers of process and task in a line.
    fn ids(&self, line: &str) -> Result<[u32; 2]> {
        let ids = line
            .split(['[', ' ', ']'])
            .nth(2)
            .and_then(|ids| ids.split_once('/'));
        let (pid, tid) = ids.with_context(|| format!("no numbers: {self:?}"))?;
        Ok([pid.parse()?, tid.parse()?])
    }

    /// Counts the lines of the report with a text.
    fn report_lines(&self, text: &str) -> usize {
        let lines = self.stderr.lines();
        let lines = lines.filter(|line| line.starts_with("nsproxy: ") && line.contains(text));
        lines.count()
    }

    /// Checks the summary and the exit status.
    fn ends_with(&self, summary: &str, status: i32) -> Result<()> {
        ensure!(self.stderr.lines().last() == Some(summary), "{self:?}");
        ensure!(self.status == status, "{self:?}");
        Ok(())
    }
}
