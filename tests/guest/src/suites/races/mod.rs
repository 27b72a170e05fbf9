// SPDX-License-Identifier: GPL-2.0-only

//! Races: both implementations, called at the same time by and on tasks that switch, die, execute.
//!
//! A test is a scene: workers act in their roles until the scene's share of the time is over and
//! every expected outcome and event has occurred. Each call must return what setns(2) or unshare(2)
//! documents for its situation, and leave the caller in the namespaces that its outcome implies. No
//! implementation may return an outcome that the other never returns. Other errors are detected by
//! the kernel (KASAN, lockdep, KCSAN) and by the leak checks after the suite.

mod known;
mod outcome;
mod roles;
mod shared_state;

use crate::{
    case::{
        fixtures::Fixtures,
        implementation::{Entry, Kind},
        target::Target,
    },
    env::{kernel, module, serve_status},
    errno::{Code, Outcome, outcome_name},
    process::{setup::Setup, workers::Workers},
    report::{ktap::Test, progress::Progress, verdict_port},
};
use anyhow::{Context as _, Result, bail, ensure};
use fastrand::Rng;
use outcome::{Event, Situation};
use roles::*;
use shared_state::{BOTH, COUNTED, SharedState, target_in_new_kinds};
use std::{
    cell::RefCell,
    iter,
    rc::Rc,
    thread,
    time::{Duration, Instant},
};

/// The work of a process until the scene is over.
type Role = fn(&SharedState, &mut Rng) -> Result<()>;

/// Roles that run at the same time, and the outcomes that are expected.
struct Scene {
    name: &'static str,
    /// The processes whose namespaces are entered, and which live as long as the scene.
    targets: fn() -> Vec<Target>,
    /// The roles, each with the number of its workers.
    roles: &'static [(usize, Role)],
    /// The outcomes that each of [`BOTH`] must have had, and how often at least.
    calls: &'static [(Situation, Outcome, u64)],
    /// The events that must have occurred, and how often at least.
    events: &'static [(Event, u64)],
    /// Whether the device is open throughout the scene.
    device: bool,
    /// Whether the scene is about processes that the module serves.
    serves: bool,
}

