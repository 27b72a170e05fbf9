// SPDX-License-Identifier: GPL-2.0-only

//! What a call may return, by the first of the documented checks that its input does not pass.

use super::{
    call::{
        Call, Command, EXPLAIN_FIRST, EXPLAIN_SIZE, Place, SETNS_SIZE, SHOW_SIZE, VERSION_SIZE,
    },
    fds::{Pool, What},
};
use crate::{
    case::implementation::{Kind, all_kinds},
    errno::{Code, Outcome},
};
use nsproxy_uapi::sys::{NSPROXY_SERVE_OFF, NSPROXY_SERVE_QUERY};

/// Who calls, as far as it matters to what is allowed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rights {
    /// Under a seccomp filter.
    pub(super) filtered: bool,
    /// Has all capabilities in the initial user namespace.
    pub(super) all: bool,
}

/// What decides about a call, in the order in which it is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Decider {
    UnknownCommand,
    Seccomp,
    Size,
    Pointer,
    Tail,
    Reserved,
    /// `NSPROXY_SERVE` does not know it.
    Argument,
    /// All but the two that switch can be served.
    Served,
    /// `NSPROXY_SHOW` of a process that lives, or is dead.
    ShownAlive,
    /// And there is nowhere to say it.
    ShownUnheard,
    ShownZombie,
    /// `NSPROXY_SETNS_2011` asks this before anything else.
    Capable,
    NotOpen,
    /// Neither namespace nor process, or of a kind that was none then.
    File,
    Nstype,
    Reaped,
    Zombie,
    /// Only the kinds themselves may still refuse it.
    Install(u32),
    /// No check is left.
    Switched,
}

/// What is documented for each, but for [`Decider::Install`].
const ALLOWED: &[(Decider, &[Outcome])] = &[
    (Decider::UnknownCommand, &[Err(Code::ENOTTY)]),
    (Decider::Seccomp, &[Err(Code::EPERM)]),
    (Decider::Size, &[Err(Code::EINVAL)]),
    (Decider::Pointer, &[Err(Code::EFAULT)]),
    (Decider::Tail, &[Err(Code::E2BIG)]),
    (Decider::Reserved, &[Err(Code::EINVAL)]),
    (Decider::Argument, &[Err(Code::EINVAL)]),
    (Decider::Served, &[Ok(())]),
    (Decider::ShownAlive, &[Ok(()), Err(Code::EACCES)]),
    (
        Decider::ShownUnheard,
        &[Err(Code::EFAULT), Err(Code::EACCES)],
    ),
    (Decider::ShownZombie, &[Err(Code::ESRCH), Err(Code::EACCES)]),
    (Decider::Capable, &[Err(Code::EPERM)]),
    (Decider::NotOpen, &[Err(Code::EBADF)]),
    (Decider::File, &[Err(Code::EINVAL)]),
    (Decider::Nstype, &[Err(Code::EINVAL)]),
    (Decider::Reaped, &[Err(Code::ESRCH)]),
    (Decider::Zombie, &[Err(Code::ESRCH), Err(Code::EPERM)]),
    (Decider::Switched, &[Ok(())]),
];

/// Beside success and, for want of rights, `EPERM`: one's own user namespace, a pid namespace that
/// is none of one's descendants.
const INSTALL: &[(Kind, &[Outcome])] = &[
    (Kind::User, &[Err(Code::EINVAL)]),
    (Kind::Pid, &[Err(Code::EINVAL)]),
];

/// What a call may return.
pub(super) fn allowed(decider: Decider, rights: Rights) -> Vec<Outcome> {
    let mut allowed = vec![];
    if let Decider::Install(kinds) = decider {
        allowed.extend([Ok(()), Err(Code::EPERM)]);
        for (kind, outcomes) in INSTALL {
            if kinds & kind.flag() != 0 {
                allowed.extend(*outcomes);
            }
        }
    } else {
        let listed = ALLOWED.iter().filter(|(of, _)| *of == decider);
        allowed.extend(listed.flat_map(|(_, outcomes)| *outcomes));
    }
    if rights.all && allowed.len() > 1 {
        // Root may do all of it.
        allowed.retain(|outcome| ![Err(Code::EPERM), Err(Code::EACCES)].contains(outcome));
    }
    allowed
}

