// SPDX-License-Identifier: GPL-2.0-only

//! The module reports no more and no less about namespaces than the kernel reports to the same
//! process, by ioctls of their files and by listns(2).

use crate::{
    case::{
        fd_source,
        fixtures::Fixtures,
        implementation::{Device, Kind},
        target::{Target, USER},
    },
    errno::{Code, Outcome, outcome_name},
    process::{
        Actor,
        command::{Command, Reply, Source},
        creds,
        setup::Setup,
    },
    report::ktap::Test,
    sys::{
        self,
        nsfs::{self, Relative},
    },
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

/// The process that a caller asks about.
#[derive(Clone, Copy, Debug)]
enum Subject {
    /// The caller itself.
    Itself,
    /// A child of the caller, in new namespaces of all kinds that it created.
    Child,
    /// A process of root in new namespaces of all kinds.
    Target,
    /// The test, which is in the initial namespaces.
    Test,
}

/// A caller: its name, its setups, and `true` if it may know counts.
type Caller = (&'static str, &'static [Setup], bool);

const USER_NS: u32 = Kind::User.flag();
const PID_NS: u32 = Kind::Pid.flag();

const CALLERS: [Caller; 8] = [
    ("root", &[], true),
    (
        "root without CAP_SYS_ADMIN",
        &[Setup::KeepCaps(!creds::SYS_ADMIN)],
        false,
    ),
    ("a user", &[Setup::SetIds(USER)], false),
    (
        "root of a user namespace",
        &[Setup::Unshare(USER_NS), Setup::MapRoot],
        false,
    ),
    (
        "root of a user namespace in another one",
        &[
            Setup::Unshare(USER_NS),
            Setup::MapRoot,
            Setup::Unshare(USER_NS),
            Setup::MapRoot,
        ],
        false,
    ),
    (
        "root in a pid namespace",
        &[Setup::Unshare(PID_NS), Setup::Fork],
        false,
    ),
    (
        "root in a pid namespace in another one",
        &[
            Setup::Unshare(PID_NS),
            Setup::Fork,
            Setup::Unshare(PID_NS),
            Setup::Fork,
        ],
        false,
    ),
    (
        "root of a user and a pid namespace",
        &[
            Setup::Unshare(USER_NS | PID_NS),
            Setup::MapRoot,
            Setup::Fork,
        ],
        false,
    ),
];

/// The subjects, each with the access of every caller, in the order of [`CALLERS`].
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
                format!("{name} learns as much as from the kernel of {subject:?}"),
                move |fixtures| check(steps, subject, expected, fixtures),
            ));
        }
    }
    tests
}

/// The expected results, which must be the same from kernel and module.
#[derive(Clone, Copy)]
struct Expected {
    shown: Outcome,
    counts: bool,
}

fn check(
    steps: &[Setup],
    subject: Subject,
    expected: Expected,
    fixtures: &mut Fixtures,
) -> Result<()> {
    let target = fixtures.target(&Target::in_all_new())?;
    let mut caller = Actor::spawn()?;
    // As root: the module checks the credentials at the time of the call.
    caller.open_device()?;
    for step in steps {
        caller.set_up(step)?;
    }
    let pidfd = match subject {
        Subject::Itself => caller.open(Source::OwnPidfd)?,
        Subject::Child => match caller.set_up(&Setup::Child)? {
            Reply::Child(path) => caller.pass_file(fd_source::open_pidfd(path.parse()?)?)?,
            reply => bail!("unexpected reply to a step: {reply:?}"),
        },
        Subject::Target => caller.pass_file(target.pidfd()?)?,
        Subject::Test => caller.pass_file(fd_source::open_pidfd(std::process::id())?)?,
    };
    let mut files = Vec::new();
    for kind in Kind::ALL {
        files.push(caller.pass_file(target.ns(kind.name())?)?.slot);
        files.push(
            caller
                .pass_file(fd_source::open_ns("self", kind.name())?)?
                .slot,
        );
    }
    let command = Command::Query {
        pidfd: pidfd.slot,
        files,
        other: nsfs::id(target.ns("uts")?)?,
    };
    let [kernel, module] = match caller.run_command(&command)? {
        Reply::Knowledge(answers) => answers,
        reply => bail!("unexpected reply to {command:?}: {reply:?}"),
    };

    ensure!(
        kernel == module,
        "the kernel reports {kernel:?}\nthe module reports {module:?}"
    );
    let shown = kernel.shown.as_ref().map(drop).map_err(|code| *code);
    ensure!(
        shown == expected.shown,
        "access to the process: {}, expected {}",
        outcome_name(shown),
        outcome_name(expected.shown)
    );
    ensure!(
        kernel.counts == expected.counts,
        "listns(2) lists all namespaces: {}",
        kernel.counts
    );
    Ok(())
}

/// The facts that a caller learns.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Knowledge {
    /// The id of each namespace that the process is in, by [`Member::ALL`], and those of its owner
    /// and of its parent; 0 for none.
    shown: Result<Vec<[u64; 3]>, Code>,
    /// `true` if the module reports counts, or if listns(2) lists `other`.
    counts: bool,
    /// For each file, the id of the user namespace in which the caller is missing a capability to
    /// enter; 0 for none.
    lacking: Vec<u64>,
}

/// A query of a caller about a process and namespaces.
pub(crate) struct Query<'a> {
    pub(crate) pidfd: BorrowedFd<'a>,
    pub(crate) files: Vec<BorrowedFd<'a>>,
    /// The id of a namespace that the caller is not in.
    pub(crate) other: u64,
    /// A `/proc` in which the caller finds its own files.
    pub(crate) proc: BorrowedFd<'a>,
}

impl Query<'_> {
    /// Queries the kernel and the module.
    ///
    /// # Errors
    ///
    /// The module reports an id that the caller cannot get from the kernel, or reports counts
    /// inconsistently.
    pub(crate) fn run(&self, device: &Device) -> Result<[Knowledge; 2]> {
        let shown_by_kernel = self.shown_by_kernel()?;
        let shown = device.show_raw(self.pidfd.as_raw_fd());
        let own = self.own()?;
        // The ids that the kernel reports for all files of the caller.
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
            let mut reported = ids_of(&journal);
            reported.extend(
                refusal
                    .and_then(|refusal| refusal.namespace)
                    .map(|(_, id)| id),
            );
            let unknown: Vec<_> = reported.difference(&known).collect();
            ensure!(unknown.is_empty(), "only the module reports {unknown:?}");

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
        ensure!(
            counts.len() == 1,
            "the module reports counts in some of its answers only"
        );
        let [by_kernel, by_module] = lacking;
        Ok([
            Knowledge {
                shown: shown_by_kernel,
                counts: sys::listns(0).context("listns(2)")?.contains(&self.other),
                lacking: by_kernel,
            },
            Knowledge {
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
            match nsproxy_uapi::nsfs::of_process(self.pidfd, member) {
                Ok(file) => all.push(ids(file.as_fd())?),
                Err(errno) => return Ok(Err(errno.into())),
            }
        }
        Ok(Ok(all))
    }

    /// Opens the files of the caller's own namespaces.
    fn own(&self) -> Result<Vec<OwnedFd>> {
        let mut own = Vec::new();
        for member in Member::ALL {
            let path = format!("self/ns/{}", member.name());
            let flags = OFlags::RDONLY | OFlags::CLOEXEC;
            match openat(self.proc, &path, flags, Mode::empty()) {
                // The pid namespace for children, which has no init yet.
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

/// Returns the id of a namespace, and those of its owner and of its parent, or 0 where the kernel
/// denies them.
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