const SCENES: &[Scene] = &[
    Scene {
        name: "threads switch one namespace at a time, others read their links",
        targets: three_targets,
        roles: &[(2, switch_by_file), (1, read_links), (1, list_namespaces)],
        calls: &[(Situation::Stays, Ok(()), 100)],
        events: &[(Event::Look, 50), (Event::List, 5), (Event::Exit, 1)],
        ..Scene::PLAIN
    },
    Scene {
        name: "threads switch sets of namespaces, others enter them",
        targets: three_targets,
        roles: &[(2, switch_by_pidfd), (2, enter_threads), (1, read_links)],
        calls: &[
            (Situation::Stays, Ok(()), 50),
            (Situation::Moving, Ok(()), 20),
        ],
        events: &[(Event::Look, 20), (Event::Exit, 1)],
        ..Scene::PLAIN
    },
    Scene {
        name: "targets that switch are killed, others enter them",
        targets: three_targets,
        roles: &[(2, switching_targets), (2, enter_moving), (1, read_links)],
        calls: &[
            (Situation::Stays, Ok(()), 50),
            (Situation::Moving, Ok(()), 20),
            (Situation::Moving, Err(Code::ESRCH), 1),
        ],
        events: &[(Event::Kill, 10), (Event::Look, 20)],
        ..Scene::PLAIN
    },
    Scene {
        name: "targets die: zombie, reaped",
        targets: three_targets,
        roles: &[
            (2, sleeping_targets),
            (3, enter_dying),
            (1, open_namespaces),
        ],
        calls: &[
            (Situation::Dying, Ok(()), 20),
            (Situation::Dying, Err(Code::ESRCH), 3),
        ],
        events: &[(Event::Zombie, 1), (Event::Reaped, 1), (Event::Kill, 10)],
        ..Scene::PLAIN
    },
    Scene {
        name: "targets execute a set-user-ID program",
        targets: three_targets,
        roles: &[(2, executing_targets), (3, enter_executing)],
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
        roles: &[(2, mounting_targets), (3, enter_mounts)],
        calls: &[(Situation::Mounting, Ok(()), 10)],
        events: &[(Event::Mount, 20), (Event::Kill, 5)],
        ..Scene::PLAIN
    },
    Scene {
        name: "a mount namespace, while the fs_struct is shared for a moment",
        targets: || vec![Target::new([Setup::Unshare(Kind::Mnt.flag())])],
        roles: &[(3, enter_while_shared)],
        calls: &[
            (Situation::SharedRoot, Ok(()), 2),
            (Situation::SharedRoot, Err(Code::EINVAL), 2),
        ],
        ..Scene::PLAIN
    },
    Scene {
        name: "a user namespace, entered by many processes of its owner",
        targets: || vec![Target::in_new(Kind::User.flag()).of_user()],
        roles: &[(2, enter_user), (1, user_targets)],
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
        name: "a pid namespace whose init is killed",
        roles: &[(1, init_targets), (2, enter_pid_of_dying)],
        calls: &[
            (Situation::Reaper, Ok(()), 5),
            (Situation::Reaper, Err(Code::ESRCH), 1),
        ],
        events: &[(Event::Kill, 5), (Event::Fork, 1), (Event::NoChild, 1)],
        ..Scene::PLAIN
    },
    Scene {
        name: "a time namespace, entered by children whose siblings exit",
        targets: || vec![Target::in_new(Kind::Time.flag())],
        roles: &[(3, enter_time_afresh)],
        calls: &[(Situation::Fresh, Ok(()), 10)],
        events: &[(Event::Fork, 20)],
        ..Scene::PLAIN
    },
    Scene {
        name: "a time namespace, while threads start and end",
        targets: || vec![Target::in_new(Kind::Time.flag())],
        roles: &[(3, enter_time_beside_threads)],
        calls: &[
            (Situation::Threads, Ok(()), 5),
            (Situation::Threads, Err(Code::EUSERS), 5),
        ],
        events: &[(Event::Exit, 10)],
        ..Scene::PLAIN
    },
    Scene {
        name: "a switch drops the last reference to a namespace",
        targets: three_targets,
        roles: &[
            (3, unshare_and_leave),
            (1, open_namespaces),
            (1, list_namespaces),
        ],
        calls: &[
            (Situation::LastReference, Ok(()), 20),
            (Situation::Creates, Ok(()), 20),
        ],
        events: &[(Event::Open, 20), (Event::List, 5)],
        ..Scene::PLAIN
    },
    Scene {
        name: "the namespaces of the only task in them, which switches, are listed",
        roles: &[(1, watch_a_lone_switcher)],
        calls: &[(Situation::Stays, Ok(()), 100)],
        events: &[(Event::List, 100)],
        ..Scene::PLAIN
    },
    Scene {
        name: "targets create namespaces, are killed, execute, others enter them",
        roles: &[
            (2, creating_targets),
            (2, enter_creating),
            (1, list_namespaces),
        ],
        calls: &[
            (Situation::Creates, Ok(()), 50),
            (Situation::Moving, Ok(()), 20),
        ],
        events: &[
            (Event::Kill, 5),
            (Event::Clone, 10),
            (Event::Execute, 3),
            (Event::List, 5),
        ],
        ..Scene::PLAIN
    },
    Scene {
        name: "a user namespace is created while threads start and end",
        roles: &[(3, create_user_beside_threads)],
        calls: &[
            (Situation::CreatesBeside, Ok(()), 5),
            (Situation::CreatesBeside, Err(Code::EINVAL), 5),
        ],
        events: &[(Event::Exit, 10)],
        ..Scene::PLAIN
    },
    Scene {
        name: "a time namespace for children, entered by execve while others enter",
        roles: &[(2, execute_into_time), (1, enter_time_of_executing)],
        calls: &[
            (Situation::Creates, Ok(()), 3),
            (Situation::Moving, Ok(()), 3),
        ],
        events: &[(Event::Execute, 5)],
        ..Scene::PLAIN
    },
    Scene {
        name: "processes stop being served while they fork, exit and are killed",
        roles: &[(3, toggling_targets)],
        calls: &[(Situation::Creates, Ok(()), 10)],
        events: &[(Event::Toggle, 50), (Event::Clone, 10), (Event::Kill, 5)],
        serves: true,
        ..Scene::PLAIN
    },
    Scene {
        name: "the module is not unloaded while served processes end",
        targets: three_targets,
        roles: &[(1, try_to_unload), (2, served_generations)],
        events: &[
            (Event::Busy, 20),
            (Event::Served, 20),
            (Event::Kill, 3),
            (Event::Execute, 3),
        ],
        device: false,
        serves: true,
        ..Scene::PLAIN
    },
    Scene {
        name: "the module is unloaded while in use: refused, or clean",
        targets: three_targets,
        roles: &[(1, unload_and_load), (3, call_and_close)],
        calls: &[
            (Situation::Stays, Ok(()), 10),
            (Situation::Creates, Ok(()), 10),
        ],
        events: &[(Event::Unload, 2), (Event::Busy, 2), (Event::Absent, 1)],
        device: false,
        ..Scene::PLAIN
    },
];

