// SPDX-License-Identifier: GPL-2.0-only

//! Leaks on the exit paths of the call. Each path is taken so many times that a leak shows in the
//! number of the kernel's objects, and in the counts of the target's namespaces. Each [`Entry`] takes
//! the path, so that a leak of the kernel fails the test as well as a leak of the module.

use super::{
    Shared,
    calls::{self, Call},
};
use crate::{
    case::{
        Case, Expect, FdSource, Unrelated,
        fixtures::Fixtures,
        implementation::{self, Device, Entry, Kind},
        run,
        target::{Liveness, Target, USER},
    },
    checks::{fault_injection, references::References, slab::Objects},
    env::{kernel, serve_status},
    errno::{Code, Outcome, outcome_name},
    process::{creds, setup::Setup},
    report::ktap::Test,
    sys,
};
use anyhow::{Context as _, Result, ensure};
use nsproxy_uapi::sys as uapi;
use std::os::fd::{AsFd as _, AsRawFd as _};

/// Returns how often the same caller takes a path. A sanitizer makes calls slow, but its counts exact.
fn times() -> u32 {
    if kernel::is_sanitized() { 60 } else { 300 }
}

/// Returns how often a path is taken if each call requires a new caller.
fn children() -> u32 {
    if kernel::is_sanitized() { 20 } else { 60 }
}

pub(super) fn tests(counts: &Shared) -> Vec<Test> {
    let mut tests = Vec::new();
    for call in calls::all() {
        let counts = counts.clone();
        tests.push(Test::new(
            format!("many times: {}, each allocation fails", call.name),
            move |fixtures| every_allocation(&call, fixtures, &counts),
        ));
    }
    for case in refused() {
        let counts = counts.clone();
        tests.push(Test::new(
            format!("many times: {}", case.name),
            move |fixtures| {
                by_each_entry(&case, fixtures, leaves_nothing)?;
                counts.borrow_mut().ways += 1;
                Ok(())
            },
        ));
    }
    for (name, command, length, code) in bad_ioctls() {
        let counts = counts.clone();
        tests.push(Test::new(format!("many times: {name}"), move |_| {
            bad_ioctl(command, length, code)?;
            counts.borrow_mut().ways += 1;
            Ok(())
        }));
    }
    tests.extend(with_targets().into_iter().map(|case| {
        Test::new(
            format!("no reference to the target remains: {}", case.name),
            move |fixtures| by_each_entry(&case, fixtures, releases_the_target),
        )
    }));
    tests
}

/// Checks a call that fails at each of its allocations, and one that succeeds.
fn every_allocation(call: &Call, fixtures: &mut Fixtures, counts: &Shared) -> Result<()> {
    fault_injection::prepare()?;
    for n in 1..=call.allocations.len() as u32 {
        if call.leaves_ucounts(n + 1) {
            // RCU decides when the cred of the last call is freed, and so whether the next call
            // allocates ucounts or finds them. Such calls differ.
            break;
        }
        let (case, allocation) = call.case_failing_at(n);
        let leaves_nothing = |case: &Case, entry, fixtures: &mut Fixtures| {
            if entry == Entry::Syscall && call.kernel_leaks_at(allocation) {
                // See `known`.
                return Ok(());
            }
            leaves_nothing(case, entry, fixtures)
        };
        by_each_entry(&case, fixtures, leaves_nothing)
            .with_context(|| format!("{} fails", allocation.map_or("none", |a| a.name)))?;
        counts.borrow_mut().ways += 1;
    }
    by_each_entry(&call.case(), fixtures, leaves_nothing).context("it succeeds")?;
    counts.borrow_mut().ways += 1;
    Ok(())
}

