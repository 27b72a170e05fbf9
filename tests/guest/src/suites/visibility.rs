// SPDX-License-Identifier: GPL-2.0-only

//! That a caller is told as much of namespaces by the module as by the kernel: by ioctls of their
//! files, and by listns(2), asked by the same process.

use crate::{
    actor::{
        Actor,
        command::{Command, Reply, Source},
        state::Step,
    },
    caps,
    errno::{Code, Outcome, expect, word},
    handle,
    ktap::Test,
    sys::{
        self,
        nsfs::{self, Relative},
    },
    via::{Device, Kind},
    world::{Target, USER, World},
};
use anyhow::{Context as _, Result, bail, ensure};
use nsproxy_uapi::{Explain, Journal, Member, Reason};
use rustix::{
    fs::{Mode, OFlags, openat},
    io::Errno,
};
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeSet,
    os::fd::{AsFd, AsRawFd as _, BorrowedFd, OwnedFd},
};

/// The process that is asked about.
#[derive(Clone, Copy, Debug)]
enum Subject {
    /// The caller itself.
    Itself,
    /// A child of the caller, in new namespaces of all kinds, of its own making.
    Child,
    /// A process of root's in new namespaces of all kinds.
    Target,
    /// The test, which is in the initial namespaces.
    Test,
}

/// A caller: what it is called, the steps that it takes, and whether it may know counts.
type Caller = (&'static str, &'static [Step], bool);

const USER_NS: u32 = Kind::User.flag();
const PID_NS: u32 = Kind::Pid.flag();

const CALLERS: [Caller; 8] = [
    ("root", &[], true),
    (
        "root without CAP_SYS_ADMIN",
        &[Step::KeepCaps(!caps::SYS_ADMIN)],
        false,
    ),
    ("a user", &[Step::SetIds(USER)], false),
    (
        "root of a user namespace",
        &[Step::Unshare(USER_NS), Step::MapRoot],
        false,
    ),
    (
        "root of a user namespace in another one",
        &[
            Step::Unshare(USER_NS),
            Step::MapRoot,
            Step::Unshare(USER_NS),
            Step::MapRoot,
        ],
        false,
    ),
    (
        "root in a pid namespace",
        &[Step::Unshare(PID_NS), Step::Fork],
        false,
    ),
    (
        "root in a pid namespace in another one",
        &[
            Step::Unshare(PID_NS),
            Step::Fork,
            Step::Unshare(PID_NS),
            Step::Fork,
        ],
        false,
    ),
    (
        "root of a user and a pid namespace",
        &[Step::Unshare(USER_NS | PID_NS), Step::MapRoot, Step::Fork],
        false,
    ),
];

/// Whom each caller asks about, and whether it is shown that process: see [`CALLERS`].
const SUBJECTS: [(Subject, [bool; CALLERS.len()]); 4] = [
    (Subject::Itself, [true; CALLERS.len()]),
    (Subject::Child, [true; CALLERS.len()]),
    (
        Subject::Target,
        [true, true, false, false, false, true, true, false],
    ),
    (
        Subject::Test,
        [true, true, false, false, false, true, true, false],
    ),
];

pub(super) fn tests() -> Vec<Test> {
    let mut tests = Vec::new();
    for (subject, shown) in SUBJECTS {
        for ((name, steps, counts), shown) in CALLERS.into_iter().zip(shown) {
            let expected = Expected {
                shown: if shown { Ok(()) } else { Err(Code::EACCES) },
                counts,
            };
            tests.push(Test::new(
                format!("{name} is told as much as by the kernel of {subject:?}"),
                move |world| check(steps, subject, expected, world),
            ));
        }
    }
    tests
}

/// What is to come of it, apart from that both say the same.
#[derive(Clone, Copy)]
struct Expected {
    shown: Outcome,
    counts: bool,
}

fn check(steps: &[Step], subject: Subject, expected: Expected, world: &mut World) -> Result<()> {
    let target = world.target(&Target::in_all_new())?;
    let mut caller = Actor::spawn()?;
    // As root: what it may know counts when it asks.
    expect(caller.returned(&Command::OpenDevice)?, Ok(()))?;
    for step in steps {
        caller.step(step)?;
    }
    let pidfd = match subject {
        Subject::Itself => caller.open(Source::OwnPidfd)?,
        Subject::Child => match caller.step(&Step::Child)? {
            Reply::Child(path) => caller.take(handle::pidfd(path.parse()?)?)?,
            reply => bail!("unexpected reply to a step: {reply:?}"),
        },
        Subject::Target => caller.take(target.pidfd()?)?,
        Subject::Test => caller.take(handle::pidfd(std::process::id())?)?,
    };
    let mut files = Vec::new();
    for kind in Kind::ALL {
        files.push(caller.take(target.ns(kind.name())?)?.slot);
        files.push(caller.take(handle::ns_of("self", kind.name())?)?.slot);
    }
    let command = Command::Ask {
        pidfd: pidfd.slot,
        files,
        other: nsfs::id(target.ns("uts")?)?,
    };
    let [kernel, module] = match caller.tell(&command)? {
        Reply::Told(told) => told,
        reply => bail!("unexpected reply to {command:?}: {reply:?}"),
    };

    ensure!(
        kernel == module,
        "the kernel tells {kernel:?}\nthe module tells {module:?}"
    );
    let shown = kernel.shown.as_ref().map(drop).map_err(|code| *code);
    ensure!(
        shown == expected.shown,
        "looking at the process returned {}, expected {}",
        word(shown),
        word(expected.shown)
    );
    ensure!(
        kernel.counts == expected.counts,
        "listns(2) lists all namespaces: {}",
        kernel.counts
    );
    Ok(())
}