fn three_targets() -> Vec<Target> {
    vec![target_in_new_kinds(); 3]
}

/// Returns how long all scenes take together, in seconds.
fn seconds(fixtures: &Fixtures) -> u64 {
    match (fixtures.effort.long, kernel::is_sanitized()) {
        (false, false) => 8,
        (false, true) => 30,
        (true, false) => 180,
        (true, true) => 480,
    }
}

/// A scene in which an expected outcome is missing continues, at most for so many times its share.
const LIMIT: u32 = 60;
/// How long workers may take to exit after the end of the scene.
const EXIT_TIMEOUT: Duration = Duration::from_secs(60);
/// How often the state of a scene is checked.
const TICK: Duration = Duration::from_millis(20);

/// If one implementation returned an outcome so often, and the other never in as many calls, that is
/// a difference.
const OFTEN: u64 = 100;

pub(crate) fn tests() -> Vec<Test> {
    let totals = Rc::new(RefCell::new(Totals::default()));
    let scene = |scene: &'static Scene| {
        let totals = totals.clone();
        Test::new(scene.name, move |fixtures| {
            let played = scene.play(fixtures, &mut totals.borrow_mut());
            totals.borrow_mut().wrong += u64::from(played.is_err());
            totals.borrow().report()?;
            played
        })
    };
    let gone = Test::new("files of a task that is gone", |_| {
        shared_state::files_of_a_task_that_is_gone()
    });
    let scenes = SCENES.iter().map(scene);
    iter::once(gone)
        .chain(scenes)
        .chain(known::tests())
        .collect()
}

impl Scene {
    /// The defaults of a scene: no targets, and the device is open.
    const PLAIN: Self = Self {
        name: "",
        targets: Vec::new,
        roles: &[],
        calls: &[],
        events: &[],
        device: true,
        serves: false,
    };

    fn play(&self, fixtures: &Fixtures, totals: &mut Totals) -> Result<()> {
        let state = SharedState::new(&(self.targets)(), self.device, fixtures.effort.seed)?;
        if self.serves && !state.serves {
            return Err(serve_status::unsupported());
        }
        if !self.device && !self.serves {
            // Without redirects, whose removal changes the kernel's code: see `UNSERVED`.
            module::unload_soon()?;
            module::load(c"")?.context("finit_module")?;
        }
        // One that a filter selects repeats a race that is rare, so it gets the time of all.
        let scenes = match fixtures.effort.is_filtered {
            true => 1,
            false => SCENES.len() as u32,
        };
        let share = Duration::from_secs(seconds(fixtures)) / scenes;
        let watched = self.watch(self.start(&state)?, &state, share);
        if !self.device {
            module::make_sure_it_is_loaded()?;
        }
        totals.add(&state);
        println!("# {}", tally(&state));
        watched?;

        state.complaints.none()?;
        if state.serves {
            none_is_served()?;
        }
        let missing = self.missing(&state);
        ensure!(missing.is_empty(), "expected, but missing: {missing}");
        let differences = differences(&state);
        ensure!(
            differences.is_empty(),
            "returned by one implementation, never by the other: {}",
            differences.join("; ")
        );
        Ok(())
    }

    /// Starts the workers of each role.
    fn start(&self, state: &SharedState) -> Result<Workers> {
        let mut workers = Workers::default();
        for &(n, role) in self.roles {
            for _ in 0..n {
                let mut rng = Rng::with_seed(state.seed ^ (workers.len() as u64 + 1) << 32);
                workers.add(state.spawn(|| role(state, &mut rng))?);
            }
        }
        Ok(workers)
    }

    /// Waits until the scene may end, ends it, and waits for the workers.
    fn watch(&self, mut workers: Workers, state: &SharedState, share: Duration) -> Result<()> {
        let started = Instant::now();
        let mut progress = Progress::new();
        while started.elapsed() < share
            || started.elapsed() < share * LIMIT && !self.missing(state).is_empty()
        {
            thread::sleep(TICK);
            progress.print(|| format!("{} s: {}", started.elapsed().as_secs(), tally(state)));
            // A worker that exits before the end has reported why.
            if reap(&mut workers, state)? {
                break;
            }
        }
        state.stop();
        let deadline = Instant::now() + EXIT_TIMEOUT;
        while workers.len() > 0 {
            reap(&mut workers, state)?;
            if Instant::now() > deadline {
                bail!("{} workers do not exit", workers.len());
            }
            thread::sleep(Duration::from_millis(1));
        }
        Ok(())
    }

