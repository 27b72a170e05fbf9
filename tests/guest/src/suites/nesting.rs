// SPDX-License-Identifier: GPL-2.0-only

//! Cases of the suite `errno` about namespaces at several depths: of pid namespaces, and of the user
//! namespaces that own the others.
//!
//! All expectations are absolute. The comments of `pidns_is_ancestor()` and of
//! `cap_capable_helper()` in the kernel state the rules.

use crate::{
    case::{
        Case, FdSource, NsPath,
        implementation::Kind,
        target::{Target, USER},
    },
    process::{creds, setup::Setup},
};
use nsproxy_uapi::Reason;

const USER_NS: u32 = Kind::User.flag();
const PID_NS: u32 = Kind::Pid.flag();
/// An unprivileged user that owns nothing.
const OTHER_USER: u32 = 2000;

pub(super) fn cases() -> Vec<Case> {
    [pid_depths(), pid_branches(), users(), owners(), own()].concat()
}

/// Joins lists of setups.
fn steps<const N: usize>(lists: [Vec<Setup>; N]) -> Vec<Setup> {
    lists.concat()
}

/// Returns the setups of a process that many pid namespaces below, each of which it creates.
fn in_pid_ns(depth: usize) -> Vec<Setup> {
    vec![[Setup::Unshare(PID_NS), Setup::Fork]; depth].concat()
}

/// Returns the setups of root that many user namespaces below, each of which it creates.
fn in_user_ns(depth: usize) -> Vec<Setup> {
    vec![[Setup::Unshare(USER_NS), Setup::MapRoot]; depth].concat()
}

/// Returns a child of the caller in new namespaces, one set of kinds for each level.
fn child<const N: usize>(levels: [u32; N]) -> Vec<Setup> {
    vec![Setup::NestedChild(levels.into())]
}

/// Returns cases of callers at three depths of pid namespaces, and of targets above, beside and below
/// them.
fn pid_depths() -> Vec<Case> {
    let fd = FdSource::Child("pid");
    let mut cases = Vec::new();
    for depth in 0..=2 {
        let named = |what: &str| format!("pid from depth {depth}: {what}");
        let caller = || in_pid_ns(depth);
        cases.extend(cases! {
            { name: named("its own"), fd: FdSource::Own("pid"), nstype: 0, caller: caller()
              => moves(PID_NS) }
            { name: named("that of a child"), fd: fd, nstype: 0,
              caller: steps([caller(), child([PID_NS])]) => moves(PID_NS) }
            { name: named("that of a child two levels below"), fd: fd, nstype: 0,
              caller: steps([caller(), child([PID_NS; 2])]) => moves(PID_NS) }
            { name: named("that of a child three levels below, by pidfd"),
              fd: FdSource::ChildPidfd, nstype: PID_NS,
              caller: steps([caller(), child([PID_NS; 3])]) => moves(PID_NS) }
        });
        if depth > 0 {
            cases.extend(cases! {
                { name: format!("pid EINVAL from depth {depth}: the initial one"),
                  fd: FdSource::Home("pid"), nstype: 0, caller: caller()
                  => refused(Reason::NotBelow) }
            });
        }
        for other in 1..=3 {
            let (fd, target) = (FdSource::Target("pid"), Target::new(in_pid_ns(other)));
            cases.extend(match depth {
                0 => cases! {
                    { name: named(&format!("that of a target at depth {other}")), fd: fd, nstype: 0,
                      target: target, caller: caller() => moves(PID_NS) }
                },
                _ => cases! {
                    { name: format!("pid EINVAL from depth {depth}: depth {other} of another branch"),
                      fd: fd, nstype: 0, target: target, caller: caller()
                      => refused(Reason::NotBelow) }
                },
            });
        }
    }
    cases
}

/// Returns cases of callers below the pid namespace of the target, whose children are in another one.
fn pid_branches() -> Vec<Case> {
    let target = || {
        Target::new(steps([
            in_pid_ns(1),
            vec![Setup::Unshare(PID_NS), Setup::Sibling],
        ]))
    };
    let inside = || vec![Setup::EnterTarget(PID_NS), Setup::Fork];
    let below = || steps([inside(), in_pid_ns(1)]);
    let [fd, of_children] = [
        FdSource::Target("pid"),
        FdSource::Target("pid_for_children"),
    ];
    let cases = cases! {
        { name: "pid a child namespace that another process created", fd: of_children, nstype: 0,
          caller: inside() => moves(PID_NS) }
        { name: "pid EINVAL the parent, which is not the initial one", fd: fd, nstype: 0,
          caller: below() => refused(Reason::NotBelow) }
        { name: "pid EINVAL the parent, by NS_GET_PARENT",
          fd: FdSource::TargetBy(NsPath::Parent, Kind::Pid), nstype: 0, caller: inside()
          => refused(Reason::NotBelow) }
        { name: "pid EINVAL the grandparent", fd: FdSource::Home("pid"), nstype: 0, caller: below()
          => refused(Reason::NotBelow) }
        { name: "pid EINVAL a sibling with the same parent", fd: of_children, nstype: 0,
          caller: below() => refused(Reason::NotBelow) }
    };
    let cases = cases.into_iter();
    cases.map(|case| case.target(target())).collect()
}

