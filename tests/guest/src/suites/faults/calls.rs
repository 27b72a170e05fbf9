// SPDX-License-Identifier: GPL-2.0-only

//! Calls, and the allocations that each of them makes.

use crate::{
    case::{
        Case, FdSource,
        implementation::{self, Entry, Kind},
        target::Target,
    },
    errno::Code,
};

/// An allocation of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Allocation {
    /// The row of `docs/checks.md` if there is one, and the object.
    pub(super) name: &'static str,
    /// The error of the call if it fails.
    pub(super) code: Code,
}

impl Allocation {
    const fn new(name: &'static str, code: Code) -> Self {
        Self { name, code }
    }
}

const NSPROXY: Allocation = Allocation::new("P1 nsproxy", Code::ENOMEM);
const CRED: Allocation = Allocation::new("P2 cred", Code::ENOMEM);
/// If it fails, `prepare_nsset()` leaks the cred.
pub(super) const FS_STRUCT: Allocation = Allocation::new("P3 fs_struct", Code::ENOMEM);
/// `set_cred_ucounts()`, if the caller's user id has no ucounts in the user namespace yet.
/// `userns_install()` returns `EINVAL` whatever its error.
const UCOUNTS: Allocation = Allocation::new("user ucounts", Code::EINVAL);
/// `vfs_path_lookup()` copies its "/" to a `struct filename`.
const FILENAME: Allocation = Allocation::new("mnt filename of the root", Code::ENOMEM);

/// A call that succeeds unless an allocation fails.
#[derive(Clone, Debug)]
pub(super) struct Call {
    pub(super) name: String,
    pub(super) handle: FdSource,
    /// The `CLONE_NEW*` of the namespaces that it enters.
    pub(super) kinds: u32,
    pub(super) target: Target,
    /// Its allocations, in order.
    pub(super) allocations: Vec<Allocation>,
    pub(super) subject: Entry,
}

impl Call {
    fn new(name: impl Into<String>, handle: FdSource, kinds: u32) -> Self {
        let mut allocations = vec![NSPROXY];
        let has = |kind: Kind| kinds & kind.flag() != 0;
        if has(Kind::User) {
            allocations.push(CRED);
        }
        if has(Kind::Mnt) && kinds != Kind::Mnt.flag() {
            allocations.push(FS_STRUCT);
        }
        if has(Kind::Mnt) {
            allocations.push(FILENAME);
        }
        Self {
            name: name.into(),
            handle,
            kinds,
            target: Target::in_all_new(),
            allocations,
            subject: Entry::Device,
        }
    }

    /// Makes the target belong to a user. Root has no ucounts there.
    fn of_user(mut self) -> Self {
        self.name += " of a user";
        self.target = self.target.of_user();
        // The user namespace is installed first, the mount namespace second.
        let at = self.allocations.iter().position(|a| *a == FILENAME);
        let at = at.unwrap_or(self.allocations.len());
        self.allocations.insert(at, UCOUNTS);
        self
    }

    /// Returns the call as a case that succeeds.
    pub(super) fn case(&self) -> Case {
        Case {
            subject: self.subject,
            ..Case::new(&self.name, self.handle, self.kinds as i32)
        }
        .target(self.target.clone())
        .moves(self.kinds)
    }

    /// Returns the call as a case whose `n`th allocation fails, from 1, and that allocation.
    /// [`None`]: the call makes fewer allocations.
    pub(super) fn case_failing_at(&self, n: u32) -> (Case, Option<Allocation>) {
        let allocation = self.allocations.get(n as usize - 1).copied();
        let case = Case {
            fail_allocation: Some(n),
            ..self.case()
        };
        let case = match allocation {
            Some(Allocation { code, .. }) => case.fails(code),
            None => case,
        };
        (case, allocation)
    }

    /// Returns whether `prepare_nsset()` leaks if this allocation fails.
    pub(super) fn kernel_leaks_at(&self, allocation: Option<Allocation>) -> bool {
        allocation == Some(FS_STRUCT) && self.kinds & Kind::User.flag() != 0
    }

    /// Returns the index of the allocation of ucounts, if there is one.
    fn ucounts(&self) -> Option<usize> {
        self.allocations.iter().position(|a| *a == UCOUNTS)
    }

    /// Returns whether the call allocates ucounts, unless those of the last call still exist.
    pub(super) fn makes_ucounts(&self) -> bool {
        self.ucounts().is_some()
    }

    /// Returns whether a call that fails at that allocation has allocated the ucounts. The next call
    /// finds them until the cred of this one is freed.
    pub(super) fn leaves_ucounts(&self, n: u32) -> bool {
        self.ucounts().is_some_and(|at| n as usize > at + 1)
    }
}

/// Returns calls for every kind by nsfs file and by pidfd, and for several kinds at once.
pub(super) fn all() -> Vec<Call> {
    let mut calls = Vec::new();
    for kind in Kind::ALL {
        let (name, file) = (kind.name(), FdSource::Target(kind.name()));
        calls.push(Call::new(format!("nsfs {name}"), file, kind.flag()));
    }
    let all = implementation::all_kinds();
    let single = Kind::ALL.map(|kind| kind.flag());
    let sets = [
        implementation::flags_of(&[Kind::User, Kind::Mnt]),
        implementation::flags_of(&[Kind::User, Kind::Uts]),
        implementation::flags_of(&[Kind::User, Kind::Time]),
        implementation::flags_of(&[Kind::Mnt, Kind::Uts]),
        implementation::flags_of(&[Kind::Mnt, Kind::Pid, Kind::Time]),
        implementation::flags_of(&[Kind::Ipc, Kind::Cgroup, Kind::Net]),
    ];
    let named = single
        .into_iter()
        .chain(sets)
        .map(|kinds| (implementation::kind_names(kinds), kinds));
    let all_but = [
        ("all", 0),
        ("all but user", Kind::User.flag()),
        ("all but mnt", Kind::Mnt.flag()),
        ("all but user and mnt", sets[0]),
    ]
    .map(|(name, but)| (name.to_owned(), all & !but));
    for (name, kinds) in named.chain(all_but) {
        calls.push(Call::new(format!("pidfd {name}"), FdSource::Pidfd, kinds));
    }
    let user = Kind::User.flag();
    calls.extend([
        Call::new("nsfs user", FdSource::Target("user"), user).of_user(),
        Call::new("pidfd user", FdSource::Pidfd, user).of_user(),
        Call::new("pidfd user+mnt", FdSource::Pidfd, user | Kind::Mnt.flag()).of_user(),
        Call::new("pidfd all", FdSource::Pidfd, all).of_user(),
    ]);
    for kind in [Kind::Net, Kind::Uts, Kind::Ipc] {
        let name = kind.name();
        // The patch of 2011 dereferenced an ERR_PTR where the current call returns ENOMEM.
        calls.push(Call {
            subject: Entry::Device2011,
            ..Call::new(format!("2011 {name}"), FdSource::Target(name), kind.flag())
        });
    }
    calls
}
