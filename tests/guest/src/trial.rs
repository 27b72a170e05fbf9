// SPDX-License-Identifier: GPL-2.0-only

//! Runs a case.
//!
//! Two actors, siblings, are put into the same state. One makes the call through the system
//! call, the other through the device. Both must return the same, and see the same afterwards;
//! and it must be what the case says.

use crate::{
    actor::{
        Actor,
        command::{Call, Called, Command, Reply},
        state::Step,
    },
    case::{Case, Handle},
    errno::{Outcome, word},
    judge,
    snapshot::{ClockBase, Snapshot},
    sys::Semaphore,
    via::{Device, Entry},
    world::{self, Fate, Idle, Process, Target, World},
};
use anyhow::{Context as _, Result, bail, ensure};
use std::{fs::File, rc::Rc};

/// What one caller did and saw.
pub(crate) struct Side {
    pub(crate) entry: Entry,
    pub(crate) before: Snapshot,
    pub(crate) outcome: Outcome,
    /// If an allocation was to fail: how many more there were to go until that one.
    pub(crate) to_go: Option<u32>,
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
    let mut aim = Aim::of(case, world)?;
    let target = aim.process();

    let mut subject = Caller::prepare(case, case.subject, target, world)?;
    let mut reference = match case.reference {
        Some(entry) => Some(Caller::prepare(case, entry, target, world)?),
        None => None,
    };
    if let Some(target) = &case.target {
        aim.meet(target)?;
    }

    // The reference first: should the subject take the guest down, this much is known.
    let reference_ran = match &mut reference {
        Some(caller) => Some(caller.run(case, &world.clocks)?),
        None => None,
    };
    let home = world::links_of("self");
    let subject_ran = subject.run(case, &world.clocks)?;

    let mut wrong = Vec::new();
    for ran in reference_ran.iter().chain([&subject_ran]) {
        judge::judge(case, ran, aim.process(), &mut wrong);
    }
    if let Some(reference) = &reference_ran {
        judge::compare(&reference.side, &subject_ran.side, &mut wrong);
    }
    if home != world.home || world::links_of("self") != world.home {
        wrong.push("the test itself is in other namespaces than before".to_owned());
    }

