// SPDX-License-Identifier: GPL-2.0-only

//! The entries of a call into the kernel.

pub(crate) use nsproxy_uapi::{Device, Kind};

use crate::errno::{Code, Outcome};
use anyhow::{Context as _, Result, bail};
use nsproxy_uapi::{Explain, Journal, Refusal, setns_raw, unshare_raw};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};
use std::fmt;

/// The way of a call into the kernel, which selects the implementation that answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) enum Entry {
    /// setns(2).
    Syscall,
    /// `NSPROXY_SETNS`.
    Device,
    /// `NSPROXY_SETNS_2011`.
    Device2011,
    /// setns(2) or unshare(2), served by the module.
    Served,
    /// The system call of a process that the module serves from its first setup on, and so are its
    /// children: each fork(2), execve(2) and exit(2).
    Lifelong,
    /// `NSPROXY_EXPLAIN`.
    Explain { dry_run: bool, journal: bool },
}

impl Entry {
    /// `NSPROXY_EXPLAIN` with a journal.
    pub(crate) const EXPLAINED: Self = Self::Explain {
        dry_run: false,
        journal: true,
    };

    /// `NSPROXY_EXPLAIN` with a journal, without effect.
    pub(crate) const DRY_RUN: Self = Self::Explain {
        dry_run: true,
        journal: true,
    };

    /// Opens the device, unless the entry is that of the kernel.
    pub(crate) fn open_device(self) -> Result<Option<Device>> {
        match self {
            Self::Syscall => Ok(None),
            _ => Ok(Some(Device::open().context(Device::PATH)?)),
        }
    }

    /// Makes the call. All entries except [`Self::Syscall`] require `device`.
    pub(crate) fn setns(self, device: Option<&Device>, fd: i32, nstype: i32) -> Result<Outcome> {
        let device = || device.context("the actor has not opened /dev/nsproxy");
        let result = match self {
            Self::Syscall => setns_raw(fd, nstype),
            Self::Device => device()?.setns_raw(fd, nstype),
            Self::Device2011 => device()?.setns_2011_raw(fd, nstype),
            Self::Served => {
                device()?.serve(true).context("NSPROXY_SERVE")?;
                let result = setns_raw(fd, nstype);
                device()?.serve(false).context("NSPROXY_SERVE")?;
                result
            }
            Self::Lifelong => setns_raw(fd, nstype),
            Self::Explain { dry_run, journal } => {
                let explain = if journal {
                    explain_with_journal
                } else {
                    explain
                };
                let how = Explain {
                    dry_run,
                    as_of_2011: false,
                };
                return Ok(explain(device()?, fd, nstype, how)?.0);
            }
        };
        Ok(result.map_err(Code::from))
    }

    /// Makes a call of unshare(2). All entries except [`Self::Syscall`] require `device`.
    pub(crate) fn unshare(self, device: Option<&Device>, flags: u64) -> Result<Outcome> {
        let device = || device.context("the actor has not opened /dev/nsproxy");
        let result = match self {
            Self::Syscall => unshare_raw(flags),
            Self::Device => device()?.unshare_raw(flags),
            Self::Explain { dry_run, .. } => {
                return Ok(explain_unshare(device()?, flags, dry_run)?.0);
            }
            Self::Served => {
                device()?.serve(true).context("NSPROXY_SERVE")?;
                let result = unshare_raw(flags);
                device()?.serve(false).context("NSPROXY_SERVE")?;
                result
            }
            Self::Lifelong => unshare_raw(flags),
            Self::Device2011 => bail!("{self}: no unshare(2)"),
        };
        Ok(result.map_err(Code::from))
    }

    /// Returns whether a call that succeeds has an effect.
    pub(crate) fn has_effect(self) -> bool {
        !matches!(self, Self::Explain { dry_run: true, .. })
    }
}

/// Makes a call by `NSPROXY_EXPLAIN`. Returns its outcome, and the refusal if there is one.
pub(crate) fn explain(
    device: &Device,
    fd: i32,
    nstype: i32,
    how: Explain,
) -> Result<(Outcome, Option<Refusal>)> {
    let refusal = device.explain(fd, nstype, how).context("NSPROXY_EXPLAIN")?;
    Ok(outcome_of(refusal))
}

fn outcome_of(refusal: Option<Refusal>) -> (Outcome, Option<Refusal>) {
    let outcome = match &refusal {
        None => Ok(()),
        Some(refusal) => Err(refusal.errno.into()),
    };
    (outcome, refusal)
}

