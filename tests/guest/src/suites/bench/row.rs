// SPDX-License-Identifier: GPL-2.0-only

//! The rows of the benchmark, as data.

use crate::{
    case::{
        implementation::{self, Entry, Kind},
        target::{Target, TargetProcess},
    },
    env::module,
    errno::{Code, Outcome, outcome_name},
    process::{
        Actor,
        command::{Command, Source},
        creds,
        measure::{Measured, Operation, Work},
        setup::Setup,
    },
};
use anyhow::{Context as _, Result};
use std::os::fd::OwnedFd;

/// The way of the work that is compared with a reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Subject {
    /// Another entry than that of the reference.
    Entry(Entry),
    /// A system call of a process that is not served, while another process is. The reference is
    /// the same call before the redirect is installed.
    NotServed,
}

/// The files of a call.
#[derive(Clone, Copy, Debug)]
enum Files {
    /// nsfs files of a kind.
    Of(Kind),
    /// Pidfds, for the kinds of these flags.
    Pidfd(u32),
    /// File descriptors that are not open.
    Closed,
}

impl Files {
    /// Returns the kinds of namespace that a call with these files enters.
    fn kinds(self) -> u32 {
        match self {
            Self::Of(kind) => kind.flag(),
            Self::Pidfd(kinds) => kinds,
            Self::Closed => 0,
        }
    }
}

/// The same work, done twice. The subject is compared with a reference.
pub(super) struct Row {
    subject: Subject,
    work: String,
    operation: Operation,
    /// An operation whose cost is subtracted from both.
    less: Option<Operation>,
    in_children: bool,
    files: Files,
    nstype: u32,
    caller: Vec<Setup>,
    outcome: Outcome,
    /// The highest ratio to the cost of the reference. It is the last measured ratio, so that a change
    /// that adds instructions fails; an improvement lowers it. It holds for a kernel that inlines C
    /// helpers into Rust; without that, the ratio is up to 0.05 higher.
    limit: f64,
}

/// The cost of a row, in instructions per call.
#[derive(Clone, Copy)]
pub(super) struct Cost {
    pub(super) reference: f64,
    pub(super) subject: f64,
}

impl Cost {
    pub(super) fn ratio(&self) -> f64 {
        self.subject / self.reference
    }
}

/// Returns the rows of the ioctl, compared with setns(2), and of its explanations.
pub(super) fn rows() -> Vec<Row> {
    let mut rows = Vec::new();
    rows.extend(Kind::ALL.map(Row::of_kind));
    let all = implementation::all_kinds();
    let three = implementation::flags_of(&[Kind::Uts, Kind::Ipc, Kind::Net]);
    for (word, kinds, limit) in [
        ("net", Kind::Net.flag(), 0.85),
        ("uts+ipc+net", three, 0.845),
        ("all but user", all & !Kind::User.flag(), 0.965),
        ("all", all, 0.975),
    ] {
        rows.push(Row::new(
            Entry::Device,
            format!("{word}, pidfd"),
            Files::Pidfd(kinds),
            limit,
        ));
    }
    rows.extend(errors());
    rows.extend(unshared(Entry::Device, "", [1.01, 0.95, 1.02, 1.01, 0.96]));

    for (dry_run, journal, net, seven) in [
        (true, false, 1.21, 0.655),
        (true, true, 4.03, 1.765),
        (false, false, 1.46, 1.105),
        (false, true, 5.14, 2.75),
    ] {
        let entry = Entry::Explain { dry_run, journal };
        rows.push(Row::new(entry, "net, nsfs", Files::Of(Kind::Net), net));
        let files = Files::Pidfd(all & !Kind::User.flag());
        rows.push(Row::new(entry, "all but user, pidfd", files, seven));
    }
    rows
}

/// Returns the rows of the redirected functions: of a process that is served, compared with one that
/// is not.
pub(super) fn served() -> Vec<Row> {
    let mut rows: Vec<_> = [
        ("net, nsfs", Files::Of(Kind::Net), 0.93),
        ("net, pidfd", Files::Pidfd(Kind::Net.flag()), 0.94),
    ]
    .map(|(work, files, limit)| Row::new(Entry::Served, work, files, limit))
    .into();
    rows.extend(unshared(
        Entry::Served,
        "unshare ",
        [1.01, 0.985, 1.025, 1.01, 0.98],
    ));

    let (child, uts) = (Operation::Vfork(0), Operation::Vfork(Kind::Uts.flag()));
    let row = |operation, work, limit| {
        Row::without_files(Subject::Entry(Entry::Served), operation, work, limit)
    };
    rows.extend([
        // Little else than the entry of the redirect.
        row(Operation::Unshare(0), "unshare nothing", 1.6),
        row(child, "vfork, exit", 1.115),
        row(uts, "vfork into uts, exit", 1.11),
        // The entry of the redirect costs both the same, so this is the work of the module.
        Row {
            less: Some(child),
            ..row(uts, "uts of a child", 1.0)
        },
        row(Operation::Fork, "fork, exit", 1.04),
        row(Operation::Exec, "fork, exec, exit", 1.02),
    ]);
    rows
}

