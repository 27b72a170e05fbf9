// SPDX-License-Identifier: GPL-2.0-only

//! `nsproxy serve --explain` reports the reasons of the module for the failed calls of a command, and
//! those of user space for calls that do not reach the module.

use crate::{
    case::{fixtures::Fixtures, implementation::Device, target::Target},
    env::{kernel, serve_status},
    report::ktap::Test,
};
use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use std::{fs, path::Path, process::Command};

/// A command that the shell runs, in which `$t` is the pid of a process in other namespaces.
struct Run {
    name: &'static str,
    command: &'static str,
    /// The failed calls: call, errno, reason, and the source of the reason.
    failures: &'static [[&'static str; 4]],
    /// The exit status of the command.
    status: i32,
}

const RUNS: &[Run] = &[
    Run {
        name: "a call that succeeds",
        command: "/usr/bin/unshare -u true",
        failures: &[],
        status: 0,
    },
    Run {
        name: "a namespace that may not be created",
        command: "/usr/bin/setpriv --reuid 1000 --clear-groups /usr/bin/unshare -n true",
        failures: &[["unshare", "EPERM", "cap-new", "kernel-module"]],
        status: 1,
    },
    Run {
        name: "a limit, which user space cannot tell from the depth",
        command: "sh -c 'max=/proc/sys/user/max_user_namespaces; old=$(cat $max); echo 0 >$max
                  /usr/bin/unshare -U true; status=$?; echo $old >$max; exit $status'",
        failures: &[["unshare", "ENOSPC", "limit", "kernel-module"]],
        status: 1,
    },
    Run {
        name: "tasks that share root and working directory",
        command: "nsproxy-tests share-fs /usr/bin/nsenter -m -t $t true",
        // nsenter tries twice.
        failures: &[
            ["setns", "EINVAL", "fs-shared", "kernel-module"],
            ["setns", "EINVAL", "fs-shared", "kernel-module"],
        ],
        status: 1,
    },
    Run {
        name: "a filter, which refuses before the module",
        command: "nsproxy-tests container-filter /usr/bin/unshare -u true",
        failures: &[["unshare", "EPERM", "seccomp", "user-space"]],
        status: 1,
    },
];

pub(super) fn tests() -> Vec<Test> {
    let tests = RUNS.iter().map(|run| {
        let name = format!("nsproxy serve --explain: {}", run.name);
        Test::new(name, move |fixtures| run.check(fixtures))
    });
    tests.collect()
}

const REPORT: &str = "/tmp/nsproxy-tests-served";

impl Run {
    fn check(&self, fixtures: &mut Fixtures) -> Result<()> {
        let device = Device::open()?;
        serve_status::enable(&device)?;
        device.serve(false)?;
        let tracefs = kernel::tracefs()?;
        let target = fixtures.target(&Target::in_all_new())?;
        let typed = format!(
            "t={}; nsproxy serve --explain --json --output {REPORT} {}",
            target.pid, self.command
        );
        let output = Command::new("/bin/sh").args(["-c", &typed]).output()?;
        let report = fs::read_to_string(REPORT).with_context(|| format!("{output:?}"))?;
        fs::remove_file(REPORT)?;
        let context = format!("{report}\n{output:?}");
        ensure!(
            output.status.code() == Some(self.status),
            "status {:?}, expected {}: {context}",
            output.status,
            self.status
        );
        let failures = failures(&report)?;
        ensure!(
            failures == self.failures,
            "failures {failures:?}, expected {:?}: {context}",
            self.failures
        );
        let instances: Vec<_> = fs::read_dir(tracefs.join(Path::new("instances")))?.collect();
        ensure!(instances.is_empty(), "left in tracefs: {instances:?}");
        Ok(())
    }
}

/// Returns call, errno, first reason and source of each failure in a report.
fn failures(report: &str) -> Result<Vec<[String; 4]>> {
    let lines: Result<Vec<Value>, _> = report.lines().map(serde_json::from_str).collect();
    let lines = lines.with_context(|| report.to_owned())?;
    let failures = lines.iter().filter(|line| line["event"] == "failure");
    Ok(failures
        .map(|line| {
            let words = [
                &line["call"],
                &line["errno"],
                &line["causes"][0]["reason"],
                &line["via"],
            ];
            words.map(|word| word.as_str().unwrap_or_default().to_owned())
        })
        .collect())
}
