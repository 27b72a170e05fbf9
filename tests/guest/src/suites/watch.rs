// SPDX-License-Identifier: GPL-2.0-only

//! Observation of calls from outside: the counts by `NSPROXY_SHOW`, and the steps by the tracepoint.

use super::{active_refs, cap_checks, traced_refusals, visibility};
use crate::{
    case::{
        fixtures::Fixtures,
        implementation::{Device, Entry, Kind, all_kinds},
        target::{self, Liveness, Target, TargetProcess, USER},
    },
    env::trace::Trace,
    errno::{Code, Outcome, expect, outcome_name},
    process::{
        Actor,
        command::{Args, Call, Command},
        setup::Setup,
    },
    report::ktap::Test,
    sys::nsfs::{self, Relative},
};
use anyhow::{Context as _, Result, ensure};
use nsproxy_uapi::{Explain, Member, Namespace, Shown};
use std::{
    fs::{self, File},
    os::fd::{AsFd as _, AsRawFd as _, OwnedFd},
    thread,
    time::Duration,
};

pub(crate) fn tests() -> Vec<Test> {
    let mut tests = vec![
        Test::new(
            "SHOW of a process in new namespaces of all kinds",
            |fixtures| {
                let target = fixtures.target(&Target::in_all_new())?;
                as_proc_has_it(&show(target.pidfd()?)?, &target.pid.to_string())
            },
        ),
        Test::new("SHOW of the caller", |_| {
            as_proc_has_it(&Device::open()?.show(None)?, "self")
        }),
        Test::new(
            "SHOW of a process with other namespaces for children",
            |_| {
                let kinds = Kind::Pid.flag() | Kind::Time.flag();
                let target = TargetProcess::start(&Target::new([Setup::Unshare(kinds)]))?;
                as_proc_has_it(&show(target.pidfd()?)?, &target.pid.to_string())
            },
        ),
        Test::new("initial namespaces are constant, others are not", constant),
        Test::new(
            "an open file of a namespace is one more of each count",
            open_file,
        ),
        Test::new("a child is one more of the nsproxy", child),
        Test::new("SHOW does not count itself", not_itself),
        Test::new("SHOW of a descriptor that is not open is EBADF", |_| {
            shown(Device::open()?.show_raw(-2), Err(Code::EBADF))
        }),
        Test::new("SHOW of a file that is no pidfd is EINVAL", |_| {
            let file = File::open("/proc/self/ns/net")?;
            shown(Device::open()?.show(Some(file.as_fd())), Err(Code::EINVAL))
        }),
    ];
    for fate in [Liveness::Zombie, Liveness::Reaped] {
        tests.push(Test::new(
            format!("SHOW of a process that is {fate:?} is ESRCH"),
            move |_| {
                let target = TargetProcess::start(&Target::default().with_liveness(fate))?;
                let pidfd = target.pidfd()?;
                shown(Device::open()?.show(Some(pidfd.as_fd())), Err(Code::ESRCH))
            },
        ));
    }
    tests.extend([
        Test::new(
            "SHOW of a process of root by a user is EACCES, as in /proc",
            access,
        ),
        Test::new("SHOW of a process of a user by that user", own_access),
        Test::new(
            "SHOW keeps the process from executing another program, as /proc does",
            no_exec,
        ),
        Test::new(
            "the tracepoint has each step of a call with a file",
            |fixtures| {
                // The actor makes a dry run before a call by the device: see `Process::dry_run`.
                let steps = format!("{TO_INSTALL} {TO_INSTALL} {SWITCH} perf_event_namespaces");
                traced(fixtures, Entry::Device, UTS as i32, Ok(()), &steps)
            },
        ),
        Test::new(
            "the tracepoint has each step of a call with a pidfd",
            of_pidfd,
        ),
        Test::new(
            "the tracepoint has each step of a call that creates namespaces",
            |_| of_unshare(),
        ),
        Test::new("the tracepoint has the step that refuses", |fixtures| {
            let steps = "fget type:22";
            traced(fixtures, Entry::EXPLAINED, 1, Err(Code::EINVAL), steps)
        }),
        Test::new(
            "the tracepoint has each step of a call that is served",
            |fixtures| {
                let steps = format!("{TO_INSTALL} {SWITCH} perf_event_namespaces");
                traced(fixtures, Entry::Served, 0, Ok(()), &steps)
            },
        ),
        Test::new("the tracepoint has each step of a dry run", |fixtures| {
            traced(fixtures, Entry::DRY_RUN, 0, Ok(()), TO_INSTALL)
        }),
        Test::new(
            "the tracepoint has each step of the path of 2011",
            |fixtures| {
                let dry = "capable fget type create_new_namespaces";
                let steps = format!("{dry} {dry} install {SWITCH}");
                traced(fixtures, Entry::Device2011, 0, Ok(()), &steps)
            },
        ),
        Test::new("the tracepoint is silent when it is off", |fixtures| {
            let (mut actor, call) = caller(fixtures, Entry::Device, 0)?;
            let trace = Trace::on()?;
            trace.off()?;
            let outcome = actor.call(call)?;
            let lines = trace.of_process(actor.pid()?)?;
            ensure!(outcome.is_ok(), "returned {}", outcome_name(outcome));
            ensure!(lines.is_empty(), "the trace has {lines:?}");
            Ok(())
        }),
    ]);
    tests.extend(active_refs::tests());
    tests.extend(cap_checks::tests());
    tests.extend(traced_refusals::tests());
    tests.extend(visibility::tests());
    tests
}

