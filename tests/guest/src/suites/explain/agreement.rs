// SPDX-License-Identifier: GPL-2.0-only

//! `nsproxy check`, `explain`, `trace --dry-run` and `setns` give the same answer: for every case
//! of the suites kinds, pidfd and errno that can be typed, and for plans of several calls.
//!
//! The caller of a case is put into its state, and forks a child that executes the command. The
//! file of the case is the standard input of the child.

use crate::{
    case::{
        Case, Expect, FdSource, NsPath, Unrelated,
        fixtures::Fixtures,
        implementation::{self, Kind},
        run,
        target::{Liveness, Target, USER},
    },
    errno::Code,
    process::{command::Program, creds, setup::Setup},
    report::ktap::Test,
};
use anyhow::{Context as _, Result, ensure};
use nsproxy_uapi::{Device, Reason};
use std::{
    collections::HashSet,
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt as _,
};

/// The words of the compared commands, before and after the options. The last one enters.
const COMMANDS: [(&[&str], &[&str]); 4] = [
    (&["check"], &[]),
    (&["explain"], &[]),
    (&["trace", "--dry-run"], &[]),
    (
        // Without fork(2) and setuid(2), the exit status depends on the calls of setns(2) only.
        &["setns", "--no-fork", "--preserve-credentials"],
        &["--", "true"],
    ),
];

/// The expected answer of the commands.
#[derive(Clone, Debug)]
enum Answer {
    /// All namespaces can be entered.
    Entered,
    /// A call is refused, by this check where it is known.
    Refused(Code, Option<Reason>),
    /// A file or a process cannot be opened.
    NotOpened(Code),
    /// The same answer as that of `setns`.
    AsSetns,
}

