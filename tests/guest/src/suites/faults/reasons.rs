// SPDX-License-Identifier: GPL-2.0-only

//! Each allocation that can fail has a reason of its own.

use crate::{
    case::{
        fixtures::Fixtures,
        implementation::{self, Device, Kind},
        target::Target,
    },
    checks::fault_injection::{self, Armed},
    env::kernel,
    errno::outcome_name,
    report::ktap::Test,
};
use anyhow::{Result, bail};
use nsproxy_uapi::{Explain, Reason};
use std::os::fd::AsRawFd as _;

/// The reasons of the allocations of a call for user and mount namespaces, in order. The caller has no
/// ucounts in the user namespace.
const REASONS: [Reason; 5] = [
    Reason::NoNsProxy,
    Reason::NoCred,
    Reason::NoFs,
    Reason::Ucounts,
    Reason::Root,
];
/// How often to try, for the reason in [`super::sweep`].
const ATTEMPTS: u32 = 20;

pub(super) fn tests() -> Vec<Test> {
    let tests = REASONS.into_iter().zip(1..);
    tests
        .filter(|(reason, _)| *reason != Reason::Root || kernel::allocates_in_lookup())
        .map(|(reason, n)| {
            Test::new(
                format!(
                    "allocation {n} for user and mnt, explained: {}",
                    reason.name()
                ),
                move |fixtures| is_reported(n, reason, fixtures),
            )
        })
        .collect()
}

/// Checks the reason by a dry run, which makes the same allocations as a call.
fn is_reported(n: u32, expected: Reason, fixtures: &mut Fixtures) -> Result<()> {
    fault_injection::prepare()?;
    let target = fixtures.target(&Target::in_all_new().of_user())?;
    let pidfd = target.pidfd()?;
    let kinds = implementation::flags_of(&[Kind::User, Kind::Mnt]) as i32;
    let device = Device::open()?;
    let how = Explain::dry_run(false);
    let mut last = String::new();
    for _ in 0..ATTEMPTS {
        let armed = Armed::new(n)?;
        let said = implementation::explain(&device, pidfd.as_raw_fd(), kinds, how);
        let to_go = armed.to_go()?;
        drop(armed);
        let (outcome, refusal) = said?;
        let reason = refusal.map(|refusal| refusal.reason);
        if to_go == 0 && reason == Some(expected) {
            return Ok(());
        }
        let reason = reason.map_or("none", Reason::name);
        last = format!("{}, reason {reason}, {to_go} to go", outcome_name(outcome));
    }
    bail!(
        "not {} in {ATTEMPTS} attempts; last: {last}",
        expected.name()
    );
}
