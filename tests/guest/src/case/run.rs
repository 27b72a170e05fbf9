// SPDX-License-Identifier: GPL-2.0-only

//! Runs a case.
//!
//! Two actors, siblings, are put into the same state. One makes the call through the system
//! call, the other through the device. Both must return the same, and see the same afterwards;
//! and it must be what the case says.

use crate::{
    case::{
        Case, Handle, Witnesses,
        fd_source::{self, Prepared},
        implementation::{Device, Entry},
        target::{self, Process, World},
    },
    checks::outcome,
    errno::{Outcome, word},
    process::{
        Actor,
        command::{Call, Called, Command, Foreseen, Program, Repeated, Reply, Source},
        setup::Step,
    },
    snapshot::{Children, ClockBase, OF_CHILD, Snapshot},
    sys::{NAMESPACES_IN_ORDER, NamespacesWatch, Semaphore},
};
use anyhow::{Context as _, Result, bail, ensure};
use rustix::process::Pid;
use std::{fs::File, mem};

/// What one caller did and saw.
pub(crate) struct Side {
    pub(crate) entry: Entry,
    pub(crate) before: Snapshot,
    pub(crate) outcome: Outcome,
    /// If an allocation was to fail: how many more there were to go until that one.
    pub(crate) to_go: Option<u32>,
    /// The result of a dry run before the call, if there was one.
    pub(crate) foreseen: Option<Foreseen>,
    pub(crate) after: Snapshot,
}

/// The same, and what its handle was.
pub(crate) struct Ran {
    pub(crate) side: Side,
    /// The inode number of what was opened, which for an nsfs file is the namespace's.
    pub(crate) opened: Option<u64>,
}

/// Both sides, compared.
pub(crate) struct Report {
    pub(crate) subject: Side,
    pub(crate) reference: Option<Side>,
    /// All that is wrong; empty if nothing is.
    pub(crate) wrong: Vec<String>,
}

/// Runs a case, and fails if anything is not as it is to be.
pub(crate) fn check(case: &Case, world: &mut World) -> Result<()> {
    let report = run(case, world)?;
    ensure!(report.wrong.is_empty(), report.wrong.join("\n"));
    Ok(())
}

/// Runs a case.
///
/// # Errors
///
/// When it could not be run. What is wrong with the outcome is in the report.
pub(crate) fn run(case: &Case, world: &mut World) -> Result<Report> {
    let target = match &case.target {
        Some(target) => Some(world.target(target)?),
        None => None,
    };
    let target = target.as_deref();
    let handle = case.handle.prepare(target, world)?;

    let mut subject = Caller::prepare(case, case.subject, target, world)?;
    let mut reference = match case.reference {
        Some(entry) => Some(Caller::prepare(case, entry, target, world)?),
        None => None,
    };

    // The reference first: should the subject take the guest down, this much is known.
    let reference_ran = match &mut reference {
        Some(caller) => Some(caller.run(case, &handle, &world.clocks)?),
        None => None,
    };
    let subject_ran = subject.run(case, &handle, &world.clocks)?;

    let mut wrong = Vec::new();
    for ran in reference_ran.iter().chain([&subject_ran]) {
        outcome::judge(case, ran, target, &mut wrong);
    }
    if let Some(reference) = &reference_ran {
        outcome::compare(&reference.side, &subject_ran.side, &mut wrong);
    }
    if target::links_of("self") != world.home {
        wrong.push("the test itself is in other namespaces than before".to_owned());
    }

    if !wrong.is_empty() {
        let reference = reference_ran.as_ref().map(|ran| &ran.side);
        wrong.insert(0, outcome::results(case, &subject_ran.side, reference));
    }

    if wrong.is_empty() {
        subject.rest(case, &subject_ran.side, world)?;
        if let (Some(caller), Some(ran)) = (reference, &reference_ran) {
            caller.rest(case, &ran.side, world)?;
        }
    }
    Ok(Report {
        subject: subject_ran.side,
        reference: reference_ran.map(|ran| ran.side),
        wrong,
    })
}

/// How often calls are begun again of which one did not make the allocation that was to fail, or
/// could do without.
const BEGINNINGS: u32 = 10;

/// Makes the call of a case many times through `entry`, one after another by the same caller or
/// each by a child of it, and says what all of them returned.
///
/// # Errors
///
/// When it could not be done, or not all of them returned the same.
pub(crate) fn repeat(
    case: &Case,
    entry: Entry,
    times: u32,
    in_children: bool,
    world: &mut World,
) -> Result<Outcome> {
    let target = match &case.target {
        Some(target) => Some(world.target(target)?),
        None => None,
    };
    let handle = case.handle.prepare(target.as_deref(), world)?;
    // What is made for witnesses is not to be counted.
    let case = &Case {
        witnesses: Witnesses::Child,
        ..case.clone()
    };
    let mut made = 0;
    let mut outcome = None;
    for _ in 0..BEGINNINGS {
        let mut caller = Caller::prepare(case, entry, target.as_deref(), world)?;
        let repeated = caller.repeat(case, &handle, times - made, in_children)?;
        if repeated.times > 0 {
            ensure!(
                outcome.is_none_or(|outcome| outcome == repeated.outcome),
                "{entry} returned {}, and {} by another caller",
                word(outcome.unwrap_or(Ok(()))),
                word(repeated.outcome)
            );
            outcome = Some(repeated.outcome);
            made += repeated.times;
        }
        if made == times {
            return outcome.context("repeated no times");
        }
    }
    bail!(
        "{entry}: an allocation was to fail, and the call succeeded all the same, {BEGINNINGS} times"
    );
}

