// SPDX-License-Identifier: GPL-2.0-only

//! What setns does, told to a person; and each line of it is tested.
//!
//! Nothing here is known beforehand: every value comes from the caller that the line is about,
//! and is compared with what setns(2) gave its sibling.

use crate::{
    case::{
        Case, Expect, Handle, Unrelated,
        implementation::{self, Device, Entry, Kind},
        run::{self, Report},
        target::{Fate, Target, USER, World},
    },
    errno::{Code, word},
    process::setup::Step,
    report::{ktap::Tally, verdict_port},
    snapshot::Snapshot,
    sys,
};
use anyhow::Result;
use nsproxy_uapi::sys as uapi;
use std::{
    fs::File,
    os::fd::{AsFd as _, AsRawFd as _},
};

/// Tells it all: a story for people to read, in which everything told is also tested.
pub(crate) fn tell(world: &mut World) -> Result<Tally> {
    let mut story = Story {
        world,
        tally: Tally::default(),
    };
    story.opening()?;
    let rows = story.each_kind()?;
    story.several_at_once()?;
    story.as_in_2011()?;
    story.errors()?;
    story.table(&rows);
    Ok(story.tally)
}

struct Story<'a> {
    world: &'a mut World,
    tally: Tally,
}

/// A row of the table at the end.
struct Row {
    kind: Kind,
    before: String,
    after: String,
    changed: String,
    same: bool,
}

