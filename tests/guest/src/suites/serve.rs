// SPDX-License-Identifier: GPL-2.0-only

//! setns(2) served by the module, for the processes that requested it and for no others.

use super::{errno, kinds, pidfd};
use crate::{
    case::{
        Case,
        fixtures::Fixtures,
        implementation::{Device, Entry},
        run,
    },
    env::{
        module,
        serve_status::{self, enable},
    },
    errno::Code,
    process::workers::{Child, run_in_child},
    report::ktap::{Skip, Test},
    sys,
};
use anyhow::{Context as _, Result, bail, ensure};
use nsproxy_uapi::{setns_raw, sys as uapi};
use rustix::{io::Errno, thread::CpuSet};
use std::{
    fs::{self, File},
    io::Read as _,
    os::fd::{AsFd as _, AsRawFd as _},
    process::Command,
    thread,
    time::Duration,
};

pub(crate) fn tests() -> Vec<Test> {
    if let Some(tests) = serve_status::tests_if_unsupported("setns is served") {
        return tests;
    }
    let mut tests = vec![
        Test::new(
            "a process that did not request it is not served",
            not_requested,
        ),
        Test::new("from the request until it is withdrawn", on_and_off),
        Test::new("by the instruction itself, without libc", |_| {
            by_instruction(sys::setns_64)
        }),
        Test::new(
            "by the instruction, with the upper halves of its registers set",
            |_| by_instruction(sys::setns_64_wide),
        ),
        Test::new("by int 0x80, too", |_| {
            must_have(ENTRY_OF_INT_80)?;
            by_instruction(sys::setns_32)
        }),
        Test::new(
            "by int 0x80, with the upper halves of its registers set",
            |_| {
                must_have(ENTRY_OF_INT_80)?;
                by_instruction(sys::setns_32_wide)
            },
        ),
        Test::new("threads, children and executed programs", inherited),
        Test::new(
            "a child that withdraws the request, and its parent does not",
            given_up,
        ),
        Test::new("processes are counted while they are served", counted),
        Test::new(
            "a process that exits takes no lock if it is not served",
            exits_without_lock,
        ),
        Test::new("invalid requests: EINVAL", invalid),
        Test::new("under a seccomp filter that denies setns", seccomp),
        Test::new("a tracer sees the call and its result", traced),
        Test::new("not unloaded while a process is served", while_served),
        Test::new("on and off while other processes call", while_others_call),
    ];
    tests.extend(sys::ENTRIES.map(|entry| {
        let name = format!("another redirection of {entry}: EBUSY");
        Test::new(name, move |fixtures| taken(entry, fixtures))
    }));
    let served = |(suite, case): (&str, Case)| Case {
        name: format!("{suite}: {}", case.name),
        subject: Entry::Served,
        ..case
    };
    let of = |suite, cases: Vec<Case>| cases.into_iter().map(move |case| (suite, case));
    let cases = of("kinds", kinds::cases())
        .chain(of("pidfd", pidfd::cases()))
        .chain(of("errno", errno::cases()));
    tests.extend(cases.map(served).map(|case| {
        Test::new(case.name.clone(), move |fixtures| {
            let before = serve_status::calls()?;
            let run = run::run(&case, fixtures)?;
            run.check()?;
            expect_calls(before, run.times)
        })
    }));
    tests
}

/// How often serving is enabled and disabled, and the module unloaded, while other processes call.
const TIMES: u32 = 1000;
const UNLOADS: u32 = 10;
/// The number of other processes.
const OTHERS: usize = 2;

/// Starts a child that is served, and sleeps. It has closed its device.
fn start_served() -> Result<Child> {
    let (mut ready, tell) = std::io::pipe()?;
    let child = Child::start(move || {
        enable(&Device::open()?)?;
        drop(tell);
        sys::sleep_forever()
    })?;
    // Returns when the child has closed its end.
    ready.read_to_end(&mut Vec::new())?;
    Ok(child)
}

/// Checks how many of the calls that `f` makes are served.
fn serves(expected: u64, f: impl FnOnce() -> Result<()>) -> Result<()> {
    let before = serve_status::calls()?;
    f()?;
    expect_calls(before, expected)
}

/// Checks how many calls have been served since there were `before`.
fn expect_calls(before: u64, expected: u64) -> Result<()> {
    let calls = serve_status::calls()? - before;
    ensure!(
        calls == expected,
        "{calls} calls were served, expected {expected}"
    );
    Ok(())
}

