// SPDX-License-Identifier: GPL-2.0-only

//! Both implementations called at the same time, by and on tasks that move, look, die, execute.
//!
//! A test is a scene: processes that do what their roles say until its share of the time is over,
//! and until all that it is about has been met. Each call must return what setns(2) documents for
//! its situation, and leave the caller where it says; neither implementation may return something
//! that the other never does. What else can go wrong the kernel says (KASAN, lockdep, KCSAN), or
//! the gates after the suite do.

mod known;
mod outcome;
mod roles;
mod scene;
mod workers;

use crate::{
    case::{
        implementation::{Entry, Kind},
        target::{Target, World},
    },
    env::{kernel, module},
    errno::{Code, Outcome, word},
    process::setup::Step,
    report::{ktap::Test, verdict_port},
};
use anyhow::{Result, ensure};
use outcome::{Event, Situation};
use roles::*;
use scene::{ALL, BOTH, Stage, bundle};
use std::{cell::RefCell, iter, rc::Rc, time::Duration};
use workers::{Crew, Role};

/// What is tried at the same time, and what must come of it.
struct Scene {
    name: &'static str,
    /// The processes that stay, in whose namespaces one may be.
    targets: fn() -> Vec<Target>,
    /// How many processes do what.
    cast: &'static [(usize, Role)],
    /// What each of both implementations must have returned, and how often at least.
    calls: &'static [(Situation, Outcome, u64)],
    /// What else must have happened, and how often at least.
    events: &'static [(Event, u64)],
    /// Whether the device is open all the time.
    device: bool,
}

const SCENES: &[Scene] = &[
    Scene {
        name: "threads switch one namespace after the other, others look at them",
        targets: bundles,
        cast: &[(2, switch_by_file), (1, look), (1, list)],
        calls: &[(Situation::Stays, Ok(()), 100)],
        events: &[(Event::Look, 50), (Event::List, 5), (Event::Exit, 1)],
        ..Scene::PLAIN
    },
    Scene {
        name: "threads switch sets of namespaces, others enter them",
        targets: bundles,
        cast: &[(2, switch_by_pidfd), (2, enter_threads), (1, look)],
        calls: &[
            (Situation::Stays, Ok(()), 50),
            (Situation::Moving, Ok(()), 20),
        ],
        events: &[(Event::Look, 20), (Event::Exit, 1)],
        ..Scene::PLAIN
    },
    Scene {
        name: "switchers die by SIGKILL, others enter them",
        targets: bundles,
        cast: &[(2, switching), (2, enter_moving), (1, look)],
        calls: &[
            (Situation::Stays, Ok(()), 50),
            (Situation::Moving, Ok(()), 20),
            (Situation::Moving, Err(Code::ESRCH), 1),
        ],
        events: &[(Event::Kill, 10), (Event::Look, 20)],
        ..Scene::PLAIN
    },
    Scene {
        name: "targets vanish: zombie, reaped",
        targets: bundles,
        cast: &[(2, sitting), (3, enter_dying), (1, open)],
        calls: &[
            (Situation::Dying, Ok(()), 20),
            (Situation::Dying, Err(Code::ESRCH), 3),
        ],
        events: &[(Event::Zombie, 1), (Event::Reaped, 1), (Event::Kill, 10)],
        ..Scene::PLAIN
    },
    Scene {
        name: "targets execute a program that may not be looked into",
        targets: bundles,
        cast: &[(2, executing), (3, enter_executing)],
        calls: &[
            (Situation::Executing, Ok(()), 3),
            (Situation::Executing, Err(Code::EPERM), 3),
            (Situation::Executing, Err(Code::ESRCH), 1),
        ],
        events: &[(Event::Kill, 5)],
        ..Scene::PLAIN
    },
    Scene {
        name: "mount namespaces whose root is mounted on and unmounted",
        cast: &[(2, mounting), (3, enter_mounts)],
        calls: &[(Situation::Mounting, Ok(()), 10)],
        events: &[(Event::Mount, 20), (Event::Kill, 5)],
        ..Scene::PLAIN
    },
    Scene {
        name: "a mount namespace, while root and directory are shared for a moment",
        targets: || vec![Target::new([Step::Unshare(Kind::Mnt.flag())])],
        cast: &[(3, enter_while_shared)],
        calls: &[
            (Situation::SharedRoot, Ok(()), 2),
            (Situation::SharedRoot, Err(Code::EINVAL), 2),
        ],
        ..Scene::PLAIN
    },
    Scene {
        name: "a user namespace, entered by many processes of its user",
        targets: || vec![Target::in_new(Kind::User.flag()).of_user()],
        cast: &[(2, enter_user), (1, of_user)],
        calls: &[
            (Situation::UserFirst, Ok(()), 5),
            (Situation::UserAgain, Err(Code::EINVAL), 5),
            (Situation::UserDying, Ok(()), 1),
            (Situation::UserDying, Err(Code::ESRCH), 1),
        ],
        events: &[(Event::Fork, 20), (Event::Kill, 5)],
        ..Scene::PLAIN
    },
    Scene {
        name: "a pid namespace whose init dies",
        cast: &[(1, pid_init), (2, enter_pid_of_dying)],
        calls: &[
            (Situation::Reaper, Ok(()), 5),
            (Situation::Reaper, Err(Code::ESRCH), 1),
        ],
        events: &[(Event::Kill, 5), (Event::Fork, 1), (Event::NoChild, 1)],
        ..Scene::PLAIN
    },
    Scene {
        name: "a time namespace, entered by children whose siblings end",
        targets: || vec![Target::in_new(Kind::Time.flag())],
        cast: &[(3, enter_time_afresh)],
        calls: &[(Situation::Fresh, Ok(()), 10)],
        events: &[(Event::Fork, 20)],
        ..Scene::PLAIN
    },
    Scene {
        name: "a time namespace, beside threads that begin and end",
        targets: || vec![Target::in_new(Kind::Time.flag())],
        cast: &[(3, enter_time_beside_threads)],
        calls: &[
            (Situation::Threads, Ok(()), 5),
            (Situation::Threads, Err(Code::EUSERS), 5),
        ],
        events: &[(Event::Exit, 10)],
        ..Scene::PLAIN
    },
    Scene {
        name: "a switch drops the last reference to a namespace",
        targets: bundles,
        cast: &[(3, unshare_and_leave), (1, open), (1, list)],
        calls: &[(Situation::LastReference, Ok(()), 20)],
        events: &[(Event::Open, 20), (Event::List, 5)],
        ..Scene::PLAIN
    },
    Scene {
        name: "the module is unloaded under its users: refused, or clean",
        targets: bundles,
        cast: &[(1, unload_and_load), (3, call_and_close)],
        calls: &[(Situation::Stays, Ok(()), 10)],
        events: &[(Event::Unload, 2), (Event::Busy, 2), (Event::Absent, 1)],
        device: false,
    },
];

