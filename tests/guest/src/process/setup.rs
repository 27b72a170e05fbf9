// SPDX-License-Identifier: GPL-2.0-only

//! The steps that put an actor into a state. They are data, so that cases can be made of them.

use super::{child::Process, command::Reply};
use crate::{
    case::implementation::{self, Kind},
    sys::{self, Fork, Semaphore},
};
use anyhow::{Context as _, Result, bail, ensure};
use rustix::{
    fs::{Mode, OFlags},
    io::Errno,
    mount::{MountFlags, MountPropagationFlags},
    pipe::PipeFlags,
    process::{DumpableBehavior, WaitOptions},
    thread::{CapabilitySet, CapabilitySets},
};
use serde::{Deserialize, Serialize};
use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    mem,
    os::fd::OwnedFd,
    process, thread,
};

/// Room for what `/proc/thread-self` leads to.
const NAME: usize = 64;

/// One change to the state of an actor.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum Step {
    /// `unshare()`, with `CLONE_NEW*`.
    Unshare(u32),
    /// Goes on in a child, so that it is in the pid and time namespaces for children.
    Fork,
    /// Goes on in a child of `vfork()`: the parent stands still and shares the memory.
    Vfork,
    /// Maps the user and group that it is to root, in a user namespace that it just made.
    MapRoot,
    /// Becomes that user and group, which takes its capabilities unless it is 0.
    SetIds(u32),
    /// Keeps only these capabilities (bits), of those that it has.
    KeepCaps(u64),
    /// Limits the capabilities of executed programs to these (bits).
    BoundCaps(u64),
    /// Lowers all capabilities but these (bits), and could raise them again.
    LowerCaps(u64),
    /// Starts a second thread, which sleeps.
    Thread,
    /// Starts a process that shares its nsproxy, as all children do, and sleeps.
    Sibling,
    /// Starts a child that sleeps in new namespaces of all kinds, of its own making.
    Child,
    /// Goes on in a child whose parent ends: init is its parent then.
    Orphan,
    /// Starts a process that shares root and working directory (`CLONE_FS`), and sleeps.
    ShareFs,
    /// Starts a process that shares its memory (`CLONE_VM`), and sleeps.
    ShareVm,
    /// Makes a directory and takes it as its root; the working directory stays outside.
    Chroot(String),
    /// Makes a directory and goes there.
    Chdir(String),
    /// Becomes not dumpable, which denies access by ptrace(2).
    NotDumpable,
    /// Sets `no_new_privs`.
    NoNewPrivs,
    /// Goes under a seccomp filter that allows everything.
    Seccomp,
    /// Raises a semaphore, to be undone when it leaves the ipc namespace.
    RaiseSemaphore,
    /// Makes the message queue with [`MESSAGE_QUEUE`] as its key.
    MessageQueue,
    /// Sets the host name.
    Hostname(String),
    /// Sets the offsets (seconds) of the time namespace for its children.
    ClockOffsets { monotonic: i64, boottime: i64 },
    /// Makes a directory and mounts a tmpfs there, for this mount namespace only.
    Mount(String),
    /// Makes a network interface of that name.
    Interface(String),
    /// Makes a cgroup of that name below the root cgroup and moves there.
    Cgroup(String),
    /// Enters namespaces of the case's target by setns(2), `CLONE_NEW*`. Done by the test.
    EnterTarget(u32),
}

/// The key of the message queue by which an ipc namespace is known.
pub(crate) const MESSAGE_QUEUE: i32 = 0x6e73_7078;

/// Where cgroups are made.
pub(crate) const CGROUPS: &str = "/sys/fs/cgroup";

