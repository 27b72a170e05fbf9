// SPDX-License-Identifier: GPL-2.0-only

//! Arguments that another thread rewrites, forbids and takes away while the kernel reads them.

use super::{
    call::{Command, VERSION_SIZE},
    fds::Pool,
    shared_counters::{BATCH, Board},
};
use crate::{
    case::implementation::{Kind, all_kinds},
    errno::{Code, Outcome, word},
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

/// What root may be told whatever the arguments were. It has a second thread, and so enters no
/// user, mount or time namespace.
const ALLOWED: &[(Command, &[Outcome])] = &[
    (
        Command::Setns,
        &[
            Ok(()),
            Err(Code::EFAULT),
            Err(Code::EBADF),
            Err(Code::EINVAL),
            Err(Code::ESRCH),
            Err(Code::EUSERS),
        ],
    ),
    (
        Command::Setns2011,
        &[
            Ok(()),
            Err(Code::EFAULT),
            Err(Code::EBADF),
            Err(Code::EINVAL),
        ],
    ),
    (
        Command::Version,
        &[
            Ok(()),
            Err(Code::EFAULT),
            Err(Code::EINVAL),
            Err(Code::E2BIG),
        ],
    ),
];

/// A batch of calls by root.
pub(super) fn run(pool: &Pool, board: &Board, seed: u64, calls: usize) -> Result<()> {
    let page = ShakyPage::new()?;
    let mut rng = Rng::with_seed(seed);
    let enough = AtomicBool::new(false);
    thread::scope(|scope| {
        let thread = scope.spawn(|| shake(&page, pool, Rng::with_seed(!seed), &enough));
        // For sure, and not only if the other thread happens to write it: one with threads may
        // not enter a time namespace.
        if let Some(time) = pool.namespace(Kind::Time) {
            let args = uapi::nsproxy_setns {
                fd: time,
                nstype: 0,
            };
            let device = pool.devices[0].as_raw_fd();
            let outcome = sys::ioctl(device, uapi::NSPROXY_SETNS, (&raw const args).addr());
            board.count(Command::Setns, outcome.map(drop).map_err(Code::from));
        }
        for _ in 0..calls.min(BATCH) {
            let (command, allowed) = ALLOWED[rng.usize(..ALLOWED.len())];
            let grown = VERSION_SIZE + 4 * rng.usize(..3);
            let number = match command {
                Command::Setns => uapi::NSPROXY_SETNS,
                Command::Setns2011 => uapi::NSPROXY_SETNS_2011,
                _ => uapi::NSPROXY_VERSION & !0x3fff_0000 | (grown as u32) << 16,
            };
            let device = pool.devices[0].as_raw_fd();
            let outcome = sys::ioctl(device, number, page.address())
                .map(drop)
                .map_err(Code::from);
            board.count(command, outcome);
            if !allowed.contains(&outcome) {
                let is = word(outcome);
                board
                    .complaints
                    .say(&format!("{command:?} in memory that changes: {is}"));
            }
        }
        enough.store(true, Relaxed);
        if !matches!(thread.join(), Ok(Ok(()))) {
            board.complaints.say("the memory could not be changed");
        }
    });
    Ok(())
}

/// The other thread.
fn shake(page: &ShakyPage, pool: &Pool, mut rng: Rng, enough: &AtomicBool) -> Result<()> {
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
            // As VERSION has it: the reserved field is the fourth, and the struct has 22.
            let (reserved, tail) = (rng.u32(..2), rng.u32(..2));
            let mut words = [0; VERSION_SIZE / 4 + 2];
            words[0] = entry.number as u32;
            words[1] = kinds;
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