const UTS: u32 = Kind::Uts.flag();

/// The steps of a call with a file: those that can fail, and those that change the caller.
const TO_INSTALL: &str = "fget type create_new_namespaces install";
const SWITCH: &str = "nsproxy_ns_active_get switch put_nsproxy";

fn show(pidfd: OwnedFd) -> Result<Shown> {
    Device::open()?
        .show(Some(pidfd.as_fd()))
        .context("NSPROXY_SHOW")
}

fn shown(shown: Result<Shown, rustix::io::Errno>, expected: Outcome) -> Result<()> {
    expect(shown.map(drop).map_err(Code::from), expected)
}

fn find(shown: &Shown, member: Member) -> Result<Namespace> {
    let mut all = shown.namespaces.iter();
    let found = all.find(|ns| ns.member == member);
    found.copied().with_context(|| member.name())
}

/// Compares SHOW with the files in `/proc` and their ioctls.
fn as_proc_has_it(shown: &Shown, process: &str) -> Result<()> {
    ensure!(
        shown.namespaces.len() == Member::ALL.len(),
        "{} namespaces",
        shown.namespaces.len()
    );
    let id = |file: Result<OwnedFd, _>| file.ok().map(nsfs::id).transpose();
    for ns in &shown.namespaces {
        let name = ns.member.name();
        let file = File::open(format!("/proc/{process}/ns/{name}"))?;
        let link = fs::read_link(format!("/proc/{process}/ns/{name}"))?;
        ensure!(
            link.to_str().and_then(target::inode) == Some(ns.inum.into()),
            "{name} is {}, not {}",
            ns.inum,
            link.display()
        );
        ensure!(ns.id == nsfs::id(&file)?, "{name} has another id");
        let owner = id(nsfs::relative(&file, Relative::Owner))?;
        ensure!(
            ns.owner == owner,
            "{name} is of {:?}, not {owner:?}",
            ns.owner
        );
        let parent = id(nsfs::relative(&file, Relative::Parent))?;
        ensure!(
            ns.parent == parent,
            "{name} is below {:?}, not {parent:?}",
            ns.parent
        );
        ensure!(ns.ns_ref > 0 && ns.active > 0, "{name} has a count of 0");
    }
    Ok(())
}

fn constant(fixtures: &mut Fixtures) -> Result<()> {
    let ours = Device::open()?.show(None)?;
    let initial = |ns: &Namespace| ns.constant && (ns.ns_ref, ns.active) == (1, 1);
    ensure!(ours.namespaces.iter().all(initial), "ours: {ours:#?}");
    let target = fixtures.target(&Target::in_all_new())?;
    let theirs = show(target.pidfd()?)?;
    let constant = |ns: &&Namespace| ns.constant;
    let found = theirs.namespaces.iter().find(constant);
    ensure!(found.is_none(), "{found:?} of a new process");
    Ok(())
}

fn open_file(_: &mut Fixtures) -> Result<()> {
    let target = TargetProcess::start(&Target::in_new(all_kinds() & !Kind::User.flag()))?;
    for &member in Member::OF_NSPROXY {
        let [before, open] = retry(|| counted_while_open(&target, member))?;
        ensure!(
            open == before.map(|count| count + 1),
            "{}: {before:?}, open {open:?}",
            member.name()
        );
    }
    Ok(())
}

