// SPDX-License-Identifier: GPL-2.0-only

//! Checks the counts of a journal.
//!
//! The module records the counts, without a prediction of what a step changes. This module tracks
//! the holders of references step by step, as in `kernel/nsproxy.c`. It predicts the change of each
//! count, and compares.

use crate::{Journal, Kind, Member, Step, journal::Taken};
use std::collections::{BTreeMap, BTreeSet};

/// The changes of a count that a step may make: the least and the most.
#[derive(Clone, Copy, Debug, Default)]
struct Range {
    least: i64,
    most: i64,
}

impl Range {
    fn add(&mut self, by: i64) {
        self.least += by;
        self.most += by;
    }

    fn has(self, moved: i64) -> bool {
        (self.least..=self.most).contains(&moved)
    }
}

/// The holders of the references that the call uses.
#[derive(Debug, Default)]
struct Holders {
    /// The caller's nsproxy and the user namespace of its cred, from before the call.
    old: BTreeMap<Member, u64>,
    /// The new nsproxy.
    set: BTreeMap<Member, u64>,
    /// The user namespace of the new cred.
    cred: Option<u64>,
    /// User namespaces for which the call may have allocated ucounts, with a reference.
    ucounts: BTreeSet<u64>,
    /// The references to namespaces of the target that its nsproxy does not hold.
    target: Vec<u64>,
    /// The number of references that RCU may release later, by namespace.
    late: BTreeMap<u64, i64>,
}

/// The expected changes of `__ns_ref` and `__ns_ref_active`, by id.
#[derive(Debug, Default)]
struct Expected {
    ns_ref: BTreeMap<u64, Range>,
    active: BTreeMap<u64, Range>,
    /// 1 or -1 if namespaces become active or inactive, since their owners may follow; else 0.
    cascades: i64,
}

impl Expected {
    fn ns_ref(&mut self, id: u64, by: i64) {
        self.ns_ref.entry(id).or_default().add(by);
    }

    fn active(&mut self, id: u64, by: i64) {
        self.active.entry(id).or_default().add(by);
    }

    /// Allows that up to `most` references are dropped.
    fn may_drop(&mut self, id: u64, most: i64) {
        self.ns_ref.entry(id).or_default().least -= most;
    }
}

impl Journal {
    /// Checks that each step changed the counts as predicted, and that a dry run or a refused call
    /// released all references. For a journal without counts, checks only the order of the steps.
    ///
    /// The journal is that of setns(2) or unshare(2), see also [`audit_clone`](Self::audit_clone).
    ///
    /// # Errors
    ///
    /// A description of the first mismatch. Other tasks may have caused it: a real error occurs each
    /// time.
    pub fn audit(&self) -> Result<(), String> {
        self.audit_in(if self.is_unshare() {
            OF_UNSHARE
        } else {
            OF_SETNS
        })
    }

    /// Audits the journal of clone3(2), as [`audit`](Self::audit).
    ///
    /// # Errors
    ///
    /// As [`audit`](Self::audit).
    pub fn audit_clone(&self) -> Result<(), String> {
        self.audit_in(OF_CLONE)
    }

    /// Audits a journal whose steps have this order.
    fn audit_in(&self, order: &[Step]) -> Result<(), String> {
        if !self.has_counts() {
            return self.order(order);
        }
        let mut holders = Holders::default();
        let mut last: BTreeMap<u64, [u32; 2]> = BTreeMap::new();
        for (index, taken) in self.steps.iter().enumerate() {
            let wrong = |what: String| {
                let of = taken.about.map(|(kind, _)| kind.name()).unwrap_or_default();
                Err(format!("step {index}, {} {of}: {what}", taken.step.name()))
            };
            // Before a namespace that cannot be created, others are copied.
            let is_done = taken.errno.is_none();
            let mut expected = if !is_done && !matches!(taken.step, Step::Return | Step::NewNs) {
                Expected::default()
            } else {
                match holders.take(taken) {
                    Ok(expected) => expected,
                    Err(what) => return wrong(what),
                }
            };
            for (id, most) in &holders.late {
                expected.may_drop(*id, *most);
            }
            for count in &taken.counts {
                let now = [count.ns_ref[1], count.active[1]];
                let then = [count.ns_ref[0], count.active[0]];
                if last.insert(count.id, now).is_some_and(|last| last != then) {
                    return wrong(format!(
                        "{} {} changed before this step",
                        count.kind.name(),
                        count.id
                    ));
                }
                let moved = |[before, after]: [u32; 2]| i64::from(after) - i64::from(before);
                let (ns_ref, active) = (moved(count.ns_ref), moved(count.active));
                let mut may = [
                    expected.ns_ref.remove(&count.id).unwrap_or_default(),
                    expected.active.remove(&count.id).unwrap_or_default(),
                ];
                if count.constant {
                    may = [Range::default(); 2];
                } else if count.kind == Kind::User {
                    may[1].least += expected.cascades.min(0) * i64::from(u8::MAX);
                    may[1].most += expected.cascades.max(0) * i64::from(u8::MAX);
                }
                for (name, moved, may) in [
                    ("__ns_ref", ns_ref, may[0]),
                    ("__ns_ref_active", active, may[1]),
                ] {
                    if !may.has(moved) {
                        return wrong(format!(
                            "{name} of {} {} changed by {moved:+}, expected {:+} to {:+}",
                            count.kind.name(),
                            count.id,
                            may.least,
                            may.most
                        ));
                    }
                }
                if let Some(late) = holders.late.get_mut(&count.id) {
                    *late += ns_ref.min(0);
                }
            }
            let left = expected.ns_ref.iter().chain(&expected.active);
            for (id, range) in left {
                if !range.has(0) && !self.is_constant(*id) {
                    return wrong(format!(
                        "a count of namespace {id} did not change, expected {:+}",
                        range.least
                    ));
                }
            }
            if let Some([before, after]) = taken.nsproxy {
                let is_right = match taken.step {
                    Step::Caller => before == after,
                    Step::Create => (before, after) == (0, 1),
                    Step::Target => after > 0,
                    _ => before == after + 1,
                };
                if !is_right {
                    return wrong(format!(
                        "the count of an nsproxy changed from {before} to {after}"
                    ));
                }
            }
        }
        self.order(order)
    }

