// SPDX-License-Identifier: GPL-2.0-only

//! After a suite: is every namespace gone that it made?
//!
//! A namespace lives as long as someone holds a reference, and as long as it lives it is counted
//! against the user who made it (`ucounts`), in the initial user namespace as everywhere above.
//! The initial namespaces are not counted. So with a limit of one, exactly one more can be made
//! if and only if none is left. And `listns(2)` tells which namespaces are active: those that
//! someone uses, as opposed to merely refers to.

use crate::{
    case::{
        implementation::{Kind, all_kinds},
        target::USER,
    },
    process::{Actor, setup::Setup},
    sys,
};
use anyhow::{Context as _, Result};
use std::{
    collections::HashSet,
    fs::{self, File},
    iter,
    process::ExitCode,
    thread,
    time::{Duration, Instant},
};

/// How long the kernel may take to free what is freed in the background.
const PATIENCE: Duration = Duration::from_secs(15);
/// Where counting ends.
const MANY: u32 = 1000;
/// Who made namespaces: root, and the user without rights.
const MAKERS: [u32; 2] = [0, USER];

/// `nsproxy-tests gate-namespaces`: says what is left, and that nothing is.
pub(crate) fn namespaces() -> Result<ExitCode> {
    sys::do_not_randomize_addresses();
    let kernel = of_the_kernel()?;
    let mut left = Vec::new();
    for maker in MAKERS {
        for kind in Kind::ALL {
            // Some kernels count their own against root.
            let allowed = if maker == 0 { kernel.of(kind) } else { 0 };
            let is_good = |count: &Option<u32>| count.is_some_and(|count| count <= allowed);
            match patiently(|| count(maker, kind), is_good)? {
                Some(count) if count <= allowed => {}
                Some(count) => left.push(format!(
                    "{} {} of user {maker}",
                    count - allowed,
                    kind.name()
                )),
                None => left.push(format!(
                    "some {} of user {maker}, whose number changes all the time",
                    kind.name()
                )),
            }
        }
    }
    let strangers = || -> Result<Vec<String>> {
        let mut strangers = Vec::new();
        for kind in Kind::ALL {
            for id in sys::listns(kind.flag()).context("listns(2)")? {
                if !kernel.ids.contains(&id) {
                    let by = match users_of(kind, id)?.as_slice() {
                        [] => "no process".to_owned(),
                        pids => format!("process {}", pids.join(", ")),
                    };
                    strangers.push(format!("{} with id {id} in use by {by}", kind.name()));
                }
            }
        }
        Ok(strangers)
    };
    left.extend(if left.is_empty() {
        patiently(strangers, Vec::is_empty)?
    } else {
        // That was waited for.
        strangers()?
    });
    if left.is_empty() {
        println!("no namespace is left behind");
        return Ok(ExitCode::SUCCESS);
    }
    println!("namespaces are left behind: {}", left.join(", "));
    Ok(ExitCode::FAILURE)
}

/// The namespaces that are there without anybody's asking.
struct OfTheKernel {
    /// Of all of them, the initial ones included.
    ids: HashSet<u64>,
    /// Of those that are not initial.
    kinds: Vec<Kind>,
}

impl OfTheKernel {
    fn of(&self, kind: Kind) -> u32 {
        self.kinds.iter().filter(|other| **other == kind).count() as u32
    }
}

/// The namespaces of init and of kernel threads, of which one or the other has its own.
fn of_the_kernel() -> Result<OfTheKernel> {
    let mut ids = HashSet::new();
    let mut kinds = Vec::new();
    let mut initial = true;
    for pid in iter::once("1".to_owned()).chain(kernel_threads()?) {
        for kind in Kind::ALL {
            let Ok(file) = File::open(format!("/proc/{pid}/ns/{}", kind.name())) else {
                // A worker that has ended meanwhile.
                continue;
            };
            let id = sys::namespace_id(&file).context("NS_GET_ID")?;
            if ids.insert(id) && !initial {
                kinds.push(kind);
            }
        }
        initial = false;
    }
    Ok(OfTheKernel { ids, kinds })
}

