// SPDX-License-Identifier: GPL-2.0-only

//! unshare(2): flags and callers, crossed, each compared with the system call.

use super::{callers::Caller, of_cases};
use crate::{
    case::{
        Case,
        fixtures::Fixtures,
        implementation::{Device, Kind, all_kinds, kind_names},
        run,
        target::{self, Target, USER},
    },
    errno::Code,
    process::{
        creds,
        setup::{Setup, map_root},
        workers::run_in_child,
    },
    report::ktap::{Skip, Test},
    sys,
};
use anyhow::{Context as _, Result, ensure};
use nsproxy_uapi::{Limit, Reason, clone_flags::UNSHARE_EMPTY_MNTNS, nsfs};
use std::{
    fs::{self, File},
    os::fd::OwnedFd,
    path::Path,
};

pub(crate) fn tests() -> Vec<Test> {
    let mut tests = vec![
        Test::new(
            "U1 user where users without privileges may not",
            userns_clone,
        ),
        Test::new("a limit is reported with its place", limit_is_reported).of_module(),
        Test::skipped(
            format!("user refused for {}", Reason::Lsm.name()),
            "the kernel of the guest has no security module that refuses",
        ),
    ];
    tests.extend(of_cases(cases()));
    tests
}

/// The sysctl of Debian's kernel.
const USERNS_CLONE: &str = "/proc/sys/kernel/unprivileged_userns_clone";

/// The refusal by the sysctl, which comes before all others, and not of root.
fn userns_clone(fixtures: &mut Fixtures) -> Result<()> {
    if !Path::new(USERNS_CLONE).exists() {
        return Err(Skip::because("the kernel does not have the sysctl"));
    }
    fs::write(USERNS_CLONE, "0")?;
    let user = || vec![Setup::SetIds(USER)];
    let unknown = (1 << 40) | u64::from(USERS);
    let cases = [
        refused("by uid 1000", USERS, user(), Reason::UsernsOff),
        Case::unshare("by uid 1000, with an unknown bit", unknown)
            .caller(user())
            .fails(Code::EPERM),
        case("by root", USERS, vec![]).creates(USERS),
        refused("net by uid 1000", NET, user(), Reason::CapNew),
    ];
    let checked = cases
        .iter()
        .try_for_each(|case| run::check(case, fixtures).with_context(|| case.name.clone()));
    fs::write(USERNS_CLONE, "1")?;
    checked
}

pub(super) fn cases() -> Vec<Case> {
    [root(), reasons(), crossed()].concat()
}

const USERS: u32 = Kind::User.flag();
const MNT: u32 = Kind::Mnt.flag();
const UTS: u32 = Kind::Uts.flag();
const IPC: u32 = Kind::Ipc.flag();
const PID: u32 = Kind::Pid.flag();
const CGROUP: u32 = Kind::Cgroup.flag();
const NET: u32 = Kind::Net.flag();
const TIME: u32 = Kind::Time.flag();

/// Flags of unshare(2) that are no kinds, with their names.
const OTHER_FLAGS: [(&str, u64); 8] = [
    ("0", 0),
    ("CLONE_FS", libc::CLONE_FS as u64),
    ("CLONE_FILES", libc::CLONE_FILES as u64),
    ("CLONE_SYSVSEM", libc::CLONE_SYSVSEM as u64),
    ("CLONE_THREAD", libc::CLONE_THREAD as u64),
    ("CLONE_SIGHAND", libc::CLONE_SIGHAND as u64),
    ("CLONE_VM", libc::CLONE_VM as u64),
    ("UNSHARE_EMPTY_MNTNS", UNSHARE_EMPTY_MNTNS),
];

/// Returns the flags that unshare(2) knows.
fn known_flags() -> u64 {
    let other = OTHER_FLAGS.iter().fold(0, |flags, (_, flag)| flags | flag);
    u64::from(all_kinds()) | other
}

