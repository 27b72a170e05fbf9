// SPDX-License-Identifier: GPL-2.0-only

//! The tables that `make run` prints: cases of the suites `kinds` and `errno`, with the values that
//! the callers saw.

use super::{errno, kinds};
use crate::{
    case::{
        Case,
        fixtures::Fixtures,
        implementation::{Device, Kind},
        run::{self, CaseRun},
        target::inode,
    },
    errno::outcome_name,
    report::{ktap::Tally, verdict_port},
    snapshot::Snapshot,
};
use anyhow::{Context as _, Result};

/// Cases of the suite `errno`, with an explanation each.
const REFUSALS: [(&str, &str); 11] = [
    ("E1 fd -1 is not open", "the descriptor is not open"),
    (
        "E6 a pipe, nstype 0",
        "the file is not a namespace but a pipe",
    ),
    (
        "E2 nsfs file of uts, nstype of net",
        "the file is a uts namespace, and nstype says net",
    ),
    ("E3 pidfd, nstype 0", "a pidfd needs the kinds in nstype"),
    (
        "pid EINVAL an ancestor of that of the caller: nsfs",
        "pid: neither the caller's namespace nor below it",
    ),
    (
        "user EINVAL the one that the caller is in: nsfs",
        "user: the caller is in that namespace already",
    ),
    (
        "mnt EINVAL CLONE_FS shared with a process: nsfs",
        "mnt: root and working directory are shared",
    ),
    (
        "uts EPERM no capability anywhere: nsfs",
        "the caller has no capability",
    ),
    (
        "V1 the target was reaped: uts",
        "the process of the pidfd was reaped",
    ),
    (
        "V3 the target is a zombie: uts",
        "the process of the pidfd is a zombie",
    ),
    (
        "time EUSERS the caller has threads: nsfs",
        "time: the caller has threads",
    ),
];

/// Runs the cases and prints the tables.
pub(crate) fn run(fixtures: &mut Fixtures) -> Result<Tally> {
    let mut tally = Tally::default();
    let version = Device::open()?.version()?;
    println!(
        "\n{}: ABI {}, built for {}, {} symbols resolved\n\n\
         Each row is a call by a process of root, once through the device and once, by another\n\
         process in the same state, through setns(2). All that both see of themselves is compared.\n",
        Device::PATH,
        version.abi,
        version.release,
        version.symbols
    );

    println!(
        "{:<8}{:<12}{:<12}{:<47}same as setns(2)?",
        "kind", "before", "after", "what changed for the caller"
    );
    for kind in Kind::ALL {
        let case = kinds::into_target(kind, kind.flag(), "right");
        let run = run::run(&case, fixtures)?;
        let (before, after) = (&run.subject.before, &run.subject.after);
        let (what, was, is) = change(kind, before, after);
        println!(
            "{:<8}{:<12}{:<12}{:<47}{}",
            kind.name(),
            namespace(kind, before),
            namespace(kind, after),
            format!("{what} {was} -> {is}"),
            if run.wrong.is_empty() {
                "yes"
            } else {
                "NO, see below"
            }
        );
        count(&case, &run, &mut tally)?;
    }

    println!("\n{:<8}{:<10}why", "device", "setns(2)");
    let cases = errno::cases();
    for (name, why) in REFUSALS {
        let case = cases.iter().find(|case| case.name == name);
        let case = case.with_context(|| format!("the suite errno has no case {name:?}"))?;
        let run = run::run(case, fixtures)?;
        let reference = run.reference.as_ref();
        println!(
            "{:<8}{:<10}{why}",
            outcome_name(run.subject.outcome),
            reference.map_or("-".to_owned(), |run| outcome_name(run.outcome))
        );
        count(case, &run, &mut tally)?;
    }
    let Tally { passed, failed, .. } = tally;
    println!("\n{} calls checked, {failed} failed.", passed + failed);
    Ok(tally)
}

/// Counts a case, prints its failures, and reports its result to the host as KTAP: standard output
/// has the tables only.
fn count(case: &Case, run: &CaseRun, tally: &mut Tally) -> Result<()> {
    for line in run.wrong.iter().flat_map(|wrong| wrong.lines()) {
        println!("  !! {line}");
        verdict_port::send_line(&format!("# {line}"))?;
    }
    let (result, count) = match run.wrong[..] {
        [] => ("ok", &mut tally.passed),
        _ => ("not ok", &mut tally.failed),
    };
    *count += 1;
    let number = tally.passed + tally.failed;
    verdict_port::send_line(&format!("{result} {number} {}", case.name))
}

/// Returns the inode number of the namespace that a call changes.
fn namespace(kind: Kind, snapshot: &Snapshot) -> String {
    let link = snapshot.link(match kind {
        Kind::Pid => "pid_for_children",
        _ => kind.name(),
    });
    inode(link).map_or_else(|| link.to_owned(), |inode| inode.to_string())
}

/// Returns a property that depends on the namespace, with its values before and after the call.
fn change<'a>(
    kind: Kind,
    before: &'a Snapshot,
    after: &'a Snapshot,
) -> (&'static str, &'a str, &'a str) {
    let (what, key) = match kind {
        Kind::User => ("uid map", "uid_map"),
        Kind::Mnt => ("mounts", "mounts"),
        Kind::Uts => ("host name", "hostname"),
        Kind::Ipc => ("message queue", "message_queue"),
        Kind::Pid => ("pid of a child", "info/child_pid"),
        Kind::Cgroup => ("cgroup", "cgroup"),
        Kind::Net => ("interfaces", "interfaces"),
        Kind::Time => ("monotonic clock", "clock/monotonic/vdso"),
    };
    let value = |snapshot: &'a Snapshot| match snapshot.get(key) {
        // Children take part in a snapshot only after a call that had an effect.
        "" => "among ours",
        value => value,
    };
    (what, value(before), value(after))
}
