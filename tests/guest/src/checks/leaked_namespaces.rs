// SPDX-License-Identifier: GPL-2.0-only

//! Finds the namespaces that a suite has leaked.
//!
//! A namespace exists while it is referenced, and counts against the limit of the user that created
//! it (`ucounts`), in the initial user namespace, too. The initial namespaces do not count. So with
//! a limit of one, exactly one namespace can be created if and only if none has leaked. In addition,
//! `listns(2)`, if the kernel has it, lists the active namespaces: those in use, not merely referenced.

use crate::{
    case::{
        implementation::{Kind, all_kinds},
        target::USER,
    },
    env::kernel::Feature,
    process::{Actor, setup::Setup},
    sys,
};
use anyhow::{Context as _, Result};
use rustix::io::Errno;
use std::{
    collections::HashSet,
    fs::{self, File},
    iter,
    os::unix::fs::MetadataExt as _,
    process::ExitCode,
    thread,
    time::{Duration, Instant},
};

/// How long to wait for namespaces that the kernel frees in the background.
const TIMEOUT: Duration = Duration::from_secs(15);
/// The maximum count.
const MANY: u32 = 1000;
/// The users that create namespaces: root, and the unprivileged user.
const CREATORS: [u32; 2] = [0, USER];

/// `nsproxy-tests gate-namespaces`: prints the leaked namespaces.
pub(crate) fn report() -> Result<ExitCode> {
    sys::do_not_randomize_addresses();
    let kernel = KernelNamespaces::find()?;
    let mut left = Vec::new();
    for creator in CREATORS {
        for kind in Kind::ALL {
            // Namespaces of kernel threads count against root.
            let allowed = if creator == 0 { kernel.count(kind) } else { 0 };
            let is_good = |count: &Option<u32>| count.is_some_and(|count| count <= allowed);
            match wait_until(|| count(creator, kind), is_good)? {
                Some(count) if count <= allowed => {}
                Some(count) => left.push(format!(
                    "{} {} of user {creator}",
                    count - allowed,
                    kind.name()
                )),
                None => left.push(format!(
                    "an unstable number of {} of user {creator}",
                    kind.name()
                )),
            }
        }
    }
    let has_listns = Feature::Listns.exists()?;
    let active = || -> Result<Vec<String>> {
        let mut active = Vec::new();
        if !has_listns {
            return Ok(active);
        }
        for kind in Kind::ALL {
            for id in sys::listns(kind.flag()).context("listns(2)")? {
                if !kernel.ids.contains(&id) {
                    let by = match users_of(kind, id)?.as_slice() {
                        [] => "no process".to_owned(),
                        pids => format!("process {}", pids.join(", ")),
                    };
                    active.push(format!("{} with id {id} in use by {by}", kind.name()));
                }
            }
        }
        Ok(active)
    };
    left.extend(if left.is_empty() {
        wait_until(active, Vec::is_empty)?
    } else {
        // The timeout has passed.
        active()?
    });
    if left.is_empty() {
        println!("no namespace is left behind");
        return Ok(ExitCode::SUCCESS);
    }
    println!("namespaces are left behind: {}", left.join(", "));
    Ok(ExitCode::FAILURE)
}

/// The namespaces of init and of kernel threads, some of which have their own.
struct KernelNamespaces {
    /// The ids of all of them, see [`id`].
    ids: HashSet<u64>,
    /// The kinds of those that are not initial.
    kinds: Vec<Kind>,
}

impl KernelNamespaces {
    fn find() -> Result<Self> {
        let mut ids = HashSet::new();
        let mut kinds = Vec::new();
        let mut initial = true;
        for pid in iter::once("1".to_owned()).chain(kernel_threads()?) {
            for kind in Kind::ALL {
                let Ok(file) = File::open(format!("/proc/{pid}/ns/{}", kind.name())) else {
                    // The thread has exited meanwhile.
                    continue;
                };
                let id = id(&file)?;
                if ids.insert(id) && !initial {
                    kinds.push(kind);
                }
            }
            initial = false;
        }
        Ok(Self { ids, kinds })
    }

    fn count(&self, kind: Kind) -> u32 {
        self.kinds.iter().filter(|other| **other == kind).count() as u32
    }
}

/// Returns the id of a namespace. On a kernel that has none, which has no listns(2) either, returns the
/// number of the inode.
fn id(file: &File) -> Result<u64> {
    match sys::nsfs::id(file) {
        Err(Errno::NOTTY) => Ok(file.metadata()?.ino()),
        id => id.context("NS_GET_ID"),
    }
}

/// Returns the pids of the processes in a namespace, with their names.
fn users_of(kind: Kind, id: u64) -> Result<Vec<String>> {
    let mut users = Vec::new();
    for pid in pids()? {
        let Ok(file) = File::open(format!("/proc/{pid}/ns/{}", kind.name())) else {
            continue;
        };
        if sys::nsfs::id(&file) == Ok(id) {
            let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
            users.push(format!("{pid} ({})", name.trim()));
        }
    }
    Ok(users)
}

/// Returns the pids of kernel threads: processes without a program.
fn kernel_threads() -> Result<Vec<String>> {
    let mut pids = pids()?;
    pids.retain(|pid| fs::read_link(format!("/proc/{pid}/exe")).is_err());
    Ok(pids)
}

/// Returns all pids.
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

/// Repeats `read` until its value is good or a timeout has passed. Returns the last value.
pub(crate) fn wait_until<T>(
    read: impl Fn() -> Result<T>,
    is_good: impl Fn(&T) -> bool,
) -> Result<T> {
    let deadline = Instant::now() + TIMEOUT;
    loop {
        let value = read()?;
        if is_good(&value) || Instant::now() > deadline {
            return Ok(value);
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
    wait_until(active_count, |count| *count <= most)
}

/// Returns how many namespaces of a kind count against a user, or [`None`] if the number changes.
fn count(creator: u32, kind: Kind) -> Result<Option<u32>> {
    let limit = Limit::of(kind)?;
    for maximum in 1..MANY {
        limit.set(maximum)?;
        if let Some(_actor) = actor_in_new(creator, kind)? {
            // Another one succeeds if a namespace was freed meanwhile, or if the limit has no effect.
            let is_full = actor_in_new(creator, kind)?.is_none();
            return Ok(is_full.then_some(maximum - 1));
        }
    }
    Ok(Some(MANY))
}

/// Starts an actor in a new namespace. Returns [`None`] if the namespace cannot be created.
fn actor_in_new(creator: u32, kind: Kind) -> Result<Option<Actor>> {
    let mut actor = Actor::spawn()?;
    if creator != 0 {
        actor.set_up(&Setup::SetIds(creator))?;
        if kind != Kind::User {
            // An unprivileged user has capabilities only in its own user namespace.
            actor.set_up(&Setup::Unshare(Kind::User.flag()))?;
        }
    }
    let created = actor.set_up(&Setup::Unshare(kind.flag()));
    Ok(created.is_ok().then_some(actor))
}

/// The limit of a kind in the initial user namespace. Dropping restores the previous limit.
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
