// SPDX-License-Identifier: GPL-2.0-only

//! The clocks, which in a time namespace are others.

use crate::sys;
use serde::{Deserialize, Serialize};

/// How far the clocks are from the real time in the initial time namespace, in nanoseconds.
///
/// Only the clocks since boot have offsets in a time namespace; the distance to the real time
/// does not change by itself, as nobody sets the guest's time.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct ClockBase(Vec<i64>);

struct Clock {
    name: &'static str,
    id: libc::clockid_t,
    /// The real time that is read in the same way. A coarse clock stands still between two ticks,
    /// which in a guest may be long.
    real: libc::clockid_t,
}

const CLOCKS: [Clock; 3] = [
    Clock {
        name: "monotonic",
        id: libc::CLOCK_MONOTONIC,
        real: libc::CLOCK_REALTIME,
    },
    // Where the hardware's clock cannot be read from user space, only this is the vDSO's own.
    Clock {
        name: "monotonic_coarse",
        id: libc::CLOCK_MONOTONIC_COARSE,
        real: libc::CLOCK_REALTIME_COARSE,
    },
    Clock {
        name: "boottime",
        id: libc::CLOCK_BOOTTIME,
        real: libc::CLOCK_REALTIME,
    },
];

impl ClockBase {
    /// The distances here, where the caller is.
    pub(crate) fn measure() -> Self {
        Self(
            CLOCKS
                .iter()
                .map(|clock| clock.distance(sys::clock_by_syscall))
                .collect(),
        )
    }

    /// For each clock, how far it is from where this was measured: by vDSO and by system call.
    pub(super) fn offsets_here(&self) -> impl Iterator<Item = (&'static str, (String, String))> {
        CLOCKS.iter().zip(&self.0).map(|(clock, &base)| {
            let offset = |read| {
                // To the next second: offsets are whole seconds.
                let nanoseconds = clock.distance(read) - base;
                format!("{:+} s", (nanoseconds as f64 / 1e9).round() as i64)
            };
            (
                clock.name,
                (offset(sys::clock_by_vdso), offset(sys::clock_by_syscall)),
            )
        })
    }
}

impl Clock {
    /// How far it is ahead of the real time.
    fn distance(&self, read: fn(libc::clockid_t) -> i64) -> i64 {
        loop {
            let before = read(self.real);
            let time = read(self.id);
            let after = read(self.real);
            // Not if something came in between that would count as an offset.
            if after - before < 200_000_000 {
                return time - (before + after) / 2;
            }
        }
    }
}