/// Returns both counts before the file is opened and while it is open. Fails if the counts after
/// closing it differ, since another process has changed them meanwhile.
fn counted_while_open(target: &TargetProcess, member: Member) -> Result<[[u32; 2]; 2]> {
    let pidfd = target.pidfd()?;
    let look = || -> Result<_> {
        let ns = find(&show(pidfd.try_clone()?)?, member)?;
        Ok([ns.ns_ref, ns.active])
    };
    let before = look()?;
    let file = File::open(format!("/proc/{}/ns/{}", target.pid, member.name()))?;
    let open = look()?;
    drop(file);
    let closed = look()?;
    ensure!(
        closed == before,
        "{}: {before:?}, open {open:?}, closed {closed:?}",
        member.name()
    );
    Ok([before, open])
}

fn child(_: &mut Fixtures) -> Result<()> {
    let target = TargetProcess::start(&Target::in_new(UTS))?;
    let before = show(target.pidfd()?)?.count;
    ensure!(
        before == 1,
        "{before} of a process with an nsproxy of its own"
    );
    let target = TargetProcess::start(&Target::new([Setup::Unshare(UTS), Setup::Sibling]))?;
    let after = show(target.pidfd()?)?.count;
    ensure!(after == 2, "{after} of a process with a child");
    Ok(())
}

fn not_itself(_: &mut Fixtures) -> Result<()> {
    let target = TargetProcess::start(&Target::in_all_new())?;
    // SHOW itself takes references.
    retry(|| compare_with_journal(&target))?;
    // One task uses it, without an open file.
    let target = TargetProcess::start(&Target::in_new(UTS))?;
    let active = find(&show(target.pidfd()?)?, Member::Uts)?.active;
    ensure!(active == 1, "uts is active {active} times");
    Ok(())
}

/// Repeats a check that fails, since the kernel releases references of a process start in the
/// background.
fn retry<T>(check: impl Fn() -> Result<T>) -> Result<T> {
    let mut times = 0;
    loop {
        let result = check();
        times += 1;
        if result.is_ok() || times == 20 {
            return result;
        }
        thread::sleep(Duration::from_millis(50));
    }
}

/// Checks that SHOW and the journal of a call have the same counts, although SHOW takes references.
fn compare_with_journal(target: &TargetProcess) -> Result<()> {
    let pidfd = target.pidfd()?;
    let shown = show(pidfd.try_clone()?)?;
    // Two members refer to one namespace.
    let counts = |member| find(&shown, member).map(|ns| (ns.id, ns.ns_ref, ns.active));
    let (own, of_children) = (counts(Member::Pid)?, counts(Member::PidForChildren)?);
    ensure!(
        own == of_children,
        "the pid namespace is {own:?}, and as that of the children {of_children:?}"
    );
    // The counts before the call takes its own references.
    let kinds = Kind::User.flag() | Kind::Pid.flag();
    let how = Explain::dry_run(false);
    let (_, journal) = Device::open()?.trace(pidfd.as_raw_fd(), kinds as i32, how)?;
    let mut taken = journal.steps.iter();
    let taken = taken.find(|taken| taken.step == nsproxy_uapi::Step::Target);
    let counts = &taken.context("no step \"target\"")?.counts;
    for member in [Member::User, Member::Pid] {
        let count = counts.iter().find(|count| count.kind == member.kind());
        let seen = count.with_context(|| format!("{member:?}: not in the step"))?;
        let (seen, is) = (seen.ns_ref[0], find(&shown, member)?.ns_ref);
        ensure!(
            is == seen,
            "{member:?}: {is} by SHOW, {seen} in the journal"
        );
    }
    Ok(())
}

/// Checks the access to a process of root by a user and by root.
fn access(fixtures: &mut Fixtures) -> Result<()> {
    let target = fixtures.target(&Target::in_new(UTS))?;
    expect(
        shown_to(&[Setup::SetIds(USER)], &target)?,
        Err(Code::EACCES),
    )?;
    expect(shown_to(&[], &target)?, Ok(()))
}

fn own_access(_: &mut Fixtures) -> Result<()> {
    let target = TargetProcess::start(&Target::in_all_new().of_user())?;
    expect(shown_to(&[Setup::SetIds(USER)], &target)?, Ok(()))
}

/// The functions that acquire and release `exec_update_lock`, and the check in between.
const UNDER_LOCK: [&str; 3] = ["down_read_killable", "ptrace_may_access", "up_read"];