pub(super) fn tests(cases: impl Iterator<Item = (&'static str, Case)>) -> Vec<Test> {
    let mut typed = HashSet::new();
    let mut tests: Vec<_> = cases
        .filter_map(|(suite, case)| {
            let (case, options) = type_case(&case)?;
            let answer = answer_of(&case);
            let is_new = typed.insert((case.target.clone(), case.caller.clone(), options.clone()));
            let name = format!("nsproxy agrees: {suite}: {}", case.name);
            is_new.then(|| {
                Test::new(name, move |fixtures| {
                    check(&case, &options, &answer, fixtures)
                })
            })
        })
        .collect();
    let count = tests.len();
    tests.push(Test::new(
        "nsproxy agrees: enough cases can be typed",
        move |_| {
            ensure!(count >= 180, "{count} can");
            Ok(())
        },
    ));
    tests.extend(
        plans()
            .into_iter()
            .map(|(name, target, caller, options, answer)| {
                // -1: the options name all files.
                let case = Case::new(name, FdSource::Number(-1), 0)
                    .target(target)
                    .caller(caller);
                Test::new(format!("nsproxy agrees: {name}"), move |fixtures| {
                    check(&case, options, &answer, fixtures)
                })
            }),
    );
    tests.push(Test::new(
        "nsproxy agrees: all, where /proc has the numbers of another pid namespace",
        numbers_of_another,
    ));
    tests.push(Test::new(
        "nsproxy agrees: show, diff and the syscall about a process that has exited",
        of_an_exited,
    ));
    tests
}

/// Checks that `-t 2` means the process with number 2 in the caller's pid namespace, and not the
/// one with this number in `/proc`.
fn numbers_of_another(fixtures: &mut Fixtures) -> Result<()> {
    let case = Case::new("", FdSource::Number(-1), 0).caller([
        Setup::Unshare(Kind::Pid.flag()),
        Setup::Fork,
        Setup::Child,
    ]);
    let line = ["nsproxy", "explain", "-t", "2", "-a"].map(str::to_owned);
    let programs = run::run_programs(&case, |_| vec![line.into()], fixtures)?;
    let expected = "the user, mnt, uts, ipc, cgroup, net namespaces of process 2: can be entered";
    ensure!(
        programs[0].text.contains(expected),
        "expected {expected:?}: {programs:?}"
    );
    Ok(())
}

/// Checks that the other commands report `ESRCH` for a process that has exited, and run no command
/// in the namespaces of the caller.
fn of_an_exited(fixtures: &mut Fixtures) -> Result<()> {
    let target = Target::default().with_liveness(Liveness::Zombie);
    let pid = fixtures.target(&target)?.pid.to_string();
    let case = Case::new("", FdSource::Number(-1), 0).target(target);
    let rows = [
        ("setns --via syscall -t PID -a -- echo inside", 1),
        ("setns -t PID -a -- echo inside", 1),
        ("show -t PID", 1),
        // Both sides have the same errno.
        ("diff -t PID -a", 0),
    ];
    let lines = rows.map(|(line, _)| {
        let line = format!("nsproxy {line}").replace("PID", &pid);
        line.split(' ').map(str::to_owned).collect()
    });
    let programs = run::run_programs(&case, |_| lines.into(), fixtures)?;
    for ((line, status), program) in rows.iter().zip(&programs) {
        let is_right = program.status == Some(*status)
            && program.text.contains("ESRCH")
            && !program.text.contains("inside");
        ensure!(is_right, "`nsproxy {line}`: {program:?}");
    }
    Ok(())
}

/// Converts a case to options that are typed by a caller in a state which a child inherits. Returns
/// [`None`] if no such options or no such state exist. `$t` is the pid of the target, `$own` the
/// caller's.
fn type_case(case: &Case) -> Option<(Case, String)> {
    let nests_pid =
        |step: &Setup| matches!(step, Setup::Unshare(kinds) if kinds & Kind::Pid.flag() != 0);
    let is_of_user = case.target.as_ref().is_some_and(|target| {
        let is_other = |step: &Setup| matches!(step, Setup::SetIds(_));
        target.setups.iter().any(is_other)
    });
    let mut caller = Vec::new();
    for (index, step) in case.caller.iter().enumerate() {
        caller.push(match step {
            // The first child would be init there, and the last child, too.
            step if nests_pid(step) && case.caller.get(index + 1) != Some(&Setup::Fork) => {
                return None;
            }
            // Neither threads nor memory survive execve(2); root regains what it has lowered.
            Setup::Thread | Setup::ShareVm | Setup::Vfork | Setup::LowerCaps(_) => return None,
            // The new root has no program to execute.
            Setup::Chroot(_) => return None,
            // Only a root that is mapped there has capabilities after execve(2).
            Setup::EnterTarget(_) if is_of_user => return None,
            Setup::KeepCaps(caps) => Setup::BoundCaps(*caps),
            step => step.clone(),
        });
    }

    let kinds = case.nstype as u32;
    let kinds: Vec<_> = implementation::kinds_of(kinds)
        .take(if kinds & !implementation::all_kinds() == 0 {
            8
        } else {
            0
        })
        .collect();
    let letters = |process: &str| {
        let letters: String = kinds.iter().map(|kind| kind.letter()).collect();
        (!letters.is_empty()).then(|| format!("-t {process} -{letters}"))
    };
    let sees_target = !case.caller.iter().any(nests_pid);
    let file = |kind: Kind| Some(format!("-{}=/proc/self/fd/0", kind.letter()));
    let options = match (case.fd, &kinds[..]) {
        (FdSource::Pidfd, _) if sees_target => letters("$t")?,
        (FdSource::OwnPidfd, _) if sees_target => letters("$own")?,
        // Opening it again may fail, or may open another file.
        (FdSource::TargetBy(NsPath::OPath, _), _) => return None,
        (
            FdSource::Unrelated(
                Unrelated::Pipe | Unrelated::Socket | Unrelated::Epoll | Unrelated::EventFd,
            ),
            _,
        ) => {
            return None;
        }
        (
            FdSource::Target(_)
            | FdSource::TargetBy(..)
            | FdSource::Home(_)
            | FdSource::Own(_)
            | FdSource::ProcDirectory
            | FdSource::Unrelated(_),
            [kind],
        ) => file(*kind)?,
        // The tool always passes the kind.
        (FdSource::Target(link) | FdSource::Home(link) | FdSource::Own(link), [])
            if case.nstype == 0 =>
        {
            file(Kind::ALL.into_iter().find(|kind| kind.name() == link)?)?
        }
        _ => return None,
    };
    let case = Case {
        caller,
        ..case.clone()
    };
    Some((case, options))
}

fn answer_of(case: &Case) -> Answer {
    let is_reaped = |target: &Target| target.liveness == Liveness::Reaped;
    match case.expect {
        Expect::Moved(_) | Expect::Created(_) => Answer::Entered,
        Expect::Fails(code) if case.target.as_ref().is_some_and(is_reaped) => {
            Answer::NotOpened(code)
        }
        Expect::Fails(code) => Answer::Refused(code, case.reason),
        Expect::AsReference => Answer::AsSetns,
    }
}

type Plan = (&'static str, Target, Vec<Setup>, &'static str, Answer);

/// Returns plans of several calls, and plans that cannot start.
fn plans() -> Vec<Plan> {
    let refused = |reason: Reason| {
        let errno = reason.errno().expect("a check with an errno");
        Answer::Refused(errno.into(), Some(reason))
    };
    let of_user = || Target::in_all_new().of_user();
    let user = || vec![Setup::SetIds(USER)];
    let root = Vec::new;
    vec![
        (
            "files: the user namespace gives the rights for the next",
            of_user(),
            user(),
            "-U=/proc/$t/ns/user -n=/proc/$t/ns/net",
            Answer::Entered,
        ),
        (
            "files: three are refused at first",
            of_user(),
            user(),
            "-u=/proc/$t/ns/uts -n=/proc/$t/ns/net -U=/proc/$t/ns/user -i=/proc/$t/ns/ipc",
            Answer::Entered,
        ),
        (
            "a file beside a process: the user namespace gives the rights for the next",
            of_user(),
            user(),
            "-t $t -U -m -n=/proc/$t/ns/net",
            Answer::Entered,
        ),
        (
            "files: the user namespace takes the rights for the next, which comes before it",
            Target::in_all_new(),
            root(),
            "-U=/proc/$t/ns/user -n=/proc/self/ns/net",
            Answer::Entered,
        ),
        (
            "a file beside a process: the user namespace takes the rights, and comes last",
            Target::in_all_new(),
            root(),
            "-t $t -U -m -p -n=/proc/self/ns/net",
            Answer::Entered,
        ),
        (
            "files: refused before the user namespace and in it",
            of_user(),
            user(),
            "-U=/proc/$t/ns/user -u=/proc/$t/ns/uts -n=/proc/self/ns/net",
            refused(Reason::CapOwner),
        ),
        (
            "files: the user namespace is refused, what is before it is not",
            Target::in_all_new(),
            root(),
            "-U=/proc/self/ns/user -u=/proc/$t/ns/uts -m=/proc/$t/ns/mnt",
            refused(Reason::SameUser),
        ),
        (
            "files: the first is refused, and there is no user namespace",
            Target::in_all_new(),
            vec![Setup::BoundCaps(creds::SYS_ADMIN | creds::SYS_PTRACE)],
            "-m=/proc/$t/ns/mnt -u=/proc/$t/ns/uts",
            refused(Reason::Chroot),
        ),
        (
            "files: the last is refused, where root is shared",
            Target::in_all_new(),
            vec![Setup::ShareFs],
            "-u=/proc/$t/ns/uts -U=/proc/$t/ns/user",
            refused(Reason::FsShared),
        ),
        (
            "files of 2011: the second is refused",
            Target::in_all_new(),
            root(),
            "--2011 -u=/proc/$t/ns/uts -n=/proc/$t/ns/uts",
            Answer::AsSetns,
        ),
        (
            "files of 2011",
            Target::in_new(implementation::flags_of(&[Kind::Net, Kind::Uts])),
            root(),
            "--2011 -t $t -u -n",
            Answer::Entered,
        ),
        (
            "all",
            Target::in_all_new(),
            root(),
            "-t $t -a",
            Answer::Entered,
        ),
        (
            "all, by the user that made them",
            of_user(),
            user(),
            "-t $t -a",
            Answer::Entered,
        ),
        (
            "all, and there is nothing to enter",
            Target::default(),
            root(),
            "-t $t -a",
            Answer::Entered,
        ),
        (
            "all of a process that has exited",
            Target::in_new(Kind::Uts.flag()).with_liveness(Liveness::Zombie),
            root(),
            "-t $t -a",
            refused(Reason::Exiting),
        ),
        (
            "all of a process that has exited, and was where the caller is",
            Target::default().with_liveness(Liveness::Zombie),
            root(),
            "-t $t -a",
            refused(Reason::Exiting),
        ),
        (
            "all of a process that may not be looked into",
            Target::in_new(Kind::Uts.flag()),
            user(),
            "-t $t -a",
            refused(Reason::Ptrace),
        ),
        (
            "all of a process that is gone",
            Target::default().with_liveness(Liveness::Reaped),
            root(),
            "-t $t -a",
            Answer::NotOpened(Code::ESRCH),
        ),
        (
            "no such file",
            Target::default(),
            root(),
            "-u=/proc/$t/ns/uts -n=/nowhere",
            Answer::NotOpened(Code::ENOENT),
        ),
        (
            "a file below a file",
            Target::default(),
            root(),
            "-n=/proc/$t/ns/net/net",
            Answer::NotOpened(Code::ENOTDIR),
        ),
        (
            "a file that may not be opened",
            Target::default(),
            user(),
            "-n=/proc/$t/ns/net",
            Answer::NotOpened(Code::EACCES),
        ),
    ]
}

/// Runs all commands, and compares their answers with one another and with the expected one.
fn check(case: &Case, options: &str, expected: &Answer, fixtures: &mut Fixtures) -> Result<()> {
    let target = match &case.target {
        Some(target) => fixtures.target(target)?.pid,
        None => 0,
    };
    let lines = |own: u32| {
        let options = options
            .replace("$t", &target.to_string())
            .replace("$own", &own.to_string());
        let line = |(before, after): (&[&str], &[&str])| {
            let words = ["nsproxy"].iter().chain(before).copied();
            let words = words.chain(options.split(' ')).chain(after.iter().copied());
            words.map(str::to_owned).collect()
        };
        COMMANDS.map(line).into()
    };
    let programs = {
        let _open = OpenToAll::new()?;
        run::run_programs(case, lines, fixtures)?
    };
    let [check, explain, trace, setns] = &programs[..] else {
        unreachable!("one program per command");
    };
    let expected = match expected {
        Answer::AsSetns => match setns.status {
            Some(0) => Answer::Entered,
            _ => Answer::Refused(first_errno(&setns.text).context("no errno")?, None),
        },
        expected => expected.clone(),
    };
    let mut wrong = Vec::new();
    let mut want = |what: &str, is: bool| {
        if !is {
            wrong.push(what.to_owned());
        }
    };
    let printed = |program: &Program, line: &str| program.text.lines().any(|has| has == line);
    match expected {
        Answer::Entered => {
            for (program, (words, _)) in programs.iter().zip(COMMANDS) {
                want(words[0], program.status == Some(0));
            }
            want(
                "check prints nothing",
                check.text.is_empty() || options.ends_with("-a"),
            );
        }
        Answer::Refused(code, _) | Answer::NotOpened(code) => {
            let word = match expected {
                Answer::NotOpened(_) => Some("open"),
                Answer::Refused(_, reason) => reason.map(Reason::name),
                _ => None,
            };
            let is_named = match word {
                Some(word) => printed(check, &format!("{code} {word}")),
                None => check.text.starts_with(&format!("{code} ")),
            };
            want("check names it", is_named);
            want("the status of check", check.status == Some(status_of(code)));
            for (program, (words, _)) in programs.iter().zip(COMMANDS).skip(1) {
                let is_said = match words[0] {
                    // Trees of calls that are made again precede it.
                    "trace" => last_refusal(&program.text),
                    _ => first_errno(&program.text),
                };
                want(words[0], program.status == Some(1) && is_said == Some(code));
            }
        }
        Answer::AsSetns => unreachable!("replaced above"),
    }
    // Both print each call when they make it.
    let explained: Vec<_> = explain.text.lines().filter_map(turn_of_explain).collect();
    let traced: Vec<_> = trace.text.lines().filter_map(turn_of_trace).collect();
    want("the order of calls", explained == traced);
    let has_none = matches!(expected, Answer::NotOpened(_)) || options.ends_with("-a");
    want("a call is printed", !traced.is_empty() || has_none);
    ensure!(
        wrong.is_empty(),
        "`nsproxy ... {options}`: expected {expected:?}, wrong: {wrong:?}\n{programs:#?}"
    );
    Ok(())
}

/// Returns the call in a line that `nsproxy explain` prints for each call it makes.
fn turn_of_explain(line: &str) -> Option<&str> {
    let (call, answer) = line.split_once(": ")?;
    (call.starts_with("the ") && !answer.starts_with("not made")).then_some(call)
}

/// Returns the call in the first line of its tree.
fn turn_of_trace(line: &str) -> Option<&str> {
    line.strip_prefix("setns: ")
}

/// Returns the exit status of `nsproxy check` that its help documents.
fn status_of(code: Code) -> i32 {
    match code {
        Code::EPERM | Code::EACCES => 3,
        Code::EINVAL | Code::EUSERS => 4,
        Code::ESRCH | Code::EBADF | Code::ENOENT => 5,
        _ => 6,
    }
}

/// Returns the first errno in a text, as in `EINVAL:`.
fn first_errno(text: &str) -> Option<Code> {
    text.split_whitespace()
        .filter_map(|word| word.strip_suffix(':'))
        .find_map(Code::of_name)
}

/// Returns the errno of the last call in trees of calls, or of the text if it has no tree.
fn last_refusal(text: &str) -> Option<Code> {
    let last = text.rsplit_once("refused: ").map(|(_, last)| last);
    first_errno(last.unwrap_or(text))
}

/// The device, usable by all users: callers without capabilities make dry runs, too.
struct OpenToAll;

impl OpenToAll {
    fn new() -> Result<Self> {
        fs::set_permissions(Device::PATH, Permissions::from_mode(0o666)).context(Device::PATH)?;
        Ok(Self)
    }
}

impl Drop for OpenToAll {
    fn drop(&mut self) {
        let _ = fs::set_permissions(Device::PATH, Permissions::from_mode(0o600));
    }
}