/// The pids of the processes that are in a namespace, with what they are called.
fn users_of(kind: Kind, id: u64) -> Result<Vec<String>> {
    let mut users = Vec::new();
    for pid in pids()? {
        let Ok(file) = File::open(format!("/proc/{pid}/ns/{}", kind.name())) else {
            continue;
        };
        if sys::namespace_id(&file) == Ok(id) {
            let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
            users.push(format!("{pid} ({})", name.trim()));
        }
    }
    Ok(users)
}

/// The pids of kernel threads: processes that have no program.
fn kernel_threads() -> Result<Vec<String>> {
    let mut pids = pids()?;
    pids.retain(|pid| fs::read_link(format!("/proc/{pid}/exe")).is_err());
    Ok(pids)
}

/// All pids.
fn pids() -> Result<Vec<String>> {
    let mut pids = Vec::new();
    for entry in fs::read_dir("/proc")? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if name.bytes().all(|byte| byte.is_ascii_digit()) {
            pids.push(name);
        }
    }
    Ok(pids)
}

/// Looks again until it is good, or for as long as one may wait.
pub(crate) fn patiently<T>(
    look: impl Fn() -> Result<T>,
    is_good: impl Fn(&T) -> bool,
) -> Result<T> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let seen = look()?;
        if is_good(&seen) || Instant::now() > deadline {
            return Ok(seen);
        }
        thread::sleep(Duration::from_millis(200));
    }
}

/// Returns the number of active namespaces.
pub(crate) fn active_count() -> Result<usize> {
    let listed = sys::listns(all_kinds()).context("listns(2)")?;
    Ok(listed.len())
}

/// Waits until at most so many namespaces are active, since the kernel frees them with a delay.
/// Returns the last count.
pub(crate) fn wait_for_active_count(most: usize) -> Result<usize> {
    patiently(active_count, |count| *count <= most)
}

/// How many namespaces of a kind count against a user; [`None`] if that changes meanwhile.
fn count(maker: u32, kind: Kind) -> Result<Option<u32>> {
    let limit = Limit::of(kind)?;
    for room in 1..MANY {
        limit.set(room)?;
        if let Some(_one) = Maker::try_new(maker, kind)? {
            // There is no room for another, or one was freed, or the limit is none.
            let is_full = Maker::try_new(maker, kind)?.is_none();
            return Ok(is_full.then_some(room - 1));
        }
    }
    Ok(Some(MANY))
}

/// A process in a new namespace.
struct Maker {
    _actor: Actor,
}

impl Maker {
    /// [`None`] if the namespace cannot be made.
    fn try_new(maker: u32, kind: Kind) -> Result<Option<Self>> {
        let mut actor = Actor::spawn()?;
        if maker != 0 {
            actor.set_up(&Setup::SetIds(maker))?;
            if kind != Kind::User {
                // Who has no rights needs a user namespace to have some in.
                actor.set_up(&Setup::Unshare(Kind::User.flag()))?;
            }
        }
        let made = actor.set_up(&Setup::Unshare(kind.flag()));
        Ok(made.is_ok().then_some(Self { _actor: actor }))
    }
}

/// The limit of a kind in the initial user namespace, put back when dropped.
struct Limit {
    path: String,
    before: String,
}

impl Limit {
    fn of(kind: Kind) -> Result<Self> {
        let path = format!("/proc/sys/user/max_{}_namespaces", kind.name());
        let before = fs::read_to_string(&path).with_context(|| path.clone())?;
        Ok(Self { path, before })
    }

    fn set(&self, limit: u32) -> Result<()> {
        fs::write(&self.path, limit.to_string()).with_context(|| self.path.clone())
    }
}

impl Drop for Limit {
    fn drop(&mut self) {
        let _ = fs::write(&self.path, &self.before);
    }
}
