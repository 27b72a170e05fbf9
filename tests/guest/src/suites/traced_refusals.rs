// SPDX-License-Identifier: GPL-2.0-only

//! The tracepoint of refusals: the check, and what it was about, for each entry.

use crate::{
    case::{
        implementation::{Entry, Kind},
        target::{Target, TargetProcess, USER},
    },
    env::trace::Trace,
    errno::expect,
    process::{
        Actor,
        command::{Args, Call},
        setup::Setup,
    },
    report::ktap::Test,
    sys::nsfs,
};
use anyhow::{Result, ensure};
use nsproxy_uapi::{Limit, Reason, Refusal};
use rustix::thread::CapabilitySet;
use std::fs::File;

pub(crate) fn tests() -> Vec<Test> {
    let mut tests = Vec::new();
    // The actor makes a dry run before a call by the device: see `Process::dry_run`.
    for (how, entry, times) in [
        ("by the device", Entry::Device, 2),
        ("explained", Entry::EXPLAINED, 1),
        ("served", Entry::Served, 1),
    ] {
        for case in CASES {
            let name = format!("the tracepoint has the reason: {}, {how}", case.name);
            tests.push(Test::new(name, move |_| case.run(entry, times)));
        }
    }
    tests
}

/// A call that is refused.
struct Case {
    name: &'static str,
    /// Prepares the caller; returns the arguments of the call.
    prepare: fn(&mut Actor, &TargetProcess) -> Result<Args>,
    /// Returns the refusal of the prepared caller.
    expected: fn(&mut Actor, &TargetProcess) -> Result<Refusal>,
}

const CASES: &[Case] = &[
    Case {
        name: "a namespace of another kind",
        prepare: |actor, target| {
            let slot = actor.pass_file(target.ns("uts")?)?.slot;
            let nstype = Kind::Net.flag() as i32;
            Ok(Args::Setns { slot, nstype })
        },
        expected: |_, target| {
            let uts = nsfs::id(target.ns("uts")?)?;
            Ok(Refusal {
                namespace: Some((Kind::Uts, uts)),
                ..refusal(Reason::NsType)
            })
        },
    },
    Case {
        name: "no capability in a user namespace that the caller may not know",
        prepare: |actor, target| {
            actor.set_up(&Setup::UnshareUserMapped)?;
            let slot = actor.pass_file(target.ns("uts")?)?.slot;
            Ok(Args::Setns { slot, nstype: 0 })
        },
        expected: |_, target| {
            let uts = nsfs::id(target.ns("uts")?)?;
            let initial = nsfs::id(File::open("/proc/1/ns/user")?)?;
            Ok(Refusal {
                cap: Some((SYS_ADMIN, initial)),
                namespace: Some((Kind::Uts, uts)),
                ..refusal(Reason::CapOwner)
            })
        },
    },
    Case {
        name: "tasks that share root and working directory",
        prepare: |actor, target| {
            actor.set_up(&Setup::ShareFs)?;
            let slot = actor.pass_file(target.ns("mnt")?)?.slot;
            Ok(Args::Setns { slot, nstype: 0 })
        },
        expected: |_, target| {
            let mnt = nsfs::id(target.ns("mnt")?)?;
            Ok(Refusal {
                count: 2,
                namespace: Some((Kind::Mnt, mnt)),
                ..refusal(Reason::FsShared)
            })
        },
    },
    Case {
        name: "a namespace that may not be created",
        prepare: |actor, _| {
            actor.set_up(&Setup::SetIds(USER))?;
            let flags = Kind::Net.flag().into();
            Ok(Args::Unshare { flags })
        },
        expected: |_, _| {
            let initial = nsfs::id(File::open("/proc/1/ns/user")?)?;
            Ok(Refusal {
                cap: Some((SYS_ADMIN, initial)),
                namespace: Some((Kind::User, initial)),
                ..refusal(Reason::CapNew)
            })
        },
    },
    Case {
        name: "a limit",
        prepare: |actor, _| {
            actor.set_up(&Setup::UnshareUserMapped)?;
            actor.set_up(&Setup::Limit(Kind::Net.flag(), 0))?;
            let flags = Kind::Net.flag().into();
            Ok(Args::Unshare { flags })
        },
        expected: |actor, _| {
            let user_ns = format!("/proc/{}/ns/user", actor.pid()?);
            let limit = Limit {
                max: Some(0),
                user_ns: nsfs::id(File::open(user_ns)?)?,
                levels: 0,
            };
            Ok(Refusal {
                namespace: Some((Kind::Net, 0)),
                limit: Some(limit),
                ..refusal(Reason::Limit)
            })
        },
    },
];

const SYS_ADMIN: u32 = CapabilitySet::SYS_ADMIN.bits().trailing_zeros();

/// Returns a refusal that is about nothing.
fn refusal(reason: Reason) -> Refusal {
    Refusal {
        errno: reason.errno().expect("the check has one errno"),
        reason,
        cap: None,
        count: 0,
        namespace: None,
        limit: None,
    }
}

impl Case {
    /// Makes the call by an entry of the module, which reports the refusal `times` times.
    fn run(&self, entry: Entry, times: usize) -> Result<()> {
        let kinds = Kind::Uts.flag() | Kind::Mnt.flag();
        let target = TargetProcess::start(&Target::in_new(kinds))?;
        let mut actor = Actor::spawn()?;
        actor.open_device()?;
        let call = Call {
            entry,
            args: (self.prepare)(&mut actor, &target)?,
            fail_nth: None,
            diagnose: false,
        };
        let expected = (self.expected)(&mut actor, &target)?;

        let trace = Trace::of_refusals()?;
        let outcome = actor.call(call)?;
        trace.off()?;
        expect(outcome, Err(expected.errno.into()))?;
        let seen = trace.refusals_of(actor.pid()?)?;
        ensure!(
            seen == vec![expected; times],
            "seen: {seen:#?}\nexpected {times} times: {expected:#?}"
        );
        Ok(())
    }
}
