// SPDX-License-Identifier: GPL-2.0-only

//! `nsproxy-vm run`.

use crate::{
    accel,
    cli::RunArgs,
    guest::{Guest, Parts},
    kernel::Kernel,
    pages,
    record::{self, Against},
    report::{self, Again, Line, Paint},
    results::{Arrivals, Run},
    self_test,
};
use anyhow::{Context as _, Result, ensure};
use nsproxy_results::Class;
use rustix::fs::{FlockOperation, flock};
use std::{
    fs::{self, File},
    io::{self, IsTerminal as _, Write as _},
    num::NonZeroUsize,
    path::Path,
    process::ExitCode,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

/// The factor of the time limits for the long form of a suite.
const LONG: u32 = 6;

/// Waits for another run that writes its results to the same directory. The lock is held until the
/// file is dropped.
///
/// # Errors
///
/// The directory cannot be written.
fn lock(results: &Path) -> Result<File> {
    let path = results.join("lock");
    let open = || {
        fs::create_dir_all(results)?;
        let file = File::create(&path)?;
        if flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
            eprintln!(
                "waiting for another run, which writes to {}",
                results.display()
            );
            flock(&file, FlockOperation::LockExclusive)?;
        }
        io::Result::Ok(file)
    };
    open().with_context(|| format!("cannot lock {}", path.display()))
}