/// Returns calls of root: each kind, pairs of kinds, all kinds, other flags, and unknown ones.
fn root() -> Vec<Case> {
    let mut cases = Vec::new();
    for kinds in sets() {
        let name = format!("{} by root", kind_names(kinds));
        cases.push(Case::unshare(name, kinds.into()).creates(kinds));
    }
    for (name, flag) in OTHER_FLAGS {
        let kinds = if flag == UNSHARE_EMPTY_MNTNS { MNT } else { 0 };
        cases.push(Case::unshare(format!("{name} by root"), flag).creates(kinds));
    }
    for bit in 0..u64::BITS {
        let flag = 1 << bit;
        if known_flags() & flag == 0 {
            for (word, kinds) in [("alone", 0), ("with user and net", USERS | NET)] {
                let name = format!("U2 bit {bit} {word}");
                let case = Case::unshare(name, flag | u64::from(kinds));
                cases.push(case.refused(Reason::UnshareFlags));
            }
        }
    }
    cases
}

/// Returns sets of kinds: each one, all pairs, all kinds, and all but user.
pub(super) fn sets() -> impl Iterator<Item = u32> {
    let flags = Kind::ALL.map(Kind::flag);
    let pairs =
        (0..flags.len()).flat_map(move |i| (i..flags.len()).map(move |j| flags[i] | flags[j]));
    pairs.chain([all_kinds(), all_kinds() & !USERS])
}

/// Returns a case for each reason that a root shell can cause. A name starts with the row of
/// `docs/checks.md` that the case is about.
fn reasons() -> Vec<Case> {
    let [thread, sighand, vm, files, fs, sysvsem] = [
        libc::CLONE_THREAD,
        libc::CLONE_SIGHAND,
        libc::CLONE_VM,
        libc::CLONE_FILES,
        libc::CLONE_FS,
        libc::CLONE_SYSVSEM,
    ]
    .map(|flag| flag as u32);
    let of_two = || vec![Setup::Thread];
    let chroot = || vec![Setup::Chroot("/tmp/nsproxy-tests-root".into())];
    let unmapped = || vec![Setup::Unshare(USERS)];
    let offsets = || Setup::ClockOffsets {
        monotonic: target::MONOTONIC,
        boottime: target::BOOTTIME,
    };
    let in_pid_ns_of_target = || vec![Setup::EnterTarget(PID), Setup::Fork];
    let mut cases = vec![
        refused(
            "U3 user by a thread",
            USERS,
            of_two(),
            Reason::UnshareThreads,
        ),
        refused(
            "U3 CLONE_THREAD by a thread",
            thread,
            of_two(),
            Reason::UnshareThreads,
        ),
        case("U3 net by a thread, which is allowed", NET, of_two()).creates(NET),
        case("U3 time by a thread, which is allowed", TIME, of_two()).creates(TIME),
        refused(
            "U4 CLONE_SIGHAND",
            sighand,
            vec![Setup::ShareSighand],
            Reason::SighandShared,
        ),
        refused(
            "U4 CLONE_VM",
            vm,
            vec![Setup::ShareSighand],
            Reason::SighandShared,
        ),
        case(
            "U4 CLONE_SIGHAND by a sharer of memory only",
            sighand,
            vec![Setup::ShareVm],
        )
        .creates(0),
        refused("U5 CLONE_VM", vm, vec![Setup::ShareVm], Reason::VmShared),
        case("CLONE_FS shared with a process", fs, vec![Setup::ShareFs]).creates(0),
        case("user with CLONE_FS shared", USERS, vec![Setup::ShareFs]).creates(USERS),
        case("mnt with CLONE_FS shared", MNT, vec![Setup::ShareFs]).creates(MNT),
        case(
            "U6 CLONE_FILES shared with a process",
            files,
            vec![Setup::ShareFiles],
        )
        .creates(0),
        case(
            "uts leaves shared files alone",
            UTS,
            vec![Setup::ShareFiles],
        )
        .creates(UTS),
        refused(
            "user nested 34 deep",
            USERS,
            vec![below(); 33].concat(),
            Reason::Nested,
        ),
        case("user nested 33 deep", USERS, vec![below(); 32].concat()).creates(USERS),
        refused("user in a chroot", USERS, chroot(), Reason::Chrooted),
        case("mnt in a chroot, which is allowed", MNT, chroot()).creates(MNT),
        refused("user without an id", USERS, unmapped(), Reason::Unmapped),
        refused(
            "user without a uid",
            USERS,
            [unmapped(), vec![Setup::MapRootGroup]].concat(),
            Reason::Unmapped,
        ),
        refused(
            "user without a gid",
            USERS,
            [unmapped(), vec![Setup::MapRootUser]].concat(),
            Reason::Unmapped,
        ),
        refused(
            "user and net without an id",
            USERS | NET,
            unmapped(),
            Reason::Unmapped,
        ),
        case("net without an id, which is allowed", NET, unmapped()).creates(NET),
        case("ipc orphans shared memory", IPC, vec![Setup::SharedMemory]).creates(IPC),
        case(
            "CLONE_SYSVSEM leaves shared memory alone",
            sysvsem,
            vec![Setup::SharedMemory],
        )
        .creates(0),
        case("ipc undoes semaphores", IPC, vec![Setup::RaiseSemaphore]).creates(IPC),
        case(
            "CLONE_SYSVSEM undoes semaphores",
            sysvsem,
            vec![Setup::RaiseSemaphore],
        )
        .creates(0),
        refused(
            "pid twice",
            PID,
            vec![Setup::Unshare(PID)],
            Reason::PidForChildren,
        ),
        case(
            "pid twice, by a child",
            PID,
            vec![Setup::Unshare(PID), Setup::Fork],
        )
        .creates(PID),
        case("time twice", TIME, vec![Setup::Unshare(TIME)]).creates(TIME),
        case(
            "time copies the offsets for children",
            TIME,
            vec![Setup::Unshare(TIME), offsets()],
        )
        .creates(TIME),
        case(
            "time copies the offsets of the caller",
            TIME,
            vec![Setup::Unshare(TIME), offsets(), Setup::Fork],
        )
        .creates(TIME),
        case(
            "uts copies the host name",
            UTS,
            vec![Setup::Unshare(UTS), Setup::Hostname("before".into())],
        )
        .creates(UTS),
        case(
            "cgroup hides the cgroups above",
            CGROUP,
            vec![Setup::Cgroup(target::CGROUP.into())],
        )
        .creates(CGROUP),
        refused(
            "pid nested 33 deep",
            PID,
            vec![[Setup::Unshare(PID), Setup::Fork]; 32].concat(),
            Reason::Nested,
        ),
        case(
            "pid nested 32 deep",
            PID,
            vec![[Setup::Unshare(PID), Setup::Fork]; 31].concat(),
        )
        .creates(PID),
        refused(
            "pid below one of another owner",
            PID,
            in_pid_ns_of_target(),
            Reason::PidOwner,
        )
        .target(Target::in_all_new()),
    ];
    cases.extend(Kind::ALL.into_iter().flat_map(limits));
    cases.extend(
        Kind::ALL
            .into_iter()
            .filter(|kind| *kind != Kind::User)
            .flat_map(capabilities),
    );
    cases
}

