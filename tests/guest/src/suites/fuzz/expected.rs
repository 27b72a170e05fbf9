// SPDX-License-Identifier: GPL-2.0-only

//! The outcomes that are documented for a call, by the first check that its input does not pass.

use super::{
    call::{
        Call, Command, EXPLAIN_FIRST, EXPLAIN_SIZE, Explained, Place, SETNS_SIZE, SHOW_SIZE,
        UNSHARE_SIZE, VERSION_SIZE, known_unshare_flags,
    },
    fds::{FdKind, FdPool, Owner},
};
use crate::{
    case::implementation::{Kind, all_kinds},
    errno::{Code, Outcome},
};
use nsproxy_uapi::{
    clone_flags::{CLEAR_SIGHAND, EMPTY_MNTNS, NNP, UNSHARE_EMPTY_MNTNS},
    sys::{NSPROXY_SERVE_OFF, NSPROXY_SERVE_QUERY},
};

/// The properties of a caller that decide which outcomes are allowed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rights {
    /// Under a seccomp filter.
    pub(super) filtered: bool,
    pub(super) capabilities: Capabilities,
    /// Whether the children are in another pid namespace than the caller.
    pub(super) pid_for_children: bool,
}

/// The capabilities of a caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Capabilities {
    /// All, in the initial user namespace.
    All,
    /// None, in the initial user namespace.
    None,
    /// Those in another user namespace.
    Elsewhere,
}

impl Rights {
    /// Returns whether the caller has all capabilities in the initial user namespace.
    pub(super) fn all(self) -> bool {
        self.capabilities == Capabilities::All
    }

    /// Updates the rights after a call, by the check that has decided about it.
    pub(super) fn update(&mut self, check: Check, call: &Call, pool: &FdPool) {
        let owner = match check {
            Check::Install(_) => pool.entries[call.entry].kind.owner(),
            _ => None,
        };
        if let Check::Install(kinds) | Check::Create(kinds) = check {
            if kinds & Kind::User.flag() != 0 {
                self.capabilities = Capabilities::Elsewhere;
            }
            if kinds & Kind::Pid.flag() != 0 {
                self.pid_for_children = owner != Some(Owner::Test);
            }
        }
    }
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
    /// The flags of unshare(2).
    UnshareFlags,
    /// The checks of unshare(2) after that of its flags, for these `CLONE_NEW*`.
    Create(u32),
    /// All checks of clone3(2), for these flags.
    Clone(u64),
}

/// The outcomes that each check allows, except for [`Check::Install`], [`Check::Create`] and
/// [`Check::Clone`].
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
    (Check::UnshareFlags, &[Err(Code::EINVAL)]),
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
        Command::Unshare => &[
            Seccomp,
            Size,
            Pointer,
            UnshareFlags,
            Create(0),
            Create(u32::MAX),
        ],
    }
}