impl Story<'_> {
    /// Counts a case, prints its failures, and reports its result to the host as KTAP, since the
    /// story itself is written for users. Returns whether the case passed.
    fn count(&mut self, name: &str, wrong: &[String]) -> Result<bool> {
        for line in wrong.iter().flat_map(|wrong| wrong.lines()) {
            println!("  !! {line}");
            verdict_port::tell(&format!("# {line}"))?;
        }
        let good = wrong.is_empty();
        let (result, count) = match good {
            true => ("ok", &mut self.tally.passed),
            false => ("not ok", &mut self.tally.failed),
        };
        *count += 1;
        let number = self.tally.passed + self.tally.failed;
        verdict_port::tell(&format!("{result} {number} {name}"))?;
        Ok(good)
    }

    fn heading(&self, text: &str) {
        println!("\n{text}\n{}", "=".repeat(text.len()));
    }

    fn opening(&mut self) -> Result<()> {
        let version = Device::open()?.version()?;
        let target = self.world.target(&Target::in_all_new())?;
        self.heading("Two implementations of setns(2), one kernel");
        println!(
            "{} is there: ABI {}, built for {}, {} symbols resolved.",
            Device::PATH,
            version.abi,
            version.release,
            version.symbols
        );
        println!(
            "\
The target is process {}, in a new namespace of each kind. The callers are fresh
processes of root's. For every call through the device, a sibling in the same state
makes the same call through setns(2), and all that both can see of themselves is
compared: namespaces, credentials, root and cwd, clocks, cgroup, children.",
            target.pid
        );
        Ok(())
    }

    fn each_kind(&mut self) -> Result<Vec<Row>> {
        self.heading("Each kind by itself, by a file of /proc/PID/ns");
        let mut rows = Vec::new();
        for kind in Kind::ALL {
            let name = kind.name();
            let case = Case::new(name, Handle::Target(name), kind.flag() as i32)
                .target(Target::in_all_new())
                .moves(kind.flag());
            let report = run::run(&case, self.world)?;
            let (before, after) = (&report.subject.before, &report.subject.after);
            let link = link_that_moves(kind);
            println!(
                "\n{name:<8}ioctl(NSPROXY_SETNS, {{fd: /proc/{}/ns/{name}, nstype: {}}}) = {}",
                self.world.target(&Target::in_all_new())?.pid,
                flag_name(kind),
                word(report.subject.outcome)
            );
            for (when, seen) in [("before", before), ("after", after)] {
                let namespace = format!("{link} {}", inode(seen.link(link)));
                println!("  {when:<6}  {namespace:<28} {}", in_full(kind, seen));
            }
            let same = self.count(name, &report.wrong)?;
            if same {
                println!(
                    "  same    in a sibling by setns(2): {} values compared",
                    after.len()
                );
            }
            rows.push(Row {
                kind,
                before: inode(before.link(link)),
                after: inode(after.link(link)),
                changed: format!(
                    "{} {} -> {}",
                    what(kind),
                    sight(kind, before),
                    sight(kind, after)
                ),
                same,
            });
        }
        Ok(rows)
    }

    fn several_at_once(&mut self) -> Result<()> {
        self.heading("Several at once, by a pidfd: all of it or nothing");
        let all = implementation::all_kinds();
        let calls =
            [
                Case::new("uts, net and time", Handle::Pidfd, 0).moves(implementation::flags_of(
                    &[Kind::Uts, Kind::Net, Kind::Time],
                )),
                Case::new("all eight", Handle::Pidfd, 0).moves(all),
                Case::new(
                    "all eight, by the user who made them and has no rights here",
                    Handle::Pidfd,
                    0,
                )
                .target(Target::in_all_new().of_user())
                .caller([Step::SetIds(USER)])
                .moves(all),
            ];
        for call in calls {
            let Expect::Moved(kinds) = call.expect else {
                continue;
            };
            let call = Case {
                nstype: kinds as i32,
                target: call.target.or_else(|| Some(Target::in_all_new())),
                ..call
            };
            let report = run::run(&call, self.world)?;
            println!("\n{}: {}", call.name, word(report.subject.outcome));
            let moves = moves(&report);
            for moves in moves.chunks(3) {
                println!("  {}", moves.join("  "));
            }
            self.count(&call.name, &report.wrong)?;
        }

        // The last of four cannot be: the first three are not either.
        let kinds = implementation::flags_of(&[Kind::Mnt, Kind::Uts, Kind::Net, Kind::Time]);
        let call = Case::new("", Handle::Pidfd, kinds as i32)
            .target(Target::in_all_new())
            .caller([Step::ShareVm])
            .fails(Code::EUSERS);
        let report = run::run(&call, self.world)?;
        println!(
            "\nmnt, uts, net and time, by a process that shares its memory: {}",
            word(report.subject.outcome)
        );
        match moves(&report).as_slice() {
            [] => println!("  time cannot be entered, so nothing was: still where it was"),
            moves => println!("  {}", moves.join("  ")),
        }
        self.count("mnt, uts, net and time, with shared memory", &report.wrong)?;
        Ok(())
    }

    fn as_in_2011(&mut self) -> Result<()> {
        self.heading("As it was in 2011: three kinds, and root or nothing");
        println!();
        let calls = [
            ("uts", 0, "root", vec![], Ok(())),
            ("mnt", 0, "root", vec![], Err(Code::EINVAL)),
            (
                "uts",
                0,
                "a user",
                vec![Step::SetIds(USER)],
                Err(Code::EPERM),
            ),
        ];
        for (kind, nstype, who, steps, expected) in calls {
            let call = Case {
                subject: Entry::Device2011,
                reference: None,
                ..Case::new("", Handle::Target(kind), nstype)
            }
            .target(Target::in_all_new())
            .caller(steps);
            let call = match expected {
                Ok(()) => call.moves(Kind::Uts.flag()),
                Err(code) => call.fails(code),
            };
            let report = run::run(&call, self.world)?;
            let name = format!("{kind}, by {who}");
            println!(
                "  {name:<18}{:<8}{}",
                word(report.subject.outcome),
                match moves(&report).join("  ") {
                    nowhere if nowhere.is_empty() => "stays where it was".to_owned(),
                    moves => moves,
                }
            );
            self.count(&format!("2011: {name}"), &report.wrong)?;
        }
        // Today a bad descriptor is a bad descriptor for everybody.
        let call = Case::new("", Handle::Number(-1), 0).caller([Step::SetIds(USER)]);
        let then = Case {
            subject: Entry::Device2011,
            reference: None,
            ..call.clone()
        }
        .fails(Code::EPERM);
        let now = call.fails(Code::EBADF);
        let then = run::run(&then, self.world)?;
        let now = run::run(&now, self.world)?;
        println!(
            "  {:<18}{:<8}today {}: rights were asked for before anything else",
            "fd -1, by a user",
            word(then.subject.outcome),
            word(now.subject.outcome)
        );
        self.count("2011: fd -1, by a user", &then.wrong)?;
        self.count("today: fd -1, by a user", &now.wrong)?;
        Ok(())
    }

    fn errors(&mut self) -> Result<()> {
        self.heading("How it fails");
        println!("\n{:<8}{:<10}why", "device", "setns(2)");
        let uts = Kind::Uts.flag() as i32;
        let target = Target::in_all_new;
        let dead = || Target::in_new(Kind::Uts.flag());
        let calls = [
            Case::new("the descriptor is not open", Handle::Number(-1), 0).fails(Code::EBADF),
            Case::new(
                "it is no namespace: a pipe",
                Handle::Unrelated(Unrelated::Pipe),
                0,
            )
            .fails(Code::EINVAL),
            Case::new(
                "a uts namespace, and nstype says net",
                Handle::Target("uts"),
                Kind::Net.flag() as i32,
            )
            .fails(Code::EINVAL),
            Case::new("a pidfd, and nstype says nothing", Handle::Pidfd, 0).fails(Code::EINVAL),
            Case::new("pid: not below the caller's own", Handle::Home("pid"), 0)
                .caller([Step::Unshare(Kind::Pid.flag()), Step::Fork])
                .fails(Code::EINVAL),
            Case::new("user: the caller is there already", Handle::Own("user"), 0)
                .fails(Code::EINVAL),
            Case::new("mnt: root and cwd are shared", Handle::Target("mnt"), 0)
                .caller([Step::ShareFs])
                .fails(Code::EINVAL),
            Case::new("a user has no rights here", Handle::Target("uts"), 0)
                .caller([Step::SetIds(USER)])
                .fails(Code::EPERM),
            Case::new("the process behind the pidfd is gone", Handle::Pidfd, uts)
                .target(dead().with_fate(Fate::Reaped))
                .fails(Code::ESRCH),
            Case::new(
                "the process behind the pidfd is a zombie",
                Handle::Pidfd,
                uts,
            )
            .target(dead().with_fate(Fate::Zombie))
            .fails(Code::ESRCH),
            Case::new("time: the caller has threads", Handle::Target("time"), 0)
                .caller([Step::Thread])
                .fails(Code::EUSERS),
        ];
        for call in calls {
            let call = Case {
                target: call.target.or_else(|| Some(target())),
                ..call
            };
            let report = run::run(&call, self.world)?;
            let reference = report.reference.as_ref();
            println!(
                "{:<8}{:<10}{}",
                word(report.subject.outcome),
                reference.map_or_else(|| "-".to_owned(), |side| word(side.outcome)),
                call.name
            );
            self.count(&call.name, &report.wrong)?;
        }
        self.errors_of_the_device()
    }

    /// What only an ioctl can get wrong.
    fn errors_of_the_device(&mut self) -> Result<()> {
        let device = Device::open()?;
        let own = File::open("/proc/self/ns/uts")?;
        let args = uapi::nsproxy_setns {
            fd: own.as_raw_fd(),
            nstype: 0,
        };
        let args = (&raw const args).addr();
        // The reserved field is among what is known; only what comes after it is set.
        let mut version = [u8::MAX; 2 * size_of::<uapi::nsproxy_version>()];
        version[..size_of::<uapi::nsproxy_version>()].fill(0);
        let size = |command: u32, bytes: usize| command & !(0x3fff << 16) | (bytes as u32) << 16;
        for (why, command, address, expected) in [
            (
                "the command is unknown",
                uapi::NSPROXY_SETNS | 0xff,
                args,
                Code::ENOTTY,
            ),
            (
                "the struct has another size",
                size(uapi::NSPROXY_SETNS, 12),
                args,
                Code::EINVAL,
            ),
            (
                "the struct is nowhere",
                uapi::NSPROXY_SETNS,
                0,
                Code::EFAULT,
            ),
            (
                "the struct is longer than known, and not zero there",
                size(uapi::NSPROXY_VERSION, version.len()),
                version.as_mut_ptr().addr(),
                Code::E2BIG,
            ),
        ] {
            let outcome = sys::ioctl(device.as_fd().as_raw_fd(), command, address)
                .map(drop)
                .map_err(Code::from);
            println!("{:<8}{:<10}{why}", word(outcome), "-");
            let wrong = (outcome != Err(expected)).then(|| format!("expected {expected}"));
            self.count(why, wrong.as_slice())?;
        }
        Ok(())
    }

    fn table(&self, rows: &[Row]) {
        self.heading("In short");
        println!(
            "\n{:<8}{:<12}{:<12}{:<47}same as setns(2)?",
            "kind", "before", "after", "what changed for the caller"
        );
        for row in rows {
            println!(
                "{:<8}{:<12}{:<12}{:<47}{}",
                row.kind.name(),
                row.before,
                row.after,
                row.changed,
                if row.same { "yes" } else { "NO, see above" }
            );
        }
        let Tally { passed, failed, .. } = self.tally;
        println!(
            "\n{} calls checked, {failed} not as they should be.",
            passed + failed
        );
    }
}