fn case(name: &str, flags: u32, caller: Vec<Setup>) -> Case {
    Case::unshare(name.to_owned(), flags.into()).caller(caller)
}

fn refused(name: &str, flags: u32, caller: Vec<Setup>, reason: Reason) -> Case {
    case(name, flags, caller).refused(reason)
}

/// Returns the setups of root in a child user namespace.
fn below() -> Vec<Setup> {
    vec![Setup::Unshare(USERS), Setup::MapRoot]
}

/// Returns cases of the limit of a kind.
///
/// A namespace that was released counts until the kernel has freed it in the background. So where a
/// call succeeds, the limit leaves room for those of the dry run before.
fn limits(kind: Kind) -> Vec<Case> {
    const ROOM: u32 = 16;
    let (name, flag) = (kind.name(), kind.flag());
    let limited = |max| [below(), vec![Setup::Limit(flag, max)]].concat();
    // A user namespace in between counts as well.
    let limited_above = [limited(u32::from(kind == Kind::User)), below()].concat();
    let all_of_it = flag | USERS;
    let reached = [
        limited(1),
        vec![Setup::Unshare(flag)],
        to_create_another(kind),
    ]
    .concat();
    let with_user = [
        vec![
            Setup::Unshare(all_of_it),
            Setup::MapRoot,
            Setup::Limit(flag, 1),
        ],
        to_create_another(kind),
    ]
    .concat();
    let mut cases = vec![
        refused(
            &format!("{name} at a limit of 0"),
            flag,
            limited(0),
            Reason::Limit,
        ),
        refused(
            &format!("{name} at a limit one level up"),
            flag,
            limited_above,
            Reason::Limit,
        ),
        refused(
            &format!("{name} and user at a limit of 0"),
            all_of_it,
            limited(0),
            Reason::Limit,
        ),
        case(&format!("{name} below a limit"), flag, limited(ROOM)).creates(flag),
        refused(
            &format!("{name} at a limit of 1 that is reached"),
            flag,
            reached,
            Reason::Limit,
        ),
    ];
    if kind != Kind::User {
        cases.extend([
            refused(
                &format!("{name} at a limit of 1 that is reached with user"),
                flag,
                with_user,
                Reason::Limit,
            ),
            // The namespaces that exist before the refusal are released.
            refused(
                &format!("all kinds with {name} at a limit of 0"),
                all_kinds(),
                limited(0),
                Reason::Limit,
            ),
        ]);
    }
    cases
}

