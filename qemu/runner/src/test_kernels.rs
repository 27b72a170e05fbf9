// SPDX-License-Identifier: GPL-2.0-only

//! `nsproxy-vm test-kernels`: suites on several kernels, and a table of the results.
//!
//! A kernel on which a test fails does not stop the run. The exit status is the highest one.

use crate::{
    cli::TestKernelsArgs,
    pages::{results, table},
    sys,
};
use anyhow::{Context as _, Result, bail};
use nix::sys::signal::{SigSet, Signal};
use rustix::process::{Pid, kill_process_group};
use std::{
    collections::BTreeMap,
    io::{self, BufRead as _, BufReader},
    os::unix::process::CommandExt as _,
    process::{Command, ExitCode, exit},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

/// The number of guests of one kernel that run in parallel while there are short suites. With more,
/// a kernel mostly waits for its longest suite, so that another kernel can start.
const GUESTS_OF_KERNEL: usize = 4;

/// The process groups that are running, by the index of their kernel.
type Groups = Arc<Mutex<BTreeMap<usize, Pid>>>;

pub(crate) fn main(args: &TestKernelsArgs) -> Result<ExitCode> {
    let suites = match args.suites.as_slice() {
        [] => all_suites(args)?,
        suites => suites.to_vec(),
    };
    let kernels: Vec<_> = args
        .kernels
        .iter()
        .filter(|name| !name.is_empty())
        .collect();
    if kernels.is_empty() {
        bail!("no kernel named; hint: KERNELS=\"lab debug\"");
    }
    let cpus = thread::available_parallelism().map_or(1, usize::from);
    let parallel = (cpus / suites.len().clamp(1, GUESTS_OF_KERNEL)).clamp(1, kernels.len());

    let groups = Groups::default();
    stop_on_signals(groups.clone())?;
    let next = AtomicUsize::new(0);
    let worker = || -> Result<u8> {
        let mut worst = 0;
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(kernel) = kernels.get(index) else {
                return Ok(worst);
            };
            eprintln!("==> KERNEL={kernel} ({} of {})", index + 1, kernels.len());
            let status = test(args, kernel, index, parallel, &groups)
                .with_context(|| format!("KERNEL={kernel}"))?;
            worst = worst.max(status);
        }
    };
    let worst = thread::scope(|scope| {
        let workers: Vec<_> = (0..parallel).map(|_| scope.spawn(worker)).collect();
        workers.into_iter().try_fold(0, |worst, worker| {
            let status = worker
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            status.map(|status| worst.max(status))
        })
    })?;

    let (records, _) = results::read_all(&args.results)?;
    let names: Vec<_> = kernels.iter().map(|kernel| result_name(kernel)).collect();
    print!("{}", table::table(&records, &names, &suites));
    Ok(ExitCode::from(worst))
}

/// Returns the name that the results of a kernel are filed under: the last part of a path.
fn result_name(kernel: &str) -> String {
    let name = kernel.trim_end_matches('/').rsplit('/').next();
    name.unwrap_or(kernel).to_owned()
}

fn all_suites(args: &TestKernelsArgs) -> Result<Vec<String>> {
    let tests = args.bin_dir.join("nsproxy-tests");
    let output = Command::new(&tests).arg("--list").output();
    let output = output.with_context(|| tests.display().to_string())?;
    let list = String::from_utf8(output.stdout)?;
    Ok(list.lines().map(str::to_owned).collect())
}

/// Runs the suites on one kernel, and returns the exit status. If kernels run in parallel, each
/// line of output begins with the name of its kernel.
fn test(
    args: &TestKernelsArgs,
    kernel: &str,
    index: usize,
    parallel: usize,
    groups: &Groups,
) -> Result<u8> {
    let mut command = Command::new(&args.guest_script);
    command
        .args(["test", kernel])
        .args(&args.suites)
        .env("NSPROXY_RUNNERS", parallel.to_string())
        .process_group(0);
    sys::unblock_signals(&mut command);
    let mut output = None;
    if parallel > 1 {
        let (reader, writer) = io::pipe()?;
        command.stdout(writer.try_clone()?).stderr(writer);
        output = Some(reader);
    }
    // The lock is held so that a signal finds every group that exists.
    let mut running = groups.lock().unwrap_or_else(PoisonError::into_inner);
    let mut child = command
        .spawn()
        .with_context(|| args.guest_script.display().to_string())?;
    running.insert(index, Pid::from_child(&child));
    drop(running);
    // The command holds the writing end of the pipe.
    drop(command);
    if let Some(output) = output {
        let name = result_name(kernel);
        for line in BufReader::new(output).split(b'\n') {
            println!("{name}: {}", String::from_utf8_lossy(&line?));
        }
    }
    let status = child.wait()?;
    groups
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .remove(&index);
    // As a shell reports a signal.
    let signal = std::os::unix::process::ExitStatusExt::signal(&status);
    let code = status.code().or(signal.map(|signal| 128 + signal));
    Ok(code.and_then(|code| code.try_into().ok()).unwrap_or(1))
}

/// Terminates all process groups and exits on SIGINT or SIGTERM. A terminal sends SIGINT only to
/// the group of this process.
fn stop_on_signals(groups: Groups) -> Result<()> {
    let mut signals = SigSet::empty();
    signals.add(Signal::SIGINT);
    signals.add(Signal::SIGTERM);
    signals.thread_block()?;
    thread::spawn(move || {
        let signal = signals.wait().unwrap_or(Signal::SIGTERM);
        let groups = groups.lock().unwrap_or_else(PoisonError::into_inner);
        for group in groups.values() {
            let _ = kill_process_group(*group, rustix::process::Signal::TERM);
        }
        exit(128 + signal as i32)
    });
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_filed_under_the_last_part_of_a_path() {
        for (kernel, name) in [("lab", "lab"), ("/a/b", "b"), ("/a/b/", "b")] {
            assert_eq!(result_name(kernel), name);
        }
    }
}
