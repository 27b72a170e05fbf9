// SPDX-License-Identifier: GPL-2.0-only

//! `nsproxy unshare`.

use crate::{
    creation::{Call, Creation},
    exec,
    id_maps::MapArgs,
    open,
    status::ExitCode,
    target_args::{self, usage},
};
use anyhow::{Context as _, Result, bail};
use nsproxy_uapi::{Implementation, Kind, unshare_raw};
use rustix::mount::MountPropagationFlags;
use std::ffi::OsString;

const AFTER_HELP: &str = "\
The call is that of unshare(2), made by the module. A new
mount namespace gets private mounts, as with unshare(1).

The prompt of a shell without COMMAND names the kinds, by
PS1 and NSPROXY_NAMESPACES in its environment.

Example:
  nsproxy unshare -r -n ip link

Exit status:
  1    the namespaces cannot be created
  2    usage error
  126  the command cannot be run
  127  the command is not found
  *    the exit status of the command";

/// The kinds of the namespaces to create.
#[derive(Debug, clap::Args)]
struct NewKinds {
    /// Create a user namespace
    #[arg(short = 'U', long)]
    user: bool,

    /// Create a mount namespace
    #[arg(short, long)]
    mount: bool,

    /// Create a uts namespace
    #[arg(short, long)]
    uts: bool,

    /// Create an ipc namespace
    #[arg(short, long)]
    ipc: bool,

    /// Create a pid namespace, for the children
    #[arg(short, long)]
    pid: bool,

    /// Create a cgroup namespace
    #[arg(short = 'C', long)]
    cgroup: bool,

    /// Create a net namespace
    #[arg(short, long)]
    net: bool,

    /// Create a time namespace, for the children
    #[arg(short = 'T', long)]
    time: bool,
}

impl NewKinds {
    /// Returns the kinds in the order in which they are created.
    fn kinds(&self) -> impl Iterator<Item = Kind> {
        Kind::ALL.into_iter().filter(|kind| match kind {
            Kind::User => self.user,
            Kind::Mnt => self.mount,
            Kind::Uts => self.uts,
            Kind::Ipc => self.ipc,
            Kind::Pid => self.pid,
            Kind::Cgroup => self.cgroup,
            Kind::Net => self.net,
            Kind::Time => self.time,
        })
    }
}

#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Args {
    #[command(flatten)]
    new: NewKinds,

    #[command(flatten)]
    maps: MapArgs,

    /// Run the command in a child [default with -p and -T]
    #[arg(short, long)]
    fork: bool,

    /// Implementation to use
    #[arg(long, value_parser = target_args::implementation(), default_value = "device")]
    via: Implementation,

    /// Command to run [default: $SHELL, or /bin/sh]
    #[arg(trailing_var_arg = true, value_name = "COMMAND")]
    command: Vec<OsString>,
}

pub(crate) fn main(mut args: Args) -> Result<ExitCode> {
    args.new.user |= args.maps.need_user_ns();
    let kinds: Vec<_> = args.new.kinds().collect();
    if kinds.is_empty() {
        return Err(usage("missing namespaces: select kinds (-U -m …), or a map (-r)").into());
    }
    let creation = Creation::new(Call::Unshare, &kinds, 0);
    let device = match args.via {
        Implementation::Kernel => None,
        Implementation::Module => Some(open::device()?),
    };
    let maps = args.maps.prepare()?;
    let created = match &device {
        None => unshare_raw(creation.flags),
        Some(device) => device.unshare_raw(creation.flags),
    };
    if let Err(errno) = created {
        bail!("cannot create {creation}: {}", creation.describe(errno));
    }
    drop(device);
    maps.write()?;
    if kinds.contains(&Kind::Mnt) {
        let private = MountPropagationFlags::PRIVATE | MountPropagationFlags::REC;
        rustix::mount::mount_change("/", private).context("cannot make the mounts private")?;
    }
    let children_only = |kind: &Kind| matches!(kind, Kind::Pid | Kind::Time);
    let fork = args.fork || kinds.iter().any(children_only);
    Ok(exec::run(args.command, fork, &kinds))
}