/// Returns the rows of a process that is not served, while another process is.
pub(super) fn not_served() -> Vec<Row> {
    let row =
        |operation, work, limit| Row::without_files(Subject::NotServed, operation, work, limit);
    vec![
        Row {
            subject: Subject::NotServed,
            ..Row::new(Entry::Syscall, "setns net", Files::Of(Kind::Net), 1.14)
        },
        row(
            Operation::Unshare(Kind::Uts.flag()),
            "unshare uts, and its release",
            1.065,
        ),
        row(Operation::Vfork(0), "vfork, exit", 1.045),
        row(Operation::Fork, "fork, exit", 1.03),
        row(Operation::Exec, "fork, exec, exit", 1.015),
    ]
}

/// Returns the rows of unshare(2) with these limits. The name of the work begins with `prefix`.
///
/// A process that makes the call once measures it alone: its exit releases the namespaces. The last
/// row is of a process that repeats the call, which releases the namespace of the call before. The
/// module calls the kernel's functions that create a user namespace, and has nothing else to do:
/// there, the ratio shows the entry.
fn unshared(subject: Entry, prefix: &str, limits: [f64; 5]) -> Vec<Row> {
    let works = [
        ("net", Kind::Net.flag(), true),
        ("uts", Kind::Uts.flag(), true),
        ("user", Kind::User.flag(), true),
        ("all", implementation::all_kinds(), true),
        ("uts, and its release", Kind::Uts.flag(), false),
    ];
    let rows = works.into_iter().zip(limits);
    rows.map(|((work, kinds, in_children), limit)| Row {
        in_children,
        ..Row::without_files(
            Subject::Entry(subject),
            Operation::Unshare(kinds),
            format!("{prefix}{work}"),
            limit,
        )
    })
    .collect()
}

fn errors() -> Vec<Row> {
    let row = |files, nstype, caller: &[Setup], errno: Code, why| Row {
        nstype,
        caller: caller.to_vec(),
        outcome: Err(errno),
        ..Row::new(
            Entry::Device,
            format!("{}, {why}", outcome_name(Err(errno))),
            files,
            0.98,
        )
    };
    let uts = Files::Of(Kind::Uts);
    let weak = [Setup::KeepCaps(!creds::SYS_ADMIN)];
    vec![
        row(Files::Closed, 0, &[], Code::EBADF, "not open"),
        row(uts, Kind::Net.flag(), &[], Code::EINVAL, "of another kind"),
        row(
            Files::Pidfd(0),
            0,
            &[],
            Code::EINVAL,
            "pidfd without a kind",
        ),
        row(uts, 0, &weak, Code::EPERM, "uts without a right"),
    ]
}

impl Row {
    fn new(subject: Entry, work: impl Into<String>, files: Files, limit: f64) -> Self {
        let kinds = files.kinds();
        Self {
            subject: Subject::Entry(subject),
            work: work.into(),
            operation: Operation::Setns,
            less: None,
            // A process cannot return from a user namespace.
            in_children: kinds & Kind::User.flag() != 0,
            files,
            nstype: match files {
                Files::Pidfd(kinds) => kinds,
                Files::Of(_) | Files::Closed => 0,
            },
            caller: Vec::new(),
            outcome: Ok(()),
            limit,
        }
    }

    /// Returns a row of an operation that uses no files.
    fn without_files(
        subject: Subject,
        operation: Operation,
        work: impl Into<String>,
        limit: f64,
    ) -> Self {
        Self {
            subject,
            operation,
            ..Self::new(Entry::Syscall, work, Files::Closed, limit)
        }
    }

    /// Returns the row of the ioctl for a namespace of a kind, by its nsfs file.
    pub(super) fn of_kind(kind: Kind) -> Self {
        let limit = match kind {
            Kind::Ipc => 0.79,
            Kind::Uts | Kind::Net => 0.81,
            Kind::Cgroup | Kind::Pid => 0.82,
            // The credentials, in functions that both call.
            Kind::User => 0.875,
            // Most of these two is the lookup of the root, and the mapping of the clocks.
            Kind::Mnt | Kind::Time => 0.94,
        };
        let work = format!("{}, nsfs", kind.name());
        Self::new(Entry::Device, work, Files::Of(kind), limit)
    }

    pub(super) fn subject(&self) -> Subject {
        self.subject
    }

    pub(super) fn work(&self) -> &str {
        &self.work
    }

    /// Returns whether the operation is one system call.
    pub(super) fn is_one_call(&self) -> bool {
        matches!(self.operation, Operation::Setns | Operation::Unshare(_))
    }

