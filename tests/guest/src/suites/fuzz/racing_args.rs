// SPDX-License-Identifier: GPL-2.0-only

//! Arguments that another thread rewrites, protects and unmaps while the kernel reads them.

use super::{
    call::{Command, VERSION_SIZE, unshare_flags},
    expected::{Capabilities, Rights, documented},
    fds::FdPool,
    results::{BATCH, Results},
};
use crate::{
    case::implementation::{Kind, all_kinds},
    errno::{Code, outcome_name},
    sys::{self, ShakyPage},
};
use anyhow::Result;
use fastrand::Rng;
use nsproxy_uapi::sys as uapi;
use std::{
    hint,
    os::fd::AsRawFd as _,
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    thread,
};

/// The commands that are called.
const COMMANDS: [Command; 4] = [
    Command::Setns,
    Command::Setns2011,
    Command::Unshare,
    Command::Version,
];

/// Makes a batch of calls as root. Any outcome that is documented for the command is allowed.
pub(super) fn run(pool: &FdPool, results: &Results, seed: u64, calls: usize) -> Result<()> {
    let rights = Rights {
        filtered: false,
        capabilities: Capabilities::All,
        pid_for_children: true,
    };
    let allowed = COMMANDS.map(|command| documented(command, rights));
    let page = ShakyPage::new()?;
    let mut rng = Rng::with_seed(seed);
    let enough = AtomicBool::new(false);
    thread::scope(|scope| {
        let thread = scope.spawn(|| change(&page, pool, Rng::with_seed(!seed), &enough));
        // Makes sure of EUSERS: a caller with threads cannot enter a time namespace.
        if let Some(time) = pool.namespace(Kind::Time) {
            let args = uapi::nsproxy_setns {
                fd: time,
                nstype: 0,
            };
            let device = pool.devices[0].as_raw_fd();
            let outcome = sys::ioctl(device, uapi::NSPROXY_SETNS, (&raw const args).addr());
            results.count(Command::Setns, outcome.map(drop).map_err(Code::from));
        }
        for _ in 0..calls.min(BATCH) {
            let at = rng.usize(..COMMANDS.len());
            let grown = VERSION_SIZE + 4 * rng.usize(..3);
            let number = match COMMANDS[at] {
                Command::Setns => uapi::NSPROXY_SETNS,
                Command::Setns2011 => uapi::NSPROXY_SETNS_2011,
                Command::Unshare => uapi::NSPROXY_UNSHARE,
                _ => uapi::NSPROXY_VERSION & !0x3fff_0000 | (grown as u32) << 16,
            };
            let device = pool.devices[0].as_raw_fd();
            let outcome = sys::ioctl(device, number, page.address())
                .map(drop)
                .map_err(Code::from);
            results.count(COMMANDS[at], outcome);
            if !allowed[at].contains(&outcome) {
                let (command, outcome) = (COMMANDS[at], outcome_name(outcome));
                results.complaints.say(&format!(
                    "{command:?} returned {outcome} while its argument changed"
                ));
            }
        }
        enough.store(true, Relaxed);
        if !matches!(thread.join(), Ok(Ok(()))) {
            results.complaints.say("the memory could not be changed");
        }
    });
    Ok(())
}

/// Changes the page until there is `enough`. Runs in the other thread.
fn change(page: &ShakyPage, pool: &FdPool, mut rng: Rng, enough: &AtomicBool) -> Result<()> {
    let wait = |turns| (0..turns).for_each(|_| hint::spin_loop());
    while !enough.load(Relaxed) {
        for _ in 0..8 {
            let entry = &pool.entries[rng.usize(..pool.entries.len())];
            let kinds = match rng.u32(..4) {
                0 => 0,
                1 => Kind::ALL[rng.usize(..8)].flag(),
                2 => rng.u32(..) & all_kinds(),
                _ => rng.u32(..),
            };
            // VERSION: its fourth field is reserved, and later ones are beyond the known struct.
            let (reserved, tail) = (rng.u32(..2), rng.u32(..2));
            let mut words = [0; VERSION_SIZE / 4 + 2];
            [words[0], words[1]] = if rng.bool() {
                [entry.number as u32, kinds]
            } else {
                let flags = unshare_flags(&mut rng);
                [flags as u32, (flags >> 32) as u32]
            };
            words[3] = reserved;
            words[VERSION_SIZE / 4] = tail;
            page.put(&words);
            wait(rng.u32(..200));
        }
        match rng.u32(..3) {
            0 => page.forbidden(|| wait(300))?,
            1 => page.read_only(|| wait(300))?,
            _ => page.replace()?,
        }
    }
    Ok(())
}