/// The link of a process that shows that it entered a namespace of the kind.
fn link_that_moves(kind: Kind) -> &'static str {
    match kind {
        Kind::Pid => "pid_for_children",
        _ => kind.name(),
    }
}

/// What changes besides the link.
fn what(kind: Kind) -> &'static str {
    match kind {
        Kind::User => "uid map",
        Kind::Mnt => "mounts",
        Kind::Uts => "host name",
        Kind::Ipc => "message queue",
        Kind::Pid => "pid of a child",
        Kind::Cgroup => "cgroup",
        Kind::Net => "interfaces",
        Kind::Time => "monotonic clock",
    }
}

/// What it is.
fn sight(kind: Kind, seen: &Snapshot) -> &str {
    let value = seen.get(match kind {
        Kind::User => "uid_map",
        Kind::Mnt => "mounts",
        Kind::Uts => "hostname",
        Kind::Ipc => "message_queue",
        Kind::Pid => "info/child_pid",
        Kind::Cgroup => "cgroup",
        Kind::Net => "interfaces",
        Kind::Time => "clock/monotonic/vdso",
    });
    // Only those who are somewhere else afterwards have children that are asked.
    if value.is_empty() {
        "among ours"
    } else {
        value
    }
}

/// The same with all that is worth knowing.
fn in_full(kind: Kind, seen: &Snapshot) -> String {
    let short = format!("{} {}", what(kind), sight(kind, seen));
    match kind {
        Kind::User => format!("{short}, caps {}", seen.get("cap/effective")),
        Kind::Mnt => format!("{short}, root is on mount {}", seen.get("root/mount")),
        Kind::Time => format!("{short}, since boot {}", seen.get("clock/boottime/vdso")),
        _ => short,
    }
}

/// `CLONE_NEW*`, by name.
fn flag_name(kind: Kind) -> String {
    match kind {
        Kind::Mnt => "CLONE_NEWNS".to_owned(),
        _ => format!("CLONE_NEW{}", kind.name().to_uppercase()),
    }
}

/// The number in `uts:[4026531838]`.
fn inode(link: &str) -> String {
    crate::case::target::inode(link).map_or_else(|| link.to_owned(), |inode| inode.to_string())
}

/// The links that changed, from where to where.
fn moves(report: &Report) -> Vec<String> {
    let (before, after) = (&report.subject.before, &report.subject.after);
    Kind::ALL
        .into_iter()
        .map(|kind| (kind.name(), link_that_moves(kind)))
        .filter(|(_, link)| before.link(link) != after.link(link))
        .map(|(name, link)| {
            let (from, to) = (inode(before.link(link)), inode(after.link(link)));
            format!("{name} {from}->{to}")
        })
        .collect()
}