/// Returns every outcome that is documented for a command, except for `ENOMEM`.
pub(super) fn documented(command: Command, rights: Rights) -> Vec<Outcome> {
    let mut documented = Vec::new();
    for check in checks_of(command) {
        let can_fail = match check {
            Check::Seccomp => rights.filtered,
            Check::Capable => !rights.all(),
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
    if let Check::Create(kinds) = check {
        allowed.extend(created(kinds, rights));
    } else if let Check::Clone(flags) = check {
        allowed.extend(cloned(flags, rights));
    } else if let Check::Install(kinds) = check {
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
    if rights.all() && allowed.len() > 1 {
        // Root has every permission.
        allowed.retain(|outcome| ![Err(Code::EPERM), Err(Code::EACCES)].contains(outcome));
    }
    allowed
}

/// Returns the results that unshare(2) with these `CLONE_NEW*` may have, for a caller with one thread.
fn created(kinds: u32, rights: Rights) -> Vec<Outcome> {
    let has = |kind: Kind| kinds & kind.flag() != 0;
    match rights.capabilities {
        _ if kinds == 0 => vec![Ok(())],
        // The capability is checked first.
        Capabilities::None if !has(Kind::User) => vec![Err(Code::EPERM)],
        Capabilities::All | Capabilities::None => {
            // copy_pid_ns()
            let refused = has(Kind::Pid) && rights.pid_for_children;
            vec![if refused { Err(Code::EINVAL) } else { Ok(()) }]
        }
        // With the kinds of pid and user it depends on that namespace.
        Capabilities::Elsewhere => {
            let mut allowed = vec![Ok(()), Err(Code::EPERM)];
            allowed.extend(has(Kind::Pid).then_some(Err(Code::EINVAL)));
            allowed
        }
    }
}

/// Returns the results that a dry run of clone3(2) may have.
fn cloned(flags: u64, rights: Rights) -> Vec<Outcome> {
    const UNKNOWN: u64 = !0 << 38 | libc::CLONE_DETACHED as u64 | 0x7f;
    let [user, mnt, pid, ipc] =
        [Kind::User, Kind::Mnt, Kind::Pid, Kind::Ipc].map(|kind| u64::from(kind.flag()));
    let [vm, fs, sighand, thread, parent, sysvsem] = [
        libc::CLONE_VM,
        libc::CLONE_FS,
        libc::CLONE_SIGHAND,
        libc::CLONE_THREAD,
        libc::CLONE_PARENT,
        libc::CLONE_SYSVSEM,
    ]
    .map(|flag| flag as u64);
    let flags = match flags & EMPTY_MNTNS {
        0 => flags,
        _ => flags | mnt,
    };
    let has = |flag: u64| flags & flag != 0;
    let is_invalid = has(UNKNOWN)
        || has(sighand) && (has(CLEAR_SIGHAND) || !has(vm))
        || has(fs) && has(mnt | user)
        || has(thread) && (!has(sighand) || has(user | pid | NNP));
    if is_invalid {
        return vec![Err(Code::EINVAL)];
    }
    let mut allowed = created(flags as u32 & all_kinds(), rights);
    // Also if the caller is an init, or its children are in another pid namespace.
    if has(thread | parent) || has(ipc) && has(sysvsem) {
        allowed.push(Err(Code::EINVAL));
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
        Command::Setns | Command::Setns2011 | Command::Unshare | Command::Explain
            if rights.filtered =>
        {
            Check::Seccomp
        }
        Command::Explain => explain(call),
        Command::Show => show(call, pool),
        Command::Setns | Command::Setns2011 if call.size() != SETNS_SIZE => Check::Size,
        Command::Setns | Command::Setns2011 if call.bytes.len() < SETNS_SIZE => Check::Pointer,
        Command::Setns => setns(call, pool),
        Command::Unshare if call.size() != UNSHARE_SIZE => Check::Size,
        Command::Unshare if call.bytes.len() < UNSHARE_SIZE => Check::Pointer,
        Command::Setns2011 => setns_2011(call, pool, rights),
        Command::Unshare => unshare(call.flags),
    }
}

/// Returns the check that decides about the call that a valid `NSPROXY_EXPLAIN` makes.
pub(super) fn explained_check(call: &Call, pool: &FdPool, rights: Rights) -> Check {
    match call.explained() {
        Some(Explained::Setns) => setns(call, pool),
        Some(Explained::Setns2011) => setns_2011(call, pool, rights),
        Some(Explained::Unshare(flags)) => unshare(flags),
        Some(Explained::Clone(flags)) => Check::Clone(flags),
        None => Check::Reserved,
    }
}

fn unshare(flags: u64) -> Check {
    if flags & !known_unshare_flags() != 0 {
        return Check::UnshareFlags;
    }
    let mut kinds = flags as u32 & all_kinds();
    if flags & UNSHARE_EMPTY_MNTNS != 0 {
        kinds |= Kind::Mnt.flag();
    }
    Check::Create(kinds)
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
        _ if call.explained().is_none() => Check::Reserved,
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
        (Place::Good, FdKind::Alive(_)) => Check::ShowAlive,
        (Place::ReadOnly, FdKind::Alive(_)) => Check::ShowReadOnly,
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
        FdKind::Alive(_) => Check::Install(nstype),
    }
}

/// The call of 2011 supports three kinds, and no pidfd.
fn setns_2011(call: &Call, pool: &FdPool, rights: Rights) -> Check {
    if !rights.all() {
        return Check::Capable;
    }
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
