// SPDX-License-Identifier: GPL-2.0-only

//! The clocks that a time namespace changes.

use crate::sys;
use serde::{Deserialize, Serialize};

/// The distances of the clocks from the real time in the initial time namespace, in nanoseconds.
///
/// Only the clocks since boot have offsets in a time namespace. Their distance from the real time is
/// constant otherwise, since the time of the guest is never set.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct ClockBase(Vec<i64>);

struct Clock {
    name: &'static str,
    id: libc::clockid_t,
    /// The real time with the same resolution. A coarse clock changes only at a tick, and ticks may
    /// be rare in a guest.
    real: libc::clockid_t,
}

const CLOCKS: [Clock; 3] = [
    Clock {
        name: "monotonic",
        id: libc::CLOCK_MONOTONIC,
        real: libc::CLOCK_REALTIME,
    },
    // Without a clock source that user space can read, the vDSO implements only this clock.
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
    /// Measures the distances in the caller's time namespace.
    pub(crate) fn measure() -> Self {
        Self(
            CLOCKS
                .iter()
                .map(|clock| clock.distance(sys::clock_by_syscall))
                .collect(),
        )
    }

    /// Returns the offset of each clock since the measurement: by vDSO and by system call.
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
    /// Returns the distance from the real time.
    fn distance(&self, read: fn(libc::clockid_t) -> i64) -> i64 {
        loop {
            let before = read(self.real);
            let time = read(self.id);
            let after = read(self.real);
            // An interruption would count as an offset.
            if after - before < 200_000_000 {
                return time - (before + after) / 2;
            }
        }
    }
}