/// The message about a journal whose counts are inconsistent.
pub(crate) const UNBALANCED: &str = "the journal does not add up";

/// Makes a call by `NSPROXY_EXPLAIN` with a journal, and audits the counts of the journal.
///
/// A call without effect is repeated when the audit fails, since another process may have changed a
/// count meanwhile. A bug fails the audit each time.
pub(crate) fn explain_with_journal(
    device: &Device,
    fd: i32,
    nstype: i32,
    how: Explain,
) -> Result<(Outcome, Option<Refusal>)> {
    let trace = || device.trace(fd, nstype, how);
    audited(how.dry_run, trace, Journal::audit)
}

/// Makes a call of unshare(2) by `NSPROXY_EXPLAIN`, as [`explain_with_journal`].
pub(crate) fn explain_unshare(
    device: &Device,
    flags: u64,
    dry_run: bool,
) -> Result<(Outcome, Option<Refusal>)> {
    let trace = || device.trace_unshare(flags, dry_run);
    audited(dry_run, trace, Journal::audit)
}

/// Makes a dry run of clone3(2) by `NSPROXY_EXPLAIN`, as [`explain_with_journal`].
pub(crate) fn explain_clone(device: &Device, flags: u64) -> Result<(Outcome, Option<Refusal>)> {
    audited(true, || device.trace_clone(flags), Journal::audit_clone)
}

fn audited(
    dry_run: bool,
    trace: impl Fn() -> Result<(Option<Refusal>, Journal), Errno>,
    audit: fn(&Journal) -> Result<(), String>,
) -> Result<(Outcome, Option<Refusal>)> {
    const ATTEMPTS: usize = 4;
    let mut attempts = 0;
    loop {
        attempts += 1;
        let (refusal, journal) = trace().context("NSPROXY_EXPLAIN")?;
        let changed = refusal.is_none() && !dry_run;
        match audit(&journal) {
            Ok(()) => return Ok(outcome_of(refusal)),
            Err(error) if changed || attempts == ATTEMPTS => {
                bail!("{UNBALANCED}: {error}\n{journal:#?}")
            }
            Err(_) => {}
        }
    }
}

/// A system call that a case makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum SystemCall {
    Setns,
    /// With the flags.
    Unshare(u64),
    /// With the flags.
    Clone(u64),
}

impl SystemCall {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Setns => "setns(2)",
            Self::Unshare(_) => "unshare(2)",
            Self::Clone(_) => "clone(2)",
        }
    }

    /// Returns the flags; 0 for setns(2).
    pub(crate) fn flags(self) -> u64 {
        match self {
            Self::Setns => 0,
            Self::Unshare(flags) | Self::Clone(flags) => flags,
        }
    }
}

/// The entry of a system call, for messages.
#[derive(Clone, Copy, Debug)]
pub(crate) struct EntryOf(pub(crate) Entry, pub(crate) SystemCall);

impl fmt::Display for EntryOf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            &self
                .0
                .to_string()
                .replace(SystemCall::Setns.name(), self.1.name()),
        )
    }
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Syscall => "setns(2)",
            Self::Device => "/dev/nsproxy",
            Self::Device2011 => "/dev/nsproxy as of 2011",
            Self::Served => "setns(2), served",
            Self::Lifelong => "setns(2), process served",
            Self::Explain { dry_run: true, .. } => "/dev/nsproxy, dry run",
            Self::Explain { dry_run: false, .. } => "/dev/nsproxy, explained",
        })
    }
}

/// Returns the names of kinds, given their `CLONE_NEW*`: `mnt+uts`.
pub(crate) fn kind_names(flags: u32) -> String {
    let names: Vec<_> = kinds_of(flags).map(Kind::name).collect();
    names.join("+")
}

/// Returns the kinds whose `CLONE_NEW*` is in `flags`, in the order in which they are installed.
pub(crate) fn kinds_of(flags: u32) -> impl Iterator<Item = Kind> {
    Kind::ALL
        .into_iter()
        .filter(move |kind| flags & kind.flag() != 0)
}

/// Returns the `CLONE_NEW*` of all kinds.
pub(crate) fn all_kinds() -> u32 {
    flags_of(&Kind::ALL)
}

/// Returns the `CLONE_NEW*` of some kinds.
pub(crate) fn flags_of(kinds: &[Kind]) -> u32 {
    kinds.iter().fold(0, |flags, kind| flags | kind.flag())
}