/// Calls `f` with each entry that has the exit path of the case.
fn by_each_entry(
    case: &Case,
    fixtures: &mut Fixtures,
    f: impl Fn(&Case, Entry, &mut Fixtures) -> Result<()>,
) -> Result<()> {
    let mut entries = vec![case.subject];
    // Only the device has the call of 2011, and only the device refuses callers with a filter.
    if case.subject == Entry::Device && !case.caller.contains(&Setup::Seccomp) {
        entries.push(Entry::Syscall);
        // NSPROXY_SERVE makes allocations of its own.
        if case.fail_allocation.is_none() && serve_status::is_supported(&Device::open()?)? {
            entries.push(Entry::Served);
        }
    }
    for entry in entries {
        f(case, entry, fixtures).with_context(|| entry.to_string())?;
    }
    Ok(())
}

fn leaves_nothing(case: &Case, entry: Entry, fixtures: &mut Fixtures) -> Result<()> {
    let target = match &case.target {
        Some(target) if target.liveness == Liveness::Alive => Some(fixtures.target(target)?),
        _ => None,
    };
    // The fixtures keep the file of the first call open, which holds references. An error
    // shows in the calls.
    let _open = case.fd.prepare(target.as_deref(), fixtures);
    let references = target.as_deref().map(References::at_rest).transpose()?;
    let objects = Objects::count()?;
    let times = repeat(case, entry, times(), fixtures)?;
    let growth = objects.growth_by(u64::from(times / 2))?;
    ensure!(growth.is_none(), "after {times} calls {growth}");
    if let (Some(target), Some(references)) = (target, references) {
        let changes = references.changes(&target)?;
        ensure!(
            changes.is_none(),
            "after {times} calls the references to the target's namespaces changed: {changes}"
        );
    }
    Ok(())
}

/// Repeats the call, less often if each call requires a new process. Returns the number of calls.
fn repeat(case: &Case, entry: Entry, times: u32, fixtures: &mut Fixtures) -> Result<u32> {
    // A process cannot enter its own user namespace.
    let user = Kind::User.flag();
    let once_each = matches!(case.expect, Expect::Moved(kinds) if kinds & user != 0);
    let times = if once_each {
        times.min(children())
    } else {
        times
    };
    let outcome = run::repeat(case, entry, times, once_each, fixtures)?;
    let expected: Outcome = match case.expect {
        Expect::Fails(code) => Err(code),
        _ => Ok(()),
    };
    ensure!(
        outcome == expected,
        "returned {}, expected {}",
        outcome_name(outcome),
        outcome_name(expected)
    );
    Ok(times)
}