    fn is_constant(&self, id: u64) -> bool {
        let mut counts = self.steps.iter().flat_map(|taken| &taken.counts);
        counts.any(|count| count.id == id && count.constant)
    }

    /// Checks the order of the steps and their times. Each step occurs once, except `install()` and
    /// the creation of a namespace.
    fn order(&self, order: &[Step]) -> Result<(), String> {
        let mut left = order;
        for (index, taken) in self.steps.iter().enumerate() {
            let before = index.checked_sub(1).map(|index| &self.steps[index]);
            let Some(place) = left.iter().position(|step| *step == taken.step) else {
                let before = before.map_or("nothing", |before| before.step.name());
                return Err(format!("{} follows {before}", taken.step.name()));
            };
            let repeats = matches!(taken.step, Step::Install | Step::NewNs);
            left = &left[place + usize::from(!repeats)..];
            if before.is_some_and(|before| taken.time < before.time) {
                return Err(format!(
                    "{} is earlier than the step before",
                    taken.step.name()
                ));
            }
        }
        let ends =
            [self.steps.first(), self.steps.last()].map(|taken| taken.map(|taken| taken.step));
        if ends != [Some(Step::Caller), Some(Step::Return)] {
            return Err("the first step is not caller, or the last step is not return".into());
        }
        Ok(())
    }
}

/// The steps of setns(2) in their order. `Install` occurs twice: setns(2) of 2011 calls `exit_sem()`
/// before it installs an ipc namespace.
pub const OF_SETNS: &[Step] = &[
    Step::Caller,
    Step::Capable,
    Step::Fget,
    Step::Type,
    Step::Create,
    Step::Cred,
    Step::Fs,
    Step::Target,
    Step::Install,
    Step::TargetPut,
    Step::CommitCreds,
    Step::SetFs,
    Step::ExitSem,
    Step::Install,
    Step::Timens,
    Step::Activate,
    Step::Switch,
    Step::PutNsproxy,
    Step::Perf,
    Step::Return,
];

/// The steps of unshare(2) in their order.
pub const OF_UNSHARE: &[Step] = &[
    Step::Caller,
    Step::Flags,
    Step::Fs,
    Step::Files,
    Step::Cred,
    Step::NewNs,
    Step::Create,
    Step::Ucounts,
    Step::ExitSem,
    Step::ExitShm,
    Step::SwitchFs,
    Step::Activate,
    Step::Switch,
    Step::PutNsproxy,
    Step::SwitchFiles,
    Step::CommitCreds,
    Step::Perf,
    Step::Return,
];

/// The steps of a dry run of clone3(2). The first new namespace is the user namespace.
const OF_CLONE: &[Step] = &[
    Step::Caller,
    Step::Flags,
    Step::Cred,
    Step::NewNs,
    Step::Ucounts,
    Step::Fs,
    Step::NewNs,
    Step::Create,
    Step::Return,
];

/// The members of an nsproxy in the order of `create_new_namespaces()`.
const CREATED: [Member; 8] = [
    Member::Mnt,
    Member::Uts,
    Member::Ipc,
    Member::PidForChildren,
    Member::Cgroup,
    Member::Net,
    Member::TimeForChildren,
    Member::Time,
];