/// Runs programs as a caller in the state of a case. Their standard input is the handle, if that is
/// a file. `lines` returns their words for the caller's pid.
pub(crate) fn programs(
    case: &Case,
    lines: impl FnOnce(u32) -> Vec<Vec<String>>,
    world: &mut World,
) -> Result<Vec<Program>> {
    let target = match &case.target {
        Some(target) => Some(world.target(target)?),
        None => None,
    };
    let target = target.as_deref();
    // An entry that changes nothing.
    let entry = Entry::DRY_RUN;
    let mut caller = Caller::prepare(case, entry, target, world)?;
    let input = match case.handle {
        Handle::Pidfd | Handle::OwnPidfd | Handle::Number(_) => None,
        _ => {
            let handle = case.handle.prepare(target, world)?;
            let take = caller.hand(&handle)?.map_or(Command::Take, Command::Open);
            caller.actor.tell(&take)?;
            Some(0)
        }
    };
    let lines = lines(caller.actor.pid()?);
    let asked = [
        Command::Programs {
            lines,
            input,
            share_fs: case.caller.contains(&Step::ShareFs),
        },
        Command::Close,
    ];
    let mut replies = caller.actor.tell_all(&asked)?;
    let Reply::Programs(programs) = replies.swap_remove(0) else {
        bail!("unexpected reply to {:?}", asked[0]);
    };
    if !case.caller.iter().any(is_of_target) {
        world.rest(State::of(case, entry), caller);
    }
    Ok(programs)
}

fn is_of_target(step: &Step) -> bool {
    matches!(step, Step::EnterTarget(_))
}

/// What a caller is like before a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct State {
    /// By which way it calls.
    entry: Entry,
    /// The steps that it took.
    steps: Vec<Step>,
    /// Whether perf is to be told of it.
    perf: bool,
}

impl State {
    fn of(case: &Case, entry: Entry) -> Self {
        Self {
            entry,
            steps: case.caller.clone(),
            // What perf is told today it was not in 2011. And telling it takes memory.
            perf: case.witnesses == Witnesses::All
                && case.subject != Entry::Device2011
                && case.fail_allocation.is_none(),
        }
    }
}

/// An actor in the state of a case.
pub(crate) struct Caller {
    actor: Actor,
    entry: Entry,
    semaphore: Option<RaisedSemaphore>,
    companion: Option<String>,
    /// Its child that is in namespaces of its own, by its path in `/proc`.
    child: Option<String>,
    /// [`None`] in a kernel without perf.
    perf: Option<NamespacesWatch>,
    /// What it saw last.
    seen: Snapshot,
}

/// A semaphore that is removed when nobody looks at it any more.
struct RaisedSemaphore(Semaphore);

impl Drop for RaisedSemaphore {
    fn drop(&mut self) {
        let _ = self.0.remove();
    }
}

impl Caller {
    fn prepare(
        case: &Case,
        entry: Entry,
        target: Option<&Process>,
        world: &mut World,
    ) -> Result<Self> {
        let state = State::of(case, entry);
        if let Some(idle) = world.wake(&state) {
            return Ok(idle);
        }
        let mut caller = Self {
            actor: Actor::spawn()?,
            entry,
            semaphore: None,
            companion: None,
            child: None,
            perf: None,
            seen: Snapshot::default(),
        };
        let mut commands = Vec::new();
        if entry != Entry::Syscall {
            // The device is opened as root: what counts is who calls.
            commands.push(Command::OpenDevice);
        }
        for step in &case.caller {
            if let Step::EnterTarget(kinds) = step {
                let target = target.context("a case without a target")?;
                caller.obey(&mem::take(&mut commands))?;
                caller.enter(target, *kinds)?;
            } else {
                commands.push(Command::Do(step.clone()));
            }
        }
        if state.perf {
            commands.push(Command::Pid);
        }
        commands.push(Command::Look {
            clocks: world.clocks.clone(),
            children: Children::None,
        });
        caller.obey(&commands)?;
        Ok(caller)
    }

    /// May serve another case if nothing has happened to it, which the case has just looked at.
    fn rest(mut self, case: &Case, ran: &Side, world: &mut World) -> Result<()> {
        if (ran.outcome.is_err() || !self.entry.has_effect())
            && !case.caller.iter().any(is_of_target)
        {
            self.seen = ran.after.clone();
            world.rest(State::of(case, self.entry), self);
        }
        Ok(())
    }