    /// Returns the expected outcomes and events that are still missing.
    fn missing(&self, state: &SharedState) -> String {
        let mut missing = Vec::new();
        for &(situation, outcome, least) in self.calls {
            for &entry in BOTH {
                let n = state.calls(entry, situation, outcome);
                if n < least {
                    let (word, entry) = (outcome_name(outcome), situation.by(entry));
                    missing.push(format!(
                        "{entry}, {situation}: {word} {n} times, not {least}"
                    ));
                }
            }
        }
        for &(event, least) in self.events {
            let n = state.count(event);
            if n < least {
                missing.push(format!("{event}: {n}, not {least}"));
            }
        }
        missing.join("; ")
    }
}

/// Checks that no process is served any more. Orphans may still be on their way out.
fn none_is_served() -> Result<()> {
    let deadline = Instant::now() + EXIT_TIMEOUT;
    loop {
        match serve_status::processes()? {
            0 => return Ok(()),
            n => ensure!(Instant::now() < deadline, "{n} processes are still served"),
        }
        thread::sleep(TICK);
    }
}

/// Reaps workers, and returns whether any has exited.
fn reap(workers: &mut Workers, state: &SharedState) -> Result<bool> {
    let statuses = workers.reap()?;
    for status in statuses
        .iter()
        .filter(|status| status.exit_status() != Some(0))
    {
        state.report(&format!("a worker ended with {status:?}"));
    }
    Ok(!statuses.is_empty())
}

/// Returns the outcomes that one implementation returned often, and the other never.
fn differences(state: &SharedState) -> Vec<String> {
    let mut differences = Vec::new();
    let pairs = [
        (Entry::Syscall, Entry::Device),
        (Entry::Device, Entry::Syscall),
        (Entry::Syscall, Entry::Served),
        (Entry::Served, Entry::Syscall),
        (Entry::Syscall, Entry::Lifelong),
        (Entry::Lifelong, Entry::Syscall),
    ];
    for situation in Situation::ALL {
        for (one, other) in pairs {
            let others = state.outcomes(other, situation);
            let calls: u64 = others.iter().map(|(_, n)| n).sum();
            for (outcome, n) in state.outcomes(one, situation) {
                let never = !others.iter().any(|(other, _)| *other == outcome);
                if n >= OFTEN && calls >= OFTEN && never {
                    let one = situation.by(one);
                    differences.push(format!("{one}, {situation}: {}", outcome_name(outcome)));
                }
            }
        }
    }
    differences
}

/// Returns all counts as a line.
fn tally(state: &SharedState) -> String {
    let mut words = Vec::new();
    for situation in Situation::ALL {
        for &entry in COUNTED {
            let outcomes = state.outcomes(entry, situation);
            if outcomes.is_empty() {
                continue;
            }
            let outcomes: Vec<_> = outcomes
                .iter()
                .map(|(outcome, n)| format!("{} {n}", outcome_name(*outcome)))
                .collect();
            let entry = situation.by(entry);
            words.push(format!("{situation} by {entry}: {}", outcomes.join(", ")));
        }
    }
    for event in Event::ALL {
        match state.count(event) {
            0 => {}
            n => words.push(format!("{event}: {n}")),
        }
    }
    words.join("; ")
}

/// The sums over all scenes.
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
    fn add(&mut self, state: &SharedState) {
        let switches = |entry| -> u64 {
            let all = Situation::ALL.iter();
            all.map(|situation| state.calls(entry, *situation, Ok(())))
                .sum()
        };
        self.scenes += 1;
        self.syscalls += switches(Entry::Syscall);
        self.device += switches(Entry::Device) + switches(Entry::Device2011);
        self.served += switches(Entry::Served) + switches(Entry::Lifelong);
        self.kills += state.count(Event::Kill);
        self.unloads += state.count(Event::Unload);
        self.refused += state.count(Event::Busy);
    }

    /// Reports the sums to the host, where the last report replaces those before.
    fn report(&self) -> Result<()> {
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
            "races: {scenes} scenes, {device} switches by device, {syscalls} by system calls, \
             {served} served, {kills} killed, {unloads} unloads, {wrong} wrong"
        ))?;
        for (name, value) in [
            ("scenes", scenes),
            ("wrong", wrong),
            ("switches.device", device),
            ("switches.syscalls", syscalls),
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