/// Returns cases of a capability that a kind but user requires.
fn capabilities(kind: Kind) -> Vec<Case> {
    let (name, flag) = (kind.name(), kind.flag());
    let mut cases = Vec::new();
    for (word, caller) in [
        (
            "without CAP_SYS_ADMIN",
            vec![Setup::KeepCaps(!creds::SYS_ADMIN)],
        ),
        ("as uid 1000", vec![Setup::SetIds(USER)]),
    ] {
        let with_user = format!("{name} and user {word}");
        cases.extend([
            refused(
                &format!("U7 {name} {word}"),
                flag,
                caller.clone(),
                Reason::CapNew,
            ),
            case(&with_user, flag | USERS, caller).creates(flag | USERS),
        ]);
    }
    cases
}

/// Returns the setups after which a caller that has created a namespace can create another one.
fn to_create_another(kind: Kind) -> Vec<Setup> {
    match kind {
        Kind::Pid => vec![Setup::Fork],
        Kind::User => vec![Setup::MapRoot],
        _ => vec![],
    }
}

/// A limit in the caller's own user namespace, in that of a new one, and in one above that the caller
/// may know nothing about.
fn limit_is_reported(_: &mut Fixtures) -> Result<()> {
    run_in_child(|| {
        let device = Device::open()?;
        let proc: OwnedFd = File::open("/proc")?.into();
        sys::unshare(USERS)?;
        map_root(&proc, 0)?;
        fs::write("/proc/sys/user/max_net_namespaces", "0")?;
        let own = nsfs::id(File::open("/proc/self/ns/user")?)?;
        let limit = |flags: u32| -> Result<Option<Limit>> {
            let (refusal, _) = device.trace_unshare(flags.into(), true)?;
            Ok(refusal.and_then(|refusal| refusal.limit))
        };
        let known = |levels| Limit {
            max: Some(0),
            user_ns: own,
            levels,
        };
        expect(limit(NET)?, Some(known(0)))?;
        expect(limit(NET | USERS)?, Some(known(1)))?;
        expect(limit(UTS)?, None)?;
        sys::unshare(USERS)?;
        map_root(&proc, 0)?;
        let unknown = |levels| Limit {
            max: None,
            user_ns: 0,
            levels,
        };
        // A refused namespace does not count below the limit, where one would be allowed.
        fs::write("/proc/sys/user/max_net_namespaces", "1")?;
        expect(limit(NET)?, Some(unknown(1)))?;
        expect(limit(NET)?, Some(unknown(1)))?;
        expect(limit(NET | USERS)?, Some(unknown(2)))
    })
}

fn expect(limit: Option<Limit>, expected: Option<Limit>) -> Result<()> {
    ensure!(limit == expected, "{limit:?}, expected {expected:?}");
    Ok(())
}

/// Returns all callers, each with all [`sets`] and other flags.
fn crossed() -> Vec<Case> {
    let mut cases = Vec::new();
    for caller in Caller::of_creation() {
        let kinds = sets().map(|kinds| (kind_names(kinds), u64::from(kinds)));
        let other = OTHER_FLAGS.map(|(name, flags)| (name.to_owned(), flags));
        let with_kinds = OTHER_FLAGS[1..].iter().map(|(name, flags)| {
            let kinds = UTS | IPC;
            (
                format!("{name} and {}", kind_names(kinds)),
                flags | u64::from(kinds),
            )
        });
        for (name, flags) in kinds.chain(other).chain(with_kinds) {
            let case = Case::unshare(format!("{name} by {caller}"), flags);
            cases.push(case.caller(caller.setups()));
        }
    }
    cases
}
