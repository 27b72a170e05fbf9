// SPDX-License-Identifier: GPL-2.0-only

//! The outcomes that are documented for a call, by the first check that its input does not pass.

use super::{
    call::{
        Call, Command, EXPLAIN_FIRST, EXPLAIN_SIZE, Place, SETNS_SIZE, SHOW_SIZE, VERSION_SIZE,
    },
    fds::{FdKind, FdPool},
};
use crate::{
    case::implementation::{Kind, all_kinds},
    errno::{Code, Outcome},
};
use nsproxy_uapi::sys::{NSPROXY_SERVE_OFF, NSPROXY_SERVE_QUERY};

/// The properties of a caller that decide which outcomes are allowed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rights {
    /// Under a seccomp filter.
    pub(super) filtered: bool,
    /// Has all capabilities in the initial user namespace.
    pub(super) all: bool,
}

/// The check that decides about a call, in the order of checks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Check {
    UnknownCommand,
    Seccomp,
    Size,
    Pointer,
    Tail,
    Reserved,
    /// The argument of `NSPROXY_SERVE`.
    Argument,
    /// No check fails, of a command that does not switch.
    Passed,
    /// `NSPROXY_SHOW` of a process that is alive.
    ShowAlive,
    /// The same, and the answer cannot be written.
    ShowReadOnly,
    /// `NSPROXY_SHOW` of a zombie.
    ShowZombie,
    /// The first check of `NSPROXY_SETNS_2011`.
    Capable,
    NotOpen,
    /// Neither a namespace nor a process, or of a kind that the call of 2011 does not know.
    File,
    Nstype,
    Reaped,
    Zombie,
    /// The checks of each kind, for these `CLONE_NEW*`.
    Install(u32),
    /// A caller with threads enters a time namespace. Only [`racing_args`](super::racing_args) has
    /// threads.
    Threads,
    /// No check fails, of a command that switches.
    Switched,
}

/// The outcomes that each check allows, except for [`Check::Install`].
const ALLOWED: &[(Check, &[Outcome])] = &[
    (Check::UnknownCommand, &[Err(Code::ENOTTY)]),
    (Check::Seccomp, &[Err(Code::EPERM)]),
    (Check::Size, &[Err(Code::EINVAL)]),
    (Check::Pointer, &[Err(Code::EFAULT)]),
    (Check::Tail, &[Err(Code::E2BIG)]),
    (Check::Reserved, &[Err(Code::EINVAL)]),
    (Check::Argument, &[Err(Code::EINVAL)]),
    (Check::Passed, &[Ok(())]),
    (Check::ShowAlive, &[Ok(()), Err(Code::EACCES)]),
    (Check::ShowReadOnly, &[Err(Code::EFAULT), Err(Code::EACCES)]),
    (Check::ShowZombie, &[Err(Code::ESRCH), Err(Code::EACCES)]),
    (Check::Capable, &[Err(Code::EPERM)]),
    (Check::NotOpen, &[Err(Code::EBADF)]),
    (Check::File, &[Err(Code::EINVAL)]),
    (Check::Nstype, &[Err(Code::EINVAL)]),
    (Check::Reaped, &[Err(Code::ESRCH)]),
    (Check::Zombie, &[Err(Code::ESRCH), Err(Code::EPERM)]),
    (Check::Threads, &[Err(Code::EUSERS)]),
    (Check::Switched, &[Ok(())]),
];

/// The outcomes that [`Check::Install`] allows besides success and `EPERM`: for the caller's own user
/// namespace, and for a pid namespace that is not below the caller's.
const INSTALL: &[(Kind, &[Outcome])] = &[
    (Kind::User, &[Err(Code::EINVAL)]),
    (Kind::Pid, &[Err(Code::EINVAL)]),
];

/// Returns the checks of a command.
fn checks_of(command: Command) -> &'static [Check] {
    use Check::*;
    match command {
        Command::Unknown => &[UnknownCommand],
        Command::Version => &[Size, Tail, Pointer, Reserved, Passed],
        Command::Serve => &[Size, Argument, Passed],
        Command::Explain => &[Seccomp, Size, Tail, Pointer, Reserved, Passed],
        Command::Show => &[
            Size,
            Tail,
            Pointer,
            Reserved,
            NotOpen,
            File,
            Reaped,
            ShowAlive,
            ShowReadOnly,
            ShowZombie,
            Passed,
        ],
        Command::Setns => &[
            Seccomp,
            Size,
            Pointer,
            NotOpen,
            File,
            Nstype,
            Reaped,
            Zombie,
            Install(u32::MAX),
            Threads,
        ],
        Command::Setns2011 => &[
            Seccomp, Size, Pointer, Capable, NotOpen, File, Nstype, Switched,
        ],
    }
}

/// Returns every outcome that is documented for a command, except for `ENOMEM`.
pub(super) fn documented(command: Command, rights: Rights) -> Vec<Outcome> {
    let mut documented = Vec::new();
    for check in checks_of(command) {
        let can_fail = match check {
            Check::Seccomp => rights.filtered,
            Check::Capable => !rights.all,
            _ => true,
        };
        for outcome in allowed(*check, rights) {
            if can_fail && !documented.contains(&outcome) {
                documented.push(outcome);
            }
        }
    }
    documented
}