impl Step {
    /// Takes the step in this process.
    pub(crate) fn take(&self, process: &mut Process) -> Result<Reply> {
        match self {
            Self::Unshare(flags) => sys::unshare(*flags)?,
            Self::Fork => {
                if let Fork::Parent(child) = sys::fork()? {
                    stand_in_for(child);
                }
                process.stand_alone();
            }
            Self::Vfork => {
                let child = sys::vfork(|| {
                    process.answer(Reply::Done);
                    process.serve()
                })?;
                stand_in_for(child);
            }
            Self::MapRoot => map_root(&process.proc, process.id)?,
            Self::SetIds(id) => {
                set_ids(*id)?;
                process.id = *id;
            }
            Self::KeepCaps(bits) => keep_caps(*bits)?,
            Self::BoundCaps(bits) => bound_caps(*bits)?,
            Self::LowerCaps(but) => lower_caps(*but)?,
            Self::Thread => {
                let (told, tell) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC)?;
                let proc = process.proc.try_clone()?;
                thread::Builder::new().stack_size(64 << 10).spawn(move || {
                    // No lock of the allocator, which a child of the other thread would find taken
                    // for ever: by system calls, and nothing is allocated or freed.
                    let mut name = [0; NAME];
                    let n = rustix::fs::readlinkat_raw(&proc, c"thread-self", &mut name);
                    drop(proc);
                    let _ = rustix::io::write(&tell, &name[..n.unwrap_or(0)]);
                    drop(tell);
                    sys::sleep_forever();
                })?;
                let mut name = [0; NAME];
                let n = rustix::io::read(&told, &mut name)?;
                ensure!(n != 0, "thread-self");
                let name = String::from_utf8_lossy(&name[..n]);
                return Ok(Reply::Companion(name.into_owned()));
            }
            Self::Sibling => return companion(process, sys::fork, || Ok(())).map(Reply::Companion),
            Self::ShareFs => {
                return companion(process, sys::fork_sharing_fs, || Ok(())).map(Reply::Companion);
            }
            Self::Child => {
                // In a user namespace of one's own, one may make all others.
                return companion(process, sys::fork, || {
                    sys::unshare(
                        implementation::all_kinds() & !(Kind::Pid.flag() | Kind::Time.flag()),
                    )?;
                    sys::unshare(Kind::Pid.flag() | Kind::Time.flag())?;
                    match sys::fork()? {
                        Fork::Parent(child) => stand_in_for(child),
                        Fork::Child => Ok(()),
                    }
                })
                .map(Reply::Child);
            }
            Self::Orphan => {
                if let Fork::Parent(_) = sys::fork()? {
                    sys::exit(0);
                }
                // It ends when there is nobody to take commands from.
            }
            Self::ShareVm => drop(sys::spawn_sharing_vm()?),
            Self::Chroot(path) => {
                fs::create_dir_all(path)?;
                rustix::process::chroot(path)?;
            }
            Self::Chdir(path) => {
                fs::create_dir_all(path)?;
                rustix::process::chdir(path)?;
            }
            Self::NotDumpable => {
                rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
            }
            Self::NoNewPrivs => rustix::thread::set_no_new_privs(true)?,
            Self::Seccomp => sys::seccomp_allow_all()?,
            Self::RaiseSemaphore => {
                let semaphore = Semaphore::new()?;
                semaphore.raise_with_undo()?;
                return Ok(Reply::Semaphore(semaphore.0));
            }
            Self::MessageQueue => sys::message_queue(MESSAGE_QUEUE, true)?,
            Self::Hostname(name) => rustix::system::sethostname(name.as_bytes())?,
            Self::ClockOffsets {
                monotonic,
                boottime,
            } => {
                set_clock_offsets(&process.proc, *monotonic, *boottime)?;
            }
            Self::Mount(path) => {
                // Whoever made the namespace may have shared its mounts with others.
                let private = MountPropagationFlags::PRIVATE | MountPropagationFlags::REC;
                rustix::mount::mount_change("/", private)?;
                fs::create_dir_all(path)?;
                rustix::mount::mount("nsproxy-tests", path, "tmpfs", MountFlags::empty(), None)?;
            }
            Self::Interface(name) => make_interface(name)?,
            Self::Cgroup(name) => {
                let path = format!("{CGROUPS}/{name}");
                fs::create_dir_all(&path)?;
                fs::write(format!("{path}/cgroup.procs"), "0").context(path)?;
            }
            Self::EnterTarget(_) => bail!("only a test knows the target"),
        }
        Ok(Reply::Done)
    }
}

/// Waits for the child that goes on as the actor, and ends as it does.
fn stand_in_for(child: rustix::process::Pid) -> ! {
    let status = rustix::process::waitpid(Some(child), WaitOptions::empty());
    let code = status
        .ok()
        .flatten()
        .and_then(|(_, status)| status.exit_status());
    sys::exit(code.unwrap_or(1))
}