impl Holders {
    /// Updates the holders for a step. Returns the expected changes of the counts.
    fn take(&mut self, taken: &Taken) -> Result<Expected, String> {
        let mut expected = Expected::default();
        match taken.step {
            Step::Caller => {
                for count in &taken.counts {
                    for member in &count.members {
                        self.old.insert(*member, count.id);
                    }
                }
            }
            Step::Create => {
                self.copy_until(None, &mut expected);
            }
            Step::Cred => {
                let user = self
                    .old
                    .get(&Member::User)
                    .ok_or("missing cred of the caller")?;
                self.cred = Some(*user);
                expected.ns_ref(*user, 1);
            }
            Step::Target => {
                // The kinds of the call decide which of them are taken.
                for kind in [Kind::Pid, Kind::User] {
                    let mut moved = taken
                        .counts
                        .iter()
                        .filter(|count| count.kind == kind && count.ns_ref[0] != count.ns_ref[1]);
                    if let Some(count) = moved.next() {
                        self.target.push(count.id);
                        expected.ns_ref(count.id, 1);
                    }
                }
            }
            Step::Install => self.install(taken, &mut expected)?,
            Step::TargetPut => {
                for id in self.target.drain(..) {
                    expected.ns_ref(id, -1);
                }
            }
            Step::CommitCreds => {
                let new = self.cred.take().ok_or("missing cred to commit")?;
                let old = self
                    .old
                    .get(&Member::User)
                    .ok_or("missing cred of the caller")?;
                // RCU releases the references of the old cred and of its ucounts.
                *self.late.entry(*old).or_default() += 2;
                expected.active(new, 1);
                expected.active(*old, -1);
            }
            Step::Activate => {
                for id in self.set.values() {
                    expected.active(*id, 1);
                }
                expected.cascades = 1;
            }
            Step::PutNsproxy => {
                self.set.clear();
                if taken.nsproxy.is_some_and(|[_, after]| after == 0) {
                    for (member, id) in &self.old {
                        if *member != Member::User {
                            expected.ns_ref(*id, -1);
                            expected.active(*id, -1);
                        }
                    }
                    expected.cascades = -1;
                }
            }
            Step::Return => {
                for id in self.set.values().chain(&self.target) {
                    expected.ns_ref(*id, -1);
                }
                if let Some(id) = self.cred {
                    let of_ucounts = i64::from(self.ucounts.contains(&id));
                    *self.late.entry(id).or_default() += 1 + of_ucounts;
                }
            }
            Step::NewNs => self.new_ns(taken, &mut expected)?,
            Step::Ucounts => {
                // New ucounts of the user take a reference to its user namespace.
                let new = self.cred.ok_or("missing cred")?;
                expected.ns_ref.entry(new).or_default().most += 1;
                self.ucounts.insert(new);
            }
            Step::Capable
            | Step::Fget
            | Step::Type
            | Step::Fs
            | Step::SetFs
            | Step::ExitSem
            | Step::Timens
            | Step::Switch
            | Step::Perf
            | Step::Flags
            | Step::Files
            | Step::ExitShm
            | Step::SwitchFs
            | Step::SwitchFiles => {}
        }
        Ok(expected)
    }

    /// Takes a reference to each namespace of the caller that the new nsproxy does not have yet, up
    /// to the member `until`.
    fn copy_until(&mut self, until: Option<Member>, expected: &mut Expected) {
        for member in CREATED {
            if Some(member) == until {
                break;
            }
            let (None, Some(id)) = (self.set.get(&member), self.old.get(&member)) else {
                continue;
            };
            self.set.insert(member, *id);
            expected.ns_ref(*id, 1);
        }
    }

    /// Creates a namespace, or fails to do so.
    fn new_ns(&mut self, taken: &Taken, expected: &mut Expected) -> Result<(), String> {
        let (kind, new) = taken.about.ok_or("missing namespace")?;
        let user = *self.old.get(&Member::User).ok_or("missing cred")?;
        let owner = self.cred.unwrap_or(user);
        if kind != Kind::User {
            let member = Member::created(kind).ok_or("missing member of the nsproxy")?;
            self.copy_until(Some(member), expected);
            if taken.errno.is_none() {
                self.set.insert(member, new);
                // The namespace has a reference to its owner.
                expected.ns_ref(owner, 1);
                if kind == Kind::Ipc {
                    // So has the file system of its message queues.
                    expected.ns_ref.entry(owner).or_default().most += 1;
                }
                if let (Kind::Pid, Some(parent)) = (kind, self.old.get(&member)) {
                    expected.ns_ref(*parent, 1);
                }
            }
        } else if taken.errno.is_none() {
            // The new user namespace takes over the reference of the cred to the old one.
            self.cred = Some(new);
        }
        // New ucounts of the user take a reference to the user namespace.
        expected.ns_ref.entry(owner).or_default().most += 1;
        if taken.errno.is_some() {
            expected.ns_ref.entry(owner).or_default().least -= 1;
        }
        Ok(())
    }