/// What decides about this call.
pub(super) fn decider(call: &Call, pool: &Pool, rights: Rights) -> Decider {
    match call.command() {
        Command::Unknown => Decider::UnknownCommand,
        Command::Version => version(call),
        Command::Serve if call.size() != 0 => Decider::Size,
        Command::Serve => match u32::try_from(call.address) {
            Ok(NSPROXY_SERVE_OFF | NSPROXY_SERVE_QUERY) => Decider::Served,
            _ => Decider::Argument,
        },
        Command::Setns | Command::Setns2011 | Command::Explain if rights.filtered => {
            Decider::Seccomp
        }
        Command::Explain => explain(call),
        Command::Show => show(call, pool),
        Command::Setns | Command::Setns2011 if call.size() != SETNS_SIZE => Decider::Size,
        Command::Setns | Command::Setns2011 if call.bytes.len() < SETNS_SIZE => Decider::Pointer,
        Command::Setns => setns(call, pool),
        Command::Setns2011 if !rights.all => Decider::Capable,
        Command::Setns2011 => setns_2011(call, pool),
    }
}

fn version(call: &Call) -> Decider {
    if call.size() < VERSION_SIZE {
        return Decider::Size;
    }
    match call.place {
        // What is beyond the known struct is looked at first, up to where it can be read.
        _ if call.tail_is_set(VERSION_SIZE) => Decider::Tail,
        Place::Short(_) | Place::Wild => Decider::Pointer,
        _ if call.reserved_is_set() => Decider::Reserved,
        Place::ReadOnly => Decider::Pointer,
        Place::Good => Decider::Served,
    }
}

/// What the call would come to is in the struct.
fn explain(call: &Call) -> Decider {
    if call.size() < EXPLAIN_FIRST {
        return Decider::Size;
    }
    match call.place {
        _ if call.tail_is_set(EXPLAIN_SIZE) => Decider::Tail,
        Place::Short(_) | Place::Wild => Decider::Pointer,
        _ if call.flags_are_unknown() => Decider::Reserved,
        Place::ReadOnly => Decider::Pointer,
        Place::Good if call.journal_is_nowhere() => Decider::Pointer,
        Place::Good => Decider::Served,
    }
}

fn show(call: &Call, pool: &Pool) -> Decider {
    if call.size() < SHOW_SIZE {
        return Decider::Size;
    }
    let entry = &pool.entries[call.entry];
    match (call.place, entry.what) {
        _ if call.tail_is_set(SHOW_SIZE) => Decider::Tail,
        (Place::Short(_) | Place::Wild, _) => Decider::Pointer,
        _ if call.reserved_is_set() => Decider::Reserved,
        // The caller itself.
        (Place::Good, _) if entry.number == -1 => Decider::Served,
        (Place::ReadOnly, _) if entry.number == -1 => Decider::Pointer,
        (_, What::NotOpen) => Decider::NotOpen,
        (_, What::Reaped) => Decider::Reaped,
        (_, What::Zombie) => Decider::ShownZombie,
        (Place::Good, What::Alive) => Decider::ShownAlive,
        (Place::ReadOnly, What::Alive) => Decider::ShownUnheard,
        _ => Decider::File,
    }
}

fn setns(call: &Call, pool: &Pool) -> Decider {
    let nstype = call.nstype as u32;
    match pool.entries[call.entry].what {
        What::NotOpen => Decider::NotOpen,
        What::Other => Decider::File,
        What::Namespace(kind, _) if nstype != 0 && nstype != kind.flag() => Decider::Nstype,
        What::Namespace(kind, _) => Decider::Install(kind.flag()),
        _ if nstype == 0 || nstype & !all_kinds() != 0 => Decider::Nstype,
        What::Reaped => Decider::Reaped,
        What::Zombie => Decider::Zombie,
        What::Alive => Decider::Install(nstype),
    }
}

/// The patch knew three kinds, and no pidfd.
fn setns_2011(call: &Call, pool: &Pool) -> Decider {
    let nstype = call.nstype as u32;
    match pool.entries[call.entry].what {
        What::NotOpen => Decider::NotOpen,
        What::Namespace(kind @ (Kind::Net | Kind::Uts | Kind::Ipc), _) => {
            if nstype != 0 && nstype != kind.flag() {
                Decider::Nstype
            } else {
                Decider::Switched
            }
        }
        _ => Decider::File,
    }
}