/// A child that lives as long as this process and is prepared to: returns where it is in `/proc`.
fn companion(
    process: &Process,
    fork: fn() -> Result<Fork, Errno>,
    prepare: fn() -> Result<(), Errno>,
) -> Result<String> {
    let (read, mut write) = std::io::pipe()?;
    let (mut alive, keep_alive) = std::io::pipe()?;
    match fork()? {
        Fork::Child => {
            drop((read, keep_alive));
            if prepare().is_err() {
                sys::exit(1);
            }
            let myself = rustix::fs::readlinkat(&process.proc, "self", Vec::new());
            let myself = myself.unwrap_or_default();
            let _ = write.write_all(&[myself.as_bytes(), b"\n"].concat());
            // Not by a signal at the parent's death: it may be a user that may not kill root.
            let _ = alive.read(&mut [0]);
            sys::exit(0)
        }
        Fork::Parent(_) => {
            drop(write);
            // To the end of the line: others may have the pipe open for as long as they live.
            let mut name = String::new();
            BufReader::new(read).read_line(&mut name)?;
            ensure!(name.ends_with('\n'), "the companion did not say its pid");
            name.pop();
            mem::forget(keep_alive);
            Ok(name)
        }
    }
}

fn write_proc(proc: &OwnedFd, path: &str, text: &str) -> Result<()> {
    let fd = rustix::fs::openat(proc, path, OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty())
        .with_context(|| format!("/proc/{path}"))?;
    // One write: the kernel takes a map or nothing.
    rustix::io::write(fd, text.as_bytes()).with_context(|| format!("/proc/{path}: {text:?}"))?;
    Ok(())
}

/// Maps the user `id`, which this process was when it made its user namespace, to root in there.
pub(crate) fn map_root(proc: &OwnedFd, id: u32) -> Result<()> {
    // The one map that whoever made the namespace may write without rights outside of it.
    let map = format!("0 {id} 1");
    write_proc(proc, "self/setgroups", "deny")?;
    write_proc(proc, "self/uid_map", &map)?;
    write_proc(proc, "self/gid_map", &map)
}

/// The offsets, in seconds, of the time namespace for this process' children.
pub(crate) fn set_clock_offsets(proc: &OwnedFd, monotonic: i64, boottime: i64) -> Result<()> {
    let offsets = format!("monotonic {monotonic} 0\nboottime {boottime} 0\n");
    write_proc(proc, "self/timens_offsets", &offsets)
}

/// Becomes that user and group.
pub(crate) fn set_ids(id: u32) -> Result<()> {
    let (uid, gid) = (
        rustix::process::Uid::from_raw(id),
        rustix::process::Gid::from_raw(id),
    );
    rustix::thread::set_thread_groups(&[])?;
    rustix::thread::set_thread_res_gid(gid, gid, gid)?;
    rustix::thread::set_thread_res_uid(uid, uid, uid)?;
    // As after exec: a process that cannot be looked into by itself is a state of its own.
    rustix::process::set_dumpable_behavior(DumpableBehavior::Dumpable)?;
    Ok(())
}

/// Keeps only these capabilities (bits), of those that it has.
pub(crate) fn keep_caps(bits: u64) -> Result<()> {
    let keep = CapabilitySet::from_bits_retain(bits);
    let sets = rustix::thread::capabilities(None)?;
    rustix::thread::set_capabilities(
        None,
        CapabilitySets {
            effective: sets.effective & keep,
            permitted: sets.permitted & keep,
            inheritable: sets.inheritable & keep,
        },
    )?;
    Ok(())
}

fn bound_caps(bits: u64) -> Result<()> {
    let bounding = rustix::thread::capabilities(None)?.permitted;
    let others = bounding - CapabilitySet::from_bits_retain(bits);
    for other in (0..u64::BITS).map(|number| CapabilitySet::from_bits_retain(1 << number)) {
        if others.contains(other) {
            rustix::thread::remove_capability_from_bounding_set(other)?;
        }
    }
    Ok(())
}

fn lower_caps(but: u64) -> Result<()> {
    let mut sets = rustix::thread::capabilities(None)?;
    sets.effective &= CapabilitySet::from_bits_retain(but);
    rustix::thread::set_capabilities(None, sets)?;
    Ok(())
}

/// A dummy interface. By busybox: rtnetlink is a lot of code for one line of a shell.
fn make_interface(name: &str) -> Result<()> {
    let done = process::Command::new("/bin/busybox")
        .args(["ip", "link", "add", "name", name, "type", "dummy"])
        .stdin(process::Stdio::null())
        .output()
        .context("/bin/busybox")?;
    ensure!(
        done.status.success(),
        "busybox ip link add: {}",
        String::from_utf8_lossy(&done.stderr).trim()
    );
    Ok(())
}
