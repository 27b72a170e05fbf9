// SPDX-License-Identifier: GPL-2.0-only

//! The rows of the benchmark, as data.

use crate::{
    case::{
        implementation::{self, Entry, Kind},
        target::{Target, TargetProcess},
    },
    errno::{Code, Outcome, outcome_name},
    process::{
        Actor,
        command::Source,
        creds,
        measure::{Measured, Work},
        setup::Setup,
    },
};
use anyhow::Result;
use std::os::fd::OwnedFd;

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

/// The same work, done by two entries.
pub(super) struct Row {
    subject: Entry,
    work: String,
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
        ("net", Kind::Net.flag(), 0.91),
        ("uts+ipc+net", three, 0.945),
        ("all but user", all & !Kind::User.flag(), 1.01),
        ("all", all, 0.99),
    ] {
        rows.push(Row::new(
            Entry::Device,
            format!("{word}, pidfd"),
            Files::Pidfd(kinds),
            limit,
        ));
    }
    rows.extend(errors());

    for (dry_run, journal, net, seven) in [
        (true, false, 1.18, 0.655),
        (true, true, 3.92, 1.75),
        (false, false, 1.43, 1.095),
        (false, true, 4.99, 2.715),
    ] {
        let entry = Entry::Explain { dry_run, journal };
        rows.push(Row::new(entry, "net, nsfs", Files::Of(Kind::Net), net));
        let files = Files::Pidfd(all & !Kind::User.flag());
        rows.push(Row::new(entry, "all but user, pidfd", files, seven));
    }
    rows
}

/// Returns the rows of the redirected system call.
pub(super) fn served() -> Vec<Row> {
    [
        ("net, nsfs", Files::Of(Kind::Net), 0.96),
        ("net, pidfd", Files::Pidfd(Kind::Net.flag()), 0.915),
    ]
    .map(|(work, files, limit)| Row::new(Entry::Served, work, files, limit))
    .into()
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
            1.015,
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
        Self {
            subject,
            work: work.into(),
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

    /// Returns the row of the ioctl for a namespace of a kind, by its nsfs file.
    pub(super) fn of_kind(kind: Kind) -> Self {
        let limit = match kind {
            Kind::Uts | Kind::Cgroup | Kind::Net => 0.87,
            Kind::Ipc | Kind::Pid => 0.89,
            Kind::User => 0.91,
            // Most of these two is the lookup of the root, and the mapping of the clocks.
            Kind::Mnt | Kind::Time => 0.97,
        };
        let work = format!("{}, nsfs", kind.name());
        Self::new(Entry::Device, work, Files::Of(kind), limit)
    }

    pub(super) fn subject(&self) -> Entry {
        self.subject
    }

    pub(super) fn work(&self) -> &str {
        &self.work
    }

    /// Returns the name of the subject.
    pub(super) fn part(&self) -> &'static str {
        match self.subject {
            Entry::Syscall => "syscall",
            Entry::Device => "device",
            Entry::Device2011 => "device-2011",
            Entry::Served | Entry::Lifelong => "served",
            Entry::Explain { dry_run, journal } => match (dry_run, journal) {
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

    /// Measures the calls of both entries.
    pub(super) fn measure(&self) -> Result<Cost> {
        let [reference, subject] = self.measured();
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

    /// Makes the calls of both entries while the host records them.
    pub(super) fn profile(&self) -> Result<()> {
        self.with_actor(|actor, work| actor.profile(&self.name(), work, &self.measured()))
    }

    /// Returns the call of the reference and that of the subject.
    fn measured(&self) -> [Measured; 2] {
        let reference = match self.subject {
            Entry::Explain { .. } => Entry::Device,
            _ => Entry::Syscall,
        };
        [reference, self.subject].map(Measured::Setns)
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
            slots,
            nstype: self.nstype as i32,
            // A process cannot return from a user namespace.
            in_children: self.kinds() & Kind::User.flag() != 0,
            outcome: self.outcome,
        };
        act(&mut actor, work)
    }

    fn kinds(&self) -> u32 {
        match self.files {
            Files::Of(kind) => kind.flag(),
            Files::Pidfd(kinds) => kinds,
            Files::Closed => 0,
        }
    }

    fn target(&self) -> Result<TargetProcess> {
        TargetProcess::start(&Target::in_new(self.kinds()))
    }

    fn file(&self, target: &TargetProcess) -> Result<Option<OwnedFd>> {
        Ok(match self.files {
            Files::Of(kind) => Some(target.ns(kind.name())?),
            Files::Pidfd(_) => Some(target.pidfd()?),
            Files::Closed => None,
        })
    }
}
