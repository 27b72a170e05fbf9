// SPDX-License-Identifier: GPL-2.0-only

//! Opens the files that a [`FdSource`] describes.

use crate::{
    case::{
        FdSource, NsPath, Unrelated,
        fixtures::Fixtures,
        implementation::{Device, Entry, Kind},
        target::TargetProcess,
    },
    process::{
        Actor,
        command::{Call, Command, Source},
    },
    sys::nsfs::{self, Relative},
};
use anyhow::{Context as _, Result, ensure};
use nsproxy_uapi::{Member, nsfs::of_process};
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

/// A source, opened as far as the test can open it.
pub(crate) enum Prepared {
    /// A file to pass to the caller.
    File(Arc<OwnedFd>),
    /// A source that only the caller can open.
    ByCaller(Source),
    /// `/proc/<child>/ns/<link>` or a pidfd, where the child is that of the caller.
    OfChild(Option<&'static str>),
}

impl FdSource {
    /// Opens the source as root in the initial namespaces, which grants access to all files. The
    /// calls are checked against the credentials of the caller.
    pub(crate) fn prepare(
        self,
        target: Option<&TargetProcess>,
        fixtures: &Fixtures,
    ) -> Result<Prepared> {
        let target = || target.context("a case without a target");
        Ok(Prepared::File(match self {
            Self::Target(link) => target()?.file(self, |target| target.ns(link))?,
            Self::TargetBy(path, kind) => target()?.file(self, |target| path.open(target, kind))?,
            Self::Pidfd => Arc::new(target()?.pidfd()?),
            Self::ProcDirectory => {
                target()?.file(self, |target| open_path(&format!("/proc/{}", target.pid)))?
            }
            Self::Home(link) => fixtures.file(self, || open_ns("self", link))?,
            Self::HomePidfd => fixtures.file(self, || open_pidfd(std::process::id()))?,
            Self::Unrelated(kind) => fixtures.file(self, || kind.open())?,
            Self::Own(link) => {
                return Ok(Prepared::ByCaller(Source::Own {
                    link: link.to_owned(),
                }));
            }
            Self::OwnPidfd => return Ok(Prepared::ByCaller(Source::OwnPidfd)),
            Self::Number(n) => return Ok(Prepared::ByCaller(Source::Number(n))),
            Self::Nothing => return Ok(Prepared::ByCaller(Source::Nothing)),
            Self::Child(link) => return Ok(Prepared::OfChild(Some(link))),
            Self::ChildPidfd => return Ok(Prepared::OfChild(None)),
        }))
    }
}

/// Opens a namespace of a process, given its name in `/proc`.
pub(crate) fn open_ns(process: &str, link: &str) -> Result<OwnedFd> {
    open_path(&format!("/proc/{process}/ns/{link}"))
}

/// Opens a pidfd.
pub(crate) fn open_pidfd(pid: u32) -> Result<OwnedFd> {
    let pid = Pid::from_raw(pid as i32).context("pid 0")?;
    rustix::process::pidfd_open(pid, PidfdFlags::empty())
        .with_context(|| format!("pidfd_open({pid:?})"))
}

fn open_path(path: &str) -> Result<OwnedFd> {
    open(path, OFlags::RDONLY)
}

fn open(path: &str, flags: OFlags) -> Result<OwnedFd> {
    rustix::fs::open(path, flags | OFlags::CLOEXEC, Mode::empty()).with_context(|| path.to_owned())
}

impl NsPath {
    fn open(self, target: &TargetProcess, kind: Kind) -> Result<OwnedFd> {
        let link = kind.name();
        let proc = format!("/proc/{}/ns/{link}", target.pid);
        let ns = || target.ns(link);
        Ok(match self {
            Self::OPath => open(&proc, OFlags::PATH)?,
            Self::BindMount => {
                let mount_point = format!("/tmp/nsproxy-tests-bind.{}", std::process::id());
                File::create(&mount_point)?;
                rustix::mount::mount_bind(&proc, &mount_point)
                    .with_context(|| format!("bind mount of {proc}"))?;
                let opened = open_path(&mount_point);
                // The open file keeps the mount.
                rustix::mount::unmount(&mount_point, UnmountFlags::DETACH)?;
                fs::remove_file(&mount_point)?;
                opened?
            }
            Self::FileHandle => nsfs::by_file_handle(ns()?).context("open_by_handle_at")?,
            Self::PidfdIoctl => {
                let mut members = Member::ALL.into_iter();
                let member = members.find(|member| member.name() == link);
                of_process(target.pidfd()?, member.context(link)?).context("pidfd ioctl")?
            }
            Self::Owner => nsfs::relative(ns()?, Relative::Owner).context("NS_GET_USERNS")?,
            Self::Parent => nsfs::relative(ns()?, Relative::Parent).context("NS_GET_PARENT")?,
            Self::Socket => nsfs::net_of_socket(socket_in_net_of(target)?).context("SIOCGSKNS")?,
        })
    }
}

/// Returns a socket in the network namespace of the target, created by an actor that enters it.
fn socket_in_net_of(target: &TargetProcess) -> Result<OwnedFd> {
    let mut actor = Actor::spawn()?;
    let slot = actor.pass_file(target.ns("net")?)?.slot;
    let entered = actor.call(Call::new(Entry::Syscall, slot, 0))?;
    ensure!(entered.is_ok(), "setns: {entered:?}");
    let slot = actor.open(Source::Socket)?.slot;
    actor.fetch_file(&Command::Give { slot })
}

impl Unrelated {
    /// All variants, by name.
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
            Self::Regular => open_path("/proc/self/exe")?,
            Self::Directory => open_path("/")?,
            Self::CharDevice => open_path("/dev/null")?,
            Self::Pipe => std::io::pipe()?.0.into(),
            Self::Socket => UnixDatagram::unbound()?.into(),
            Self::Epoll => epoll::create(epoll::CreateFlags::CLOEXEC)?,
            Self::EventFd => rustix::event::eventfd(0, EventfdFlags::CLOEXEC)?,
            Self::MemFd => rustix::fs::memfd_create("nsproxy-tests", MemfdFlags::CLOEXEC)?,
            Self::Nsproxy => Device::open()?.as_fd().try_clone_to_owned()?,
        })
    }
}