fn bundles() -> Vec<Target> {
    vec![bundle(), bundle(), bundle()]
}

/// How long all scenes take together, in seconds.
fn seconds(world: &World) -> u64 {
    match (world.effort.long, kernel::is_sanitized()) {
        (false, false) => 8,
        (false, true) => 30,
        (true, false) => 180,
        (true, true) => 480,
    }
}

/// A scene whose situations have not all been met goes on, at most this many times its share.
const PATIENCE: u32 = 30;

/// A number of calls that says something: what one implementation returned so often, and the other
/// never in as many calls, is a difference.
const OFTEN: u64 = 100;

pub(crate) fn tests() -> Vec<Test> {
    let totals = Rc::new(RefCell::new(Totals::default()));
    let scene = |scene: &'static Scene| {
        let totals = totals.clone();
        Test::new(scene.name, move |world| {
            let played = scene.play(world, &mut totals.borrow_mut());
            totals.borrow_mut().wrong += u64::from(played.is_err());
            totals.borrow().tell()?;
            played
        })
    };
    let gone = Test::new("files of a task that is gone", |_| {
        scene::files_of_one_that_is_gone()
    });
    let scenes = SCENES.iter().map(scene);
    iter::once(gone)
        .chain(scenes)
        .chain(known::tests())
        .collect()
}

impl Scene {
    /// The rest of a scene. Nobody stays but the test, and the device is open.
    const PLAIN: Self = Self {
        name: "",
        targets: Vec::new,
        cast: &[],
        calls: &[],
        events: &[],
        device: true,
    };