    /// Has the actor do all that, and keeps what it says of itself.
    fn obey(&mut self, commands: &[Command]) -> Result<()> {
        for reply in self.actor.tell_all(commands)? {
            match reply {
                Reply::Returned(opened) => {
                    ensure!(opened.is_ok(), "{}: {}", Device::PATH, word(opened));
                }
                Reply::Semaphore(id) => self.semaphore = Some(RaisedSemaphore(Semaphore(id))),
                Reply::Companion(path) => self.companion = Some(path),
                Reply::Child(path) => self.child = Some(path),
                Reply::Pid(pid) => {
                    let pid = Pid::from_raw(pid as i32).context("pid 0")?;
                    self.perf = NamespacesWatch::new(pid).ok();
                }
                Reply::Seen(seen) => self.seen = self.seen_from_outside(seen)?,
                _ => {}
            }
        }
        Ok(())
    }

    /// Has it enter namespaces of these kinds of the target.
    fn enter(&mut self, target: &Process, kinds: u32) -> Result<()> {
        let pidfd = self.actor.take(target.pidfd()?)?;
        let entered = self.actor.call(Call {
            entry: Entry::Syscall,
            slot: pidfd.slot,
            nstype: kinds as i32,
            fail_nth: None,
        })?;
        ensure!(
            entered.is_ok(),
            "cannot enter the target: {}",
            word(entered)
        );
        self.actor.tell(&Command::Close)?;
        Ok(())
    }

    /// What it is to open to have the handle of the call in its hands; [`None`]: it is to take what
    /// it was sent.
    fn hand(&mut self, handle: &Prepared) -> Result<Option<Source>> {
        match handle {
            Prepared::File(file) => self.actor.send(file)?,
            Prepared::ByCaller(source) => return Ok(Some(source.clone())),
            Prepared::OfChild(link) => {
                let child = self.child.as_deref().context("a caller without a child")?;
                self.actor.send(match link {
                    Some(link) => fd_source::ns_of(child, link)?,
                    None => fd_source::pidfd(child.parse()?)?,
                })?;
            }
        }
        Ok(None)
    }

    /// Adds what the test sees of the caller: it is root in the namespaces that all of this began
    /// in, wherever the actor is and whatever it has become.
    fn seen_from_outside(&mut self, mut seen: Snapshot) -> Result<Snapshot> {
        if let Some(semaphore) = &self.semaphore {
            seen.add("semaphore", semaphore.0.value()?);
        }
        if let Some(companion) = &self.companion {
            seen.add_links(File::open("/proc")?, companion, "companion/ns");
        }
        if let Some(child) = &self.child {
            seen.add_links(File::open("/proc")?, child, OF_CHILD);
        }
        Ok(seen)
    }

    /// The call of the case, of what it took last.
    fn call(&self, case: &Case) -> Call {
        Call {
            entry: self.entry,
            slot: 0,
            nstype: case.nstype,
            fail_nth: case.fail_allocation,
        }
    }

    fn repeat(
        &mut self,
        case: &Case,
        handle: &Prepared,
        times: u32,
        in_children: bool,
    ) -> Result<Repeated> {
        let take = self.hand(handle)?.map_or(Command::Take, Command::Open);
        self.actor.tell(&take)?;
        self.actor.repeat(self.call(case), times, in_children)
    }

    fn run(&mut self, case: &Case, handle: &Prepared, clocks: &ClockBase) -> Result<Ran> {
        let attempt = Command::Attempt {
            source: self.hand(handle)?,
            call: self.call(case),
            clocks: clocks.clone(),
            children: match case.witnesses {
                Witnesses::All => Children::AndProgram,
                Witnesses::Child => Children::Forked,
            },
        };
        let Reply::Attempted(opened, called, after) = self.actor.tell(&attempt)? else {
            bail!("an odd answer to {attempt:?}");
        };
        let Called {
            outcome,
            to_go,
            foreseen,
        } = called;
        let records = self.perf.as_mut().map(NamespacesWatch::take);
        let mut after = self.seen_from_outside(after)?;
        if outcome.is_ok() && self.entry.has_effect() {
            perf_records(&mut after, records.as_deref());
        }
        Ok(Ran {
            side: Side {
                entry: self.entry,
                before: mem::take(&mut self.seen),
                outcome,
                to_go,
                foreseen,
                after,
            },
            opened: opened.inode,
        })
    }
}

/// Adds what perf was told of the call: how often, and whether it is what the links say.
fn perf_records(seen: &mut Snapshot, records: Option<&[Vec<u64>]>) {
    let Some(records) = records else {
        return;
    };
    seen.add("perf/records", records.len());
    for (link, inode) in NAMESPACES_IN_ORDER
        .iter()
        .zip(records.last().into_iter().flatten())
    {
        let agrees = target::inode(seen.link(link)) == Some(*inode);
        let word = if agrees { "as in /proc" } else { "another" };
        seen.add(format_args!("perf/{link}"), word);
    }
}
