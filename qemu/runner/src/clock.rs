// SPDX-License-Identifier: GPL-2.0-only

//! The clock of an x86 guest in emulation.
//!
//! QEMU passes the host's time stamp counter to such a guest, but none of the timers that Linux
//! calibrates it with: a microvm has no HPET, no ACPI timer, and no speaker port to gate the PIT.
//! Without the rate of the counter, the guest falls back to counting ticks of 10 ms (100 Hz).

use crate::cli::Accel;
use std::time::Duration;

/// The rate with `-icount shift=0`, which counts each instruction as a nanosecond.
const ICOUNT_KHZ: u64 = 1_000_000;

/// Returns the kernel parameters for the clock of an x86 guest. They disable the watchdog of the time
/// stamp counter, which on a busy host would find the counter unstable, and set its rate. The rate
/// is left out with KVM, which reports it to the guest, and on a host that is not x86-64, where it
/// is unknown.
pub(crate) fn tsc_parameters(accel: Accel) -> String {
    let khz = match accel {
        Accel::Kvm => None,
        Accel::Icount => Some(ICOUNT_KHZ),
        Accel::Tcg | Accel::Parallel | Accel::Auto => host::tsc_khz(),
    };
    let rate = khz.map(|khz| format!(" tsc_early_khz={khz}"));
    format!("tsc=reliable{}", rate.unwrap_or_default())
}

/// Returns the rate of a counter in kHz.
fn khz(ticks: u64, time: Duration) -> Option<u64> {
    let khz = u128::from(ticks) * 1_000_000 / time.as_nanos().max(1);
    u64::try_from(khz).ok().filter(|khz| *khz > 0)
}

#[cfg(target_arch = "x86_64")]
mod host {
    use std::{
        arch::x86_64::_rdtsc,
        sync::LazyLock,
        thread,
        time::{Duration, Instant},
    };

    /// The time of a measurement. Each reading is off by less than a microsecond, so the rate is
    /// off by less than 0.01 %.
    const MEASURED: Duration = Duration::from_millis(20);

    /// Measures the rate of the counter, once.
    pub(super) fn tsc_khz() -> Option<u64> {
        static KHZ: LazyLock<Option<u64>> = LazyLock::new(|| {
            let (ticks, time) = read();
            thread::sleep(MEASURED);
            let (later_ticks, later) = read();
            super::khz(later_ticks.checked_sub(ticks)?, later - time)
        });
        *KHZ
    }

    /// Reads the counter and the clock at the same moment. Returns the pair of several that was
    /// read fastest, since a thread may be preempted between the two readings.
    pub(super) fn read() -> (u64, Instant) {
        let pairs = (0..16).map(|_| {
            let before = counter();
            let time = Instant::now();
            (counter().saturating_sub(before), before, time)
        });
        let fastest = pairs.min_by_key(|(took, ..)| *took);
        let (took, before, time) = fastest.unwrap_or_else(|| (0, counter(), Instant::now()));
        (before + took / 2, time)
    }

    fn counter() -> u64 {
        // SAFETY: Every x86-64 CPU has the instruction, which reads no memory. Linux allows it in
        // user space unless the process disabled it by prctl(PR_SET_TSC); this one does not.
        unsafe { _rdtsc() }
    }
}

#[cfg(not(target_arch = "x86_64"))]
mod host {
    /// Returns [`None`]: QEMU reads a counter whose rate depends on the host.
    pub(super) fn tsc_khz() -> Option<u64> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_in_khz() {
        assert_eq!(khz(2_600_000, Duration::from_millis(1)), Some(2_600_000));
        assert_eq!(khz(0, Duration::from_millis(1)), None);
        assert_eq!(khz(u64::MAX, Duration::ZERO), None);
    }

    #[cfg(target_arch = "x86_64")]
    #[test]
    fn the_counter_keeps_its_rate() {
        let rate = host::tsc_khz().unwrap();
        let (ticks, time) = host::read();
        std::thread::sleep(Duration::from_millis(50));
        let (later_ticks, later) = host::read();
        let now = khz(later_ticks - ticks, later - time).unwrap();
        assert!(
            now.abs_diff(rate) < rate / 1000,
            "{rate} kHz, and then {now} kHz"
        );
    }
}