fn no_exec(fixtures: &mut Fixtures) -> Result<()> {
    let target = fixtures.target(&Target::in_new(UTS))?;
    let mut actor = Actor::spawn()?;
    actor.open_device()?;
    let pidfd = target.pidfd()?;
    let slot = actor.pass_file(&pidfd)?.slot;
    let link = format!("/proc/{}/ns/uts", target.pid);

    let trace = Trace::of_functions(&UNDER_LOCK)?;
    let shown = actor.run_syscall(&Command::Show { slot })?;
    fs::read_link(link)?;
    trace.stop()?;
    expect(shown, Ok(()))?;
    for process in [actor.pid()?, std::process::id()] {
        let lines = trace.of_process(process)?;
        let called = lines.iter().filter_map(|line| {
            let mut words = line.split_whitespace();
            words.find(|word| UNDER_LOCK.contains(word))
        });
        let called: Vec<_> = called.collect();
        let is_there = called
            .windows(UNDER_LOCK.len())
            .any(|calls| calls == UNDER_LOCK);
        ensure!(is_there, "process {process} called {called:?}: {lines:#?}");
    }
    Ok(())
}

/// Calls SHOW for the target, by an actor that opens the device as root before its setups.
fn shown_to(setups: &[Setup], target: &TargetProcess) -> Result<Outcome> {
    let mut actor = Actor::spawn()?;
    actor.open_device()?;
    for setup in setups {
        actor.set_up(setup)?;
    }
    let slot = actor.pass_file(target.pidfd()?)?.slot;
    actor.run_syscall(&Command::Show { slot })
}

/// Returns an actor and its call, which enters a uts namespace.
fn caller(fixtures: &mut Fixtures, entry: Entry, nstype: i32) -> Result<(Actor, Call)> {
    let target = fixtures.target(&Target::in_new(UTS))?;
    let mut actor = Actor::spawn()?;
    let slot = actor.pass_file(target.ns("uts")?)?.slot;
    let call = Call::new(entry, slot, nstype);
    actor.open_device()?;
    Ok((actor, call))
}

/// Makes the call, and checks the steps in the trace, with the errno of one that refuses.
fn traced(
    fixtures: &mut Fixtures,
    entry: Entry,
    nstype: i32,
    expected: Outcome,
    steps: &str,
) -> Result<()> {
    let (actor, call) = caller(fixtures, entry, nstype)?;
    seen(actor, call, expected, steps)
}

fn of_pidfd(fixtures: &mut Fixtures) -> Result<()> {
    let target = fixtures.target(&Target::in_all_new())?;
    let (mut actor, call) = caller(fixtures, Entry::EXPLAINED, all_kinds() as i32)?;
    let slot = actor.pass_file(target.pidfd()?)?.slot;
    let steps = "fget type create_new_namespaces prepare_creds copy_fs_struct target install \
                 install install install install install install install target_put commit_creds \
                 set_fs exit_sem timens_commit nsproxy_ns_active_get switch put_nsproxy \
                 perf_event_namespaces";
    seen(
        actor,
        Call::new(call.entry, slot, all_kinds() as i32),
        Ok(()),
        steps,
    )
}

/// Creates a namespace of each kind, by a caller that shares its files.
fn of_unshare() -> Result<()> {
    let mut actor = Actor::spawn()?;
    actor.open_device()?;
    actor.set_up(&Setup::ShareFiles)?;
    let call = Call {
        entry: Entry::EXPLAINED,
        args: Args::Unshare {
            flags: u64::from(all_kinds()) | libc::CLONE_FILES as u64,
        },
        fail_nth: None,
        diagnose: false,
    };
    let steps = "check_unshare_flags copy_fs_struct dup_fd prepare_creds new_ns new_ns new_ns \
                 new_ns new_ns new_ns new_ns new_ns create_new_namespaces set_cred_ucounts \
                 exit_sem exit_shm switch_fs nsproxy_ns_active_get switch put_nsproxy \
                 switch_files commit_creds perf_event_namespaces";
    seen(actor, call, Ok(()), steps)
}

fn seen(mut actor: Actor, call: Call, expected: Outcome, steps: &str) -> Result<()> {
    let trace = Trace::on()?;
    let outcome = actor.call(call)?;
    trace.off()?;
    expect(outcome, expected)?;
    let lines = trace.of_process(actor.pid()?)?;
    let word = |line: &String| -> Option<String> {
        let field = |name: &str| {
            let mut words = line.split_whitespace();
            words
                .find_map(|word| word.strip_prefix(name))
                .map(str::to_owned)
        };
        let (step, error) = (field("step=")?, field("error=")?);
        Some(if error == "0" {
            step
        } else {
            format!("{step}:{error}")
        })
    };
    let seen: Option<Vec<_>> = lines.iter().map(word).collect();
    let seen = seen
        .with_context(|| format!("odd lines: {lines:#?}"))?
        .join(" ");
    ensure!(seen == steps, "seen: {seen}\nexpected: {steps}");
    Ok(())
}