/// What a caller is told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Told {
    /// Of each namespace that the process is in, by [`Member::ALL`]: its id, and those of its owner
    /// and of its parent, 0 for none.
    shown: Result<Vec<[u64; 3]>, Code>,
    /// How many others hold a namespace; by the kernel, that they do.
    counts: bool,
    /// For each file, the id of the user namespace in which the caller lacks a capability to enter,
    /// 0 for none.
    lacking: Vec<u64>,
}

/// What a caller asks.
pub(crate) struct Ask<'a> {
    pub(crate) pidfd: BorrowedFd<'a>,
    pub(crate) files: Vec<BorrowedFd<'a>>,
    /// The id of a namespace that the caller is not in.
    pub(crate) other: u64,
    /// The `/proc` in which the caller has its files.
    pub(crate) proc: BorrowedFd<'a>,
}

impl Ask<'_> {
    /// Asks the kernel and the module.
    ///
    /// # Errors
    ///
    /// The module tells an id that the kernel told nobody, or counts here and not there.
    pub(crate) fn both(&self, device: &Device) -> Result<[Told; 2]> {
        let shown_by_kernel = self.shown_by_kernel()?;
        let shown = device.show_raw(self.pidfd.as_raw_fd());
        let own = self.own()?;
        // What the caller has a file of, and what the kernel tells it of that.
        let mut known: BTreeSet<u64> = [0].into();
        for file in self
            .files
            .iter()
            .copied()
            .chain(own.iter().map(AsFd::as_fd))
        {
            known.extend(ids(file)?);
        }
        known.extend(shown_by_kernel.iter().flatten().flatten());

        let mut counts = BTreeSet::new();
        if let Ok(shown) = &shown {
            let counted = shown.namespaces.iter().filter(|ns| !ns.constant);
            counts.extend(counted.flat_map(|ns| [ns.ns_ref, ns.active]).map(is_count));
            counts.insert(is_count(shown.count));
        }
        let mut lacking = [Vec::new(), Vec::new()];
        for file in &self.files {
            let how = Explain::dry_run(false);
            let (refusal, journal) = device.trace(file.as_raw_fd(), 0, how)?;
            counts.insert(journal.has_counts());
            let mut told = ids_of(&journal);
            told.extend(
                refusal
                    .and_then(|refusal| refusal.namespace)
                    .map(|(_, id)| id),
            );
            let unknown: Vec<_> = told.difference(&known).collect();
            ensure!(unknown.is_empty(), "only the module tells {unknown:?}");

            let [id, owner, _] = ids(*file)?;
            let of_caller = own
                .iter()
                .find(|own| nsfs::namespace_type(own) == Ok(USER_NS));
            let reason = refusal.map(|refusal| refusal.reason);
            lacking[0].push(match reason {
                Some(Reason::CapOwner) => owner,
                Some(Reason::CapSet | Reason::Chroot) => {
                    nsfs::id(of_caller.context("a caller without a user namespace")?)?
                }
                Some(Reason::CapUser) => id,
                _ => 0,
            });
            let cap = refusal.and_then(|refusal| refusal.cap);
            lacking[1].push(cap.map_or(0, |(_, user_ns)| user_ns));
        }
        ensure!(counts.len() == 1, "counts are told, and they are not");
        let [by_kernel, by_module] = lacking;
        Ok([
            Told {
                shown: shown_by_kernel,
                counts: sys::listns(0).context("listns(2)")?.contains(&self.other),
                lacking: by_kernel,
            },
            Told {
                shown: shown.map_err(Code::from).map(|shown| {
                    let all = shown.namespaces.iter();
                    let id = |id: Option<u64>| id.unwrap_or(0);
                    all.map(|ns| [ns.id, id(ns.owner), id(ns.parent)]).collect()
                }),
                counts: counts.contains(&true),
                lacking: by_module,
            },
        ])
    }

    fn shown_by_kernel(&self) -> Result<Result<Vec<[u64; 3]>, Code>> {
        let mut all = Vec::new();
        for member in Member::ALL {
            match nsfs::of_pidfd(self.pidfd, member) {
                Ok(file) => all.push(ids(file.as_fd())?),
                Err(errno) => return Ok(Err(errno.into())),
            }
        }
        Ok(Ok(all))
    }

    /// The files of the caller's own namespaces.
    fn own(&self) -> Result<Vec<OwnedFd>> {
        let mut own = Vec::new();
        for member in Member::ALL {
            let path = format!("self/ns/{}", member.name());
            let flags = OFlags::RDONLY | OFlags::CLOEXEC;
            match openat(self.proc, &path, flags, Mode::empty()) {
                // That of children who are still to come.
                Err(Errno::NOENT) => {}
                file => own.push(file.context(path)?),
            }
        }
        Ok(own)
    }
}

fn is_count(count: u32) -> bool {
    count != 0
}

/// The id of a namespace, and those of its owner and of its parent, as far as the kernel tells.
fn ids(file: BorrowedFd<'_>) -> Result<[u64; 3]> {
    let related = |which| match nsfs::relative(file, which) {
        Err(Errno::PERM | Errno::INVAL) => Ok(0),
        related => nsfs::id(related?),
    };
    Ok([
        nsfs::id(file)?,
        related(Relative::Owner)?,
        related(Relative::Parent)?,
    ])
}

fn ids_of(journal: &Journal) -> BTreeSet<u64> {
    let counts = journal.steps.iter().flat_map(|taken| &taken.counts);
    counts.map(|count| count.id).collect()
}