/// Makes a call that succeeds, and one that fails.
fn call_twice() -> Result<()> {
    let own = File::open("/proc/self/ns/uts")?;
    call(own.as_raw_fd(), Ok(()))?;
    call(-1, Err(Code::EBADF))
}

fn call(fd: i32, expected: Result<(), Code>) -> Result<()> {
    let result = setns_raw(fd, 0).map_err(Code::from);
    ensure!(
        result == expected,
        "setns({fd}): {result:?}, expected {expected:?}"
    );
    Ok(())
}

fn not_requested(_: &mut Fixtures) -> Result<()> {
    run_in_child(|| {
        let device = Device::open()?;
        ensure!(!device.serves()?, "served from the start");
        serves(0, call_twice)?;
        // Another process requests it.
        let other = start_served()?;
        let result = serves(0, call_twice);
        other.kill()?;
        result
    })
}

fn on_and_off(_: &mut Fixtures) -> Result<()> {
    let device = Device::open()?;
    run_in_child(|| {
        ensure!(!enable(&device)?, "served before the request");
        ensure!(device.serves()?, "not served");
        serves(2, call_twice)?;
        ensure!(device.serve(true)?, "not served at the second request");
        serves(2, call_twice)?;
        ensure!(
            device.serve(false)?,
            "not served when it withdrew the request"
        );
        ensure!(!device.serves()?, "served afterwards");
        serves(0, call_twice)?;
        ensure!(
            !device.serve(false)?,
            "served when it withdrew the request again"
        );
        Ok(())
    })
}

fn by_instruction(setns: fn(i32, i32) -> Result<(), Errno>) -> Result<()> {
    let device = Device::open()?;
    let own = File::open("/proc/self/ns/uts")?;
    run_in_child(|| {
        let calls = || -> Result<()> {
            let (good, bad) = (setns(own.as_raw_fd(), 0), setns(-1, 0));
            ensure!(
                (good, bad) == (Ok(()), Err(Errno::BADF)),
                "setns(): {good:?} and {bad:?}"
            );
            Ok(())
        };
        serves(0, calls)?;
        enable(&device)?;
        serves(2, calls)
    })
}

fn inherited(_: &mut Fixtures) -> Result<()> {
    let device = Device::open()?;
    run_in_child(|| {
        let before = thread::spawn(move || {
            thread::sleep(Duration::from_millis(100));
            call_twice()
        });
        enable(&device)?;
        // A thread from before the request, a later one, a child, and its child.
        let join = |thread: thread::JoinHandle<Result<()>>| match thread.join() {
            Ok(result) => result,
            Err(_) => bail!("the thread panicked"),
        };
        serves(2, || join(before))?;
        serves(2, || join(thread::spawn(call_twice)))?;
        serves(2, || run_in_child(call_twice))?;
        serves(2, || run_in_child(|| run_in_child(call_twice)))?;
        // A statically linked program.
        serves(1, || {
            let words = ["nsenter", "--uts=/proc/self/ns/uts", "true"];
            let status = Command::new("/bin/busybox").args(words).status()?;
            ensure!(status.success(), "nsenter: {status}");
            Ok(())
        })
    })?;
    ensure!(!device.serves()?, "the parent is served");
    serves(0, call_twice)
}

fn given_up(_: &mut Fixtures) -> Result<()> {
    let device = Device::open()?;
    run_in_child(|| {
        enable(&device)?;
        serves(0, || {
            run_in_child(|| {
                ensure!(device.serve(false)?, "the child is not served");
                call_twice()?;
                run_in_child(call_twice)
            })
        })?;
        serves(2, call_twice)
    })
}

fn counted(_: &mut Fixtures) -> Result<()> {
    let counts = |expected: u64| {
        let count = serve_status::processes()?;
        ensure!(count == expected, "{count} processes, expected {expected}");
        Ok(())
    };
    let before = serve_status::processes()?;
    let device = Device::open()?;
    let other = start_served()?;
    let result = run_in_child(|| {
        counts(before + 1)?;
        enable(&device)?;
        device.serve(true)?;
        counts(before + 2)?;
        run_in_child(|| counts(before + 3))?;
        counts(before + 2)?;
        device.serve(false)?;
        device.serve(false)?;
        counts(before + 1)
    });
    other.kill()?;
    result?;
    counts(before)
}

/// A counter of acquisitions of the lock that all served processes share.
struct Locked;

impl Locked {
    const TRACING: &str = "/sys/kernel/debug/tracing";
    const EVENTS: &str = "/sys/kernel/debug/tracing/kprobe_events";
    const EVENT: &str = "nsproxy_tests/locked";

