// SPDX-License-Identifier: GPL-2.0-only

//! `NSPROXY_EXPLAIN`, as a call and as a dry run, in the cases of the plain call.
//!
//! Every suite of cases checks the dry run before a plain call: see [`crate::checks::outcome`].
//! `errno` defines the expected reasons. Allocation failures are covered by `faults`.
//!
//! The command-line tool is tested, too. [`tool`] checks its explanations and hints, [`agreement`]
//! the answers of its commands, [`inherited`] the state of a command that it executes, [`served`]
//! what it reports of a served one, [`list`] the namespaces that it finds. In a guest without the
//! module, only what it does without it is tested.

mod agreement;
mod inherited;
mod list;
mod served;
mod tool;

use super::{errno, kinds, pidfd};
use crate::{
    case::{
        Case, Expect,
        fixtures::Fixtures,
        implementation::{self, Device, Entry, Kind},
        run,
        target::{self, Target},
    },
    report::ktap::Test,
};
use anyhow::{Result, ensure};
use nsproxy_uapi::Explain;
use std::{fs::File, os::fd::AsRawFd as _};

pub(crate) fn tests() -> Vec<Test> {
    let cases = || {
        let of = |suite, cases: Vec<Case>| cases.into_iter().map(move |case| (suite, case));
        of("kinds", kinds::cases())
            .chain(of("pidfd", pidfd::cases()))
            .chain(of("errno", errno::cases()))
    };
    let done = cases().map(|(suite, case)| Case {
        name: format!("{suite}: {}", case.name),
        subject: Entry::EXPLAINED,
        ..case
    });
    let dry = cases()
        // Without a reference, the case must define the expectation.
        .filter(|(_, case)| case.expect != Expect::AsReference)
        .map(|(suite, case)| Case {
            name: format!("dry run: {suite}: {}", case.name),
            subject: Entry::DRY_RUN,
            reference: None,
            ..case
        });
    let mut tests: Vec<_> = done
        .chain(dry)
        .map(|case| Test::new(case.name.clone(), move |fixtures| check(&case, fixtures)))
        .collect();
    tests.push(Test::new("dry run of 2011 changes nothing", dry_2011));
    tests.push(Test::new("2011, explained: there and back", there_and_back));
    tests.extend(tool::by_module());
    tests.extend(agreement::tests(cases()));
    tests.extend(inherited::tests());
    tests.extend(served::tests());
    let mut tests: Vec<_> = tests.into_iter().map(Test::of_module).collect();
    tests.extend(tool::from_user_space());
    tests.extend(list::tests());
    tests
}

/// Repeats a case whose journal does not add up, since another process may have changed a count
/// meanwhile. The call itself cannot be repeated after it has moved the caller.
fn check(case: &Case, fixtures: &mut Fixtures) -> Result<()> {
    const TIMES: usize = 4;
    let mut times = 0;
    loop {
        times += 1;
        match run::check(case, fixtures) {
            Err(error)
                if times < TIMES && error.to_string().contains(implementation::UNBALANCED) => {}
            result => return result,
        }
    }
}

fn dry_2011(fixtures: &mut Fixtures) -> Result<()> {
    let target = fixtures.target(&Target::in_new(Kind::Uts.flag()))?;
    let file = File::open(format!("/proc/{}/ns/uts", target.pid))?;
    let before = target::links_of("self");
    let how = Explain::dry_run(true);
    let (outcome, refusal) = implementation::explain(&Device::open()?, file.as_raw_fd(), 0, how)?;
    ensure!(outcome.is_ok(), "{outcome:?}, {refusal:?}");
    ensure!(before == target::links_of("self"), "the test has moved");
    Ok(())
}

fn there_and_back(fixtures: &mut Fixtures) -> Result<()> {
    let device = Device::open()?;
    let how = Explain {
        dry_run: false,
        as_of_2011: true,
    };
    for kind in [Kind::Net, Kind::Uts, Kind::Ipc] {
        let target = fixtures.target(&Target::in_new(kind.flag()))?;
        let name = kind.name();
        let [there, back] = [target.pid.to_string(), "self".to_owned()]
            .map(|process| File::open(format!("/proc/{process}/ns/{name}")));
        let (there, back) = (there?, back?);
        let home = target::links_of("self");
        let (outcome, _) =
            implementation::explain_with_journal(&device, there.as_raw_fd(), 0, how)?;
        let away = target::links_of("self");
        let (returned, _) =
            implementation::explain_with_journal(&device, back.as_raw_fd(), 0, how)?;
        ensure!(
            outcome.is_ok() && returned.is_ok(),
            "{name}: {outcome:?}, {returned:?}"
        );
        ensure!(
            away.get(name).copied() == target.link(name),
            "{name}: entered another"
        );
        ensure!(target::links_of("self") == home, "{name}: not back");
    }
    Ok(())
}
