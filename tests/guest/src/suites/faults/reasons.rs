// SPDX-License-Identifier: GPL-2.0-only

//! Each allocation of a call that fails is a reason of its own.

use crate::{
    case::{
        implementation::{self, Device, Kind},
        target::{Target, World},
    },
    checks::fault_injection::{self, Armed},
    env::kernel,
    errno::word,
    report::ktap::Test,
};
use anyhow::{Result, bail, ensure};
use nsproxy_uapi::{Explain, Reason};
use std::os::fd::AsRawFd as _;

/// In the order in which a call for user and mount namespaces makes them, by a user whom nobody has
/// counted in that user namespace.
const REASONS: [Reason; 5] = [
    Reason::NoNsProxy,
    Reason::NoCred,
    Reason::NoFs,
    Reason::Ucounts,
    Reason::Root,
];
/// How often it is tried: see [`super::sweep`].
const ATTEMPTS: u32 = 20;

pub(super) fn tests() -> Vec<Test> {
    let tests = REASONS.into_iter().zip(1..);
    tests
        .filter(|(reason, _)| *reason != Reason::Root || kernel::allocates_to_look_up())
        .map(|(reason, n)| {
            Test::new(
                format!(
                    "allocation {n} for user and mnt, explained: {}",
                    reason.name()
                ),
                move |world| is_named(n, reason, world),
            )
        })
        .collect()
}

/// The call is not made: a dry run makes the same allocations.
fn is_named(n: u32, expected: Reason, world: &mut World) -> Result<()> {
    fault_injection::prepare()?;
    let target = world.target(&Target::in_all_new().of_user())?;
    let pidfd = target.pidfd()?;
    let kinds = implementation::flags_of(&[Kind::User, Kind::Mnt]) as i32;
    let device = Device::open()?;
    let how = Explain::dry_run(false);
    let mut last = String::new();
    for _ in 0..ATTEMPTS {
        let armed = Armed::new(n)?;
        let said = implementation::explained(&device, pidfd.as_raw_fd(), kinds, how);
        let to_go = armed.to_go()?;
        drop(armed);
        let (outcome, refusal) = said?;
        let reason = refusal.map(|refusal| refusal.reason);
        ensure!(
            reason != Some(Reason::Unexplained),
            "{}, unexplained",
            word(outcome)
        );
        if to_go == 0 && reason == Some(expected) {
            return Ok(());
        }
        let reason = reason.map_or("none", Reason::name);
        last = format!("{}, reason {reason}, {to_go} to go", word(outcome));
    }
    bail!(
        "{ATTEMPTS} times not {}; the last time {last}",
        expected.name()
    );
}