    /// Starts to count; returns [`None`] on a kernel without kprobe events.
    fn watch() -> Result<Option<Self>> {
        if !fs::exists(Self::EVENTS)? {
            return Ok(None);
        }
        let symbols = fs::read_to_string("/proc/kallsyms")?;
        let mut words = symbols.lines().map(str::split_whitespace);
        let address = words
            .find_map(|mut words| {
                let address = words.next()?;
                (words.nth(1)? == "nsproxy_rs_served").then_some(address)
            })
            .context("no nsproxy_rs_served in kallsyms")?;
        // The lock is the first member of the xarray.
        let event = format!("p:{} _raw_spin_lock lock=$arg1", Self::EVENT);
        fs::write(Self::EVENTS, event).context(Self::EVENTS)?;
        let locked = Self;
        locked.write("filter", &format!("lock == 0x{address}"))?;
        locked.write("enable", "1")?;
        Ok(Some(locked))
    }

    fn write(&self, file: &str, text: &str) -> Result<()> {
        let path = format!("{}/events/{}/{file}", Self::TRACING, Self::EVENT);
        fs::write(&path, text).context(path)
    }

    /// Checks the number of acquisitions while `f` runs.
    fn takes(&self, expected: usize, f: impl FnOnce() -> Result<()>) -> Result<()> {
        let trace = format!("{}/trace", Self::TRACING);
        fs::write(&trace, "")?;
        f()?;
        let seen = fs::read_to_string(&trace)?;
        let count = seen.lines().filter(|line| line.contains("locked:")).count();
        ensure!(
            count == expected,
            "the lock was acquired {count} times, expected {expected}"
        );
        Ok(())
    }
}

impl Drop for Locked {
    fn drop(&mut self) {
        // Opening the list for writing empties it.
        let removed = self
            .write("enable", "0")
            .and_then(|()| fs::write(Self::EVENTS, "").context(Self::EVENTS));
        if let Err(error) = removed {
            println!("# {error:#}");
        }
    }
}

fn exits_without_lock(_: &mut Fixtures) -> Result<()> {
    let Some(locked) = Locked::watch()? else {
        return Err(Skip::because(
            "the kernel is built without CONFIG_KPROBE_EVENTS",
        ));
    };
    let device = Device::open()?;
    // The request acquires the lock once, and the exit of the child that made it twice: when it begins,
    // and when the child has left its namespaces. From then on the module watches exits.
    locked.takes(3, || run_in_child(|| enable(&device).map(drop)))?;
    locked.takes(0, || run_in_child(|| Ok(())))
}

fn invalid(_: &mut Fixtures) -> Result<()> {
    let device = Device::open()?;
    let fd = device.as_fd().as_raw_fd();
    for argument in [3, usize::MAX, 1 << 32, 1 << 32 | 1] {
        let result = sys::ioctl(fd, uapi::NSPROXY_SERVE, argument);
        ensure!(result == Err(Errno::INVAL), "{argument:#x}: {result:?}");
    }
    // The command with a wrong size.
    let sized = uapi::NSPROXY_SERVE | 4 << 16;
    let result = sys::ioctl(fd, sized, 1);
    ensure!(result == Err(Errno::INVAL), "with a size: {result:?}");
    ensure!(!device.serves()?, "served nevertheless");
    Ok(())
}

fn seccomp(_: &mut Fixtures) -> Result<()> {
    let device = Device::open()?;
    serves(0, || {
        let child = Child::start(|| {
            enable(&device)?;
            sys::seccomp_no_setns()?;
            call_twice()
        })?;
        let (status, wrong) = child.wait()?;
        ensure!(
            status.terminating_signal() == Some(libc::SIGSYS),
            "it ended with {status:?} {wrong}"
        );
        Ok(())
    })
}

fn traced(_: &mut Fixtures) -> Result<()> {
    let device = Device::open()?;
    run_in_child(|| {
        enable(&device)?;
        for (fd, expected) in [
            (-1, -i64::from(libc::EBADF)),
            (File::open("/proc/self/ns/uts")?.as_raw_fd(), 0),
        ] {
            let seen = sys::trace_syscall(|| {
                let _ = setns_raw(fd, 0);
            })?;
            ensure!(
                seen == (libc::SYS_setns as u64, expected),
                "setns({fd}): a tracer sees call {} and result {}",
                seen.0,
                seen.1
            );
        }
        Ok(())
    })
}

