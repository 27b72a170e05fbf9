// SPDX-License-Identifier: GPL-2.0-only

//! Setups: the actions that bring an actor into the state of a case, as data.

use super::{child::Process, command::Reply, creds};
use crate::{
    case::implementation::{self, Kind},
    sys::{self, Fork, Semaphore, SharedMemory},
};
use anyhow::{Context as _, Result, bail, ensure};
use rustix::{
    fs::{Mode, OFlags},
    io::Errno,
    mount::{MountFlags, MountPropagationFlags},
    pipe::PipeFlags,
    process::{DumpableBehavior, Pid, WaitOptions},
};
use serde::{Deserialize, Serialize};
use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    mem,
    os::fd::OwnedFd,
    process, thread,
};

/// Maximum length of the target of `/proc/thread-self`.
const NAME: usize = 64;

/// One change to the state of an actor.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum Setup {
    /// `unshare()`, with `CLONE_NEW*`.
    Unshare(u32),
    /// Continues in a child, which is in the pid and time namespaces for children.
    Fork,
    /// Continues in a child of `vfork()`: the parent is suspended and shares the memory.
    Vfork,
    /// Maps the user and group of the actor to root, in a user namespace that it just created.
    MapRoot,
    /// Maps only the user of the actor to root, as [`Setup::MapRoot`] does.
    MapRootUser,
    /// Maps only the group of the actor to root.
    MapRootGroup,
    /// `unshare(CLONE_NEWUSER)`, with all users and groups mapped to themselves.
    UnshareUserMapped,
    /// Becomes that user and group, which clears the capabilities unless the id is 0.
    SetIds(u32),
    /// Changes the real user only, so that the processes of the actor count for that user.
    SetRealUser(u32),
    /// Drops all capabilities but these (bits).
    KeepCaps(u64),
    /// Limits the capabilities of executed programs to these (bits).
    BoundCaps(u64),
    /// Makes only these capabilities (bits) effective. The others stay permitted.
    LowerCaps(u64),
    /// Makes these capabilities (bits) inheritable as well.
    InheritCaps(u64),
    /// Makes these capabilities (bits) inheritable and ambient as well.
    AmbientCaps(u64),
    /// Sets the secure bits (`SECBIT_*`).
    SecureBits(u32),
    /// Starts a second thread, which sleeps.
    Thread,
    /// Starts a sleeping process that shares the nsproxy, as all children do.
    Sibling,
    /// Starts a sleeping child in new namespaces of all kinds, which it creates.
    Child,
    /// Starts a sleeping child that has entered new namespaces (`CLONE_NEW*`) once for each element.
    /// The child is root in each user namespace.
    NestedChild(Vec<u32>),
    /// Continues in a child whose parent exits: init becomes its parent.
    Orphan,
    /// Starts a sleeping process that shares root and working directory (`CLONE_FS`).
    ShareFs,
    /// Starts a sleeping process that shares the memory (`CLONE_VM`).
    ShareVm,
    /// Starts a sleeping process that shares memory and signal handlers (`CLONE_SIGHAND`).
    ShareSighand,
    /// Starts a sleeping process that shares the table of file descriptors (`CLONE_FILES`).
    ShareFiles,
    /// Sets the limits of namespaces of these kinds (`CLONE_NEW*`) in the user namespace of the actor.
    Limit(u32, u32),
    /// Creates a directory and makes it the root; the working directory stays outside.
    Chroot(String),
    /// Creates a directory and makes it the working directory.
    Chdir(String),
    /// Becomes not dumpable, which denies access by ptrace(2).
    NotDumpable,
    /// Sets `no_new_privs`.
    NoNewPrivs,
    /// Installs a seccomp filter that allows everything.
    Seccomp,
    /// Raises a semaphore, which the kernel undoes when the actor leaves the ipc namespace.
    RaiseSemaphore,
    /// Creates a segment of shared memory, which becomes an orphan when the actor leaves the ipc
    /// namespace.
    SharedMemory,
    /// Creates the message queue with [`MESSAGE_QUEUE`] as its key.
    MessageQueue,
    /// Sets the host name.
    Hostname(String),
    /// Sets the offsets (seconds) of the time namespace for children.
    ClockOffsets { monotonic: i64, boottime: i64 },
    /// Creates a directory and mounts a tmpfs there, in this mount namespace only.
    Mount(String),
    /// Creates a network interface with that name.
    Interface(String),
    /// Creates a cgroup with that name below the root cgroup, and moves there.
    Cgroup(String),
    /// Enters namespaces (`CLONE_NEW*`) of the case's target by setns(2). Done by the test.
    EnterTarget(u32),
}

/// The key of the message queue that marks an ipc namespace.
pub(crate) const MESSAGE_QUEUE: i32 = 0x6e73_7078;

/// The directory of cgroups.
pub(crate) const CGROUPS: &str = "/sys/fs/cgroup";