/// Returns a case for each exit path that no allocation causes.
fn refused() -> Vec<Case> {
    let flags = |kinds: &[Kind]| implementation::flags_of(kinds) as i32;
    let user_mnt = flags(&[Kind::User, Kind::Mnt]);
    let uts = flags(&[Kind::Uts]);
    let net = flags(&[Kind::Net]);
    let before_pid = flags(&[Kind::Mnt, Kind::Uts, Kind::Ipc, Kind::Pid]);
    let before_time = flags(&[Kind::Uts, Kind::Ipc, Kind::Cgroup, Kind::Net, Kind::Time]);
    let all = implementation::all_kinds() as i32;
    let case = |name: &str, handle: FdSource, nstype: i32, steps: Vec<Setup>, code: Code| {
        Case::new(name, handle, nstype)
            .target(Target::in_all_new())
            .caller(steps)
            .fails(code)
    };
    let dead = |fate: Liveness, case: Case| Case {
        target: Some(Target::in_new(Kind::Uts.flag()).with_liveness(fate)),
        ..case
    };
    let of_2011 = |case: Case| Case {
        name: format!("2011 {}", case.name),
        subject: Entry::Device2011,
        ..case
    };
    let user = || vec![Setup::SetIds(USER)];
    let in_sibling_pidns = || vec![Setup::Unshare(Kind::Pid.flag()), Setup::Fork];
    let pidfd = || FdSource::Pidfd;
    let mut cases = vec![
        case("E1 EBADF", FdSource::Number(-1), 0, vec![], Code::EBADF),
        case(
            "E2 EINVAL",
            FdSource::Target("uts"),
            net,
            vec![],
            Code::EINVAL,
        ),
        case("E3 EINVAL", pidfd(), 0, vec![], Code::EINVAL),
        case("E4 EINVAL", pidfd(), 1, vec![], Code::EINVAL),
        case(
            "E6 EINVAL",
            FdSource::Unrelated(Unrelated::Pipe),
            0,
            vec![],
            Code::EINVAL,
        ),
        dead(
            Liveness::Reaped,
            case(
                "V1 ESRCH, only the nsproxy prepared",
                pidfd(),
                uts,
                vec![],
                Code::ESRCH,
            ),
        ),
        dead(
            Liveness::Reaped,
            case("V1 ESRCH, all prepared", pidfd(), all, vec![], Code::ESRCH),
        ),
        case("V2 EPERM, all prepared", pidfd(), all, user(), Code::EPERM),
        dead(
            Liveness::Zombie,
            case("V3 ESRCH, all prepared", pidfd(), all, vec![], Code::ESRCH),
        ),
        case(
            "nsfs user EPERM, the cred prepared",
            FdSource::Target("user"),
            0,
            user(),
            Code::EPERM,
        ),
        case(
            "nsfs user EINVAL, the cred prepared",
            FdSource::Target("user"),
            0,
            vec![Setup::Thread],
            Code::EINVAL,
        ),
        case(
            "pidfd user+mnt EINVAL at user, fs_struct and cred prepared",
            pidfd(),
            user_mnt,
            vec![Setup::ShareFs],
            Code::EINVAL,
        ),
        case(
            "nsfs mnt EPERM",
            FdSource::Target("mnt"),
            0,
            vec![Setup::KeepCaps(creds::SYS_ADMIN)],
            Code::EPERM,
        ),
        case(
            "pidfd mnt+uts EINVAL at mnt, the fs_struct prepared",
            pidfd(),
            flags(&[Kind::Mnt, Kind::Uts]),
            vec![Setup::ShareFs],
            Code::EINVAL,
        ),
        case(
            "pidfd mnt+uts+ipc+pid EINVAL at pid, three installed",
            pidfd(),
            before_pid,
            in_sibling_pidns(),
            Code::EINVAL,
        ),
        case(
            "pidfd uts+ipc+cgroup+net+time EUSERS at time, four installed",
            pidfd(),
            before_time,
            vec![Setup::Thread],
            Code::EUSERS,
        ),
        case(
            "pidfd user+time EUSERS at time, user installed",
            pidfd(),
            flags(&[Kind::User, Kind::Time]),
            vec![Setup::ShareVm],
            Code::EUSERS,
        ),
        case(
            "pidfd all EUSERS at time, seven installed",
            pidfd(),
            all,
            vec![Setup::ShareVm],
            Code::EUSERS,
        ),
        case(
            "a seccomp filter EPERM",
            pidfd(),
            all,
            vec![Setup::Seccomp],
            Code::EPERM,
        ),
        of_2011(case(
            "EPERM",
            FdSource::Target("uts"),
            0,
            user(),
            Code::EPERM,
        )),
        of_2011(case("EBADF", FdSource::Number(-1), 0, vec![], Code::EBADF)),
        of_2011(case("pidfd EINVAL", pidfd(), uts, vec![], Code::EINVAL)),
        of_2011(case(
            "mnt EINVAL",
            FdSource::Target("mnt"),
            0,
            vec![],
            Code::EINVAL,
        )),
        of_2011(case(
            "nstype EINVAL",
            FdSource::Target("uts"),
            net,
            vec![],
            Code::EINVAL,
        )),
    ];
    if kernel::checks_fs_copy() {
        // There it succeeds.
        cases.retain(|case| !case.name.contains("EINVAL at mnt"));
    }
    cases
}