/// Returns cases of entering user namespaces that are up to three levels deep.
fn users() -> Vec<Case> {
    let fd = FdSource::Target("user");
    let deep = || Target::new(in_user_ns(3));
    let deep_of_user = || Target::new(steps([vec![Setup::SetIds(USER)], in_user_ns(3)]));
    // Root created the first one, the user the second one.
    let of_two = || {
        let second = vec![
            Setup::UnshareUserMapped,
            Setup::SetIds(USER),
            Setup::Unshare(USER_NS),
            Setup::MapRoot,
        ];
        Target::new(second)
    };
    let no_caps = || [Setup::KeepCaps(creds::NONE)];
    let only_admin = || [Setup::KeepCaps(creds::SYS_ADMIN)];
    let user = || [Setup::SetIds(USER)];
    let mut cases = cases! {
        { name: "user three deep, by root", fd: fd, nstype: 0, target: deep_of_user()
          => moves(USER_NS) }
        { name: "user three deep, by root with CAP_SYS_ADMIN only", fd: fd, nstype: 0,
          target: deep_of_user(), caller: only_admin() => moves(USER_NS) }
        { name: "user three deep, by the owner of the first without capabilities", fd: fd,
          nstype: 0, target: deep_of_user(), caller: user() => moves(USER_NS) }
        { name: "user three deep, by the owner of the first, root without capabilities", fd: fd,
          nstype: 0, target: deep(), caller: no_caps() => moves(USER_NS) }
        { name: "user EPERM three deep, by root without capabilities, not the owner", fd: fd,
          nstype: 0, target: deep_of_user(), caller: no_caps() => refused(Reason::CapUser) }
        { name: "user EPERM three deep, by root without CAP_SYS_ADMIN, not the owner", fd: fd,
          nstype: 0, target: deep_of_user(), caller: [Setup::KeepCaps(!creds::SYS_ADMIN)]
          => refused(Reason::CapUser) }
        { name: "user EPERM three deep, by another user", fd: fd, nstype: 0,
          target: deep_of_user(), caller: [Setup::SetIds(OTHER_USER)]
          => refused(Reason::CapUser) }
        { name: "user EPERM by its owner from above the parent", fd: fd, nstype: 0,
          target: of_two(), caller: user() => refused(Reason::CapUser) }
        { name: "user by the owner of its parent without capabilities", fd: fd, nstype: 0,
          target: of_two(), caller: no_caps() => moves(USER_NS) }
        { name: "user by its owner in the parent without capabilities",
          fd: FdSource::Child("user"), nstype: 0,
          caller: steps([
              vec![Setup::UnshareUserMapped, Setup::SetIds(USER)], child([USER_NS]),
          ]) => moves(USER_NS) }
        { name: "user EPERM in the parent, not the owner", fd: FdSource::Child("user"), nstype: 0,
          caller: steps([
              vec![Setup::UnshareUserMapped], child([USER_NS]), user().into(),
          ]) => refused(Reason::CapUser) }
        { name: "user EPERM the grandparent", fd: FdSource::Home("user"), nstype: 0,
          caller: in_user_ns(2) => refused(Reason::CapUser) }
        { name: "user EPERM the initial one, from three deep", fd: FdSource::Home("user"),
          nstype: 0, target: deep(), caller: [Setup::EnterTarget(USER_NS)]
          => refused(Reason::CapUser) }
        { name: "user EPERM the parent, which is not the initial one",
          fd: FdSource::TargetBy(NsPath::Parent, Kind::User), nstype: 0, target: deep(),
          caller: [Setup::EnterTarget(USER_NS)] => refused(Reason::CapUser) }
    };
    for depth in 1..=2 {
        for (levels, word) in [(1, "one level"), (2, "two levels")] {
            let name = format!("user from depth {depth}: {word} below");
            let caller = || {
                let child = vec![Setup::NestedChild(vec![USER_NS; levels])];
                steps([in_user_ns(depth), child])
            };
            cases.extend(cases! {
                { name: name.clone(), fd: FdSource::Child("user"), nstype: 0, caller: caller()
                  => moves(USER_NS) }
                { name: format!("{name}, by the owner without capabilities"),
                  fd: FdSource::Child("user"), nstype: 0,
                  caller: steps([caller(), no_caps().into()]) => moves(USER_NS) }
                { name: format!("{name}, by pidfd"), fd: FdSource::ChildPidfd, nstype: USER_NS,
                  caller: caller() => moves(USER_NS) }
            });
        }
        for other in 1..=3 {
            let name = format!("user EPERM from depth {depth}: depth {other} of another branch");
            cases.extend(cases! {
                { name: name, fd: fd, nstype: 0, target: Target::new(in_user_ns(other)),
                  caller: in_user_ns(depth) => refused(Reason::CapUser) }
            });
        }
    }
    cases
}