pub(crate) fn main(args: &RunArgs) -> Result<ExitCode> {
    let _lock = lock(&args.guest.results.join(&args.guest.kernel_name))?;
    let parts = Parts::make(&args.guest)?;
    // Reports an unknown suite before the first one runs.
    let (suites, skipped) = parts.runnable(&args.suites)?;
    let choice = accel::choose(args.guest.accel, &parts)?;
    let kernel = &parts.kernel;
    let guest = Guest {
        parts: &parts,
        accel: choice.accel,
        timeout: args
            .timeout
            .unwrap_or_else(|| kernel.timeout() * if args.long { LONG } else { 1 }),
        silence: args
            .silence
            .unwrap_or_else(|| kernel.silence() * if args.long { LONG } else { 1 }),
        options: &options(args),
        test: &args.test,
    };
    let against = args.against.as_ref();
    let against = against
        .map(|file| Against::read(file, args.changes.as_deref(), kernel.release()))
        .transpose()?;
    let again = Again {
        kernel: &kernel.make_name,
        against: args.against.as_deref(),
        arch: kernel.arch().make_name(),
        target: if args.long { "test-long" } else { "test" },
        accel: choice.accel,
    };
    // The output of suites that run in parallel would be mixed.
    let jobs = if args.show {
        1
    } else {
        args.jobs
            .unwrap_or_else(|| guests_at_a_time(kernel, args.runners))
    };

    let paint = Paint::new();
    eprintln!("Kernel {}, {}", kernel.name, choice.why);
    if !args.show {
        report::head();
    }

    let run = Run::new(kernel, &choice.why, args, &suites);
    let position = |line: &Line| {
        let mut suites = suites.iter();
        suites.position(|suite| suite.to_string() == line.suite)
    };
    let next = AtomicUsize::new(0);
    let lines = Mutex::new(Vec::new());
    let work = || -> Result<()> {
        while let Some(suite) = suites.get(next.fetch_add(1, Ordering::Relaxed)) {
            let mut arrivals = Arrivals::default();
            let mut ran = guest
                .run(suite, parts.results.join(suite.to_string()), |bytes| {
                    arrivals.note(bytes);
                    if args.show {
                        let _ = io::stdout()
                            .write_all(bytes)
                            .and_then(|()| io::stdout().flush());
                    }
                })
                .with_context(|| format!("suite {suite}"))?;
            let suite = suite.to_string();
            if let Some(against) = &against {
                against.compare(&suite, &mut ran);
            }
            let line = Line {
                suite,
                ran,
                arrivals,
            };
            report::keep(&line, kernel, &choice.why, run.source())?;

            let mut lines = lines.lock().unwrap_or_else(PoisonError::into_inner);
            if args.show {
                println!();
                report::head();
            }
            wipe();
            report::line(&line, Some(&again), &paint);
            lines.push(line);
            lines.sort_by_key(position);
            run.write(&parts.results, &lines)?;
            print_remaining(suites.len() - lines.len());
        }
        Ok(())
    };
    thread::scope(|scope| {
        let workers: Vec<_> = (0..jobs.max(1)).map(|_| scope.spawn(work)).collect();
        workers.into_iter().try_for_each(|worker| {
            worker
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    })?;

    wipe();
    for suite in &skipped {
        report::skipped(&suite.to_string());
    }
    let lines = lines.into_inner().unwrap_or_else(PoisonError::into_inner);
    if args.record {
        let (path, cases) = record::write(&parts.results, &kernel.name, run.source(), &lines)?;
        eprintln!("{cases} cases recorded: {}", path.display());
    }
    if let Some(phases) = report::phases(&lines) {
        eprintln!("{phases}");
    }
    if let Some(clocksources) = report::clocksources(&lines) {
        eprintln!("{clocksources}");
    }
    let mut sum = report::sum(&lines);
    sum.skipped += skipped.len() as u32;
    let worst = lines.iter().map(|line| line.ran.outcome.class).max();
    let mut worst = worst.unwrap_or(Class::Passed);
    if args.self_test {
        let counts = self_test::run(&args.guest)?;
        if counts.failed > 0 {
            worst = worst.max(Class::Failed);
        }
        sum += counts;
    }
    let has_cases = lines.iter().any(|line| !line.ran.verdict.cases.is_empty());
    ensure!(
        against.is_none() || has_cases || worst != Class::Passed,
        "no case was compared: these suites have none"
    );
    let pages = args.pages.as_ref();
    let pages = pages.map(|dir| pages::write(&args.guest.results, dir));
    if let Some(Ok(lines)) = &pages {
        eprintln!("{}", lines.join("\n"));
    }
    // The counts are the last line, whether or not the pages can be written.
    println!("{sum}");
    pages.transpose()?;
    Ok(ExitCode::from(worst.status()))
}

/// Returns the number of guests that the host has CPUs and memory for, divided by the number of
/// runners, but at least one.
fn guests_at_a_time(kernel: &Kernel, runners: NonZeroUsize) -> usize {
    let cpus = thread::available_parallelism().map_or(1, usize::from);
    let meminfo = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let available = meminfo.lines().find_map(|line| {
        let kib = line.strip_prefix("MemAvailable:")?.strip_suffix(" kB")?;
        kib.trim().parse::<usize>().ok()
    });
    let each = kernel.memory_mib() as usize * 1024;
    let guests = available.map_or(cpus, |kib| cpus.min(kib / each));
    (guests / runners).max(1)
}

/// Returns the options of `nsproxy-tests`.
fn options(args: &RunArgs) -> Vec<String> {
    let mut options = Vec::new();
    if args.long {
        options.push("--long".to_owned());
    }
    if args.fail_fast {
        options.push("--fail-fast".to_owned());
    }
    if args.record || args.against.is_some() {
        options.push("--record".to_owned());
    }
    if let Some(seed) = args.seed {
        options.push(format!("--seed={seed}"));
    }
    if let Some(shard) = args.shard.filter(|shard| !shard.is_all()) {
        options.push(format!("--shard={shard}"));
    }
    options
}

/// Prints the number of suites that have not run yet, on a terminal.
fn print_remaining(n: usize) {
    if n > 0 && io::stderr().is_terminal() {
        eprint!("... {n} more");
        let _ = io::stderr().flush();
    }
}

fn wipe() {
    if io::stderr().is_terminal() {
        eprint!("\r\x1b[K");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{sync::mpsc::channel, time::Duration};

    #[test]
    fn a_second_run_waits_for_the_first_one() {
        let results = std::env::temp_dir().join(format!("nsproxy-vm-lock-{}", std::process::id()));
        let first = lock(&results).unwrap();
        let (sender, locked) = channel();
        thread::scope(|scope| {
            scope.spawn(|| sender.send(lock(&results).is_ok()));
            let waits = locked.recv_timeout(Duration::from_millis(100));
            assert!(waits.is_err(), "{waits:?}");
            drop(first);
            assert_eq!(locked.recv(), Ok(true));
        });
        fs::remove_dir_all(&results).unwrap();
    }
}