impl Setup {
    /// Applies the setup to this process.
    pub(crate) fn apply(&self, process: &mut Process) -> Result<Reply> {
        match self {
            Self::Unshare(flags) => sys::unshare(*flags)?,
            Self::Fork => {
                fork_and_wait()?;
                Process::die_with_parent();
            }
            Self::Vfork => {
                let child = sys::vfork(|| {
                    process.add_reply(Reply::Done);
                    process.run_commands()
                })?;
                wait_and_exit_as(child);
            }
            Self::MapRoot => {
                map_root(&process.proc, process.id)?;
                process.id = 0;
            }
            Self::MapRootUser => {
                map_root_in(&process.proc, "uid_map", process.id)?;
                process.id = 0;
            }
            Self::MapRootGroup => {
                write_proc(&process.proc, "self/setgroups", "deny")?;
                map_root_in(&process.proc, "gid_map", process.id)?;
            }
            Self::UnshareUserMapped => unshare_user_mapped(process)?,
            Self::SetIds(id) => {
                creds::become_user(*id)?;
                process.id = *id;
            }
            Self::SetRealUser(id) => creds::set_real_user(*id)?,
            Self::KeepCaps(bits) => creds::keep_caps(*bits)?,
            Self::BoundCaps(bits) => creds::bound_caps(*bits)?,
            Self::LowerCaps(bits) => creds::lower_caps(*bits)?,
            Self::InheritCaps(bits) => creds::inherit_caps(*bits)?,
            Self::AmbientCaps(bits) => creds::raise_ambient_caps(*bits)?,
            Self::SecureBits(bits) => creds::set_secure_bits(*bits)?,
            Self::Thread => {
                let (read, write) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC)?;
                let proc = process.proc.try_clone()?;
                thread::Builder::new().stack_size(64 << 10).spawn(move || {
                    // Allocates and frees nothing: a child of the other thread would inherit a locked
                    // allocator.
                    let mut name = [0; NAME];
                    let n = rustix::fs::readlinkat_raw(&proc, c"thread-self", &mut name);
                    drop(proc);
                    let _ = rustix::io::write(&write, &name[..n.unwrap_or(0)]);
                    drop(write);
                    sys::sleep_forever();
                })?;
                let mut name = [0; NAME];
                let n = rustix::io::read(&read, &mut name)?;
                ensure!(n != 0, "thread-self");
                let name = String::from_utf8_lossy(&name[..n]);
                return Ok(Reply::Companion(name.into_owned()));
            }
            Self::Sibling => {
                return spawn_companion(process, sys::fork, || Ok(())).map(Reply::Companion);
            }
            Self::ShareFs => {
                return spawn_companion(process, sys::fork_sharing_fs, || Ok(()))
                    .map(Reply::Companion);
            }
            Self::Child => {
                // The creator of a user namespace may create the other kinds in it.
                return spawn_companion(process, sys::fork, || {
                    sys::unshare(
                        implementation::all_kinds() & !(Kind::Pid.flag() | Kind::Time.flag()),
                    )?;
                    sys::unshare(Kind::Pid.flag() | Kind::Time.flag())?;
                    fork_and_wait()
                })
                .map(Reply::Child);
            }
            Self::NestedChild(levels) => {
                let (proc, id) = (&process.proc, process.id);
                return spawn_companion(process, sys::fork, || nest(proc, id, levels))
                    .map(Reply::Child);
            }
            Self::Orphan => {
                if let Fork::Parent(_) = sys::fork()? {
                    sys::exit(0);
                }
                // It exits when the test closes the pipe of commands.
            }
            Self::ShareVm => drop(sys::spawn_sharing_vm()?),
            Self::ShareSighand => drop(sys::spawn_sharing_sighand()?),
            Self::ShareFiles => return spawn_sharing_files(process).map(Reply::Companion),
            Self::Limit(kinds, max) => limit(&process.proc, *kinds, *max)?,
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
            Self::SharedMemory => return Ok(Reply::SharedMemory(SharedMemory::new()?.0)),
            Self::MessageQueue => sys::message_queue(MESSAGE_QUEUE, true)?,
            Self::Hostname(name) => rustix::system::sethostname(name.as_bytes())?,
            Self::ClockOffsets {
                monotonic,
                boottime,
            } => {
                set_clock_offsets(&process.proc, *monotonic, *boottime)?;
            }
            Self::Mount(path) => {
                // The mounts may be shared with the parent namespace.
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
            Self::EnterTarget(_) => bail!("the target is only known to the test"),
        }
        Ok(Reply::Done)
    }
}

/// Waits for the child that continues as the actor, and exits with the same status.
fn wait_and_exit_as(child: Pid) -> ! {
    let status = rustix::process::waitpid(Some(child), WaitOptions::empty());
    let code = status
        .ok()
        .flatten()
        .and_then(|(_, status)| status.exit_status());
    sys::exit(code.unwrap_or(1))
}