/// Returns the outcomes that a call may have, by the check that decides.
pub(super) fn allowed(check: Check, rights: Rights) -> Vec<Outcome> {
    let mut allowed = vec![];
    if let Check::Install(kinds) = check {
        allowed.extend([Ok(()), Err(Code::EPERM)]);
        for (kind, outcomes) in INSTALL {
            if kinds & kind.flag() != 0 {
                allowed.extend(*outcomes);
            }
        }
    } else {
        let listed = ALLOWED.iter().filter(|(of, _)| *of == check);
        allowed.extend(listed.flat_map(|(_, outcomes)| *outcomes));
    }
    if rights.all && allowed.len() > 1 {
        // Root has every permission.
        allowed.retain(|outcome| ![Err(Code::EPERM), Err(Code::EACCES)].contains(outcome));
    }
    allowed
}

/// Returns the check that decides about a call.
pub(super) fn deciding_check(call: &Call, pool: &FdPool, rights: Rights) -> Check {
    match call.command() {
        Command::Unknown => Check::UnknownCommand,
        Command::Version => version(call),
        Command::Serve if call.size() != 0 => Check::Size,
        Command::Serve => match u32::try_from(call.address) {
            Ok(NSPROXY_SERVE_OFF | NSPROXY_SERVE_QUERY) => Check::Passed,
            _ => Check::Argument,
        },
        Command::Setns | Command::Setns2011 | Command::Explain if rights.filtered => Check::Seccomp,
        Command::Explain => explain(call),
        Command::Show => show(call, pool),
        Command::Setns | Command::Setns2011 if call.size() != SETNS_SIZE => Check::Size,
        Command::Setns | Command::Setns2011 if call.bytes.len() < SETNS_SIZE => Check::Pointer,
        Command::Setns => setns(call, pool),
        Command::Setns2011 if !rights.all => Check::Capable,
        Command::Setns2011 => setns_2011(call, pool),
    }
}

fn version(call: &Call) -> Check {
    if call.size() < VERSION_SIZE {
        return Check::Size;
    }
    match call.place {
        // copy_struct_from_user() checks the tail first, as far as it can be read.
        _ if call.tail_is_set(VERSION_SIZE) => Check::Tail,
        Place::Short(_) | Place::Wild => Check::Pointer,
        _ if call.reserved_is_set() => Check::Reserved,
        Place::ReadOnly => Check::Pointer,
        Place::Good => Check::Passed,
    }
}

/// `NSPROXY_EXPLAIN` succeeds even if the call would fail: the outcome is in the struct.
fn explain(call: &Call) -> Check {
    if call.size() < EXPLAIN_FIRST {
        return Check::Size;
    }
    match call.place {
        _ if call.tail_is_set(EXPLAIN_SIZE) => Check::Tail,
        Place::Short(_) | Place::Wild => Check::Pointer,
        _ if call.flags_are_unknown() => Check::Reserved,
        Place::ReadOnly => Check::Pointer,
        Place::Good if call.journal_is_unwritable() => Check::Pointer,
        Place::Good => Check::Passed,
    }
}

fn show(call: &Call, pool: &FdPool) -> Check {
    if call.size() < SHOW_SIZE {
        return Check::Size;
    }
    let entry = &pool.entries[call.entry];
    match (call.place, entry.kind) {
        _ if call.tail_is_set(SHOW_SIZE) => Check::Tail,
        (Place::Short(_) | Place::Wild, _) => Check::Pointer,
        _ if call.reserved_is_set() => Check::Reserved,
        // The caller itself.
        (Place::Good, _) if entry.number == -1 => Check::Passed,
        (Place::ReadOnly, _) if entry.number == -1 => Check::Pointer,
        (_, FdKind::NotOpen) => Check::NotOpen,
        (_, FdKind::Reaped) => Check::Reaped,
        (_, FdKind::Zombie) => Check::ShowZombie,
        (Place::Good, FdKind::Alive) => Check::ShowAlive,
        (Place::ReadOnly, FdKind::Alive) => Check::ShowReadOnly,
        _ => Check::File,
    }
}

fn setns(call: &Call, pool: &FdPool) -> Check {
    let nstype = call.nstype as u32;
    match pool.entries[call.entry].kind {
        FdKind::NotOpen => Check::NotOpen,
        FdKind::Other => Check::File,
        FdKind::Namespace(kind, _) if nstype != 0 && nstype != kind.flag() => Check::Nstype,
        FdKind::Namespace(kind, _) => Check::Install(kind.flag()),
        _ if nstype == 0 || nstype & !all_kinds() != 0 => Check::Nstype,
        FdKind::Reaped => Check::Reaped,
        FdKind::Zombie => Check::Zombie,
        FdKind::Alive => Check::Install(nstype),
    }
}

/// The call of 2011 supports three kinds, and no pidfd.
fn setns_2011(call: &Call, pool: &FdPool) -> Check {
    let nstype = call.nstype as u32;
    match pool.entries[call.entry].kind {
        FdKind::NotOpen => Check::NotOpen,
        FdKind::Namespace(kind @ (Kind::Net | Kind::Uts | Kind::Ipc), _) => {
            if nstype != 0 && nstype != kind.flag() {
                Check::Nstype
            } else {
                Check::Switched
            }
        }
        _ => Check::File,
    }
}