/// Returns ioctls that the device refuses: the command, the length of its argument, and the error.
fn bad_ioctls() -> Vec<(&'static str, u32, usize, Code)> {
    let with_size = |command: u32, size: u32| command & !(((1 << 14) - 1) << 16) | size << 16;
    vec![
        (
            "unknown command ENOTTY",
            uapi::NSPROXY_SETNS ^ 0x80,
            8,
            Code::ENOTTY,
        ),
        (
            "SETNS of another size EINVAL",
            with_size(uapi::NSPROXY_SETNS, 12),
            12,
            Code::EINVAL,
        ),
        (
            "SETNS at no address EFAULT",
            uapi::NSPROXY_SETNS,
            0,
            Code::EFAULT,
        ),
        (
            "VERSION too short EINVAL",
            with_size(uapi::NSPROXY_VERSION, 4),
            4,
            Code::EINVAL,
        ),
        (
            "VERSION too long and not zero E2BIG",
            with_size(uapi::NSPROXY_VERSION, 4096),
            4096,
            Code::E2BIG,
        ),
        (
            "VERSION at no address EFAULT",
            uapi::NSPROXY_VERSION,
            0,
            Code::EFAULT,
        ),
    ]
}

fn bad_ioctl(command: u32, length: usize, code: Code) -> Result<()> {
    let device = Device::open()?;
    let fd = device.as_fd().as_raw_fd();
    // All bytes except the last are zero.
    let mut bytes = vec![0_u8; length];
    if let Some(last) = bytes.last_mut() {
        *last = 1;
    }
    let address = if bytes.is_empty() {
        0
    } else {
        bytes.as_mut_ptr().addr()
    };
    let before = Objects::count()?;
    let times = times();
    for _ in 0..times {
        let outcome = sys::ioctl(fd, command, address)
            .map(drop)
            .map_err(Code::from);
        ensure!(
            outcome == Err(code),
            "returned {}, expected {code}",
            outcome_name(outcome)
        );
    }
    let growth = before.growth_by(u64::from(times / 2))?;
    ensure!(growth.is_none(), "after {times} calls {growth}");
    Ok(())
}

/// Returns calls after which the target exits. No other process is in its namespaces, so that a
/// reference which a call does not release keeps them. There is one case for each way to release them.
fn with_targets() -> Vec<Case> {
    let user = Kind::User.flag();
    let all = implementation::all_kinds();
    let target = || Target::in_new(all);
    let mut cases = vec![
        Case::new("pidfd all", FdSource::Pidfd, all as i32)
            .target(target())
            .moves(all),
        Case::new("pidfd all EUSERS at time", FdSource::Pidfd, all as i32)
            .target(target())
            .caller([Setup::ShareVm])
            .fails(Code::EUSERS),
        Case::new("pidfd all EPERM at once", FdSource::Pidfd, all as i32)
            .target(target())
            .caller([Setup::SetIds(USER)])
            .fails(Code::EPERM),
        Case::new("nsfs user EPERM", FdSource::Target("user"), user as i32)
            .target(target())
            .caller([Setup::SetIds(USER)])
            .fails(Code::EPERM),
    ];
    let all_but_user = all & !user;
    cases.push(
        Case::new("pidfd all but user", FdSource::Pidfd, all_but_user as i32)
            .target(Target::in_new(all_but_user))
            .moves(all_but_user),
    );
    for kind in [Kind::Mnt, Kind::Uts, Kind::Net, Kind::Pid] {
        let name = kind.name();
        cases.push(
            Case::new(format!("nsfs {name}"), FdSource::Target(name), 0)
                .target(target())
                .moves(kind.flag()),
        );
    }
    cases.push(Case {
        subject: Entry::Device2011,
        ..Case::new("2011 net", FdSource::Target("net"), 0)
            .target(target())
            .moves(Kind::Net.flag())
    });
    cases
}

fn releases_the_target(case: &Case, entry: Entry, fixtures: &mut Fixtures) -> Result<()> {
    fixtures.clear();
    let before = Objects::count_at_rest()?;
    let times = repeat(case, entry, times(), fixtures)?;
    fixtures.clear();
    let growth = before.growth(u64::from(times / 2))?;
    ensure!(
        growth.is_none(),
        "after {times} calls and the exit of the target {growth}"
    );
    Ok(())
}