/// Continues in a child. The parent waits for it, and exits with the same status.
fn fork_and_wait() -> Result<()> {
    match sys::fork()? {
        Fork::Parent(child) => wait_and_exit_as(child),
        Fork::Child => Ok(()),
    }
}

/// Enters new namespaces (`CLONE_NEW*`) once for each element of `levels`, as the user `id`.
fn nest(proc: &OwnedFd, mut id: u32, levels: &[u32]) -> Result<()> {
    for &kinds in levels {
        sys::unshare(kinds)?;
        if kinds & Kind::User.flag() != 0 {
            map_root(proc, id)?;
            id = 0;
        }
        if kinds & (Kind::Pid.flag() | Kind::Time.flag()) != 0 {
            fork_and_wait()?;
        }
    }
    Ok(())
}

/// Enters a new user namespace. A child that stays outside maps all users and groups to themselves:
/// the process itself could map only one.
fn unshare_user_mapped(process: &Process) -> Result<()> {
    const ALL: &str = "0 0 4294967295";
    let pid = process.pid()?;
    let (mut wait, tell) = std::io::pipe()?;
    match sys::fork()? {
        Fork::Child => {
            drop(tell);
            let _ = wait.read(&mut [0]);
            let map = |file| write_proc(&process.proc, &format!("{pid}/{file}"), ALL);
            let mapped = map("uid_map").and_then(|()| map("gid_map"));
            sys::exit(i32::from(mapped.is_err()))
        }
        Fork::Parent(child) => {
            sys::unshare(Kind::User.flag())?;
            drop(tell);
            let ended = rustix::process::waitpid(Some(child), WaitOptions::empty())?;
            let status = ended.and_then(|(_, status)| status.exit_status());
            ensure!(status == Some(0), "cannot map all users");
            Ok(())
        }
    }
}

/// Starts a child that lives as long as this process. Returns its path in `/proc`, after `prepare`
/// has run in the child.
fn spawn_companion(
    process: &Process,
    fork: fn() -> Result<Fork, Errno>,
    prepare: impl FnOnce() -> Result<()>,
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
            // Not by a parent death signal, which an unprivileged parent may not send to root.
            let _ = alive.read(&mut [0]);
            sys::exit(0)
        }
        Fork::Parent(_) => {
            drop(write);
            // Only one line: other processes may keep the pipe open.
            let mut name = String::new();
            BufReader::new(read).read_line(&mut name)?;
            ensure!(
                name.ends_with('\n'),
                "the companion has not written its pid"
            );
            name.pop();
            mem::forget(keep_alive);
            Ok(name)
        }
    }
}

/// Starts a child that shares the table of file descriptors, and is killed when this process ends.
/// Returns its path in `/proc`.
fn spawn_sharing_files(process: &Process) -> Result<String> {
    let (mut read, mut write) = std::io::pipe()?;
    match sys::fork_sharing_files()? {
        Fork::Child => {
            Process::die_with_parent();
            let myself = rustix::fs::readlinkat(&process.proc, "self", Vec::new());
            let _ = write.write_all(myself.unwrap_or_default().as_bytes());
            // Closes nothing, which would close the files of the parent as well.
            sys::sleep_forever()
        }
        Fork::Parent(_) => {
            let mut name = [0; NAME];
            let length = read.read(&mut name)?;
            let name = String::from_utf8_lossy(&name[..length]);
            ensure!(!name.is_empty(), "the companion has not written its pid");
            Ok(name.into_owned())
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

/// Sets the limits of namespaces of these kinds (`CLONE_NEW*`) in the user namespace of this process.
pub(crate) fn limit(proc: &OwnedFd, kinds: u32, max: u32) -> Result<()> {
    for kind in implementation::kinds_of(kinds) {
        let path = format!("sys/user/max_{}_namespaces", kind.name());
        write_proc(proc, &path, &max.to_string())?;
    }
    Ok(())
}

/// Maps the user `id`, which created the user namespace of this process, to root.
pub(crate) fn map_root(proc: &OwnedFd, id: u32) -> Result<()> {
    write_proc(proc, "self/setgroups", "deny")?;
    map_root_in(proc, "uid_map", id)?;
    map_root_in(proc, "gid_map", id)
}

/// Maps the user or group `id`, which created the user namespace of this process, to root. `file` is
/// `uid_map` or `gid_map`.
fn map_root_in(proc: &OwnedFd, file: &str, id: u32) -> Result<()> {
    // The creator of the namespace may write this map without capabilities in the parent.
    write_proc(proc, &format!("self/{file}"), &format!("0 {id} 1"))
}

/// Sets the offsets, in seconds, of the time namespace for children.
pub(crate) fn set_clock_offsets(proc: &OwnedFd, monotonic: i64, boottime: i64) -> Result<()> {
    let offsets = format!("monotonic {monotonic} 0\nboottime {boottime} 0\n");
    write_proc(proc, "self/timens_offsets", &offsets)
}

/// Creates a dummy interface. Uses busybox, since rtnetlink takes a lot of code.
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