    fn play(&self, world: &World, totals: &mut Totals) -> Result<()> {
        let stage = Stage::new(&(self.targets)(), self.device, world.effort.seed)?;
        let share = Duration::from_secs(seconds(world)) / SCENES.len() as u32;
        let watched = Crew::start(&stage, self.cast)?.watch(
            &stage,
            share,
            share * PATIENCE,
            || self.missing(&stage).is_empty(),
            || tally(&stage),
        );
        if !self.device {
            module::make_sure_it_is_loaded()?;
        }
        totals.add(&stage);
        println!("# {}", tally(&stage));
        watched?;

        stage.complaints.none()?;
        let missing = self.missing(&stage);
        ensure!(missing.is_empty(), "it proves nothing: {missing}");
        let differences = differences(&stage);
        ensure!(
            differences.is_empty(),
            "one implementation returns it and the other never does: {}",
            differences.join("; ")
        );
        Ok(())
    }

    /// What has not been met yet.
    fn missing(&self, stage: &Stage) -> String {
        let mut missing = Vec::new();
        for &(situation, outcome, least) in self.calls {
            for &entry in BOTH {
                let n = stage.calls(entry, situation, outcome);
                if n < least {
                    let word = word(outcome);
                    missing.push(format!(
                        "{entry}, {situation}: {word} {n} times, not {least}"
                    ));
                }
            }
        }
        for &(event, least) in self.events {
            let n = stage.count(event);
            if n < least {
                missing.push(format!("{event}: {n}, not {least}"));
            }
        }
        missing.join("; ")
    }
}

/// What one implementation returned often, and the other never.
fn differences(stage: &Stage) -> Vec<String> {
    let mut differences = Vec::new();
    let sides = [
        (Entry::Syscall, Entry::Device),
        (Entry::Device, Entry::Syscall),
        (Entry::Syscall, Entry::Served),
        (Entry::Served, Entry::Syscall),
    ];
    for &situation in Situation::ALL {
        for (one, other) in sides {
            let others = stage.outcomes(other, situation);
            let calls: u64 = others.iter().map(|(_, n)| n).sum();
            for (outcome, n) in stage.outcomes(one, situation) {
                let never = !others.iter().any(|(other, _)| *other == outcome);
                if n >= OFTEN && calls >= OFTEN && never {
                    differences.push(format!("{one}, {situation}: {}", word(outcome)));
                }
            }
        }
    }
    differences
}

/// What was counted, in a line.
fn tally(stage: &Stage) -> String {
    let mut words = Vec::new();
    for &situation in Situation::ALL {
        for &entry in ALL {
            let outcomes = stage.outcomes(entry, situation);
            if outcomes.is_empty() {
                continue;
            }
            let outcomes: Vec<_> = outcomes
                .iter()
                .map(|(outcome, n)| format!("{} {n}", word(*outcome)))
                .collect();
            words.push(format!("{situation} by {entry}: {}", outcomes.join(", ")));
        }
    }
    for &event in Event::ALL {
        match stage.count(event) {
            0 => {}
            n => words.push(format!("{event}: {n}")),
        }
    }
    words.join("; ")
}

/// What all scenes came to.
#[derive(Default)]
struct Totals {
    scenes: u64,
    wrong: u64,
    syscalls: u64,
    device: u64,
    served: u64,
    kills: u64,
    unloads: u64,
    refused: u64,
}

impl Totals {
    fn add(&mut self, stage: &Stage) {
        let switches = |entry| -> u64 {
            let all = Situation::ALL.iter();
            all.map(|situation| stage.calls(entry, *situation, Ok(())))
                .sum()
        };
        self.scenes += 1;
        self.syscalls += switches(Entry::Syscall);
        self.device += switches(Entry::Device) + switches(Entry::Device2011);
        self.served += switches(Entry::Served);
        self.kills += stage.count(Event::Kill);
        self.unloads += stage.count(Event::Unload);
        self.refused += stage.count(Event::Busy);
    }

    /// Tells the host. The last one told counts.
    fn tell(&self) -> Result<()> {
        let Self {
            scenes,
            wrong,
            syscalls,
            device,
            served,
            kills,
            unloads,
            refused,
        } = self;
        verdict_port::summary(format_args!(
            "races: {scenes} scenes, {device} switches by device, {syscalls} by setns(2), \
             {served} served, {kills} killed, {unloads} unloads, {wrong} wrong"
        ))?;
        for (name, value) in [
            ("scenes", scenes),
            ("wrong", wrong),
            ("switches.device", device),
            ("switches.setns", syscalls),
            ("switches.served", served),
            ("killed", kills),
            ("unloads", unloads),
            ("unloads.refused", refused),
        ] {
            verdict_port::fact(format_args!("races.{name}"), value)?;
        }
        Ok(())
    }
}
