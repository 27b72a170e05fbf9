// SPDX-License-Identifier: GPL-2.0-only

//! How the file descriptor of a call comes about: see [`Handle`].

use crate::{
    case::{
        Handle, Unrelated, Way,
        implementation::{Device, Entry, Kind},
        target::{Process, World},
    },
    process::{
        Actor,
        command::{Call, Command, Source},
    },
    sys::nsfs::{self, Relative},
};
use anyhow::{Context as _, Result, ensure};
use nsproxy_uapi::Member;
use rustix::{
    event::{EventfdFlags, epoll},
    fs::{MemfdFlags, Mode, OFlags},
    mount::UnmountFlags,
    process::{Pid, PidfdFlags},
};
use std::{
    fs::{self, File},
    os::{
        fd::{AsFd, OwnedFd},
        unix::net::UnixDatagram,
    },
    sync::Arc,
};

/// What the test has in its hands of a handle.
pub(crate) enum Prepared {
    /// The file, to be handed to the caller.
    File(Arc<OwnedFd>),
    /// What only the caller can open.
    ByCaller(Source),
    /// `/proc/<child>/<path>`, or a pidfd, of the child that the caller has.
    OfChild(Option<&'static str>),
}

impl Handle {
    /// Opens it, as far as the test can: as root, from where everything can be reached. What
    /// counts is who calls.
    pub(crate) fn prepare(self, target: Option<&Process>, world: &World) -> Result<Prepared> {
        let target = || target.context("a case without a target");
        Ok(Prepared::File(match self {
            Self::Target(link) => target()?.file(self, |target| target.ns(link))?,
            Self::TargetBy(way, kind) => target()?.file(self, |target| way.open(target, kind))?,
            Self::Pidfd => Arc::new(target()?.pidfd()?),
            Self::ProcDirectory => {
                target()?.file(self, |target| path(&format!("/proc/{}", target.pid)))?
            }
            Self::Home(link) => world.file(self, || path(&format!("/proc/self/ns/{link}")))?,
            Self::HomePidfd => world.file(self, || pidfd(std::process::id()))?,
            Self::Unrelated(kind) => world.file(self, || kind.open())?,
            Self::Own(link) => {
                return Ok(Prepared::ByCaller(Source::Own {
                    link: link.to_owned(),
                }));
            }
            Self::OwnPidfd => return Ok(Prepared::ByCaller(Source::OwnPidfd)),
            Self::Number(n) => return Ok(Prepared::ByCaller(Source::Number(n))),
            Self::Child(link) => return Ok(Prepared::OfChild(Some(link))),
            Self::ChildPidfd => return Ok(Prepared::OfChild(None)),
        }))
    }
}

/// The namespace at `link` of the process at `of` in `/proc`.
pub(crate) fn ns_of(of: &str, link: &str) -> Result<OwnedFd> {
    path(&format!("/proc/{of}/ns/{link}"))
}

/// A pidfd.
pub(crate) fn pidfd(pid: u32) -> Result<OwnedFd> {
    let pid = Pid::from_raw(pid as i32).context("pid 0")?;
    rustix::process::pidfd_open(pid, PidfdFlags::empty())
        .with_context(|| format!("pidfd_open({pid:?})"))
}

fn path(path: &str) -> Result<OwnedFd> {
    open(path, OFlags::RDONLY)
}

fn open(path: &str, flags: OFlags) -> Result<OwnedFd> {
    rustix::fs::open(path, flags | OFlags::CLOEXEC, Mode::empty()).with_context(|| path.to_owned())
}

impl Way {
    fn open(self, target: &Process, kind: Kind) -> Result<OwnedFd> {
        let link = kind.name();
        let proc = format!("/proc/{}/ns/{link}", target.pid);
        let ns = || target.ns(link);
        Ok(match self {
            Self::OPath => open(&proc, OFlags::PATH)?,
            Self::BindMount => {
                let place = format!("/tmp/nsproxy-tests-bind.{}", std::process::id());
                File::create(&place)?;
                rustix::mount::mount_bind(&proc, &place)
                    .with_context(|| format!("bind mount of {proc}"))?;
                let opened = path(&place);
                // The open file keeps the mount.
                rustix::mount::unmount(&place, UnmountFlags::DETACH)?;
                fs::remove_file(&place)?;
                opened?
            }
            Self::FileHandle => nsfs::by_file_handle(ns()?).context("open_by_handle_at")?,
            Self::PidfdIoctl => {
                let mut members = Member::ALL.into_iter();
                let member = members.find(|member| member.name() == link);
                nsfs::of_pidfd(target.pidfd()?, member.context(link)?).context("pidfd ioctl")?
            }
            Self::Owner => nsfs::relative(ns()?, Relative::Owner).context("NS_GET_USERNS")?,
            Self::Parent => nsfs::relative(ns()?, Relative::Parent).context("NS_GET_PARENT")?,
            Self::Socket => nsfs::net_of_socket(socket_of(target)?).context("SIOCGSKNS")?,
        })
    }
}

/// A socket in the network namespace of the target, made by somebody who goes there for it.
fn socket_of(target: &Process) -> Result<OwnedFd> {
    let mut actor = Actor::spawn()?;
    let net = actor.take(target.ns("net")?)?;
    let entered = actor.call(Call {
        entry: Entry::Syscall,
        slot: net.slot,
        nstype: 0,
        fail_nth: None,
    })?;
    ensure!(entered.is_ok(), "setns: {entered:?}");
    let slot = actor.open(Source::Socket)?.slot;
    actor.give(&Command::Give { slot })
}

impl Unrelated {
    /// All of them, by name.
    pub(crate) const ALL: [(&'static str, Self); 9] = [
        ("regular file", Self::Regular),
        ("directory", Self::Directory),
        ("character device", Self::CharDevice),
        ("pipe", Self::Pipe),
        ("socket", Self::Socket),
        ("epoll", Self::Epoll),
        ("eventfd", Self::EventFd),
        ("memfd", Self::MemFd),
        ("/dev/nsproxy", Self::Nsproxy),
    ];

    fn open(self) -> Result<OwnedFd> {
        Ok(match self {
            Self::Regular => path("/proc/self/exe")?,
            Self::Directory => path("/")?,
            Self::CharDevice => path("/dev/null")?,
            Self::Pipe => std::io::pipe()?.0.into(),
            Self::Socket => UnixDatagram::unbound()?.into(),
            Self::Epoll => epoll::create(epoll::CreateFlags::CLOEXEC)?,
            Self::EventFd => rustix::event::eventfd(0, EventfdFlags::CLOEXEC)?,
            Self::MemFd => rustix::fs::memfd_create("nsproxy-tests", MemfdFlags::CLOEXEC)?,
            Self::Nsproxy => Device::open()?.as_fd().try_clone_to_owned()?,
        })
    }
}