fn while_served(fixtures: &mut Fixtures) -> Result<()> {
    fixtures.end_idle();
    let child = start_served()?;
    let refused = module::unload();
    child.kill()?;
    ensure!(refused == Err(Errno::AGAIN), "delete_module: {refused:?}");
    module::unload_soon()?;
    call_twice()?;
    module::load(c"")?.context("finit_module")?;
    serves(0, call_twice)
}

fn while_others_call(fixtures: &mut Fixtures) -> Result<()> {
    fixtures.end_idle();
    run_in_child(|| {
        stay_on_one_cpu_if_emulated()?;
        let others = (0..OTHERS)
            .map(|_| {
                Child::start(|| {
                    loop {
                        call_twice()?;
                    }
                })
            })
            .collect::<Result<Vec<_>>>()?;
        let result = switch();
        let others: Result<Vec<()>> = others.into_iter().map(Child::kill).collect();
        others.context("one of the others")?;
        result
    })
}

fn switch() -> Result<()> {
    for round in 0..UNLOADS {
        run_in_child(|| {
            let device = Device::open()?;
            for _ in 0..TIMES / UNLOADS {
                enable(&device)?;
                serves(2, call_twice)?;
                device.serve(false)?;
                serves(0, call_twice)?;
            }
            enable(&device).map(drop)
        })?;
        module::unload_soon().with_context(|| format!("round {round}"))?;
        module::load(c"")?.context("finit_module")?;
    }
    Ok(())
}

const ENTRY_OF_INT_80: &str = "__ia32_sys_setns";

/// Skips a test about an entry that the kernel was built without, by the symbols of the kernel.
fn must_have(entry: &str) -> Result<()> {
    let symbols = fs::read_to_string("/proc/kallsyms")?;
    let mut names = symbols.lines().filter_map(|line| line.split(' ').nth(2));
    if !names.any(|name| name == entry) {
        return Err(Skip::because(format!("the kernel has no {entry}")));
    }
    Ok(())
}

fn taken(entry: &'static str, fixtures: &mut Fixtures) -> Result<()> {
    const INJECT: &str = "/sys/kernel/debug/fail_function/inject";
    const ENABLED: &str = "/sys/kernel/debug/tracing/enabled_functions";
    if !fs::exists(INJECT)? {
        return Err(Skip::because(
            "the kernel is built without CONFIG_FAIL_FUNCTION",
        ));
    }
    must_have(entry)?;
    // The number of injected failures stays 0.
    let take = |entry: &str| fs::write(INJECT, entry);
    let give_back = |entry: &str| fs::write(INJECT, format!("!{entry}"));

    fixtures.end_idle();
    // The module redirects nothing before the first request.
    module::unload_soon()?;
    module::load(c"")?.context("finit_module")?;
    take(entry).context("fail_function, before the first request")?;
    // Without kprobes on ftrace, as on arm64, it uses a breakpoint, and both redirections work.
    if !fs::read_to_string(ENABLED)
        .context(ENABLED)?
        .contains(entry)
    {
        give_back(entry)?;
        return Err(Skip::because("fail_function does not use ftrace here"));
    }
    let refused = run_in_child(|| {
        let device = Device::open()?;
        let enabled = device.serve(true);
        ensure!(enabled == Err(Errno::BUSY), "NSPROXY_SERVE: {enabled:?}");
        ensure!(!device.serves()?, "served nevertheless");
        serves(0, call_twice)?;
        // The partial redirection was undone.
        let enabled = fs::read_to_string(ENABLED).context(ENABLED)?;
        ensure!(!enabled.contains("[nsproxy_rs]"), "{ENABLED}: {enabled}");
        let output = Command::new("nsproxy").args(["serve", "true"]).output()?;
        let stderr = String::from_utf8_lossy(&output.stderr);
        ensure!(
            output.status.code() == Some(1) && stderr.contains("EBUSY") && stderr.contains(entry),
            "nsproxy serve: {} {stderr}",
            output.status
        );
        Ok(())
    });
    give_back(entry)?;
    refused?;
    run_in_child(|| {
        enable(&Device::open()?)?;
        serves(2, call_twice)
    })
}

/// Stays on one CPU in an emulator.
///
/// ftrace patches the entry of the system call by an int3. In QEMU with a thread per CPU, another CPU
/// may execute the int3 after its removal, which is an oops. It happens in about every second run.
fn stay_on_one_cpu_if_emulated() -> Result<()> {
    if fs::read_to_string("/proc/cpuinfo")?.contains("QEMU TCG") {
        let mut one = CpuSet::new();
        one.set(0);
        rustix::thread::sched_setaffinity(None, &one)?;
    }
    Ok(())
}
