// SPDX-License-Identifier: GPL-2.0-only

//! `nsproxy-vm in-guest`: runs suites in the guest that this program runs in, one of virtme-ng.
//!
//! Such a guest has the files of the host. It does what `qemu/init` does in a built-in guest.

use crate::{
    cli::InGuestArgs,
    report::{self, Paint},
    verdict::Verdict,
};
use anyhow::{Context as _, Result, bail, ensure};
use nsproxy_results::{Class, Counts};
use std::{
    env, fs,
    path::Path,
    process::{Command, ExitCode},
    time::Instant,
};

/// The taint of a module that is out of the tree, unsigned, and a test.
const TAINT_OF_MODULE: u64 = 4096 | 8192 | 262_144;

pub(crate) fn main(args: &InGuestArgs) -> Result<ExitCode> {
    let cmdline = fs::read_to_string("/proc/cmdline")?;
    ensure!(
        cmdline.contains("virtme"),
        "cannot load the module here: this is not a guest of virtme-ng"
    );
    let tests = args.bin_dir.join("nsproxy-tests");
    for (file, target) in [(&args.module, "module"), (&tests, "tools")] {
        ensure!(
            file.exists(),
            "{} is missing; hint: on the host, make {target}",
            file.display()
        );
    }
    let module = args.module.canonicalize()?;
    let before = taint()?;
    run("insmod", &[&module]).context("cannot load the module")?;

    let path = env::var_os("PATH").unwrap_or_default();
    let paths = [args.bin_dir.canonicalize()?].into_iter();
    let path = env::join_paths(paths.chain(env::split_paths(&path)))?;
    let port = env::temp_dir().join(format!("nsproxy-verdict.{}", std::process::id()));
    let paint = Paint::new();
    let mut rows = Vec::new();
    let mut sum = Counts::default();
    let mut worst = Class::Passed;
    for suite in &args.suites {
        println!("\n### {suite}");
        let begun = Instant::now();
        fs::write(&port, "")?;
        let status = Command::new(&tests)
            .args([suite.as_str(), &args.test])
            .envs([
                ("PATH", path.as_os_str()),
                ("NSPROXY_MODULE", module.as_os_str()),
            ])
            .env("NSPROXY_VERDICT", &port)
            .status()
            .with_context(|| tests.display().to_string())?;
        let counts = Verdict::parse(&fs::read_to_string(&port)?).counts;
        let class = match status.code() {
            Some(0) if counts.is_some() => Class::Passed,
            Some(2) => Class::Usage,
            _ => Class::Failed,
        };
        let counts = counts.unwrap_or(Counts::ONE_FAILURE);
        rows.push(report::row(suite, class, counts, begun.elapsed(), &paint));
        sum += counts;
        worst = worst.max(class);
    }
    fs::remove_file(&port)?;

    // Suites must restore the state of the kernel.
    let mut gates = vec![
        run(&tests, &["gate-namespaces"]),
        run("rmmod", &["nsproxy_rs"]),
        clock(),
    ];
    let taint = taint()?;
    if taint & !(before | TAINT_OF_MODULE) != 0 {
        let _ = Command::new("dmesg")
            .args(["--level", "emerg,alert,crit,err,warn"])
            .status();
        worst = Class::Alarm;
        gates.push(Err(anyhow::anyhow!(
            "the kernel warned, see above: /proc/sys/kernel/tainted is {taint}"
        )));
    }
    println!();
    report::head();
    for row in rows {
        println!("{row}");
    }
    for gate in gates {
        if let Err(why) = gate {
            println!("    why: {why:#}");
            worst = worst.max(Class::Failed);
        }
    }
    println!("{sum}");
    Ok(ExitCode::from(worst.status()))
}

fn taint() -> Result<u64> {
    Ok(fs::read_to_string("/proc/sys/kernel/tainted")?
        .trim()
        .parse()?)
}

fn clock() -> Result<()> {
    let path = Path::new("/sys/devices/system/clocksource/clocksource0/current_clocksource");
    let clock = fs::read_to_string(path)?;
    ensure!(
        !clock.trim().ends_with("jiffies"),
        "the clock of the guest counts ticks: {}",
        clock.trim()
    );
    Ok(())
}

/// Runs a program. Its output is the error if it fails.
fn run(program: impl AsRef<Path>, args: &[impl AsRef<std::ffi::OsStr>]) -> Result<()> {
    let program = program.as_ref();
    let output = Command::new(program).args(args).output();
    let output = output.with_context(|| program.display().to_string())?;
    if output.status.success() {
        return Ok(());
    }
    let [stdout, stderr] =
        [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).trim().to_owned());
    bail!("{}: {stdout}{stderr}", program.display())
}