    /// Returns the name of the subject.
    pub(super) fn part(&self) -> &'static str {
        let entry = match self.subject {
            Subject::Entry(entry) => entry,
            Subject::NotServed => return "not-served",
        };
        match (entry, self.operation) {
            (Entry::Syscall, _) => "syscall",
            (Entry::Device, Operation::Unshare(_)) => "unshare",
            (Entry::Device, _) => "device",
            (Entry::Device2011, _) => "device-2011",
            (Entry::Served | Entry::Lifelong, _) => "served",
            (Entry::Explain { dry_run, journal }, _) => match (dry_run, journal) {
                (true, false) => "dry-run",
                (true, true) => "dry-run-journal",
                (false, false) => "explain",
                (false, true) => "journal",
            },
        }
    }

    pub(super) fn name(&self) -> String {
        format!("{}: {}", self.part(), self.work)
    }

    /// Returns the highest ratio to the cost of the reference.
    pub(super) fn limit(&self) -> f64 {
        self.limit
    }

    /// Measures the reference and the subject: by turns, or before and after the redirect is installed.
    pub(super) fn measure(&self) -> Result<Cost> {
        match self.subject {
            Subject::Entry(Entry::Served) => self.measure_redirect(Entry::Served),
            Subject::NotServed => self.measure_redirect(Entry::Syscall),
            Subject::Entry(entry) => self.measure_by_turns(entry),
        }
    }

    fn measure_by_turns(&self, entry: Entry) -> Result<Cost> {
        let [reference, subject] = Self::compared(entry).map(Measured::Operation);
        let measured = [
            Measured::NullSyscall,
            Measured::UnknownIoctl,
            reference,
            subject,
        ];
        let costs = self.with_actor(|actor, work| actor.measure(work, &measured))?;
        let [least, ioctl, mut reference, subject] = costs[..] else {
            anyhow::bail!("{} results for four measured calls", costs.len());
        };
        if self.outcome.is_err() {
            // A call that fails early costs little more than entering the kernel.
            reference += ioctl - least;
        }
        Ok(Cost { reference, subject })
    }

    /// Measures the system call before another process has requested the redirect, and `entry` after
    /// it.
    fn measure_redirect(&self, entry: Entry) -> Result<Cost> {
        // An installed redirect stays until the module is unloaded.
        module::unload_soon()?;
        module::load(c"")?.context("finit_module")?;
        self.with_actor(|actor, work| {
            let mut measure = |entry| actor.measure(work, &[Measured::Operation(entry)]);
            let reference = measure(Entry::Syscall)?[0];
            let mut other = Actor::spawn()?;
            other.open_device()?;
            other.run_command(&Command::Serve)?;
            let subject = measure(entry)?[0];
            Ok(Cost { reference, subject })
        })
    }

    /// Carries out the work of the reference and of the subject while the host records it.
    pub(super) fn profile(&self) -> Result<()> {
        let Subject::Entry(subject) = self.subject else {
            anyhow::bail!("only entries are profiled");
        };
        let measured = Self::compared(subject).map(Measured::Operation);
        self.with_actor(|actor, work| actor.profile(&self.name(), work, &measured))
    }

    /// Returns the entry of the reference and that of the subject.
    fn compared(subject: Entry) -> [Entry; 2] {
        let reference = match subject {
            Entry::Explain { .. } => Entry::Device,
            _ => Entry::Syscall,
        };
        [reference, subject]
    }

    /// Calls `act` with an actor that is ready to make the calls.
    fn with_actor<T>(&self, act: impl FnOnce(&mut Actor, Work) -> Result<T>) -> Result<T> {
        let mut actor = Actor::spawn()?;
        actor.open_device()?;
        for step in &self.caller {
            actor.set_up(step)?;
        }
        // They live until `act` returns.
        let targets = [self.target()?, self.target()?];
        let mut slots = [0; 2];
        for (slot, target) in slots.iter_mut().zip(&targets) {
            *slot = match self.file(target)? {
                Some(file) => actor.pass_file(file)?.slot,
                None => actor.open(Source::Number(-1))?.slot,
            };
        }
        let work = Work {
            operation: self.operation,
            less: self.less,
            slots,
            nstype: self.nstype as i32,
            in_children: self.in_children,
            outcome: self.outcome,
        };
        act(&mut actor, work)
    }

    fn target(&self) -> Result<TargetProcess> {
        TargetProcess::start(&Target::in_new(self.files.kinds()))
    }

    fn file(&self, target: &TargetProcess) -> Result<Option<OwnedFd>> {
        Ok(match self.files {
            Files::Of(kind) => Some(target.ns(kind.name())?),
            Files::Pidfd(_) => Some(target.pidfd()?),
            Files::Closed => None,
        })
    }
}