/// The kinds that a user namespace owns.
fn owned_kinds() -> impl Iterator<Item = Kind> {
    Kind::ALL.into_iter().filter(|kind| *kind != Kind::User)
}

/// Returns the reason of the check of a kind that comes first.
fn first_checked(kind: Kind) -> Reason {
    match kind {
        Kind::Cgroup => Reason::CapSet,
        _ => Reason::CapOwner,
    }
}

/// Returns cases of namespaces whose owner is below the user namespace of the caller, which is not the
/// initial one.
fn owners() -> Vec<Case> {
    let mut cases = Vec::new();
    for kind in owned_kinds() {
        let (name, flag) = (kind.name(), kind.flag());
        let both = USER_NS | flag;
        let fd = FdSource::Child(name);
        let above = || steps([in_user_ns(1), child([USER_NS, both])]);
        // A mount namespace requires CAP_SYS_CHROOT first.
        let without_admin = || vec![Setup::KeepCaps(creds::SYS_CHROOT)];
        cases.extend(cases! {
            { name: format!("{name} owned two levels below, by root"), fd: fd, nstype: 0,
              caller: above() => moves(flag) }
            { name: format!("{name} with user, owned two levels below, by the owner"),
              fd: FdSource::ChildPidfd, nstype: both,
              caller: steps([above(), vec![Setup::KeepCaps(creds::NONE)]]) => moves(both) }
            { name: format!("{name} EPERM owned two levels below, by the owner: nsfs"), fd: fd,
              nstype: 0, caller: steps([above(), without_admin()]) => refused(Reason::CapSet) }
            { name: format!("{name} EPERM owned three deep, from another branch"),
              fd: FdSource::Target(name), nstype: 0,
              target: Target::new(steps([in_user_ns(2), new_root_in(both)])),
              caller: in_user_ns(1) => refused(Reason::CapOwner) }
        });
    }
    cases
}

/// Returns the setups of root in new namespaces, of which the user namespace owns the others.
fn new_root_in(kinds: u32) -> Vec<Setup> {
    let mut setups = vec![Setup::Unshare(kinds), Setup::MapRoot];
    if kinds & (PID_NS | Kind::Time.flag()) != 0 {
        setups.push(Setup::Fork);
    }
    setups
}

/// Returns cases of namespaces that the caller is in already. The checks come first even if nothing
/// is left to do, as for a cgroup namespace.
fn own() -> Vec<Case> {
    let mut cases = Vec::new();
    for kind in owned_kinds() {
        let (name, flag) = (kind.name(), kind.flag());
        let fd = FdSource::Own(name);
        let target = || Target::in_new(USER_NS | flag);
        // In the namespace of the target, but not in the user namespace that owns it.
        let mut inside = vec![Setup::EnterTarget(flag)];
        if kind == Kind::Pid {
            inside.push(Setup::Fork);
        }
        let owned = || new_root_in(USER_NS | flag);
        let without_admin = || vec![Setup::KeepCaps(creds::SYS_CHROOT | creds::SYS_PTRACE)];
        cases.extend(cases! {
            { name: format!("{name} EPERM own, without CAP_SYS_ADMIN: nsfs"), fd: fd, nstype: 0,
              caller: [Setup::KeepCaps(!creds::SYS_ADMIN)] => refused(first_checked(kind)) }
            { name: format!("{name} EPERM own, without CAP_SYS_ADMIN: pidfd"),
              fd: FdSource::OwnPidfd, nstype: flag,
              caller: [Setup::KeepCaps(!creds::SYS_ADMIN)] => refused(first_checked(kind)) }
            { name: format!("{name} EPERM own, by a user without rights"), fd: fd, nstype: 0,
              caller: [Setup::SetIds(USER)] => refused(first_checked(kind)) }
            { name: format!("{name} own, owned by the user namespace of the caller"), fd: fd,
              nstype: 0, caller: owned() => moves(flag) }
            { name: format!("{name} EPERM own, cap in the owning user namespace: its child"),
              fd: fd, nstype: 0, caller: steps([owned(), in_user_ns(1)])
              => refused(Reason::CapOwner) }
            { name: format!("{name} EPERM own, cap in the owning user namespace: pidfd"),
              fd: FdSource::OwnPidfd, nstype: flag, caller: steps([owned(), in_user_ns(1)])
              => refused(Reason::CapOwner) }
            { name: format!("{name} own, owned by a child of the user namespace"), fd: fd,
              nstype: 0, target: target(), caller: inside.clone() => moves(flag) }
            { name: format!("{name} EPERM own, cap in the user namespace of the set"), fd: fd,
              nstype: 0, target: target(), caller: steps([inside, without_admin()])
              => refused(Reason::CapSet) }
        });
    }
    cases
}