    if wrong.is_empty() && case.caller.is_empty() {
        subject.rest(&subject_ran.side, world)?;
        if let (Some(caller), Some(ran)) = (reference, &reference_ran) {
            caller.rest(&ran.side, world)?;
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
    let mut made = 0;
    let mut outcome = None;
    for _ in 0..BEGINNINGS {
        let mut aim = Aim::of(case, world)?;
        let mut caller = Caller::prepare(case, entry, aim.process(), world)?;
        if let Some(target) = &case.target {
            aim.meet(target)?;
        }
        let call = caller.call(case)?;
        let repeated = caller.actor.repeat(call, times - made, in_children)?;
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

/// The process that the handle of a case refers to: shared with other cases, or its own.
enum Aim {
    None,
    Shared(Rc<Process>),
    Own(Process),
}

impl Aim {
    fn of(case: &Case, world: &mut World) -> Result<Self> {
        Ok(match &case.target {
            None => Self::None,
            Some(target) if target.fate == Fate::Alive => Self::Shared(world.target(target)?),
            Some(target) => Self::Own(Process::start(target)?),
        })
    }

    fn process(&self) -> Option<&Process> {
        match self {
            Self::None => None,
            Self::Shared(process) => Some(process),
            Self::Own(process) => Some(process),
        }
    }

    /// What is to become of the target becomes of it.
    fn meet(&mut self, target: &Target) -> Result<()> {
        if let Self::Own(process) = self {
            process.actor.kill()?;
            if target.fate == Fate::Reaped {
                process.actor.reap()?;
            }
        }
        Ok(())
    }
}

/// An actor in the state of a case, with the handle open where that is to be done early.
struct Caller {
    actor: Actor,
    entry: Entry,
    slot: Option<usize>,
    opened: Option<u64>,
    semaphore: Option<RaisedSemaphore>,
    companion: Option<String>,
    /// What it saw last, if nothing can have changed since then.
    seen: Option<Snapshot>,
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
        // The device and the handle are opened as root, from where everything can be reached:
        // what counts is who calls.
        let (actor, seen) = match world.idle.remove(&entry) {
            Some(Idle { actor, seen }) if case.caller.is_empty() => (actor, Some(seen)),
            other => {
                if let Some(idle) = other {
                    world.idle.insert(entry, idle);
                }
                (Self::spawn(entry)?, None)
            }
        };
        let mut caller = Self {
            actor,
            entry,
            slot: None,
            opened: None,
            semaphore: None,
            companion: None,
            seen,
        };
        if !case.handle.is_of_caller() {
            caller.open(case, target)?;
        }
        for step in &case.caller {
            caller
                .step(step, target)
                .with_context(|| format!("{step:?}"))?;
        }
        if case.handle.is_of_caller() {
            caller.open(case, target)?;
        }
        Ok(caller)
    }

    fn spawn(entry: Entry) -> Result<Actor> {
        let mut actor = Actor::spawn()?;
        if entry != Entry::Syscall {
            let opened = actor.returned(&Command::OpenDevice)?;
            ensure!(opened.is_ok(), "{}: {}", Device::PATH, word(opened));
        }
        Ok(actor)
    }

    /// May serve another case if nothing has happened to it, which the case has just looked at.
    fn rest(mut self, ran: &Side, world: &mut World) -> Result<()> {
        if ran.outcome.is_err() {
            self.actor.tell(&Command::Close)?;
            world.idle.insert(
                self.entry,
                Idle {
                    actor: self.actor,
                    seen: ran.after.clone(),
                },
            );
        }
        Ok(())
    }

    fn open(&mut self, case: &Case, target: Option<&Process>) -> Result<()> {
        let opened = self.actor.open(case.handle.source(target)?)?;
        self.slot = Some(opened.slot);
        self.opened = opened.inode;
        Ok(())
    }

    fn step(&mut self, step: &Step, target: Option<&Process>) -> Result<()> {
        match step {
            Step::EnterTarget(flags) => {
                let pidfd = self.actor.open(Handle::Pidfd.source(target)?)?;
                let entered = self.actor.call(Call {
                    entry: Entry::Syscall,
                    slot: pidfd.slot,
                    nstype: *flags as i32,
                    fail_nth: None,
                })?;
                ensure!(
                    entered.is_ok(),
                    "cannot enter the target: {}",
                    word(entered)
                );
            }
            _ => match self.actor.step(step)? {
                Reply::Semaphore(id) => {
                    self.semaphore = Some(RaisedSemaphore(Semaphore(id)));
                }
                Reply::Companion(path) => self.companion = Some(path),
                _ => {}
            },
        }
        Ok(())
    }

    /// What it sees, and what a child of it would see if that is wanted.
    fn look(&mut self, clocks: &ClockBase, child: bool) -> Result<Snapshot> {
        let mut seen = self.actor.look(clocks, child)?;
        if let Some(semaphore) = &self.semaphore {
            // The test is in the ipc namespace that it belongs to, wherever the actor is.
            let value = semaphore.0.value()?;
            seen.set("semaphore", value.to_string());
        }
        if let Some(companion) = &self.companion {
            // By the test, which may look into it whatever the actor has become.
            seen.links(File::open("/proc")?, companion, "companion/ns");
        }
        Ok(seen)
    }

    fn call(&self, case: &Case) -> Result<Call> {
        Ok(Call {
            entry: self.entry,
            slot: self.slot.context("no handle")?,
            nstype: case.nstype,
            fail_nth: case.fail_allocation,
        })
    }

    fn run(&mut self, case: &Case, clocks: &ClockBase) -> Result<Ran> {
        let before = match self.seen.take() {
            Some(seen) => seen,
            None => self.look(clocks, false)?,
        };
        let Called { outcome, to_go } = self.actor.try_call(self.call(case)?)?;
        // Where its children will be is among what a process sees of itself: after a failure
        // there is nothing more to ask them.
        let after = self.look(clocks, outcome.is_ok())?;
        Ok(Ran {
            side: Side {
                entry: self.entry,
                before,
                outcome,
                to_go,
                after,
            },
            opened: self.opened,
        })
    }
}
