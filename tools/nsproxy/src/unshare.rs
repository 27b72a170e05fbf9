// SPDX-License-Identifier: GPL-2.0-only

//! `nsproxy unshare`, and the description of its refusals.

use crate::{
    caller::Caller,
    errno::show,
    exec,
    id_maps::MapArgs,
    lookup, open,
    refusal::{self, Refused},
    status::ExitCode,
    target_args::{self, usage},
};
use anyhow::{Context as _, Result, bail};
use nsproxy_uapi::{Device, Implementation, Kind, Limit, Reason, Refusal, unshare_raw};
use rustix::{io::Errno, mount::MountPropagationFlags};
use std::ffi::OsString;

const AFTER_HELP: &str = "\
The call is that of unshare(2), made by the module. A new
mount namespace gets private mounts, as with unshare(1).

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
    let flags = flags_of(&kinds);
    let device = match args.via {
        Implementation::Kernel => None,
        Implementation::Module => Some(open::device()?),
    };
    let maps = args.maps.prepare()?;
    let created = match &device {
        None => unshare_raw(flags.into()),
        Some(device) => device.unshare_raw(flags.into()),
    };
    if let Err(errno) = created {
        bail!(
            "cannot create {}: {}",
            names(&kinds),
            describe(errno, flags)
        );
    }
    drop(device);
    maps.write()?;
    if kinds.contains(&Kind::Mnt) {
        let private = MountPropagationFlags::PRIVATE | MountPropagationFlags::REC;
        rustix::mount::mount_change("/", private).context("cannot make the mounts private")?;
    }
    let children_only = |kind: &Kind| matches!(kind, Kind::Pid | Kind::Time);
    Ok(exec::run(
        args.command,
        args.fork || kinds.iter().any(children_only),
    ))
}

/// Returns the `CLONE_NEW*` of some kinds.
pub(crate) fn flags_of(kinds: &[Kind]) -> u32 {
    kinds.iter().fold(0, |flags, kind| flags | kind.flag())
}

/// Names the namespaces to create.
pub(crate) fn names(kinds: &[Kind]) -> String {
    let names: Vec<_> = kinds.iter().map(|kind| kind.name()).collect();
    let plural = if names.len() == 1 { "" } else { "s" };
    format!("new {} namespace{plural}", names.join(", "))
}

/// Describes a call that failed with `errno`: with the reason, or with a hint how to get it.
fn describe(errno: Errno, flags: u32) -> String {
    let answer = Device::open()
        .map_err(open::hint_for_reason)
        .and_then(|device| {
            let refusal = device
                .trace_unshare(flags, true)
                .map(|(refusal, _)| refusal);
            crate::dry_run::refusal_of(errno, refusal)
        });
    match answer {
        Ok(refusal) => refused(refusal).to_string(),
        Err(hint) => format!("{}{}", show(errno), refusal::hint_lines(&[hint])),
    }
}

/// Describes a refusal for the user. The process must be in the state in which the call was made.
pub(crate) fn refused(refusal: Refusal) -> Refused {
    let caller = Caller::read();
    let mut says = refusal::sentence(refusal.reason, refusal.count);
    if let (Some(limit), Some((kind, _))) = (refusal.limit, refusal.namespace) {
        says = format!("{says}: {}", limit_text(limit, kind));
    }
    Refused::without_call(refusal, says, hints(&refusal, &caller))
}

/// Returns the name of the sysctl that limits the namespaces of a kind.
fn sysctl(kind: Kind) -> String {
    format!("user.max_{}_namespaces", kind.name())
}

/// Describes a limit and where it is.
fn limit_text(limit: Limit, kind: Kind) -> String {
    let Limit {
        max,
        user_ns,
        levels,
    } = limit;
    let value = max.map_or("a limit".to_owned(), |max| max.to_string());
    let levels = match levels {
        0 => String::new(),
        1 => ", one level up".to_owned(),
        levels => format!(", {levels} levels up"),
    };
    let place = lookup::name(Kind::User, user_ns);
    format!("{} is {value} in {place}{levels}", sysctl(kind))
}

/// Returns ways to pass the check that refused, each of which is enough.
fn hints(refusal: &Refusal, caller: &Caller) -> Vec<String> {
    let hint = match refusal.reason {
        Reason::CapNew => {
            let cap = refusal.cap.map_or(0, |(cap, _)| cap);
            let new_user_ns = "create a user namespace as well, with -U or -r".to_owned();
            return vec![new_user_ns, caller.gain(cap)];
        }
        Reason::UsernsOff => {
            return vec![
                "sysctl kernel.unprivileged_userns_clone=1, as root".to_owned(),
                caller.gain(refusal.cap.map_or(0, |(cap, _)| cap)),
            ];
        }
        Reason::Limit => {
            let Some((kind, _)) = refusal.namespace else {
                return Vec::new();
            };
            let (name, kind) = (sysctl(kind), kind.name());
            let mut hints = vec![format!(
                "raise the limit: write a higher number to {name} as root there"
            )];
            let is_zero = refusal.limit.is_some_and(|limit| limit.max == Some(0));
            if !is_zero {
                hints.push(format!(
                    "end processes in other {kind} namespaces of this user"
                ));
            }
            return hints;
        }
        Reason::Chrooted => {
            "call it outside of the chroot, or enter the directory with pivot_root(2) instead"
        }
        Reason::Unmapped => "write the maps of the user namespace first: uid_map and gid_map",
        Reason::UnshareThreads => {
            "make the call before a second thread starts, or from a child made by fork(2)"
        }
        Reason::PidForChildren | Reason::SighandShared | Reason::VmShared => {
            "make the call from a child made by fork(2)"
        }
        Reason::Lsm => {
            "see the kernel log for the security module; AppArmor: \
             sysctl kernel.apparmor_restrict_unprivileged_userns=0"
        }
        Reason::PidOwner => {
            "enter the user namespace that owns the caller's pid namespace, or one below it"
        }
        _ => return Vec::new(),
    };
    vec![hint.to_owned()]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limited(limit: Limit) -> String {
        refused(Refusal {
            errno: Errno::NOSPC,
            reason: Reason::Limit,
            cap: None,
            count: 0,
            namespace: Some((Kind::Net, 0)),
            limit: Some(limit),
        })
        .to_string()
    }

    #[test]
    fn a_limit_has_its_name_its_value_and_its_place() {
        let text = limited(Limit {
            max: Some(3),
            user_ns: u64::MAX,
            levels: 2,
        });
        let expected = format!(
            "user.max_net_namespaces is 3 in user namespace {}, 2 levels up",
            u64::MAX
        );
        assert!(text.contains(&expected), "{text}");
        assert!(text.starts_with("ENOSPC: "), "{text}");
    }

    #[test]
    fn a_limit_that_is_hidden_has_no_value() {
        let text = limited(Limit {
            max: None,
            user_ns: 0,
            levels: 1,
        });
        let expected = "is a limit in a user namespace outside the caller's, one level up";
        assert!(!text.contains(" 0 "), "{text}");
        assert!(text.contains(expected), "{text}");
    }
}