    fn install(&mut self, taken: &Taken, expected: &mut Expected) -> Result<(), String> {
        let (kind, new) = taken.about.ok_or("missing namespace")?;
        if kind == Kind::User {
            let old = self.cred.replace(new).ok_or("missing new cred")?;
            expected.ns_ref(old, -1);
            expected.ns_ref(new, 1);
            // New ucounts of the user in that namespace also take a reference.
            expected.ns_ref.entry(new).or_default().most += 1;
            self.ucounts.insert(new);
            return Ok(());
        }
        for member in Member::installed(kind) {
            let old = self
                .set
                .insert(member, new)
                .ok_or("missing member of the nsproxy")?;
            expected.ns_ref(old, -1);
            expected.ns_ref(new, 1);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Count;
    use std::time::Duration;

    const OLD: u64 = 40;
    const NEW: u64 = 42;

    fn taken(step: Step, nsproxy: Option<[u32; 2]>, counts: &[(u64, [u32; 2], [u32; 2])]) -> Taken {
        let counts = counts.iter().map(|&(id, ns_ref, active)| Count {
            kind: Kind::Uts,
            id,
            members: match step {
                Step::Caller => vec![Member::Uts],
                _ => vec![],
            },
            constant: false,
            ns_ref,
            active,
        });
        Taken {
            step,
            time: Duration::ZERO,
            errno: None,
            about: (step == Step::Install).then_some((Kind::Uts, NEW)),
            nsproxy,
            counts: counts.collect(),
        }
    }

    /// Returns the journal of a call that enters a uts namespace, by the only task in the old one.
    fn entered() -> Journal {
        Journal {
            steps: vec![
                taken(Step::Caller, Some([1, 1]), &[(OLD, [1, 1], [1, 1])]),
                taken(Step::Create, Some([0, 1]), &[(OLD, [1, 2], [1, 1])]),
                taken(
                    Step::Install,
                    None,
                    &[(OLD, [2, 1], [1, 1]), (NEW, [5, 6], [3, 3])],
                ),
                taken(Step::Activate, None, &[(NEW, [6, 6], [3, 4])]),
                taken(Step::Switch, None, &[]),
                taken(Step::PutNsproxy, Some([1, 0]), &[(OLD, [1, 0], [1, 0])]),
                taken(Step::Return, None, &[]),
            ],
        }
    }

    /// Returns the journal of a dry run of the same call.
    fn dry_run() -> Journal {
        let mut journal = entered();
        journal.steps.truncate(3);
        journal
            .steps
            .push(taken(Step::Return, None, &[(NEW, [6, 5], [3, 3])]));
        journal
    }

    #[test]
    fn correct_journals_pass() {
        assert_eq!(entered().audit(), Ok(()));
        assert_eq!(dry_run().audit(), Ok(()));
    }

    #[test]
    fn each_wrong_count_is_detected() {
        for journal in [entered(), dry_run()] {
            for step in 1..journal.steps.len() {
                for count in 0..journal.steps[step].counts.len() {
                    for which in 0..2 {
                        let mut wrong = journal.clone();
                        let count = &mut wrong.steps[step].counts[count];
                        [&mut count.ns_ref, &mut count.active][which][1] += 1;
                        assert!(wrong.audit().is_err(), "{wrong:#?}");
                    }
                    let mut wrong = journal.clone();
                    wrong.steps[step].counts.remove(count);
                    assert!(wrong.audit().is_err(), "{wrong:#?}");
                }
            }
        }
    }

    #[test]
    fn a_freed_nsproxy_releases_its_references() {
        let mut journal = entered();
        journal.steps[5].nsproxy = Some([2, 1]);
        let wrong = journal.audit().unwrap_err();
        assert!(wrong.starts_with("step 5, put-nsproxy"), "{wrong}");
    }

    #[test]
    fn without_counts_the_order_is_checked() {
        let mut journal = entered();
        for taken in &mut journal.steps {
            taken.nsproxy = None;
            taken.counts.clear();
        }
        assert_eq!(journal.audit(), Ok(()));
        journal.steps.swap(3, 4);
        assert!(journal.audit().is_err());
    }

    #[test]
    fn the_order_of_steps_is_checked() {
        let mut journal = entered();
        journal.steps.swap(3, 4);
        let wrong = journal.audit().unwrap_err();
        assert!(wrong.contains("follows switch"), "{wrong}");
        let mut journal = entered();
        journal.steps.pop();
        assert!(journal.audit().is_err());
    }
}
